"""Write requirements.lock: the versions of everything that the project and its extras need, as installed here.

python tools/lock.py [--upgrade [PIP OPTIONS]]

The lock is a pip constraints file: it pins whatever an install of any extra may bring, and installs nothing by
itself. Packages of the CUDA build of torch are left out, so that the same lock serves CPU and GPU.
With --upgrade, everything except torch is first upgraded to the newest version that pyproject.toml allows. No pin may
need a newer patch release of Python than the oldest we support; such packages are held back below.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HELD = ["soupsieve<3.0.2"]  # newer ones need Python 3.11.5; Debian 12 has 3.11.2
ACCELERATOR = re.compile(r"nvidia-|cuda-|triton$|pytorch-triton")


def direct_requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for: the core, and the given extras (all of them if none is given)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    lists = [project["dependencies"], *(optional[extra] for extra in extras or optional)]
    return [Requirement(text) for texts in lists for text in texts]


def closure(requirements: list[Requirement]) -> dict[str, str]:
    """Name and version of each installed package that the requirements lead to, without the accelerator's."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    stack = [(requirement, "") for requirement in requirements]
    while stack:
        requirement, extra = stack.pop()
        name = canonicalize_name(requirement.name)
        if ACCELERATOR.match(name) or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        distribution = metadata.distribution(name)
        found[name] = Version(distribution.version).public
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                stack += [(Requirement(text), wanted) for text in distribution.requires or []]
    return found


def too_new(versions: dict[str, str]) -> list[str]:
    """Packages whose pinned version refuses a Python that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons = [f"3.{minor}.0" for minor in range(20) if f"3.{minor}" in SpecifierSet(project["requires-python"])]
    needs = {name: str(metadata.metadata(name).json.get("requires_python", "")) for name in versions}
    return [
        f"{name} needs {needs[name]}" for name in versions if not all(p in SpecifierSet(needs[name]) for p in pythons)
    ]


def text_of(versions: dict[str, str]) -> str:
    made_with = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    lines = [f"{name}=={version}" for name, version in sorted(versions.items())]
    return "\n".join([f"# Made by `make lock` with {made_with}; a constraints file for pip.", *lines, ""])


def upgrade(options: list[str]) -> None:
    """Bring the environment to the newest versions allowed; a new torch is a decision of its own, edited by hand."""
    torch = f"torch=={metadata.version('torch')}"
    wanted = [str(requirement) for requirement in direct_requirements() if requirement.name != "torch"]
    pip = [sys.executable, "-m", "pip", "install", "--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run([*pip, *options, torch, *wanted, *HELD], check=True)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--upgrade"]:
        upgrade(arguments[1:])
        subprocess.run([sys.executable, __file__], check=True)  # a new process sees the new packages
        return
    try:
        versions = closure(direct_requirements())
    except metadata.PackageNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; install every extra first: make env EXTRAS=...")
    if refusing := too_new(versions):
        sys.exit(f"error: hold these back in {__file__}, they do not support every Python: {'; '.join(refusing)}")
    LOCK.write_text(text_of(versions))


if __name__ == "__main__":
    main(sys.argv[1:])
