"""tools/environment.sh and make's rule for it: what they say is missing, which torch they take, in any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# --- tools/environment.sh says what is missing ------------------------------------------------------------------------

# A Python that notes what it is asked for: FAKE_OFFER is the torch that pip would take, FAKE_FAILS a call that fails.
FAKE_PYTHON = """
echo "$*" >> calls
case "$*" in *"${FAKE_FAILS:-nothing}"*) echo "pip: no route" >&2; exit 1;; esac
case "$*" in
    "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
    *--dry-run*) echo "$FAKE_OFFER";;
    *json.load*) cat;;
    *torch-backend*|*"--no-deps torch"*|*"--index-url"*) echo 2.13.0+cpu > torch;;
    *importlib.metadata*) if [ -f torch ]; then cat torch; else echo "${FAKE_INSTALLED:-}"; fi;;
    --version) echo Python 3.13.0;;
esac
exit 0
"""


@pytest.fixture
def environment(root: Path, tmp_path: Path):
    """Run tools/environment.sh in an empty folder, on a machine without an NVIDIA driver."""

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        settings = {"VENV": ".venv", "EXTRAS": "dev", "LOCK": "", "PYTHON": sys.executable, "PIP_ARGS": ""}
        settings |= {"TORCH_INDEX": "any", "HASHES": "", "DRIVER": "no driver", **variables}
        command = ["sh", str(root / "tools" / "environment.sh")]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **settings}, capture_output=True, text=True)

    return run


def fake(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_wrong_python_is_named(environment, tmp_path):
    old = fake(tmp_path / "bin", "old python", 'case "$1" in --version) echo Python 3.8.1;; *) exit 1;; esac')
    result = environment(PYTHON=str(old))
    assert result.returncode != 0
    assert f"PYTHON={old} is not Python 3.11, 3.12 or 3.13: Python 3.8.1" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_no_python_at_all(environment, tmp_path):
    for name in ("python3.11", "python3.12", "python3.13", "python3"):
        fake(tmp_path / "bin", name, "exit 127")
    result = environment(PYTHON="", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert result.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 found" in result.stderr


def test_too_little_space(environment, tmp_path):
    result = environment(NEEDED_MB="999999999")
    assert result.returncode != 0
    assert "needs 999999999 MB of disk" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_no_venv_module(environment, tmp_path):
    bare = fake(
        tmp_path / "bin",
        "bare-python",
        f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac',
    )
    result = environment(PYTHON=str(bare))
    assert result.returncode != 0
    assert "lacks the venv module" in result.stderr and "python3-venv" in result.stderr


def test_no_compiler_where_pybullet_has_no_wheel(environment, tmp_path):
    """A PATH with a shell's basics but no compiler, on a processor for which there are no wheels."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "df", "awk", "grep", "mktemp", "rm", "tail", "cat", "mkdir", "cp"):
        (tools / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    fake(tools, "uname", "echo Linux aarch64")
    python = fake(tools, "some-python", FAKE_PYTHON)
    result = environment(PYTHON=str(python), PATH=str(tools), CXX="")
    assert result.returncode != 0
    assert "PyBullet must be compiled on Linux aarch64, but no C++ compiler is installed" in result.stderr


def test_failing_pip_points_to_pip_args(environment, tmp_path):
    python = fake(tmp_path / "bin", "some-python", FAKE_PYTHON)
    result = environment(PYTHON=str(python), FAKE_FAILS="-e .[dev]")
    assert result.returncode != 0
    assert "no route" in result.stderr and "PIP_ARGS" in result.stderr


def test_a_read_only_folder_is_said_so(root):
    variables = {"VENV": ".venv", "EXTRAS": "dev", "LOCK": "", "PYTHON": sys.executable, "PIP_ARGS": ""}
    script = (root / "tools" / "environment.sh").read_text()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        nobody = {"user": 65534} if os.geteuid() == 0 else {}
        result = subprocess.run(
            ["sh", "-c", script], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, **nobody
        )
    assert result.returncode != 0
    assert result.stderr == "error: this folder is read-only for you; copy it to a folder of yours and run make there\n"


# --- and which torch it takes -----------------------------------------------------------------------------------------


@pytest.fixture
def install(environment, tmp_path):
    """tools/environment.sh with a fake Python on Linux: the result, and what pip and uv were asked for."""
    fake(tmp_path / "bin", "uname", 'case "$1" in -s) echo Linux;; *) echo Linux x86_64;; esac')
    python = fake(tmp_path / "bin", "some-python", FAKE_PYTHON)
    lock = tmp_path / "lock"
    lock.write_text(
        "numpy==2 \\\n    --hash=sha256:0\ntorch==2.13.0 \\\n    --hash=sha256:1\nuv==0.13.9 \\\n    --hash=sha256:2\n"
    )

    def run(**variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        (tmp_path / "calls").unlink(missing_ok=True)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        settings = {"LOCK": "lock", "TORCH_INDEX": "", "PYTHON": str(python), "PATH": path, **variables}
        result = environment(**settings)
        return result, (tmp_path / "calls").read_text().splitlines()

    return run


def test_without_a_driver_a_cpu_build_on_offer_is_taken(install):
    result, calls = install(FAKE_OFFER="2.13.0+cpu")
    assert result.returncode == 0, result.stderr
    assert "torch: 2.13.0+cpu, as no NVIDIA driver is installed" in result.stdout
    assert [call for call in calls if call.endswith("--no-deps torch==2.13.0")], calls
    assert not [call for call in calls if "--torch-backend" in call]


def test_without_a_driver_uv_fetches_the_cpu_build(install):
    result, calls = install(FAKE_OFFER="2.13.0")
    assert result.returncode == 0, result.stderr
    assert "torch: 2.13.0+cpu, as no NVIDIA driver is installed" in result.stdout
    assert [call for call in calls if call.startswith("-m uv ") and call.endswith("--torch-backend cpu torch==2.13.0")]


@pytest.mark.parametrize("offer", ["2.13.0", ""])
def test_cuda_is_not_downloaded_unasked(install, offer):
    result, calls = install(FAKE_OFFER=offer, FAKE_FAILS="-m uv")
    assert result.returncode != 0
    assert "no NVIDIA driver is installed, and no build of torch==2.13.0 for processors is reached" in result.stderr
    assert "about 3 GB" in result.stderr and "TORCH_INDEX=any" in result.stderr
    assert "no route" in result.stderr, "what stood in the way is said"
    assert not [call for call in calls if "-e ." in call]


def test_the_address_of_cpu_builds_is_a_setting(install, tmp_path):
    result, calls = install(TORCH_INDEX="file:///wheels", FAKE_OFFER="2.13.0")
    assert result.returncode == 0, result.stderr
    assert [call for call in calls if call.endswith("--no-deps --index-url file:///wheels torch==2.13.0")]
    (tmp_path / "torch").unlink()
    result, _ = install(TORCH_INDEX="file:///none", FAKE_FAILS="--index-url file:///none")
    assert result.returncode != 0 and "no torch==2.13.0 at TORCH_INDEX=file:///none" in result.stderr


@pytest.mark.parametrize(
    "variables", [{"TORCH_INDEX": "any"}, {"DRIVER": sys.executable}, {"FAKE_INSTALLED": "2.13.0"}]
)
def test_what_a_machine_has_or_wants_is_left_to_pip(install, variables):
    """TORCH_INDEX=any, a driver, or the locked version installed already, in whichever build."""
    result, calls = install(FAKE_OFFER="2.13.0", **variables)
    assert result.returncode == 0, result.stderr
    assert not [call for call in calls if "install" in call and "torch" in call]
    assert ("with CUDA, as an NVIDIA driver is installed" in result.stdout) == ("DRIVER" in variables)


def test_digests_are_compared_if_asked_for(install, tmp_path):
    result, calls = install(FAKE_OFFER="2.13.0+cpu", HASHES="1")
    assert result.returncode == 0, result.stderr
    assert [call for call in calls if "--no-deps --require-hashes -r .venv/by-hash.txt" in call]
    listed = (tmp_path / ".venv" / "by-hash.txt").read_text()
    assert listed == "numpy==2 \\\n    --hash=sha256:0\nuv==0.13.9 \\\n    --hash=sha256:2\n"
    assert (tmp_path / ".venv" / "pins.txt").read_text() == "numpy==2\ntorch==2.13.0\nuv==0.13.9\n"
    assert "-c .venv/pins.txt -e .[dev]" in calls[-1]


# --- wherever the folder lies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["with space", "O'Neil", "O'Neil's", "Übung 数据", 'a "quoted" one'])
def test_make_installs_once_in_any_folder(root, tmp_path, name):
    copy = tmp_path / name
    (copy / "dgrasp").mkdir(parents=True)
    (copy / "tools").mkdir()
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / file, copy / file)
    (copy / "dgrasp" / "__init__.py").touch()
    (copy / "tools" / "environment.sh").write_text('mkdir -p "$VENV"; echo "$PIP_ARGS" >> installed\n')
    command = ["make", "-C", str(copy), "env", "PIP_ARGS=--find-links 'O'Neil''"]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    for locale in ("C", "C.UTF-8"):
        result = subprocess.run(command, env={**environment, "LC_ALL": locale}, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    assert (copy / "installed").read_text() == "--find-links 'O'Neil''\n", "installed once"


def test_line_ends_stay_with_autocrlf(root, tmp_path):
    """Git for Windows asks for core.autocrlf by default; shells and digests do not take it."""
    clone = tmp_path / "clone"
    done = subprocess.run(
        ["git", "clone", "-q", "--no-checkout", str(root), str(clone)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a git clone")
    files = ["Makefile", "tools/environment.sh", "requirements.lock", "figures/fig01.csv", "figures/fig01.png"]
    checkout = ["git", "-C", str(clone), "-c", "core.autocrlf=true", "checkout", "HEAD", "--", ".gitattributes", *files]
    subprocess.run(checkout, check=True, capture_output=True)
    for file in files:
        committed = subprocess.check_output(["git", "-C", str(clone), "cat-file", "blob", f"HEAD:{file}"])
        assert (clone / file).read_bytes() == committed, file
