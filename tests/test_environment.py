"""The environment: pyproject.toml, requirements.lock, environment.yml and what is installed say the same."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

CONDA_NAMES = {
    "torch": "pytorch-cpu",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "jupyter-client": "jupyter_client",
}


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def tool(root):
    sys.path.insert(0, str(root / "tools"))
    try:
        yield importlib.import_module("lock")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def locked(root, tool) -> dict[str, Requirement]:
    """The lock's pins, with their markers."""
    return tool.pins((root / "requirements.lock").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lock(locked) -> dict[str, Version]:
    return {name: Version(next(iter(pin.specifier)).version) for name, pin in locked.items()}


def direct(project: dict) -> list[Requirement]:
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for texts in lists for text in texts]


def needed(project: dict) -> set[str]:
    """Names of all installed packages that the installed ones of the project's requirements lead to."""
    stack = [(requirement, "") for requirement in direct(project)]
    seen: set[tuple[str, str]] = set()
    while stack:
        requirement, extra = stack.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            below = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:  # an extra that is not installed here
            continue
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                stack += [(child, wanted) for child in below]
    return {name for name, _ in seen}


def test_every_direct_requirement_is_locked_to_an_allowed_version(project, lock):
    for requirement in direct(project):
        name = canonicalize_name(requirement.name)
        assert name in lock, f"{name} is not in requirements.lock; run `make lock`"
        assert lock[name] in requirement.specifier, f"{name}: lock has {lock[name]}, pyproject.toml wants {requirement}"


def test_the_lock_holds_pins_and_digests_and_nothing_else(root, locked):
    """No addresses and no options: those are the user's."""
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[a-z0-9-]+(\[[a-z,-]+\])?==[^+@ ]+( ; [^@]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert lines[0].startswith("# Made by")
    for before, line in itertools.pairwise(lines):
        assert (digest if before.endswith("\\") else pin).fullmatch(line), line
    assert all(len(pin.specifier) == 1 and next(iter(pin.specifier)).operator == "==" for pin in locked.values())


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize(
    ("system", "machine"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]
)
def test_every_machine_gets_one_pybullet(project, locked, python, system, machine):
    where = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": system}
    where["platform_machine"] = machine
    names = {"pybullet", "pybullet-arm64"}
    for pins in (direct(project), locked.values()):
        [taken] = [r.name for r in pins if r.name in names and (r.marker is None or r.marker.evaluate(where))]
        assert taken == ("pybullet" if (python, system, machine) == ("3.11", "linux", "x86_64") else "pybullet-arm64")


def test_lock_serves_the_cpu_build(lock):
    assert lock["torch"] == Version("2.13.0")
    accelerators = [name for name in lock if name.startswith(("nvidia-", "cuda-")) or "triton" in name]
    assert not accelerators


def test_every_pin_supports_every_python_we_support(project, lock):
    """Also its first patch release: Debian 12 has Python 3.11.2."""
    pythons = [f"3.{minor}.0" for minor in range(20) if f"3.{minor}" in SpecifierSet(project["requires-python"])]
    for name, version in lock.items():
        try:
            installed = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # of an extra that is not installed here
            continue
        if installed["Version"].split("+")[0] == str(version):
            needs = installed.get("Requires-Python") or ""
            assert all(python in SpecifierSet(needs) for python in pythons), f"{name}=={version} needs Python {needs}"


@pytest.mark.skipif(not os.environ.get("DGRASP_LOCK", "requirements.lock"), reason="unlocked environment was asked for")
def test_installed_is_what_is_locked(project, lock):
    for name in needed(project):
        if name.startswith(("nvidia-", "cuda-")) or "triton" in name:
            continue  # the CUDA build of torch brings its own
        assert name in lock, f"{name} is installed for the project but not locked; run `make lock`"
        assert Version(metadata.version(name)).public == str(lock[name]), f"{name}: run `make env`"


def test_conda_environment_is_in_step(project, root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert pip.pop() == "-e .[companion,dev,export,distributed]", "the project itself comes last"

    extras = project["optional-dependencies"]
    wanted = {Requirement(text) for text in project["dependencies"] + extras["companion"] + extras["notebooks"]}
    in_conda = {f"{CONDA_NAMES.get(r.name, r.name)}{r.specifier}" for r in wanted}
    in_pip = {str(r) for r in wanted}
    base = {f"python{_bounds(project)}", "pip", "make", "cxx-compiler"}
    pip = [str(Requirement(text)) for text in pip]
    assert set(pip) <= in_pip, f"not in pyproject.toml, or with other bounds: {set(pip) - in_pip}"
    assert set(conda) <= in_conda | base, f"not in pyproject.toml, or with other bounds: {set(conda) - in_conda - base}"
    for requirement in wanted:
        conda_name = f"{CONDA_NAMES.get(requirement.name, requirement.name)}{requirement.specifier}"
        assert conda_name in conda or str(requirement) in pip, f"{requirement} is missing in environment.yml"


def _bounds(project: dict) -> str:
    return project["requires-python"].replace(" ", "")


def test_everything_that_is_imported_is_asked_for(project, root):
    """A package that only comes along with another one today may be gone tomorrow."""
    declared = {canonicalize_name(requirement.name) for requirement in direct(project)}
    declared.add("pydantic-core")  # the other half of pydantic, tied to its version
    providers = metadata.packages_distributions()
    own = {"dgrasp"} | {
        path.stem for folder in ("tests", "benchmarks", "tools") for path in (root / folder).rglob("*.py")
    }
    undeclared = {
        f"{path.relative_to(root)}: {module}"
        for folder in ("dgrasp", "notebooks", "tests", "benchmarks", "tools")
        for path in (root / folder).rglob("*.py")
        for module in imported(path) - sys.stdlib_module_names - own
        if not {canonicalize_name(name) for name in providers.get(module, [module])} & declared
    }
    assert not undeclared, "\n".join(sorted(undeclared))


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    from_them = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.split(".")[0] for name in plain | from_them}


def test_python_versions_are_the_same_everywhere(project, root):
    allowed = [minor for minor in range(8, 20) if Version(f"3.{minor}") in SpecifierSet(project["requires-python"])]
    script = (root / "tools" / "environment.sh").read_text()
    assert f"(3, {allowed[0]}) <= sys.version_info[:2] < (3, {allowed[-1] + 1})" in script
    assert all(f"python3.{minor}" in script for minor in allowed)


def test_version_is_the_same_everywhere(root):
    import dgrasp

    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["version"] == dgrasp.__version__
    assert {"title", "authors", "year"} <= citation["preferred-citation"].keys()


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
    assert not [call for call in calls if "uv" in call]


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
