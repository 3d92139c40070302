"""The attempts of one arm of an ablation, with a look at its landscape: resumable, and the same whoever asks for it.

    ablations-<fingerprint>/
        episodes/     one file per scene
        trials.csv.gz one row per attempt
        probe.csv     where slopes point, and how many candidates arrive
        training.json minutes and steps of its training

The run knows nothing of the question: an arm that several questions have is tried once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor

from dgrasp import streams
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.evaluation.config import TaskBudget
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import Row, read_rows, write_rows
from dgrasp.evaluation.series import rows_of_units
from dgrasp.evaluation.table import COLUMNS
from dgrasp.evaluation.workers import PolicySource, check_looks, worker_cell, worker_policy, worker_scene
from dgrasp.files import read_json, write_json, write_text
from dgrasp.jobs.workforce import Workforce, in_order
from dgrasp.policy.diagnostics import share_near_grasps, slope_agreement
from dgrasp.policy.policies import GraspPolicy
from dgrasp.runs import Outputs, Run
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import SlopeConfig
from dgrasp.value.samples import around_trajectory

STAGE = "ablations"
TRAINING, TRIALS = "training.json", "trials.csv.gz"
OUTPUTS = Outputs(units=("episodes/*",), volatile=(TRAINING,))
PROBED = ("scene", "cosine_translation", "cosine_rotation", "arrival")
Line = dict[str, Any]


class ArmRecipe(Config):
    """Everything that an arm's rows depend on besides its networks, which are input runs."""

    policy: str
    split: str = Field(description="of the scenes: ablation, or validation where a choice is to be made")
    tasks: dict[str, TaskBudget]
    optimizer: OptimizerConfig
    cell: CellConfig
    observer: Observer
    slope: SlopeConfig = Field(description="poses and targets that slopes are compared at: the same for all arms")
    probe_task: str = Field(description="whose scenes arrivals are counted on")
    probe_scenes: int = Field(ge=0)
    probe_starts: int = Field(ge=1)
    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no comparison mixes two of them")


@dataclass(frozen=True)
class Trained:
    """How long an arm's readout was trained: steps, and minutes.

    minutes: of its share of the pass that it was trained in; where arms get equal times, of one processor alone.
    """

    steps: int
    minutes: float


def try_arm(
    run: Run,
    source: PolicySource,
    demonstrations: Run,
    trained: Trained,
    *,
    seed: int,
    workers: Workforce | int,
    name: str,
) -> Run:
    """Make the attempts and the probe of an arm's run, as far as they are not there; returns it complete.

    demonstrations: with scenes; the validation split is probed. name: for the progress bar.
    """
    recipe = run.recipe
    assert isinstance(recipe, ArmRecipe)
    units = {e.name: joblib.delayed(_attempts)(recipe, source, e, seed) for e in _episodes(recipe)}
    with run.writing():
        if run.complete:
            return run
        lines = rows_of_units(units, workers, desc=name, unit="scene", folder=run.path / "episodes", shared=run.path)
        write_rows(run.path / TRIALS, pd.DataFrame(lines, columns=list(COLUMNS)))
        probed = pd.DataFrame(_probe_all(run, source, demonstrations, workers), columns=list(PROBED))
        write_text(run.path / "probe.csv", probed.to_csv(index=False, lineterminator="\n"))
        write_json(run.path / TRAINING, {"steps": trained.steps, "minutes": round(trained.minutes, 4)})
        return run.finish(attempts=len(lines), successes=sum(bool(line["success"]) for line in lines))


def trials_of_arm(run: Run) -> pd.DataFrame:
    """The trial records of a complete arm, one row per attempt."""
    run.check()
    return read_rows(run.path / TRIALS)


def training_of(run: Run) -> Trained:
    """How long the readout of a complete arm was trained."""
    run.check()
    return Trained(**{key: read_json(run.path / TRAINING)[key] for key in ("steps", "minutes")})


