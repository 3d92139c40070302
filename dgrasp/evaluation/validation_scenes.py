"""First attempts on validation scenes, which may guide a choice and are never reported as a result."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from pydantic import Field

from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import Row
from dgrasp.evaluation.stage import AttemptsRecipe, SeriesStage
from dgrasp.evaluation.table import COLUMNS
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy
from dgrasp.policy.policies import PAIR, PolicyNames
from dgrasp.sim.tasks.paper import TaskNames


class ValidationScenesRecipe(AttemptsRecipe):
    """What the attempts depend on."""

    policies: PolicyNames = Field(default=PAIR, description="names")
    tasks: TaskNames = Field(default=("simple", "clutter"), description="whose validation scenes")
    scenes: int = Field(ge=1, description="of each task, one attempt in each")


def _episodes(recipe: ValidationScenesRecipe) -> Iterator[Episode]:
    for task, scene, policy in product(recipe.tasks, range(recipe.scenes), recipe.policies):
        yield Episode(policy, task, "validation", scene, 0)


def _attempts(recipe: ValidationScenesRecipe, source: PolicySource, episode: Episode, seed: int) -> Iterator[Row]:
    return attempts_in(worker_cell(recipe.cell, recipe.observer), worker_policy(source), episode, 1, seed=seed)


try_validation_scenes = SeriesStage(
    name="validation-scenes",
    code=__name__,
    tasks=lambda recipe: recipe.tasks,
    folder="scenes",
    columns=COLUMNS,
    units=_episodes,
    attempts=_attempts,
    doing="validation",
    unit="scene",
)
