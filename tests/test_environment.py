"""The environment: pyproject.toml, requirements.lock, environment.yml and what is installed say the same."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
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
def lock(root) -> dict[str, Version]:
    lines = (root / "requirements.lock").read_text().splitlines()
    pins = [re.fullmatch(r"([a-z0-9-]+)==([^+;@ ]+)", line) for line in lines if not line.startswith("#")]
    assert all(pins), "the lock holds comments and name==version, nothing else (no addresses, options, markers)"
    return {pin[1]: Version(pin[2]) for pin in pins if pin}


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
    assert pip.pop() == "-e .[dev,export,distributed]", "the project itself comes last"

    wanted = {Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["notebooks"]}
    in_conda = {f"{CONDA_NAMES.get(r.name, r.name)}{r.specifier}" for r in wanted}
    in_pip = {str(r) for r in wanted}
    base = {f"python{_bounds(project)}", "pip", "make", "cxx-compiler"}
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


@pytest.fixture
def environment(root: Path, tmp_path: Path):
    """Run tools/environment.sh in an empty folder."""

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        settings = {"VENV": ".venv", "EXTRAS": "dev", "LOCK": "", "PYTHON": sys.executable, "PIP_ARGS": "", **variables}
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
    """A PATH with a shell's basics but no compiler, and a pip that finds no wheel."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "df", "awk", "grep", "mktemp", "rm", "tail", "cat"):
        (tools / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    python = fake(
        tools,
        "some-python",
        'case "$*" in '
        '"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; '
        '"-m pip"*) exit 1;; '
        '"--version") echo Python 3.13.0;; '
        "*) exit 0;; esac",
    )
    for name in ("mkdir", "cp"):
        (tools / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    result = environment(PYTHON=str(python), PATH=str(tools), CXX="")
    assert result.returncode != 0
    assert "PyBullet must be compiled for Python 3.13.0, but no C++ compiler is installed" in result.stderr


def test_failing_pip_points_to_pip_args(environment, tmp_path):
    python = fake(
        tmp_path / "bin",
        "some-python",
        'case "$*" in '
        '"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; '
        '"-m pip install"*) echo pip: no route >&2; exit 1;; '
        "*) exit 0;; esac",
    )
    result = environment(PYTHON=str(python))
    assert result.returncode != 0
    assert "no route" in result.stderr and "PIP_ARGS" in result.stderr
