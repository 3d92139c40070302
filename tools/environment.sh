#!/bin/sh
# Make the virtual environment, or bring it up to date; say clearly what is missing. Called by make, with the
# variables VENV, EXTRAS, LOCK (may be empty: unlocked), PYTHON (may be empty: search) and PIP_ARGS.
set -eu

NEEDED_MB=${NEEDED_MB:-4000}  # measured with the CPU build of torch: 2570 MB, and 240 MB more while it is unpacked
CANDIDATES="python3.11 python3.12 python3.13 python3"

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

# PyBullet has wheels for some Pythons only, and is compiled for the others.
check_compiler() {
    for compiler in "${CXX:-c++}" g++ clang++; do
        if command -v "$compiler" >/dev/null; then return; fi
    done
    requirement=$(grep '^pybullet==' "${LOCK:-/dev/null}" || echo pybullet)
    folder=$(mktemp -d)
    # shellcheck disable=SC2086  # PIP_ARGS is a list
    "$VENV/bin/python" -m pip download -qq --no-deps --only-binary=:all: $PIP_ARGS -d "$folder" "$requirement" 2>/dev/null ||
        fail "PyBullet must be compiled for $("$VENV/bin/python" --version), but no C++ compiler is installed" \
            "install one (Debian, Ubuntu: the package g++), or use Python 3.11: make PYTHON=python3.11"
    rm -r "$folder"
}

if ! suitable "$VENV/bin/python" || { [ -n "$PYTHON" ] && ! same_version "$PYTHON" "$VENV/bin/python"; }; then
    python=$(find_python)
    make_venv "$python"
    check_compiler
fi
echo "installing .[$EXTRAS] into $VENV with the versions of ${LOCK:-today} (some minutes the first time)"
# shellcheck disable=SC2086  # PIP_ARGS is a list
"$VENV/bin/python" -m pip install -qq --disable-pip-version-check $PIP_ARGS ${LOCK:+-c "$LOCK"} -e ".[$EXTRAS]" ||
    fail "pip could not install the packages (see above)" \
        "no network, or packages from another source? PIP_ARGS passes options to pip, see CONTRIBUTING.md"
