"""Where the stages of an experiment come from: a build makes what is missing, a record only reads.

    Build("build/smoke")                     runs are made below it, resumed, and found again by their fingerprints
    Record("figures/runs/laptop/seed-0", B)  runs are read, whatever the code became; new ones go to the workspace B

A build's runs are found by the code that would make them again; those of a record by their stage, and they say in their
`run.json` which commit made them. Scenes of the demonstrations are not in a record: those that figures need are made
again in the workspace.

Published experiments are records below `figures/runs/`, one folder for each seed of each experiment. In the place of a
profile's name, "published" means the first of them and "published:NAME" any.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from dgrasp.config import Config
from dgrasp.data.config import DataConfig
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.files import SUMS, check_sums, read_json, read_sums
from dgrasp.renamed import as_called_now
from dgrasp.runs import Run, RunError, read_run

PUBLISHED = Path(__file__).resolve().parents[2] / "figures" / "runs"
NAME = "published"  # in the place of a profile's name
FORMER_NAME = "recorded"
DEFAULT = "laptop"  # the published experiment that is meant where none is named
FOR_IMAGES = ("beyond", DEFAULT)  # who plans on one's own images: the first of them that is published
EXAMPLE_SCENES = 24  # training scenes of a record that are made again for figures: enough for examples and probes


class RecordError(RuntimeError):
    """An experiment cannot be published, or a record cannot be read; the message says which and why."""


class Store(Protocol):
    """Answers for every stage of an experiment."""

    @property
    def workspace(self) -> Path:
        """Where new runs, figures and tables go."""

    def run(self, stage: str, recipe: type[Config], make: Callable[[Path], Run]) -> Run:
        """The run of a stage: what `make(folder)` opens or makes, or the one on file."""

    def example_data(self, data: DataConfig) -> DataConfig:
        """The demonstrations that figures draw, of those that the experiment has."""


@dataclass(frozen=True)
class Build:
    """Stages are made below `folder`; those that are complete are found again."""

    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder

    def run(self, stage: str, recipe: type[Config], make: Callable[[Path], Run]) -> Run:
        return make(self.folder)

    def example_data(self, data: DataConfig) -> DataConfig:
        return data


class RecordedRun(Run):
    """A run of a record. Asked for weights that are not kept, it says which seed has some."""

    def _tensors(self, name: str) -> Path:
        path = self.path / f"{name}.safetensors"
        if self.sums is None or path.name in self.sums:
            return super()._tensors(name)
        record, experiment = self.path.parents[:2]
        seed = record.name.removeprefix("seed-")
        known = seed_with_weights(experiment.name, experiment.parent)
        instead = "" if known is None else f"take seed {known}, whose weights are published, or "
        raise RunError(
            f"{path}: not published: of seed {seed} only rows are; {instead}train this one: "
            f"dgrasp reproduce --profile {experiment.name} --seed {seed}"
        )


@dataclass(frozen=True)
class Record:
    """Stages are read from `folder`. Raises RecordError where there is no record, or a stage is not in it."""

    folder: Path
    workspace: Path

    @classmethod
    def published(cls, name: str, workspace: Path, seed: int = 0) -> Record:
        """A published experiment by name; raises RecordError that says which there are."""
        known = published()
        if name not in known:
            listed = ", ".join(known) or "none; `publish` puts a finished build there"
            left = ", ".join(str(path) for path in PUBLISHED.glob("*/.seed-*.old"))
            hint = f" (publishing was interrupted: publish again, or rename {left} to seed-<n>)" if left else ""
            raise RecordError(f"{PUBLISHED}: no published experiment {name!r}; published: {listed}{hint}")
        if seed not in known[name]:
            seeds = ", ".join(map(str, known[name]))
            raise RecordError(f"seed: {seed} asked; experiment {name!r} is published with seed {seeds}")
        return cls(published_folder(name, seed), workspace)

    @property
    def profile(self) -> Profile:
        """The profile of the experiment."""
        return Profile.model_validate(self._stated["profile"])

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self._stated["seed"])

    def run(self, stage: str, recipe: type[Config], make: Callable[[Path], Run]) -> Run:
        place = self._place(stage)
        return RecordedRun(**vars(read_run(place, recipe, self._sums_in(place.name))))

    def example_data(self, data: DataConfig) -> DataConfig:
        """Few of the training scenes, and all validation scenes."""
        return data.model_copy(update={"train_scenes": min(EXAMPLE_SCENES, data.train_scenes)})

    @cached_property
    def _stated(self) -> dict[str, Any]:
        if not (self.folder / "profile.json").is_file():
            raise RecordError(f"{self.folder}: no published experiment there (profile.json is missing)")
        check_sums(self.folder, "profile.json")
        stated: dict[str, Any] = as_called_now(read_json(self.folder / "profile.json"))
        return stated

    @cached_property
    def _sums(self) -> Mapping[str, str] | None:
        """Digests of all files; None for experiments published before there were any."""
        return read_sums(self.folder) if (self.folder / SUMS).is_file() else None

    def _sums_in(self, run: str) -> Mapping[str, str] | None:
        if self._sums is None:
            return None
        return {name.removeprefix(f"{run}/"): d for name, d in self._sums.items() if name.startswith(f"{run}/")}

    @cached_property
    def _places(self) -> Mapping[str, list[Path]]:
        """Stage -> run folders; of ablations there are many."""
        found: dict[str, list[Path]] = {}
        for path in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            found.setdefault(path.name.rpartition("-")[0], []).append(path)
        return found

    def _place(self, stage: str) -> Path:
        if stage not in self._places:
            raise RecordError(f"{self.folder}: no run of stage {stage!r} there; stages: {', '.join(self._places)}")
        first, *others = self._places[stage]
        if others:
            raise RecordError(f"{self.folder}: {first.name} and {others[0].name} are of one stage; restore the folder")
        return first


def published(root: Path | None = None) -> dict[str, list[int]]:
    """The published experiments and their seeds, the default one first. root: default `PUBLISHED`."""
    found: dict[str, list[int]] = {}
    for stated in (root or PUBLISHED).glob("*/seed-*/profile.json"):
        if (number := stated.parts[-2].removeprefix("seed-")).isdecimal():  # a copy of a folder is none
            found.setdefault(stated.parts[-3], []).append(int(number))
    return {name: sorted(found[name]) for name in sorted(found, key=lambda name: (name != DEFAULT, name))}


def for_images() -> str:
    """The profile's name of the published experiment that plans on one's own images.

    That of random benches, lights and cameras, once it is published: a photograph is like none of the paper's cell.
    """
    name = next((name for name in FOR_IMAGES if name in published()), DEFAULT)
    return NAME if name == DEFAULT else f"{NAME}:{name}"


def seed_with_weights(name: str, root: Path | None = None) -> int | None:
    """The seed of a published experiment whose weights are kept: that which was published first; None if none are."""
    seeds = published(root).get(name, [])
    kept = (seed for seed in seeds if any(published_folder(name, seed, root).rglob("*.safetensors")))
    return next(kept, None)


def first_seed(profile: str) -> int:
    """The seed that is meant where none is named: of a published experiment that with weights, else 0."""
    name = published_name(profile)
    seeds = published().get(name, []) if name else []
    if not (name and seeds):
        return 0
    known = seed_with_weights(name)
    return seeds[0] if known is None else known


def published_folder(name: str, seed: int, root: Path | None = None) -> Path:
    """Where the experiment of that name and seed is kept, or will be."""
    return (root or PUBLISHED) / name / f"seed-{seed}"


def published_name(profile: str) -> str | None:
    """The published experiment that stands in the place of a profile's name, if one does."""
    if profile == FORMER_NAME:
        warnings.warn(f"the profile {FORMER_NAME!r} is called {NAME!r} now", DeprecationWarning, stacklevel=3)
        return DEFAULT
    word, _, name = profile.partition(":")
    return (name or DEFAULT) if word == NAME else None


def named_profile(name: str) -> Profile:
    """A profile by the name that commands take: a shipped one, a YAML file's, a published experiment's (any seed's)."""
    experiment = published_name(name)
    if experiment is None:
        return load_profile(name)
    seed = min(published().get(experiment, [0]))
    return Record.published(experiment, Path(), seed).profile
