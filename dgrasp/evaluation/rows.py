"""Attempts as rows: one class for every table, and one reader."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_vector
from dgrasp.evaluation.attempt import Attempt
from dgrasp.files import DamagedFileError, atomic_path
from dgrasp.sim.objects.ycb import PATTERNED

if TYPE_CHECKING:
    from dgrasp.sim.scene import Scene

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
PRISMS = "prisms"  # what `models` says where there is no mesh
SAME_EVERYWHERE = frozenset({PRISMS, PATTERNED})  # of what `models` says: looks that depend on no textures at hand


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What every row of an attempt has: who grasped where, and how it ended.

    x to qw: pose of the TCP in the world, metres and unit quaternion (xyzw); None, as is the value, where the policy's
    rule left no candidate. object: the one presented, or, of several on the table, the one lifted ("" if none was).
    """

    policy: str
    object: str
    x: float | None
    y: float | None
    z: float | None
    qx: float | None
    qy: float | None
    qz: float | None
    qw: float | None
    value: float | None
    outcome: str
    success: bool
    reason: str
    objects: str  # all that stood on the table before the attempt
    models: str  # what they are made from
    simulated_seconds: float


@dataclass(frozen=True, kw_only=True)
class Row(Judged):
    """One attempt. What does not apply to a series, or was not reached, is None (in a CSV: empty, or no column)."""

    task: str | None = None
    split: str | None = None
    scene: int | None = None
    repetition: int | None = None
    attempt: int | None = None
    seed: int | None = None
    kind: str | None = None  # of the calibration error
    error: float | None = None  # its size, mm or degrees
    presentation: int | None = None
    stage: str | None = None  # of a diagnosis: which one failed
    valid_value: float | None = None  # of a diagnosis: Psi's highest near a valid grasp


def row(made: Attempt, **labels: Any) -> Row:
    """The row of an attempt that a cell has judged; `labels` are what the series knows of it."""
    return Row(**{**judged(made, made.T_world_tcp), **labels})


def judged(made: Attempt, T_world_tcp: Float[np.ndarray, "4 4"] | None) -> dict[str, Any]:
    """How an attempt ended, at this pose, in the words of `Judged`: all but the policy and what stood on the table."""
    assert made.outcome is not None
    done = made.execution
    pose = dict.fromkeys(POSE) if T_world_tcp is None else dict(zip(POSE, pose_vector(T_world_tcp), strict=True))
    return {
        "object": done.object if done else "",
        **pose,
        "value": None if made.plan is None else made.plan.value,
        "outcome": made.outcome.value,
        "success": made.outcome is Outcome.SUCCESS,
        "reason": made.reason,
        "simulated_seconds": (done.duration or 0.0) if done else 0.0,
    }


def on_table(scene: Scene) -> dict[str, str]:
    """The labels of a scene: what stands there, and what it is made from."""
    return {
        "objects": ", ".join(o.name for o in scene.objects),
        "models": ", ".join(scene.model_sources) or PRISMS,
    }


def write_rows(path: Path, table: pd.DataFrame) -> None:
    """A compressed CSV of attempts; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(table.to_csv(index=False, lineterminator="\n").encode(), mtime=0))


def read_rows(path: Path) -> pd.DataFrame:
    """A CSV of attempts, gzipped if its name ends so. Raises FileNotFoundError, DamagedFileError for what is none."""
    numbers = (*POSE, "value", "valid_value")  # of attempts without a grasp they are empty; elsewhere "" is a word
    data = Path(path).read_bytes()
    try:
        text = (gzip.decompress(data) if Path(path).suffix == ".gz" else data).decode()
        table = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values={name: [""] for name in numbers})
    except (ValueError, EOFError, OSError, zlib.error) as error:  # pandas' are ValueErrors
        raise DamagedFileError(f"{path}: not a table of attempts ({error}); restore it, or run again") from error
    return table.replace({"models": {"prism": PRISMS}})  # the sweep's word in published results
