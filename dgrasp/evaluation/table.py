"""The evaluation stage: every policy on every test scene, in parallel processes, resumable episode by episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from pydantic import Field

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import POSE, Row, read_rows
from dgrasp.evaluation.series import finish_series
from dgrasp.evaluation.workers import PolicySource, check_looks, worker_cell, worker_policy
from dgrasp.jobs.workforce import Workforce
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.tasks.paper import own_module

COLUMNS = (
    *("policy", "task", "split", "scene", "repetition", "attempt", "seed"),
    *POSE,
    *("value", "outcome", "success", "reason", "object", "objects", "models", "simulated_seconds"),
)


class EvaluationRecipe(Config):
    """Everything the trials depend on besides the trained models and tuned parameters (which are input runs)."""

    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no evaluation mixes two of them")
    changes: dict[str, Any] = Field(default={}, description="optimizer settings that are not the tuned ones")
    evaluation: EvaluationConfig
    cell: CellConfig
    observer: Observer


def evaluate(
    recipe: EvaluationRecipe,
    sources: Mapping[str, PolicySource],
    inputs: Mapping[str, Run],
    root: Path,
    *,
    seed: int,
    workers: Workforce | int,
) -> Run:
    """Run all episodes of the test split; returns the complete run with `trials.csv` in it.

    `sources` maps each policy's name to its recorded runs, `inputs` are those runs (for the fingerprint). Interrupted
    evaluations go on where they stopped; the records do not depend on the number of workers.
    """
    code = (__name__, *(module for task in recipe.evaluation.tasks for module in own_module(task)))
    outputs = Outputs(units=("episodes/*",))
    run = open_run(root, "evaluation", recipe, inputs=inputs, seed=seed, code=code, outputs=outputs)
    if run.complete:
        return run
    units = {
        e.name: joblib.delayed(_attempts)(recipe, sources[e.policy], e, seed) for e in _episodes(recipe.evaluation)
    }
    by_scene = sorted(_episodes(recipe.evaluation), key=lambda e: (e.task, e.repetition, e.scene))
    return finish_series(
        run, units, workers, folder="episodes", table="trials.csv", columns=COLUMNS, desc="grasping", unit="scene",
        order=[e.name for e in by_scene],
    )  # fmt: skip


def read_trials(run: Run) -> pd.DataFrame:
    """The trial records of a complete evaluation, one row per attempt."""
    run.summary  # noqa: B018 (raises if the run is not complete)
    return read_rows(run.path / "trials.csv")


def _episodes(config: EvaluationConfig) -> Iterable[Episode]:
    for name, budget in config.tasks.items():
        for policy in config.policies:
            for repetition in range(config.repetitions):
                for scene in range(repetition * budget.scenes, (repetition + 1) * budget.scenes):
                    yield Episode(policy, name, "test", scene, repetition)


def _attempts(recipe: EvaluationRecipe, source: PolicySource, episode: Episode, seed: int) -> Iterator[Row]:
    check_looks(recipe.ycb_models)
    cell, policy = worker_cell(recipe.cell, recipe.observer), worker_policy(source)
    return attempts_in(cell, policy, episode, recipe.evaluation.tasks[episode.task].attempts, seed=seed)
