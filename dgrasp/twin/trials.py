"""The trials of Table 2 in the twin: the real robot's protocol, runner and log, with physics as the operator."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from PIL import Image
from pydantic import Field

from dgrasp.config import Config
from dgrasp.evaluation.stage import Asked, PolicyStage
from dgrasp.evaluation.workers import PolicySource
from dgrasp.files import DamagedFileError
from dgrasp.jobs.workforce import in_order
from dgrasp.robot.log import LogError, TrialLog, read_log
from dgrasp.robot.trials import PAPER_OBJECTS, CellJudges, TrialProtocol, image_hash, run_trials
from dgrasp.runs import Outputs, Run
from dgrasp.sim.objects.everyday import ObjectNames
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.recipe import TwinRecipe

IMAGES = "images"  # of a run, named by their hash


class TwinTrialsConfig(Config):
    """How many trials each policy makes."""

    presentations: int = Field(default=5, ge=1, description="of each object to each policy (Sec. 5.2: 5)")
    objects: ObjectNames = Field(default=PAPER_OBJECTS, description="paper's names")
    pictured: tuple[str, ...] = Field(
        default=("dgrasp_quat_sync",),
        description="policies whose views are kept as images, at the first presentation of each object: for the replay",
    )


class TwinTrialsRecipe(TwinRecipe):
    """What the trials depend on."""

    trials: TwinTrialsConfig


class TwinTrials(PolicyStage[TwinTrialsRecipe]):
    """All trials, policies side by side with a log each. All policies meet the same presentations and starting poses.

    Interrupted ones go on trial by trial.
    """

    outputs = Outputs(volatile=("logs/*",))

    def make(self, run: Run, asked: Asked[TwinTrialsRecipe]) -> Run:
        """The logs, and the images of first presentations."""
        recipe, seed = asked.recipe, asked.seed
        fingerprints = {name: r.fingerprint for name, r in asked.inputs.items()}
        paths = {name: _path(run, name) for name in asked.sources}
        images = {name: run.path / IMAGES if name in recipe.trials.pictured else None for name in paths}
        for name, path in paths.items():
            begun = {"runs": fingerprints, "protocol": _protocol(recipe, name, seed).model_dump(mode="json")}
            _forget_damaged(path, begun, images[name])
        jobs = [
            joblib.delayed(_series)(recipe, source, fingerprints, seed, paths[name], images[name])
            for name, source in asked.sources.items()
        ]
        in_order(jobs, asked.workers, run.path)
        logs = [read_log(path) for path in paths.values()]
        _keep_first_presentations(run, logs)
        trials, successes = sum(len(log.judged) for log in logs), sum(int(log.judged["success"].sum()) for log in logs)
        return run.finish(trials=trials, successes=successes)


twin_trials = TwinTrials(name="twin-trials", code=__name__)


def read_twin_trials(run: Run) -> dict[str, TrialLog]:
    """The logs of a complete run by policy, checked; raises RunError if it is not complete."""
    run.check()
    return {path.stem: read_log(path) for path in run.files("logs/*.jsonl")}


def _path(run: Run, policy: str) -> Path:
    return run.path / "logs" / f"{policy}.jsonl"


def _protocol(recipe: TwinTrialsRecipe, policy: str, seed: int) -> TrialProtocol:
    trials = recipe.trials
    return TrialProtocol(policies=(policy,), objects=trials.objects, presentations=trials.presentations, seed=seed)


def _forget_damaged(path: Path, begun: Mapping[str, Any], images: Path | None) -> None:
    """Of a run under way: a log that is not what was written, or has lost an image, begins anew. A twin can do that.

    begun: what the log's header says.
    """
    try:
        if path.is_file():
            log = read_log(path)
            if other := [key for key in begun if log.header.get(key) != begun[key]]:
                raise LogError(f"{path}: the log of another run, of other {other[0]}")
            if images is not None:
                for image in _first_views([log]):
                    _check_image(images / f"{image}.png", image)
    except (LogError, DamagedFileError, KeyError, TypeError) as error:
        what = error if isinstance(error, LogError | DamagedFileError) else f"{path}: a trial lacks {error}"
        print(f"{what}; its trials are made again", file=sys.stderr, flush=True)
        path.unlink()


def _check_image(path: Path, digest: str) -> None:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            sound = image_hash(np.asarray(image)) == digest
    except (OSError, ValueError, SyntaxError):  # what Pillow says of files that are missing or damaged
        sound = False
    if not sound:
        raise DamagedFileError(f"{path}: is missing, or not the image of its name")


def _first_views(logs: Iterable[TrialLog]) -> set[str]:
    """Names of the images of each object's first presentation."""
    records = (record for log in logs for record in log.records if record["presentation"] == 0)
    return {view["image"] for record in records for view in record["views"]}


def _keep_first_presentations(run: Run, logs: list[TrialLog]) -> None:
    """Of the images, those of each object's first presentation: all of them would be megabytes beside a small log."""
    kept = {f"{name}.png" for name in _first_views(logs)}
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
    protocol = _protocol(recipe, source.name, seed)
    policy = recipe.policy(source)
    with TwinCell(recipe.twin, recipe.cell, recipe.observer, seed) as cell:
        operator = CellJudges(cell.place)
        run_trials(cell, {source.name: policy}, operator, protocol, path, images=images, runs=runs)
