"""What it brings a plan that freed memory is kept (`dgrasp.memory`), in processes of their own.

    python benchmarks/bench_memory.py

plan_kept_memory_speedup        seconds of a laptop plan with memory handed back, by seconds with memory kept
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from plain import entry

from dgrasp.memory import ENVIRONMENT

PLAN = "from plain import seconds; from bench_plan import laptop_plan; print(seconds(laptop_plan(), 5))"
ROUNDS = 2


def plan_seconds(setting: str) -> float:
    """Of the best of five plans, in a fresh process with that setting."""
    environment = os.environ | {ENVIRONMENT: setting}
    command = [sys.executable, "-c", PLAN]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def benchmarks() -> dict[str, dict[str, object]]:
    """In turns, so that a machine that slows down slows both."""
    seconds = {setting: [] for setting in ("0", "1")}
    for _ in range(ROUNDS):
        for setting, times in seconds.items():
            times.append(plan_seconds(setting))
    return {"plan_kept_memory_speedup": entry(min(seconds["0"]) / min(seconds["1"]), "x", ROUNDS)}


if __name__ == "__main__":
    print(json.dumps(benchmarks(), indent=2))
