"""Write requirements.lock: one version of everything that the project and its extras need, with digests of the files.

python tools/lock.py [--upgrade [PIP OPTIONS]]

uv resolves for all Pythons and systems at once; markers say what is for some of them only. Without --upgrade, versions
stay as they are in the lock, and what is missing is added. With it, everything except torch goes to the newest version
that pyproject.toml allows: a new torch is a decision of its own, edited by hand in the lock.

The lock is a pip constraints file: it pins whatever an install of any extra may bring, and installs nothing by itself.
Packages of the CUDA build of torch are left out, so that the same lock serves CPU and GPU.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ACCELERATOR = re.compile(r"nvidia-|cuda-|triton\b|pytorch-triton")
HEADER = "# Made by `make lock` for every Python and system that pyproject.toml allows; a constraints file for pip.\n"


def blocks(text: str) -> dict[str, str]:
    """The lock's entries by the package's name: pin and marker in the first line, a digest in each of the others."""
    entries = re.findall(r"^[a-z0-9][^\n]*(?:\n +[^\n]*)*", text, flags=re.MULTILINE)
    return {re.split(r"[=\[ ;]", entry, maxsplit=1)[0]: entry for entry in entries}


def pins(text: str) -> dict[str, Requirement]:
    """The same as requirements, without digests."""
    return {name: Requirement(entry.split("\n")[0].rstrip(" \\")) for name, entry in blocks(text).items()}


def oldest_python() -> str:
    """The first Python that pyproject.toml allows, as "3.11": no pin may need a later patch release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = SpecifierSet(project["requires-python"])
    return next(f"3.{minor}" for minor in range(20) if f"3.{minor}" in allowed)


def resolve(text: str, options: list[str]) -> str:
    """What uv makes of pyproject.toml, with the versions of `text` (a lock) as far as the options leave them."""
    with tempfile.TemporaryDirectory() as folder:
        resolved, kept = Path(folder) / "lock", Path(folder) / "kept"
        resolved.write_text(text, encoding="utf-8")
        kept.write_text(f"{pins(text)['torch']}\n" if text else "", encoding="utf-8")
        uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "pyproject.toml"]
        what = ["--all-extras", "--universal", "--python-version", oldest_python(), "--constraint", str(kept)]
        form = ["--generate-hashes", "--no-header", "--no-annotate", "--output-file", str(resolved)]
        subprocess.run([*uv, *what, *form, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return resolved.read_text(encoding="utf-8")


def main(arguments: list[str]) -> None:
    before = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    entries = blocks(resolve(before, arguments))
    kept = [entry for name, entry in sorted(entries.items()) if not ACCELERATOR.match(name)]
    LOCK.write_text("\n".join([HEADER.rstrip(), *kept, ""]), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # uv has said why
