"""A failure browser that needs no build: made-up attempts, and pictures of noise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.experiment.profiles import Runtime
from dgrasp.report.failures.attempts import COLUMNS
from dgrasp.report.failures.replay import Job, Shown
from dgrasp.report.failures.sheets import sheet_file
from dgrasp.twin.reality import TwinConfig

SEEN = Observer(views=2, width=64, height=48)
DOWN = {"x": 0.2, "y": 0.0, "z": 1.0, "qx": 1.0, "qy": 0.0, "qz": 0.0, "qw": 0.0}


def table(scenes: int = 3, failing: bool = True) -> pd.DataFrame:
    """Two policies in simple scenes, in those of a task of later days, and in the twin; of one no grasp is known."""
    rows = []
    for task, objects in (("simple", "box 1, box 2"), ("unseen", "mug"), ("twin", "tennis ball")):
        for policy in ("base_quat_sync", "dgrasp_quat_sync"):
            for scene in range(scenes):
                success = not failing or (policy.startswith("dgrasp") and scene > 0)
                row: dict[str, Any] = {"table": "twin" if task == "twin" else "simulation", "task": task, "seed": 0}
                row |= {"presented": "tennis ball" if task == "twin" else "", "scene": scene, "attempt": 0}
                row |= {"policy": policy, "split": "test", "object": "box 1" if success else "", "objects": objects}
                row |= {"outcome": "success" if success else "missed", "success": success, "value": 1.25, **DOWN}
                row |= {"reason": "it holds" if success else "<b>closed on nothing</b>", "duration": 1.0}
                rows.append(row | {"models": "prisms", "images": ""})
    if failing:
        rows[0] |= dict.fromkeys(DOWN, None) | {"value": None, "outcome": "no grasp"}
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def experiment(folder: Path, seed: int = 0) -> Any:
    """What the page asks of an experiment."""
    profile = SimpleNamespace(
        name="made up",
        cell=CellConfig(),
        runtime=Runtime(workers=1),
        twin=SimpleNamespace(reality=TwinConfig()),
    )
    return SimpleNamespace(seed=seed, workspace=folder / "work", profile=profile, observer=SEEN)


def noise(job: Job, workspace: Path) -> bytes:
    """In place of `kept_sheet`: the attempts of a scene with pictures of noise."""
    rng = np.random.default_rng(0)
    views = tuple(rng.integers(0, 256, (2, 48, 64, 3), dtype=np.uint8))
    frames = tuple((phase, rng.integers(0, 256, (144, 192, 3), dtype=np.uint8)) for phase in ("approach", "close"))
    rows = [row for row in job.rows if row["pictured"]]
    return sheet_file(Shown(row["number"], views, frames, same=True, seen=job.twin is None, exact=True) for row in rows)
