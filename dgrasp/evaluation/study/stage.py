"""Tuning of a policy's optimizer by grasp success in simulation, on validation scenes (Sec. 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product, repeat
from pathlib import Path
from typing import ClassVar

import optuna
from pydantic import Field

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.config import TuningConfig, ValidationConfig
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.study import JOURNAL
from dgrasp.evaluation.study.search import Tuned, run_off, tune
from dgrasp.evaluation.study.storage import open_journal, place
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy
from dgrasp.files import atomic_path
from dgrasp.policy.fingers import FingerCheck
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.tasks.paper import own_module
from dgrasp.slopes.config import OptimizerConfig


class TuningRecipe(Config):
    """Everything a study depends on besides the trained models."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"fingers"})
    optimizer: OptimizerConfig
    fingers: FingerCheck | None = Field(None, description="of the policy's plans")
    tuning: TuningConfig
    validation: ValidationConfig
    cell: CellConfig
    observer: Observer


def tuning_run(source: PolicySource, recipe: TuningRecipe, root: Path, *, seed: int) -> Run:
    """The run folder of a policy's study, complete or not; nothing is tried."""
    inputs = {"nerf": source.nerf, "value": source.value}
    code = (__name__, *(module for task in recipe.validation.tasks for module in own_module(task)))
    outputs = Outputs(volatile=(JOURNAL,))
    return open_run(root, f"tuning-{source.name}", recipe, inputs=inputs, seed=seed, code=code, outputs=outputs)


def tune_policy(
    source: PolicySource, recipe: TuningRecipe, root: Path, *, seed: int, storage: str | None = None, workers: int = 1
) -> Run:
    """One study; returns the complete run, whose summary holds the best optimizer settings and their success.

    Resumes from Optuna's journal in the run folder, or from `storage`, the URL of a database where machines that make
    the same run share its study (named as the run); the journal is then a copy. Test scenes are never seen.
    workers: processes that share the trials.
    """
    run = tuning_run(source, recipe, root, seed=seed)
    if run.complete:
        return run
    if storage:  # whose trials many may make; one of them keeps the copy
        tuned = _tune(source, recipe, storage, run.path.name, seed, workers)
    with run.writing():
        if run.complete:
            return run
        journal = run.path / JOURNAL
        if storage:
            with atomic_path(journal) as copy:
                optuna.copy_study(
                    from_study_name=run.path.name, from_storage=place(storage).storage, to_study_name=source.name,
                    to_storage=open_journal(copy),
                )  # fmt: skip
        else:
            tuned = _tune(source, recipe, journal, source.name, seed, workers)
        settings = tuned.config.model_dump(mode="json")
        counts = {"trials": tuned.trials, "pruned": tuned.pruned}
        return run.finish(success=tuned.success, untuned=tuned.untuned, optimizer=settings, **counts)


def _tune(source: PolicySource, recipe: TuningRecipe, storage: Path | str, name: str, seed: int, workers: int) -> Tuned:
    """The study of that name, and its final comparison if it has one."""
    attempts = ValidationAttempts(source, recipe, seed, range(recipe.validation.scenes))
    tuned = tune(attempts, recipe.optimizer, recipe.tuning, storage=storage, name=name, seed=seed, workers=workers)
    if recipe.tuning.finalists:
        budget = recipe.validation
        others = replace(attempts, scenes=range(budget.scenes, budget.scenes + budget.final_scenes))
        tuned = run_off(others, recipe.optimizer, recipe.tuning, storage=storage, name=name)
    return tuned


@dataclass(frozen=True)
class ValidationAttempts:
    """Successes of grasp attempts under given optimizer settings, one after the other, scene by scene.

    As in the table of results, an attempt that cannot be made, since objects were pushed off the table, has failed.
    """

    source: PolicySource
    recipe: TuningRecipe
    seed: int
    scenes: range

    def __call__(self, optimizer: OptimizerConfig) -> Iterator[bool]:
        policy = worker_policy(replace(self.source, optimizer=optimizer))
        cell, budget = worker_cell(self.recipe.cell, self.recipe.observer), self.recipe.validation
        for scene, task in product(self.scenes, budget.tasks):
            episode = Episode(self.source.name, task, "validation", scene, repetition=0)
            made = 0
            for attempt in attempts_in(cell, policy, episode, budget.attempts, seed=self.seed):
                made += 1
                yield attempt.success
            yield from repeat(False, budget.attempts - made)
