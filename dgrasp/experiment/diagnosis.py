"""Which stage fails: the summit, the way to it, or the execution? On validation scenes, so that it may guide changes.

    dgrasp diagnose --tasks simple clutter --scenes 20

Plans of a finished experiment in untouched scenes, executed; where one fails, Psi is asked what it gives the valid
grasps that the oracle knows. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import joblib
import pandas as pd
import torch
from torch import Tensor

from dgrasp import streams
from dgrasp.cell.config import CellConfig
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.attempt import Observer
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.diagnostics import near_grasps
from dgrasp.policy.policies import GraspPolicy, NoGraspError
from dgrasp.sim.oracle import oracle_grasps
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
VALID_GRASPS = 256  # at most so many of the oracle's, evenly taken
NUDGE = {"n_starts": 1, "pruning": (), "steps": 20, "translation_rate": 0.001, "rotation_rate": 0.01}


@dataclass(frozen=True)
class Diagnosis:
    """One plan in one untouched scene. valid_value: Psi's highest near a valid grasp; NaN where none is known."""

    policy: str
    task: str
    scene: int
    outcome: str
    stage: Stage
    value: float
    valid_value: float


def diagnose(
    policy: GraspPolicy, cell_config: CellConfig, observer: Observer, task_name: str, scene: int, seed: int
) -> Diagnosis:
    """Plan and execute the first grasp of a validation scene, and say which stage failed."""
    state = task(task_name).scene(split="validation", index=scene, seed=seed)
    cell = worker_cell(cell_config)
    cell.reset(state)
    views = observer.observe(cell)
    known = torch.as_tensor(oracle_grasps(state), dtype=torch.float32)
    known = known[:: max(1, -(-len(known) // VALID_GRASPS))]
    nan = float("nan")
    try:
        plan = policy.plan(views, streams.torch_generator(seed, "diagnosis", task_name, scene))
    except NoGraspError:
        return Diagnosis(policy.spec.name, task_name, scene, "no grasp", "no grasp", nan, nan)
    trial = cell.execute(plan.T_world_tcp.double().cpu().numpy())
    best = _highest_near(policy, views, known) if len(known) else nan
    stage = _stage(trial.outcome is Outcome.SUCCESS, plan.T_world_tcp.cpu(), plan.value, known, best)
    return Diagnosis(policy.spec.name, task_name, scene, trial.outcome.value, stage, plan.value, best)


def _stage(lifted: bool, T_world_tcp: Tensor, value: float, known: Tensor, best: float) -> Stage:
    if lifted:
        return "lifted"
    if not len(known):
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
    units = [(sources[p], t, first + i) for t in tasks for i in range(scenes) for p in policies]
    jobs = (joblib.delayed(_diagnose)(source, experiment, t, i) for source, t, i in units)
    found = joblib.Parallel(n_jobs=experiment.profile.runtime.workers)(jobs)
    return pd.DataFrame([asdict(one) for one in found])


def _diagnose(source: PolicySource, experiment: Experiment, task_name: str, scene: int) -> Diagnosis:
    policy = worker_policy(source)
    return diagnose(policy, experiment.profile.cell, experiment.observer, task_name, scene, experiment.seed)


def counts(found: pd.DataFrame) -> pd.DataFrame:
    """How many plans of each policy and task ended at which stage."""
    table = found.groupby(["policy", "task", "stage"], sort=False).size().unstack("stage", fill_value=0)
    return table[[stage for stage in STAGES if stage in table.columns]].reset_index()
