#!/bin/sh
# Make the virtual environment, or bring it up to date; say clearly what is missing. Called by make, with the
# variables VENV, EXTRAS, LOCK (may be empty: unlocked), PYTHON (may be empty: search) and PIP_ARGS. Also, all optional:
# TORCH_INDEX: where PyTorch's builds for processors are, for machines without an NVIDIA driver ("any": whatever pip
# finds, be it with CUDA). HASHES=1: take only files whose digests are in the lock.
set -eu

NEEDED_MB=${NEEDED_MB:-4000}  # with the CPU build of torch: 3450 MB of files, and 240 MB more while it is unpacked
CUDA_GB=3  # torch 2.13 and its CUDA libraries, as downloaded
CANDIDATES="python3.11 python3.12 python3.13 python3"
DRIVER=${DRIVER:-/proc/driver/nvidia/version}

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

# The same bounds as requires-python in pyproject.toml.
suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

find_python() {
    if [ -n "$PYTHON" ]; then
        suitable "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13: $("$PYTHON" --version 2>&1 | tail -n 1)"
        echo "$PYTHON"
        return
    fi
    for candidate in $CANDIDATES; do
        if suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python3.11"
}

same_version() {
    [ "$("$1" -c 'import sys; print(sys.version_info[:2])')" = "$("$2" -c 'import sys; print(sys.version_info[:2])')" ]
}

check_folder() {
    [ -w . ] || fail "this folder is read-only for you; copy it to a folder of yours and run make there"
}

check_space() {
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$NEEDED_MB" ] ||
        fail "the environment needs $NEEDED_MB MB of disk, there are $free MB here; free some (NEEDED_MB=0 tries anyway)"
}

make_venv() {
    check_space
    "$1" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$1 lacks the venv module (Debian, Ubuntu: the package python3-venv)"
    echo "making $VENV with $("$1" --version)"
    "$1" -m venv --clear "$VENV" || fail "cannot make $VENV here; is the folder writable?"
}

# shellcheck disable=SC2086  # PIP_ARGS is a list
pip() {
    verb=$1
    shift
    "$VENV/bin/python" -m pip "$verb" -qq --disable-pip-version-check $PIP_ARGS "$@"
}

# Linux on other processors and Macs with Intel's have no wheel of PyBullet, which is compiled there.
check_compiler() {
    case "$(uname -sm)" in "Linux x86_64" | "Darwin arm64") return ;; esac
    for compiler in "${CXX:-c++}" g++ clang++; do
        if command -v "$compiler" >/dev/null; then return; fi
    done
    fail "PyBullet must be compiled on $(uname -sm), but no C++ compiler is installed" \
        "install one (Debian, Ubuntu: the package g++)"
}

# The lock's pins without digests: with them, pip would want digests of this very folder, too.
pins() {
    [ -z "$LOCK" ] || sed -e '/^ *--hash=/d' -e 's/ *\\$//' "$LOCK"
}

installed_torch() {
    "$VENV/bin/python" -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null
}

# Which build pip would take: "2.13.0+cpu", "2.13.0" (on Linux with CUDA), or nothing if it reaches none.
torch_on_offer() {
    pip install --dry-run --ignore-installed --no-deps --report - "$1" 2>/dev/null |
        "$VENV/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["install"][0]["metadata"]["version"])' 2>/dev/null
}

has_driver() {
    [ -e "$DRIVER" ] || command -v nvidia-smi >/dev/null
}

# On Linux, torch as package indexes have it brings gigabytes of CUDA, which a machine without an NVIDIA driver never
# uses. Elsewhere it is the build for processors anyway.
install_torch() {
    [ "$(uname -s)" = Linux ] || return 0
    torch=$(pins | grep '^torch==' || echo 'torch>=2.9')
    if has_driver; then
        echo "torch: with CUDA, as an NVIDIA driver is installed"
        return
    fi
    if [ "${TORCH_INDEX:-}" = any ]; then
        echo "torch: whatever pip finds (TORCH_INDEX=any)"
        return
    fi
    installed=$(installed_torch || true)
    case "$torch" in "torch==${installed%%+*}") return ;; esac
    if [ -n "${TORCH_INDEX:-}" ]; then
        pip install --no-deps --index-url "$TORCH_INDEX" "$torch" || fail "no $torch at TORCH_INDEX=$TORCH_INDEX (see above)"
    else
        case "$(torch_on_offer "$torch")" in
            *+cpu) pip install --no-deps "$torch" ;;
            *) torch_by_uv "$torch" ;;
        esac
    fi
    echo "torch: $(installed_torch), as no NVIDIA driver is installed"
}

# uv knows where PyTorch keeps its builds for processors.
torch_by_uv() {
    {
        pip install "$(pins | grep '^uv==' || echo 'uv>=0.8')" &&
            UV_HTTP_TIMEOUT=30 UV_HTTP_RETRIES=1 "$VENV/bin/python" -m uv pip install --quiet --no-config --no-deps \
                --python "$VENV/bin/python" --torch-backend cpu "$1"
    } 2>"$VENV/torch.log" ||
        fail "no NVIDIA driver is installed, and no build of $1 for processors is reached (no network?):" \
            "$(tail -n 3 "$VENV/torch.log")" \
            "the build with CUDA, about $CUDA_GB GB to download, is not taken unasked: set TORCH_INDEX to the address of" \
            "PyTorch's CPU wheels, PIP_ARGS='--find-links <folder>' with such a wheel, or TORCH_INDEX=any for what there is"
}

# uv installs in a tenth of pip's time. Options for pip are pip's, and torch is there by now; where uv does not come through
# (no such package, another proxy), pip does it.
fast_install() {
    [ -z "$PIP_ARGS" ] && [ -z "${PIP_ONLY:-}" ] && [ -n "$(installed_torch || true)" ] || return 1
    pip install "$(pins | grep '^uv==' || echo 'uv>=0.8')" 2>/dev/null || return 1
    "$VENV/bin/python" -m uv pip install --quiet --python "$VENV/bin/python" -c "$VENV/pins.txt" -e ".[$EXTRAS]" && return
    echo "uv could not install the packages (see above); now pip tries" >&2
    return 1
}

# Everything but torch and this folder itself, as listed, and only if the digests agree.
install_by_hash() {
    [ -n "$LOCK" ] || fail "HASHES=1 needs a lock"
    echo "installing all that $LOCK lists, by digest (but torch, whose builds differ from machine to machine)"
    awk '/^[a-z]/ { torch = /^torch==/ } !torch' "$LOCK" >"$VENV/by-hash.txt"
    pip install --no-deps --require-hashes -r "$VENV/by-hash.txt" || fail "pip could not install $LOCK (see above)"
}

check_folder
if ! suitable "$VENV/bin/python" || { [ -n "$PYTHON" ] && ! same_version "$PYTHON" "$VENV/bin/python"; }; then
    python=$(find_python)
    make_venv "$python"
    check_compiler
fi
install_torch
if [ -n "${HASHES:-}" ]; then install_by_hash; fi
pins >"$VENV/pins.txt"
echo "installing .[$EXTRAS] into $VENV with the versions of ${LOCK:-today} (some minutes the first time)"
fast_install || pip install -c "$VENV/pins.txt" -e ".[$EXTRAS]" ||
    fail "pip could not install the packages (see above)" \
        "no network, or packages from another source? PIP_ARGS passes options to pip, see CONTRIBUTING.md"