def probe_of(run: Run) -> Line:
    """A complete arm's probe: mean cosine_translation and cosine_rotation (NaN where nothing was probed), and how many
    (arrived) of so many random starts (starts) end near a valid grasp, in scenes where one is known.
    """
    run.check()
    recipe = run.recipe
    assert isinstance(recipe, ArmRecipe)
    probed = pd.read_csv(run.path / "probe.csv")
    known = probed["arrival"].dropna()
    means = probed[["cosine_translation", "cosine_rotation"]].mean().to_dict()
    counts = {"arrived": round(known.sum() * recipe.probe_starts), "starts": len(known) * recipe.probe_starts}
    return {**means, **counts}


def probe(
    policy: GraspPolicy, recipe: ArmRecipe, demonstrations: DemonstrationSet, scene: int, views: int, seed: int
) -> Line:
    """One scene's look at a landscape.

    cosine_translation, cosine_rotation: of slope and displacement to the next pose around a held-out trajectory, in
    quaternions or the policy's own coordinates; mean. arrival: share of random starts, all climbing to the end, that
    end within 2 cm and 15 degrees of a valid grasp of a fresh scene.
    """
    generator = streams.torch_generator(seed, "ablations", "probe", scene)
    row: Line = {"scene": scene, "arrival": _arrival(policy, recipe, scene, seed)}
    if scene < len(demonstrations):
        shown = demonstrations[scene]
        trajectory = torch.as_tensor(shown.Ts_world_tcp, dtype=torch.get_default_dtype())
        T, T_target = around_trajectory(trajectory, recipe.slope, generator)
        score = policy.value.bind(policy.value.encode(shown.views[:views]))
        cosines = slope_agreement(score, T, T_target, policy.spec.representation).mean(dim=0)
        row |= {"cosine_translation": float(cosines[0]), "cosine_rotation": float(cosines[1])}
    return row


def _arrival(policy: GraspPolicy, recipe: ArmRecipe, index: int, seed: int) -> float:
    """NaN where the oracle knows no grasp."""
    scene = worker_scene(recipe.probe_task, recipe.split, index, seed, recipe.cell.description)
    known = torch.as_tensor(oracle_grasps(scene), dtype=torch.float32)
    if not len(known):
        return float("nan")
    cell = worker_cell(recipe.cell, recipe.observer)
    cell.show(scene)
    everything = policy.config.model_copy(update={"pruning": (), "n_starts": recipe.probe_starts})
    climber = GraspPolicy(policy.spec, policy.value, everything, policy.bounds)
    climbed = climber.plan(cell.observe(), streams.torch_generator(seed, "ablations", "arrival", index)).candidates
    finals: Tensor = climbed.T_world_tcp[None]
    return float(share_near_grasps(finals, known)[0])


def _episodes(recipe: ArmRecipe) -> Iterable[Episode]:
    for task, budget in recipe.tasks.items():
        for scene in range(budget.scenes):
            yield Episode(recipe.policy, task, recipe.split, scene, 0)


def _attempts(recipe: ArmRecipe, source: PolicySource, episode: Episode, seed: int) -> Iterator[Row]:
    check_looks(recipe.ycb_models)
    cell, policy = worker_cell(recipe.cell, recipe.observer), worker_policy(source)
    return attempts_in(cell, policy, episode, recipe.tasks[episode.task].attempts, seed=seed)


def _probe_all(run: Run, source: PolicySource, demonstrations: Run, workers: Workforce | int) -> list[Line]:
    recipe = run.recipe
    assert isinstance(recipe, ArmRecipe)
    scenes = range(recipe.probe_scenes)
    jobs = (joblib.delayed(_probed)(recipe, source, demonstrations, i, run.seed) for i in scenes)
    return in_order(jobs, workers, run.path)


def _probed(recipe: ArmRecipe, source: PolicySource, demonstrations: Run, scene: int, seed: int) -> Line:
    held_out = DemonstrationSet(demonstrations, split="validation", keep=1)
    return probe(worker_policy(source), recipe, held_out, scene, recipe.observer.views, seed)
