"""Clearing the table, as others measure it: VGN's protocols "pile" and "packed" in our cell, from RGB.

Five objects are dropped or placed; grasps follow each other until nothing is left, no grasp is found, or two in a row
brought nothing (Breyer et al. 2020). Counted are successful grasps over grasps, and the share of objects cleared.
What is not equal to theirs says `yardstick.yaml`, and so does every table made of these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

import pandas as pd
from pydantic import Field

from dgrasp.cell.outcome import Outcome
from dgrasp.config import Config
from dgrasp.evaluation.attempt import Planner
from dgrasp.evaluation.episode import Episode
from dgrasp.evaluation.rows import Row, on_table
from dgrasp.evaluation.series import Setup, rows
from dgrasp.evaluation.stage import AttemptsRecipe, SeriesStage
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.table import COLUMNS
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy, worker_scene
from dgrasp.files import parse_yaml
from dgrasp.policy.policies import PAIR, PolicyNames
from dgrasp.runs import Run
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import TaskNames

PILE, PACKED = "dgrasp.sim.tasks.procedural:Pile", "dgrasp.sim.tasks.procedural:Packed"
IN_A_ROW = 2  # grasps without success that end a scene (Breyer et al. 2020)
OBJECTS = 5  # of a scene


class ClearingConfig(Config):
    """Which protocols, which policies, how many scenes."""

    policies: PolicyNames = Field(default=PAIR, description="names")
    tasks: TaskNames = Field(default=(PILE, PACKED), description="tasks of five objects")
    scenes: int = Field(default=100, ge=1, description="of each task (as GIGA's evaluation)")


class ClearingRecipe(AttemptsRecipe):
    """What the attempts depend on."""

    clearing: ClearingConfig


class ClearingEpisode(Episode):
    """One policy on one scene, which it clears."""

    @property
    def name(self) -> str:
        return super().name.replace(":", ".")  # of tasks, which stand in names of files here


def cleared(run: Run, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, task, successes, n, rate, low, high, cleared, seed); n are the grasps that were tried.

    cleared: share of all objects that were lifted.
    """
    attempts = clear_tables.read(run)
    assert isinstance(run.recipe, ClearingRecipe)
    grouped = attempts.groupby(["policy", "task"], sort=False)["success"]
    table = grouped.agg(successes="sum", n="count").reset_index().astype({"successes": int})
    share = table["successes"] / (OBJECTS * run.recipe.clearing.scenes)
    short = table["task"].str.rpartition(":")[2].str.lower()
    return with_rates(table, confidence).assign(task=short, cleared=share, seed=run.seed)


@cache
def yardstick() -> dict[str, Any]:
    """Published numbers of other methods on these protocols, and what is equal to ours and what is not."""
    source = files("dgrasp.evaluation").joinpath("yardstick.yaml")
    return dict(parse_yaml(source.read_bytes(), str(source)))


def in_a_row(cell: SimulatedCell, policy: Planner, episode: Episode, seed: int, made: Sequence[Row]) -> Iterator[Setup]:
    """Grasp after grasp by the protocol's rule. An object that left the board counts as gone, and not as lifted.

    made: the rows so far, which the caller adds to.
    """
    scene = worker_scene(episode.task, episode.split, episode.scene, seed, cell.description)
    attempt = without = 0
    while scene.objects and without < IN_A_ROW:
        cell.show(scene)
        address = ("starts", episode.task, episode.split, episode.scene, episode.repetition, attempt)
        yield Setup(policy, address, {**asdict(episode), "attempt": attempt, "seed": seed, **on_table(scene)})
        without = 0 if made[-1].success else without + 1
        scene, attempt = cell.scene, attempt + 1


def _episodes(recipe: ClearingRecipe) -> Iterator[ClearingEpisode]:
    c = recipe.clearing
    for task, scene, policy in product(c.tasks, range(c.scenes), c.policies):
        yield ClearingEpisode(policy, task, "test", scene, 0)


def _attempts(recipe: ClearingRecipe, source: PolicySource, episode: Episode, seed: int) -> Iterator[Row]:
    cell, policy = worker_cell(recipe.cell, recipe.observer), worker_policy(source)
    made: list[Row] = []
    for attempt in rows(cell, in_a_row(cell, policy, episode, seed, made), seed=seed, rehearse=False):
        if attempt.outcome == Outcome.NO_GRASP:
            return  # no grasp was found: it ends the scene, and is none that was tried
        made.append(attempt)
        yield attempt


clear_tables = SeriesStage(
    name="clearing",
    code=__name__,
    tasks=lambda recipe: recipe.clearing.tasks,
    folder="scenes",
    columns=COLUMNS,
    units=_episodes,
    attempts=_attempts,
    doing="clearing",
    unit="scene",
)
