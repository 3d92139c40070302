"""The evaluation stage: every policy on every test scene, in parallel processes, resumable episode by episode."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from dgrasp.cell.config import CellConfig
from dgrasp.config import Config
from dgrasp.evaluation.attempt import POSE, Attempt, Episode, Observer, attempts_in
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy
from dgrasp.files import read_json, write_json, write_text
from dgrasp.runs import Run, open_run
from dgrasp.sim.tasks.paper import own_module

Job = tuple[Callable[..., None], tuple[Any, ...], dict[str, Any]]  # what `joblib.delayed` makes of a call


class EvaluationRecipe(Config):
    """Everything the trials depend on besides the trained models and tuned parameters (which are input runs)."""

    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no evaluation mixes two of them")
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
    workers: int,
) -> Run:
    """Run all episodes of the test split; returns the complete run with `trials.csv` in it.

    `sources` maps each policy's name to its recorded runs, `inputs` are those runs (for the fingerprint). Interrupted
    evaluations go on where they stopped; the records do not depend on the number of workers.
    """
    code = (__name__, *(module for task in recipe.evaluation.tasks for module in own_module(task)))
    run = open_run(root, "evaluation", recipe, inputs=inputs, seed=seed, code=code)
    if run.complete:
        return run
    episodes = list(_episodes(recipe.evaluation))
    jobs = {
        _record_path(run, e): joblib.delayed(_episode_to_disk)(recipe, sources[e.policy], e, seed, _record_path(run, e))
        for e in episodes
    }
    return finish_attempts(run, jobs, workers, Attempt, "trials.csv", desc="grasping", unit="scene")


def finish_attempts(
    run: Run, jobs: Mapping[Path, Job], workers: int, row: type, table: str, *, desc: str, unit: str
) -> Run:
    """Finish a run whose attempts are recorded unit by unit; returns it complete, with `table` in its folder.

    jobs: the file of each unit's rows, and the call that writes it; units already on disk are not made again.
    row: the dataclass whose fields are the table's columns.
    """
    todo = [job for path, job in jobs.items() if not path.is_file()]
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    with tqdm(total=len(jobs), initial=len(jobs) - len(todo), desc=desc, unit=unit, mininterval=5) as progress:
        for _ in parallel(todo):
            progress.update()
    rows = [row for path in jobs for row in read_json(path)]
    columns = [field.name for field in fields(row)]
    write_text(run.path / table, pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n"))
    return run.finish(attempts=len(rows), successes=sum(bool(row["success"]) for row in rows))


def read_trials(run: Run) -> pd.DataFrame:
    """The trial records of a complete evaluation, one row per attempt."""
    run.summary  # noqa: B018 (raises if the run is not complete)
    text = (run.path / "trials.csv").read_text(encoding="utf-8")
    empty = {column: [""] for column in (*POSE, "value")}  # of attempts without a grasp; elsewhere "" is a word
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=empty)


def _episodes(config: EvaluationConfig) -> Iterable[Episode]:
    for name, budget in config.tasks.items():
        for policy in config.policies:
            for repetition in range(config.repetitions):
                for scene in range(repetition * budget.scenes, (repetition + 1) * budget.scenes):
                    yield Episode(policy, name, "test", scene, repetition)


def _record_path(run: Run, episode: Episode) -> Path:
    return run.path / "episodes" / f"{episode.name}.json"


def _episode_to_disk(recipe: EvaluationRecipe, source: PolicySource, episode: Episode, seed: int, path: Path) -> None:
    policy, cell = worker_policy(source), worker_cell(recipe.cell)
    attempts = recipe.evaluation.tasks[episode.task].attempts
    write_json(path, [asdict(a) for a in attempts_in(cell, policy, episode, attempts, recipe.observer, seed)])
