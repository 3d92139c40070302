"""Which stage fails: the summit, the way to it, or the execution? On validation scenes, so that it may guide changes.

    dgrasp diagnose --tasks simple clutter --scenes 20

Plans of a finished experiment in untouched scenes, executed; where one fails, Psi is asked what it gives the valid
grasps that the oracle knows. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import joblib
import pandas as pd
import torch
from torch import Tensor

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.rows import POSE, Row, on_table, row
from dgrasp.evaluation.series import Setup, rows_of_units, run_series
from dgrasp.evaluation.workers import PolicySource, check_looks, worker_cell, worker_policy
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.diagnostics import near_grasps
from dgrasp.policy.policies import GraspPolicy
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig

Stage = Literal["lifted", "execution", "wrong summit", "summit not reached", "no valid grasp known", "no grasp"]
STAGES: dict[Stage, str] = {
    "lifted": "the object was lifted",
    "execution": "planned within 20 mm and 15 degrees of a valid grasp, and failed",
    "wrong summit": "Psi gives the planned pose a higher value than any valid grasp: its landscape is wrong",
    "summit not reached": "Psi gives a valid grasp a higher value than the planned pose: the climb ended elsewhere",
    "no valid grasp known": "the oracle knows none that the open hand reaches past the neighbours",
    "no grasp": "no candidate was left",
}
COLUMNS = (
    *("policy", "task", "split", "scene", "seed", "outcome", "stage", "value", "valid_value"),
    *POSE,
    *("reason", "object", "objects", "models", "simulated_seconds"),
)
VALID_GRASPS = 256  # at most so many of the oracle's, evenly taken
NUDGE = {"n_starts": 1, "pruning": (), "steps": 20, "translation_rate": 0.001, "rotation_rate": 0.01}


def diagnose(cell: SimulatedCell, policy: GraspPolicy, task_name: str, scene: int, seed: int) -> Row:
    """Plan and execute the first grasp of a validation scene, and say which stage failed.

    valid_value of the row is Psi's highest near a valid grasp; None where none is known.
    """
    state = task(task_name, cell.description).scene(split="validation", index=scene, seed=seed)
    cell.show(state)
    labels = {"policy": policy.spec.name, "task": task_name, "split": "validation", "scene": scene, "seed": seed}
    setup = Setup(policy, ("diagnosis", task_name, scene), labels | on_table(state))
    ((_, made),) = run_series(cell, [setup], seed=seed, rehearse=False)
    if made.plan is None:
        return row(made, **setup.labels, stage="no grasp")
    known = torch.as_tensor(oracle_grasps(state), dtype=torch.float32)
    known = known[:: max(1, -(-len(known) // VALID_GRASPS))]
    best = _highest_near(policy, made.views, known) if len(known) else None
    stage = _stage(made.outcome is Outcome.SUCCESS, made.plan.T_world_tcp.cpu(), made.plan.value, known, best)
    return row(made, **setup.labels, stage=stage, valid_value=best)


def _stage(lifted: bool, T_world_tcp: Tensor, value: float, known: Tensor, best: float | None) -> Stage:
    if lifted:
        return "lifted"
    if best is None:
        return "no valid grasp known"
    if near_grasps(T_world_tcp[None], known)[0]:
        return "execution"
    return "summit not reached" if best > value else "wrong summit"


def _highest_near(policy: GraspPolicy, views: object, known: Tensor) -> float:
    """Psi's highest value within a short climb of valid grasps: its summit need not be exactly there."""
    score = policy.value.bind(policy.value.encode(views))  # type: ignore[arg-type]
    config = OptimizerConfig.model_validate(policy.config.model_dump() | NUDGE | {"clip_to_workspace": False})
    climbed = optimize_poses(score, known.to(policy.value.device), config, representation=policy.spec.representation)
    return float(climbed.scores[0])


def diagnose_all(
    experiment: Experiment, policies: Sequence[str], tasks: Sequence[str], scenes: int, first: int = 0
) -> pd.DataFrame:
    """One row per policy and validation scene, `first` and the `scenes` - 1 after it; side by side."""
    sources = {name: experiment.source(name, experiment.optimizer(name)) for name in policies}
    cell, observer = experiment.profile.cell, experiment.observer
    numbers = range(first, first + scenes)
    units = {
        f"{p}-{t}-{i}": joblib.delayed(_diagnoses)(ycb_models(), sources[p], cell, observer, t, i, experiment.seed)
        for t, i, p in product(tasks, numbers, policies)
    }
    workers, shared = experiment.profile.runtime.workforce, experiment.workspace
    found = rows_of_units(units, workers, desc="diagnosis", unit="plan", shared=shared)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _diagnoses(looks: str, source: PolicySource, cell: CellConfig, observer: Observer, *which: Any) -> list[Row]:
    check_looks(looks)
    return [diagnose(worker_cell(cell, observer), worker_policy(source), *which)]


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """How many plans of each policy and task ended at which stage."""
    table = found.groupby(["policy", "task", "stage"], sort=False).size().unstack("stage", fill_value=0)
    return table[[stage for stage in STAGES if stage in table.columns]].reset_index()
