"""The environment: pyproject.toml, requirements.lock, environment.yml and what is installed say the same."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import re
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
