"""The trials of Table 2 in the twin: the real robot's protocol, runner and log, with physics as the operator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import joblib
from pydantic import Field, field_validator

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.workers import PolicySource, worker_policy
from dgrasp.processes import bound
from dgrasp.robot.log import TrialLog, read_log
from dgrasp.robot.trials import PAPER_OBJECTS, CellJudges, TrialProtocol, for_real_robot, run_trials
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.objects.everyday import everyday
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig

IMAGES = "images"  # of a run, named by their hash


class TwinTrialsConfig(Config):
    """How many trials each policy makes."""

    presentations: int = Field(default=5, ge=1, description="of each object to each policy (Sec. 5.2: 5)")
    objects: tuple[str, ...] = Field(default=PAPER_OBJECTS, min_length=1, description="paper's names")

    pictured: tuple[str, ...] = Field(
        default=("dgrasp_quat_sync",),
        description="policies whose views are kept as images, at the first presentation of each object: for the replay",
    )

    @field_validator("objects")
    @classmethod
    def _objects(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            everyday(name)
        return names


class TwinTrialsRecipe(Config):
    """Everything the trials depend on besides the trained models and tuned parameters (which are input runs)."""

    trials: TwinTrialsConfig
    twin: TwinConfig
    cell: CellConfig
    observer: Observer


def twin_trials(
    recipe: TwinTrialsRecipe,
    sources: Mapping[str, PolicySource],
    inputs: Mapping[str, Run],
    root: Path,
    *,
    seed: int,
    workers: int,
) -> Run:
    """Make all trials, policies side by side with a log each; returns the complete run. Resumes trial by trial.

    All policies meet the same presentations with the same starting poses.
    """
    outputs = Outputs(volatile=("logs/*",))
    run = open_run(root, "twin-trials", recipe, inputs=inputs, seed=seed, code=(__name__,), outputs=outputs)
    if run.complete:
        return run
    fingerprints = {name: r.fingerprint for name, r in inputs.items()}
    images = {name: run.path / IMAGES if name in recipe.trials.pictured else None for name in sources}
    jobs = (
        joblib.delayed(_series)(recipe, s, fingerprints, seed, _path(run, name), images[name])
        for name, s in sources.items()
    )
    with run.writing():
        if run.complete:
            return run
        joblib.Parallel(n_jobs=workers, **bound())(jobs)
        logs = [read_log(_path(run, name)) for name in sources]
        _keep_first_presentations(run, logs)
        trials, successes = sum(len(log.judged) for log in logs), sum(int(log.judged["success"].sum()) for log in logs)
        return run.finish(trials=trials, successes=successes)


def read_twin_trials(run: Run) -> dict[str, TrialLog]:
    """The logs of a complete run by policy, checked; raises RunError if it is not complete."""
    run.check()
    return {path.stem: read_log(path) for path in run.files("logs/*.jsonl")}


def _path(run: Run, policy: str) -> Path:
    return run.path / "logs" / f"{policy}.jsonl"


def _keep_first_presentations(run: Run, logs: list[TrialLog]) -> None:
    """Of the images, those of each object's first presentation: all of them would be megabytes beside a small log."""
    first = (view for log in logs for r in log.records if r["presentation"] == 0 for view in r["views"])
    kept = {f"{view['image']}.png" for view in first}
    for path in (run.path / IMAGES).glob("*.png"):
        if path.name not in kept:
            path.unlink()


def _series(
    recipe: TwinTrialsRecipe,
    source: PolicySource,
    runs: Mapping[str, str],
    seed: int,
    path: Path,
    images: Path | None,
) -> None:
    protocol = TrialProtocol(
        policies=(source.name,), objects=recipe.trials.objects, presentations=recipe.trials.presentations, seed=seed
    )
    policy = for_real_robot(worker_policy(source))
    with TwinCell(recipe.twin, recipe.cell, recipe.observer, seed) as cell:
        operator = CellJudges(cell.place)
        run_trials(cell, {source.name: policy}, operator, protocol, path, images=images, runs=runs)
