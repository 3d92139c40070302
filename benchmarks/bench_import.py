"""What it costs to have the slopes at hand, and nothing else of the package: seconds beyond `import torch`.

    python benchmarks/bench_import.py

import_slopes_after_torch       seconds of `from dgrasp import slope_loss, optimize_poses` once torch is there
import_torch                    seconds of `import torch`, in the same processes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from plain import entry

CODE = """
import time
start = time.perf_counter()
import torch
torch_loaded = time.perf_counter()
from dgrasp import slope_loss, optimize_poses
print(torch_loaded - start, time.perf_counter() - torch_loaded)
"""
REPEATS = 5


def import_seconds() -> tuple[float, float]:
    """Of torch and of the slopes, in a fresh process."""
    root = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    of_torch, of_slopes = map(float, done.stdout.split())
    return of_torch, of_slopes


def benchmarks() -> dict[str, dict[str, object]]:
    """The best of each: the files are in the system's memory after the first."""
    of_torch, of_slopes = zip(*(import_seconds() for _ in range(REPEATS)), strict=True)
    return {
        "import_slopes_after_torch": entry(min(of_slopes), "s", REPEATS),
        "import_torch": entry(min(of_torch), "s", REPEATS),
    }


if __name__ == "__main__":
    print(json.dumps(benchmarks(), indent=2))
