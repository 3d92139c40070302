"""Clearing the table, as others measure it: VGN's protocols "pile" and "packed" in our cell, from RGB.

Five objects are dropped or placed; grasps follow each other until nothing is left, no grasp is found, or two in a row
brought nothing (Breyer et al. 2020). Counted are successful grasps over grasps, and the share of objects cleared.
What is not equal to theirs says `yardstick.yaml`, and so does every table made of these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from pydantic import Field, field_validator

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.attempt import Planner
from dgrasp.evaluation.episode import Episode
from dgrasp.evaluation.rows import Row, on_table, read_rows
from dgrasp.evaluation.series import Setup, finish_series, rows
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.table import COLUMNS
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy, worker_scene
from dgrasp.files import parse_yaml
from dgrasp.jobs.workforce import Workforce
from dgrasp.policy.policies import policy_spec
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import check_task, own_module

PILE, PACKED = "dgrasp.sim.tasks.procedural:Pile", "dgrasp.sim.tasks.procedural:Packed"
IN_A_ROW = 2  # grasps without success that end a scene (Breyer et al. 2020)
OBJECTS = 5  # of a scene


class ClearingConfig(Config):
    """Which protocols, which policies, how many scenes."""

    policies: tuple[str, ...] = Field(default=("base_quat_sync", "dgrasp_quat_sync"), min_length=1, description="names")
    tasks: tuple[str, ...] = Field(default=(PILE, PACKED), min_length=1, description="tasks of five objects")
    scenes: int = Field(default=100, ge=1, description="of each task (VGN: 100)")

    @field_validator("policies", "tasks")
    @classmethod
    def _known(cls, names: tuple[str, ...], info: Any) -> tuple[str, ...]:
        check = policy_spec if info.field_name == "policies" else check_task
        for name in names:
            check(name)
        return names


class ClearingRecipe(Config):
    """Everything the attempts depend on besides the trained models and tuned parameters (which are input runs)."""

    clearing: ClearingConfig
    cell: CellConfig
    observer: Observer


def clear_tables(
    recipe: ClearingRecipe,
    sources: Mapping[str, PolicySource],
    inputs: Mapping[str, Run],
    root: Path,
    *,
    seed: int,
    workers: Workforce | int,
) -> Run:
    """Clear all scenes of the test split; returns the complete run with `attempts.csv` in it. Resumes by scene."""
    code = (__name__, *(module for task in recipe.clearing.tasks for module in own_module(task)))
    outputs = Outputs(units=("scenes/*",))
    run = open_run(root, "clearing", recipe, inputs=inputs, seed=seed, code=code, outputs=outputs)
    if run.complete:
        return run
    c = recipe.clearing
    each = product(c.tasks, range(c.scenes), c.policies)
    episodes = [Episode(policy, task, "test", scene, 0) for task, scene, policy in each]
    units = {_name(e): joblib.delayed(_attempts)(recipe, sources[e.policy], e, seed) for e in episodes}
    return finish_series(
        run, units, workers, folder="scenes", table="attempts.csv", columns=COLUMNS, desc="clearing", unit="scene"
    )


def cleared(run: Run, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, task, successes, n, rate, low, high, cleared, seed); n are the grasps that were tried.

    cleared: share of all objects that were lifted.
    """
    run.check()
    assert isinstance(run.recipe, ClearingRecipe)
    attempts = read_rows(run.path / "attempts.csv")
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


def in_a_row(cell: SimulatedCell, policy: Planner, episode: Episode, seed: int) -> Iterator[Setup]:
    """Grasp after grasp by the protocol's rule. An object that left the board counts as gone, and not as lifted."""
    scene = worker_scene(episode.task, episode.split, episode.scene, seed)
    attempt = without = 0
    while scene.objects and without < IN_A_ROW:
        cell.show(scene)
        address = ("starts", episode.task, episode.split, episode.scene, episode.repetition, attempt)
        yield Setup(policy, address, {**asdict(episode), "attempt": attempt, "seed": seed, **on_table(scene)})
        without = 0 if len(cell.scene) < len(scene) else without + 1
        scene, attempt = cell.scene, attempt + 1


def _name(episode: Episode) -> str:
    return episode.name.replace(":", ".")


def _attempts(recipe: ClearingRecipe, source: PolicySource, episode: Episode, seed: int) -> Iterator[Row]:
    cell, policy = worker_cell(recipe.cell, recipe.observer), worker_policy(source)
    yield from rows(cell, in_a_row(cell, policy, episode, seed), seed=seed, rehearse=False)
