"""The policies' own grasps on training scenes, executed: what physics refutes, a second round of training learns from.

    outcomes-<fingerprint>/
        scenes/              one file per policy and demonstration
        attempts.csv         one row per attempt; scene and attempt are scene and stage of the demonstration
        failed.safetensors   the refuted ones, as `dgrasp.value.outcomes` reads them

Not in the paper. The policies see what training sees, the demonstrations' own views, and no test scene.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd
from pydantic import Field

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.model import PAPERS, CellModel
from dgrasp.cell.transforms import pose_matrix
from dgrasp.config import Config
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet
from dgrasp.evaluation.attempt import Planner
from dgrasp.evaluation.rows import POSE, Row, on_table
from dgrasp.evaluation.series import Setup, rows, rows_of_units
from dgrasp.evaluation.workers import PolicySource, Recent, worker_policy
from dgrasp.files import write_text
from dgrasp.jobs.workforce import Workforce
from dgrasp.policy.fingers import FingerCheck
from dgrasp.policy.policies import PAIR, PolicyNames
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.cell import Cell
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.outcomes import FAILED, STAGE, failed_tensors

COLUMNS = (
    *("policy", "task", "split", "scene", "attempt", "seed"), *POSE,
    *("value", "outcome", "success", "reason", "object", "objects", "models", "simulated_seconds"),
)  # fmt: skip


class OutcomesConfig(Config):
    """How many grasps are tried, and how the second round of training learns from those that failed."""

    policies: PolicyNames = Field(
        default=PAIR,
        description="whose grasps; all models learn from the failures of all of them, so that only the loss differs",
    )
    demonstrations: int = Field(default=400, ge=1, description="tried by each policy, evenly taken from the training's")
    share: float = Field(default=0.125, gt=0, le=1, description="of negatives that are failures")
    tried_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the second round's observations that are drawn from those with failures: few are tried",
    )
    steps: int = Field(default=1000, ge=1, description="of the second round")
    learning_rate: float = Field(default=5e-4, gt=0, description="at its start")


class OutcomesRecipe(Config):
    """Everything the attempts depend on besides networks and demonstrations (which are input runs)."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"optimizer", "fingers"})
    policies: tuple[str, ...]
    demonstrations: int
    views: int
    cell: CellConfig
    optimizer: OptimizerConfig | None = Field(None, description="of the plans; null: not noted")
    fingers: FingerCheck | None = Field(None, description="of the plans")


@dataclass(frozen=True)
class _Tried:
    policy: str
    demonstration: int

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.demonstration:05d}"


class RememberedCell(SimulatedCell):
    """A simulated cell that shows what was seen of a scene before, in the looks that it had then."""

    remembered: Views

    def observe(self) -> Views:
        """The views of the demonstration."""
        return self.remembered


def try_grasps(
    recipe: OutcomesRecipe,
    sources: Mapping[str, PolicySource],
    demonstrations: Run,
    root: Path,
    *,
    seed: int,
    workers: Workforce | int,
) -> Run:
    """Try every policy's best grasp on training scenes; returns the complete run. Resumes attempt by attempt."""
    inputs = {"demonstrations": demonstrations} | {f"value {name}": s.value for name, s in sources.items()}
    inputs |= {f"nerf {name}": s.nerf for name, s in sources.items()}
    outputs = Outputs(units=("scenes/*",))
    run = open_run(root, STAGE, recipe, inputs=inputs, seed=seed, code=(__name__,), outputs=outputs)
    if run.complete:
        return run
    tried = [_Tried(p, i) for i in _spread(recipe, demonstrations) for p in recipe.policies]
    units = {t.name: joblib.delayed(_attempt)(recipe, sources[t.policy], demonstrations, t, seed) for t in tried}
    with run.writing():
        if run.complete:
            return run
        lines = rows_of_units(
            units, workers, desc="outcomes", unit="grasp", folder=run.path / "scenes", shared=run.path
        )
        frame = pd.DataFrame(lines, columns=list(COLUMNS))
        write_text(run.path / "attempts.csv", frame.to_csv(index=False, lineterminator="\n"))
        failed = [line for line in lines if not line["success"] and line["x"] is not None]
        places = [(line["scene"], line["attempt"]) for line in failed]
        poses = [pose_matrix([line[name] for name in POSE]) for line in failed]
        run.save(FAILED, failed_tensors(places, poses))
        return run.finish(attempts=len(lines), successes=sum(line["success"] for line in lines), failed=len(failed))


def _spread(recipe: OutcomesRecipe, demonstrations: Run) -> list[int]:
    n = len(DemonstrationSet(demonstrations, "train"))
    count = min(recipe.demonstrations, n)
    return [int(i) for i in np.linspace(0, n - 1, count).round()]


def as_in_plans(views: Views, n: int, cell: CellModel = PAPERS) -> Views:
    """Of a demonstration's views those that plans of n images see; the first n where it has others."""
    wanted = cell.fixed_views(n)
    places = [np.flatnonzero([np.allclose(T, there, atol=1e-9) for there in views.Ts_world_cam]) for T in wanted]
    if all(len(place) for place in places):
        return views[[int(place[0]) for place in places]]
    return views[:n]


class _Kept(threading.local):
    """Demonstrations and cells of this worker, which may be a thread."""

    def __init__(self) -> None:
        self.sets, self.cells = Recent(2), Recent(2, drop=RememberedCell.close)


_ours = _Kept()


def _attempt(
    recipe: OutcomesRecipe, source: PolicySource, demonstrations: Run, tried: _Tried, seed: int
) -> Iterator[Row]:
    policy = worker_policy(source)
    shown = _ours.sets.get(demonstrations.path, lambda: DemonstrationSet(demonstrations, "train", keep=2))
    cell = _ours.cells.get(recipe.cell.digest(), lambda: RememberedCell(simulator=Cell(recipe.cell)))
    setups = _setups(recipe, cell, policy, shown[tried.demonstration], tried, seed)
    yield from rows(cell, setups, seed=seed, rehearse=False)


def _setups(
    recipe: OutcomesRecipe, cell: RememberedCell, policy: Planner, shown: Demonstration, tried: _Tried, seed: int
) -> Iterator[Setup]:
    cell.show(shown.state)
    cell.remembered = as_in_plans(shown.views, recipe.views, recipe.cell.model)
    place: dict[str, Any] = {"split": "train", "scene": shown.scene, "attempt": shown.stage}
    labels = {"policy": tried.policy, "task": shown.state.task, **place, "seed": seed, **on_table(shown.state)}
    yield Setup(policy, ("outcomes", shown.scene, shown.stage), labels)
