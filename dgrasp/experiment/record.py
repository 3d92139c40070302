"""Runs on record: what one whole experiment computed, kept beside its figures, and read again whatever the code became.

    figures/runs/
        profile.json                 the profile and seed of the experiment
        model_card.md                what the models are, from what, how good, and for what
        demonstrations-<fingerprint>/  data card, and the manifest with every scene's checksum
        nerf-<fingerprint>/          run.json, metrics, weights.safetensors, done.json
        value-<model>-<fingerprint>/
        tuning-<policy>-<fingerprint>/
        evaluation-<fingerprint>/    trials.csv: one row per attempt
        twin-trials-<fingerprint>/   logs of the trials in the digital twin
        calibration-sweep-<fingerprint>/

A build's runs are found by the code that would make them again; recorded runs are found by their stage, and say in
their `run.json` which commit made them. Scenes of the demonstrations are not kept: those that figures need are made
again. `dgrasp publish` saves, `dgrasp figures` reads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dgrasp.data.generate import DemonstrationsConfig, generate_demonstrations
from dgrasp.data.layout import read_manifest
from dgrasp.evaluation.study.stage import TuningRecipe
from dgrasp.evaluation.table import EvaluationRecipe
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.model_card import model_card
from dgrasp.experiment.profiles import Profile
from dgrasp.files import read_json, write_text
from dgrasp.nerf.config import NerfConfig
from dgrasp.policy.policies import policy_spec
from dgrasp.renamed import as_called_now
from dgrasp.report.outputs import PUBLISHABLE
from dgrasp.runs import Run, only_complete, read_run
from dgrasp.twin.sweep import SweepRecipe
from dgrasp.twin.trials import TwinTrialsRecipe
from dgrasp.value.models import ValueRecipe

FOLDER = Path(__file__).resolve().parents[2] / "figures" / "runs"
NAME = "recorded"  # in the place of a profile's name
KEPT = ("run.json", "done.json", "metrics.jsonl", "timing.jsonl", "weights.safetensors", "readout.safetensors",
        "manifest.json", "data_card.md", "trials.csv", "attempts.csv", "study.journal", "logs/*.jsonl",
        "images/*.png")  # fmt: skip
LARGEST_MIB = 25.0  # our choice: what a clone may cost
TRAIN_SCENES = 24  # demonstrations made again for figures: enough for examples and probes


class RecordError(RuntimeError):
    """An experiment cannot be recorded, or a record cannot be read; the message says which and why."""


@dataclass(frozen=True)
class RecordedExperiment(Experiment):
    """An experiment whose stages are read from a record; only a few demonstrations are made again in `build`."""

    folder: Path = FOLDER

    @classmethod
    def read(cls, build: str | Path, folder: Path = FOLDER, seed: int = 0) -> RecordedExperiment:
        """The experiment on record in `folder`; raises RecordError if there is none, or one of another seed."""
        stated = _stated(folder)
        if seed != stated["seed"]:
            raise RecordError(f"seed: {seed} asked, the experiment on record in {folder} has seed {stated['seed']}")
        return cls(Profile.model_validate(stated["profile"]), Path(build), stated["seed"], folder)

    def training_data(self) -> Run:
        """The demonstrations that the models were trained on: card and manifest; their scenes are not on record."""
        return read_run(self._place("demonstrations"), DemonstrationsConfig)

    def demonstrations(self) -> Run:
        """Few of the training scenes and all validation scenes, made again.

        They are the recorded experiment's where simulator and processor do the same as then: see `identical_scenes`.
        """
        p = self.profile
        data = p.data.model_copy(update={"train_scenes": min(TRAIN_SCENES, p.data.train_scenes)})
        return generate_demonstrations(data, p.cell, self.build, seed=self.seed, workers=p.runtime.workers)

    def nerf(self) -> Run:
        return read_run(self._place("nerf"), NerfConfig)

    def value(self, model: str) -> Run:
        recipe = ValueRecipe(model=model, value=self.profile.value)
        return read_run(self._place(f"value-{recipe.trained_as}"), ValueRecipe)

    def values(self) -> dict[str, Run]:
        models = dict.fromkeys(policy_spec(p).model for p in self.profile.evaluation.policies)
        return {model: self.value(model) for model in models}

    def tuned(self, policy: str) -> Run:
        return read_run(self._place(f"tuning-{policy_spec(policy).name}"), TuningRecipe)

    def tuning(self) -> dict[str, Run]:
        return {policy: self.tuned(policy) for policy in self.profile.evaluation.policies}

    def evaluation(self) -> Run:
        return read_run(self._place("evaluation"), EvaluationRecipe)

    def twin_trials(self) -> Run:
        return read_run(self._place("twin-trials"), TwinTrialsRecipe)

    def calibration_sweep(self) -> Run:
        return read_run(self._place("calibration-sweep"), SweepRecipe)

    @cached_property
    def _places(self) -> Mapping[str, Path]:
        """Stage -> run folder."""
        return {path.name.rpartition("-")[0]: path for path in sorted(self.folder.iterdir()) if path.is_dir()}

    def _place(self, stage: str) -> Path:
        if stage not in self._places:
            raise RecordError(f"{self.folder}: no run of stage {stage!r} on record; stages: {', '.join(self._places)}")
        return self._places[stage]


def identical_scenes(made: Run, recorded: Run) -> tuple[int, int]:
    """How many scene files of a demonstrations run are those of another byte for byte, and how many it has."""
    files, others = (read_manifest(run.path)["files"] for run in (made, recorded))
    return sum(others.get(name, {}).get("sha256") == file["sha256"] for name, file in files.items()), len(files)


def recorded_profile(folder: Path = FOLDER) -> Profile:
    """The profile of the experiment on record; raises RecordError if there is none."""
    return Profile.model_validate(_stated(folder)["profile"])


def _stated(folder: Path) -> dict[str, Any]:
    if not (folder / "profile.json").is_file():
        raise RecordError(f"{folder}: no experiment is on record there; make one: make reproduce PROFILE=laptop")
    stated: dict[str, Any] = as_called_now(read_json(folder / "profile.json"))
    return stated


def save(experiment: Experiment, folder: Path = FOLDER) -> list[Path]:
    """Copy what a finished experiment computed (but its scenes and images) to `folder`, in place of what was there.

    Returns the run folders. Nothing is computed. Raises RecordError if the experiment is a record itself, has a profile
    for trying out that has no place in the published folder, or all of it is larger than `LARGEST_MIB`; RunError if a
    stage is not complete. The old record stays until the new one is whole.
    """
    if isinstance(experiment, RecordedExperiment):
        raise RecordError(f"{experiment.folder}: is on record already; give the profile and build that made it")
    name = experiment.profile.name
    if folder == FOLDER and name not in PUBLISHABLE:
        raise RecordError(f"profile {name!r} is for trying things out; on record go {', '.join(PUBLISHABLE)}")
    with only_complete():
        runs = {"demonstrations": experiment.demonstrations(), "nerf": experiment.nerf()}
        runs |= _stages("value", experiment.values())
        runs |= {**_stages("tuning", experiment.tuning()), "evaluation": experiment.evaluation()}
        runs |= {"twin-trials": experiment.twin_trials(), "calibration-sweep": experiment.calibration_sweep()}
        card = model_card(experiment)
    files = {path: path.relative_to(run.path.parent) for run in runs.values() for path in _kept(run)}
    size = sum(path.stat().st_size for path in files) / 2**20
    if size > LARGEST_MIB:
        raise RecordError(f"{experiment.build}: {size:.1f} MiB to record, at most {LARGEST_MIB:g} are allowed")
    with _replacing(folder) as new:
        for path, place in files.items():
            (new / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, new / place)
        write_text(new / "model_card.md", card)
        stated = {"profile": experiment.profile.model_dump(mode="json"), "seed": experiment.seed}
        write_text(new / "profile.json", json.dumps(stated, indent=2) + "\n")  # tasks and policies keep their order
    return [folder / run.path.name for run in runs.values()]


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when it is whole."""
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
    new.mkdir(parents=True)
    yield new
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _kept(run: Run) -> list[Path]:
    return [path for pattern in KEPT for path in sorted(run.path.glob(pattern))]


def _stages(kind: str, runs: Mapping[str, Run]) -> dict[str, Run]:
    return {f"{kind}-{name}": run for name, run in runs.items()}
