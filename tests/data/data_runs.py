"""Settings of the small runs, and how to compare folders."""

from __future__ import annotations

from pathlib import Path

from dgrasp.cell.config import CellConfig
from dgrasp.data.config import DataConfig

SMALL = DataConfig(
    train_scenes=3, validation_scenes=1, objects_per_scene=2, views=6, policy_views=5, width=32, height=24
)
CELL = CellConfig()


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of everything that must not depend on who computed it, or on interruptions."""
    skip = {"run.json", "timing.jsonl"}  # provenance and wall times
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in skip
    }
