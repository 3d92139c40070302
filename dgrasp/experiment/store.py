"""Where the stages of an experiment come from: a build makes what is missing, a record only reads.

    Build("build/smoke")              runs are made below it, resumed, and found again by their fingerprints
    Record("figures/runs", "build/x") runs are read, whatever the code became; new ones go to the workspace, the second

A build's runs are found by the code that would make them again; those of a record by their stage, and they say in their
`run.json` which commit made them. Scenes of the demonstrations are not in a record: those that figures need are made
again in the workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from dgrasp.config import Config
from dgrasp.data.config import DataConfig
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.files import read_json
from dgrasp.renamed import as_called_now
from dgrasp.runs import Run, read_run

FOLDER = Path(__file__).resolve().parents[2] / "figures" / "runs"
NAME = "recorded"  # in the place of a profile's name
EXAMPLE_SCENES = 24  # training scenes of a record that are made again for figures: enough for examples and probes


class RecordError(RuntimeError):
    """An experiment cannot be recorded, or a record cannot be read; the message says which and why."""


def named_profile(name: str) -> Profile:
    """A profile by the name that commands and notebooks take: a shipped one, a YAML file's, or that of the record."""
    return Record(FOLDER, Path()).profile if name == NAME else load_profile(name)


class Store(Protocol):
    """Answers for every stage of an experiment."""

    @property
    def workspace(self) -> Path:
        """Where new runs, figures and tables go."""

    def run(self, stage: str, recipe: type[Config], make: Callable[[Path], Run]) -> Run:
        """The run of a stage: what `make(folder)` opens or makes, or the one that was recorded."""

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


@dataclass(frozen=True)
class Record:
    """Stages are read from `folder`. Raises RecordError where there is no record, or a stage is not in it."""

    folder: Path
    workspace: Path

    @property
    def profile(self) -> Profile:
        """The profile of the recorded experiment."""
        return Profile.model_validate(self._stated["profile"])

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self._stated["seed"])

    def run(self, stage: str, recipe: type[Config], make: Callable[[Path], Run]) -> Run:
        return read_run(self._place(stage), recipe)

    def example_data(self, data: DataConfig) -> DataConfig:
        """Few of the training scenes, and all validation scenes."""
        return data.model_copy(update={"train_scenes": min(EXAMPLE_SCENES, data.train_scenes)})

    @cached_property
    def _stated(self) -> dict[str, Any]:
        if not (self.folder / "profile.json").is_file():
            raise RecordError(
                f"{self.folder}: no experiment is on record there; make one: make reproduce PROFILE=laptop"
            )
        stated: dict[str, Any] = as_called_now(read_json(self.folder / "profile.json"))
        return stated

    @cached_property
    def _places(self) -> Mapping[str, Path]:
        """Stage -> run folder."""
        return {path.name.rpartition("-")[0]: path for path in sorted(self.folder.iterdir()) if path.is_dir()}

    def _place(self, stage: str) -> Path:
        if stage not in self._places:
            raise RecordError(f"{self.folder}: no run of stage {stage!r} on record; stages: {', '.join(self._places)}")
        return self._places[stage]
