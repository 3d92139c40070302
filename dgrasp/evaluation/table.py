"""The evaluation stage: every policy on every test scene, in parallel processes, resumable episode by episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import POSE, Row
from dgrasp.evaluation.stage import AttemptsRecipe, SeriesStage
from dgrasp.evaluation.workers import PolicySource, check_looks, worker_cell, worker_policy

COLUMNS = (
    *("policy", "task", "split", "scene", "repetition", "attempt", "seed"),
    *POSE,
    *("value", "outcome", "success", "reason", "object", "objects", "models", "simulated_seconds"),
)


class EvaluationRecipe(AttemptsRecipe):
    """What Table 1's attempts depend on."""

    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no evaluation mixes two of them")
    changes: dict[str, Any] = Field(default={}, description="optimizer settings that are not the tuned ones")
    evaluation: EvaluationConfig


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


evaluate = SeriesStage(
    name="evaluation",
    code=__name__,
    tasks=lambda recipe: recipe.evaluation.tasks,
    folder="episodes",
    table="trials.csv",
    columns=COLUMNS,
    units=lambda recipe: _episodes(recipe.evaluation),
    attempts=_attempts,
    begin_by=lambda episode: (episode.task, episode.repetition, episode.scene),
    doing="grasping",
    unit="scene",
)
read_trials = evaluate.read
