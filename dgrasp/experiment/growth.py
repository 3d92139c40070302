"""How the cost of the chain grows, as `benchmarks/grow_chain.py` measured and simulated it: `grown.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

GROWN = "grown.json"
WORKERS, FREE, JOB = "workers", "workers, free folder", "job"  # what is varied, beside scenes, poses and image width
GOOD = 0.8  # of the speed with a free folder: below it the shared folder counts as the limit; our choice


@dataclass(frozen=True)
class Folder:
    """A shared build folder, one request at a time. Assumed: NFS on one gigabit, and what a file costs beside bytes."""

    bytes_per_second: float = 1e8
    seconds_per_file: float = 0.01

    def seconds(self, size: float) -> float:
        """To write one file."""
        return self.seconds_per_file + size / self.bytes_per_second


def grown() -> dict[str, Any]:
    """`rows` (varied, at, seconds, mib, how), `made_by`, and how many jobs were simulated.

    how: "measured", processor seconds of one thread; "simulated", wall seconds.
    """
    stated: dict[str, Any] = json.loads(files("dgrasp.experiment").joinpath(GROWN).read_text(encoding="utf-8"))
    return stated


def folder_limits_at(table: pd.DataFrame) -> int | None:
    """The fewest workers that are slower than `GOOD` of what they were with a free folder; None if none are."""
    ours, free = (table[table["varied"] == name].set_index("at")["seconds"] for name in (WORKERS, FREE))
    short = ours.index[free / ours < GOOD]
    return int(min(short)) if len(short) else None
