"""Scales of the experiment: `smoke` (minutes, two cores), `laptop` (hours, two cores), `paper` (a GPU); `beyond`,
an experiment of its own with what the paper did not have, and `panda`, the laptop's scale on another arm and hand.

A profile is data: one YAML file, validated key by key. The code is the same for all of them. With
`preset: as_published` it starts from the paper's own choices (`dgrasp.experiment.choices`), else from the defaults.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationError, field_validator, model_validator

from dgrasp.cell.config import CellConfig
from dgrasp.config import Config, check_metres, explain
from dgrasp.data.config import DataConfig
from dgrasp.devices import check_device_name, check_shares
from dgrasp.evaluation.config import EvaluationConfig, TuningConfig, ValidationConfig
from dgrasp.evaluation.loop_series import ClosedLoopConfig
from dgrasp.evaluation.outcomes import OutcomesConfig
from dgrasp.experiment.choices import with_preset
from dgrasp.experiment.profiles.described import with_cell
from dgrasp.experiment.profiles.together import check_outcomes, check_pruning, check_views, check_workspace
from dgrasp.experiment.questions import AblationsConfig
from dgrasp.files import UserFileError, parse_yaml
from dgrasp.jobs.backends import check_name, check_scheduler
from dgrasp.jobs.workforce import Workforce
from dgrasp.nerf.config import NerfConfig
from dgrasp.policy.fingers import FingerCheck
from dgrasp.policy.policies import MOST, check_lengths
from dgrasp.renamed import backend_as_called_now
from dgrasp.sim.tasks.paper import check_findable, check_task
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import SweepConfig
from dgrasp.twin.trials import TwinTrialsConfig
from dgrasp.value.config import ValueConfig

PROFILES = ("smoke", "laptop", "paper", "beyond", "panda")
PUBLISHABLE = ("laptop", "paper", "beyond", "panda")  # the others are for trying out: watermarked, never published
TAKEN = ("published", "recorded")  # how folders of builds begin that read published experiments
WORKERS = "DGRASP_WORKERS"
SCHEDULER = "DGRASP_SCHEDULER"  # variable: the same profile, on a cluster
WIDEST = 1024  # not in the paper: more than any machine has processors; more is a slip, and would end the machine


class Runtime(Config):
    """Where and how wide to compute, which is no part of what is computed: runs are found again on other machines.

    Results do not depend on `workers`; the last bits do on `device`, `devices` and `threads`, which runs record, and
    which trials a study makes depends on how many processes or machines share it.
    (Precision is part of what is computed: `nerf.precision`.)
    """

    device: str = Field(default="cpu", description="torch device of training and plans: cpu, cuda, cuda:1, mps")
    devices: int = Field(
        default=1,
        ge=1,
        description="how many devices (processes, on the CPU) share each training step; divides batches",
    )

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        return check_device_name(device)

    threads: int = Field(default=2, ge=1, le=WIDEST, description="threads of both trainings on the CPU")
    workers: int = Field(default=2, ge=1, le=WIDEST, description="processes for data, tuning and trials")
    backend: str = Field(
        default="loky", description="who makes many small jobs, by joblib: loky, threading, sequential, dask, ray"
    )
    scheduler: str | None = Field(
        default=None,
        pattern="://",
        description="address of a running Dask cluster, which shares the build folder: tcp://host:8786; "
        "null: dask starts `workers` processes here",
    )
    studies: str | None = Field(
        default=None,
        pattern="://",
        description="URL of a database of Optuna's where tuning keeps its studies, so that many machines can share "
        "their trials: sqlite:///studies.db, postgresql://...; null: a journal file in each study's run",
    )
    study_workers: int = Field(
        default=1,
        ge=1,
        le=WIDEST,
        description="processes that share the trials of one study; above 1 their order is not repeatable",
    )

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, backend: str) -> str:
        return check_name(backend)

    @model_validator(mode="after")
    def _makers(self) -> Runtime:
        check_scheduler(self.backend, self.scheduler)
        if (self.backend == "dask" or os.environ.get(SCHEDULER)) and self.study_workers > 1:
            raise ValueError(
                f"study_workers: {self.study_workers} asked, but a Dask worker starts no processes; allowed: 1 "
                "(studies are made side by side; with `studies`, several starts share the trials of each)"
            )
        return self

    @property
    def workforce(self) -> Workforce:
        """Who makes many small jobs; the environment's DGRASP_SCHEDULER, an address of Dask's, is asked first."""
        scheduler = os.environ.get(SCHEDULER)
        if scheduler:
            return Workforce(self.workers, "dask", scheduler)
        return Workforce(self.workers, self.backend, self.scheduler)


class TwinStages(Config):
    """The twin in a profile: what reality adds, the trials of Table 2, the sweep over calibration errors."""

    reality: TwinConfig = TwinConfig()
    trials: TwinTrialsConfig = TwinTrialsConfig()
    sweep: SweepConfig = SweepConfig()


class Profile(Config):
    """All settings of one run of the experiment. `outcomes` and `fingers` are not in the paper, and off unless set."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"outcomes", "fingers"})
    outcomes: OutcomesConfig | None = Field(
        None,
        description="a second round of Psi's training, the policies' own failures among negatives; null: none",
    )
    fingers: FingerCheck | None = Field(
        None, description="candidates are checked against the NeRF's own density; null: the best is taken"
    )

    name: str = Field(
        max_length=100,
        pattern=r"^[A-Za-z0-9][\w.-]*$",
        description="letters, digits, . _ -: a folder of the build and of what is published",
    )
    runtime: Runtime = Runtime()
    cell: CellConfig = CellConfig()
    data: DataConfig = DataConfig()
    nerf: NerfConfig = NerfConfig()
    value: ValueConfig = ValueConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    tuning: TuningConfig = TuningConfig()
    validation: ValidationConfig = ValidationConfig()
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    twin: TwinStages = TwinStages()
    ablations: AblationsConfig = AblationsConfig()
    closed_loop: ClosedLoopConfig = ClosedLoopConfig()

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, values: Any) -> Any:
        return backend_as_called_now(values)

    @field_validator("data")
    @classmethod
    def _task(cls, data: DataConfig) -> DataConfig:
        """Its name alone: a task of one's own is imported when a scene is to be made, and not to read a profile."""
        check_task(data.task)
        return data

    @property
    def settings(self) -> dict[str, Any]:
        """All that networks and tables depend on, as plain values; not who computes, nor what has runs of its own."""
        return self.model_dump(mode="json", exclude={"runtime", "ablations", "closed_loop"})

    @model_validator(mode="after")
    def _shares(self) -> Profile:
        """The batches of both trainings can be shared out evenly to the devices."""
        check_shares("nerf.training.scenes_per_step", self.nerf.training.scenes_per_step, self.runtime.devices)
        check_shares("value.batch", self.value.batch, self.runtime.devices)
        return self

    @model_validator(mode="after")
    def _together(self) -> Profile:
        """What one section asks for, the others have: else a stage would end in an error hours later, or do nothing."""
        check_views(self.data, self.nerf.training, self.value)
        check_outcomes(self.value, self.outcomes)
        check_pruning(self.optimizer, self.evaluation.policies)
        check_lengths(self.optimizer, "optimizer")
        for rate in self.tuning.translation_rate:
            check_metres(rate, MOST["translation_rate"], "tuning.translation_rate")
        check_workspace(self.value, self.cell)
        return self


class ProfileError(UserFileError):
    """A profile is unknown or its file has settings that are not allowed; the message lists them all."""


def load_profile(name: str | Path) -> Profile:
    """A shipped profile by name, or one's own YAML file by path (ending in .yaml).

    The environment variable DGRASP_WORKERS stands for another `runtime.workers`. Raises ProfileError that names every
    unknown or invalid key, sections that contradict each other, and what is neither a name nor a path.
    """
    if not isinstance(name, str | os.PathLike):
        raise ProfileError(f"profile: expected a name or the path of a .yaml file, got {type(name).__name__}")
    name = str(name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else None
    if path is None and name not in PROFILES:
        raise ProfileError(f"unknown profile {name!r}; profiles: {', '.join(PROFILES)}, or the path of a .yaml file")
    if path is not None and not path.is_file():
        raise ProfileError(f"{path}: no such profile file")
    source = path or files("dgrasp.experiment.profiles").joinpath(f"{name}.yaml")
    try:
        values = parse_yaml(source.read_bytes(), str(source))
        profile = Profile.model_validate(_whole(values, path) if isinstance(values, dict) else values)
    except UserFileError as error:
        raise ProfileError(str(error)) from error
    except ValidationError as error:
        raise ProfileError(explain(str(source), Profile, error)) from error
    except ValueError as error:  # an unknown preset
        raise ProfileError(f"{source}: {error}") from error
    _check_tasks(profile, source)
    if path is not None and (profile.name in PROFILES or profile.name.lower().startswith(TAKEN)):
        whose = "a shipped profile's" if profile.name in PROFILES else "kept for published experiments"
        raise ProfileError(f"{path}: name: {profile.name!r} is {whose}; give yours another name")
    return _with_workers(profile)


def _check_tasks(profile: Profile, source: object) -> None:
    """Raise ProfileError with file and key for a task of one's own whose module is not there."""
    keys = {"data.task": (profile.data.task,), "validation.tasks": profile.validation.tasks}
    keys |= {"evaluation.tasks": tuple(profile.evaluation.tasks), "ablations.tasks": tuple(profile.ablations.tasks)}
    keys |= {"closed_loop.task": (profile.closed_loop.task,)}
    for key, names in keys.items():
        for name in names:
            try:
                check_findable(name)
            except ValueError as error:
                raise ProfileError(f"{source}: {key}: {error}") from error


def _whole(values: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """A profile's settings on top of its preset, with what follows from the cell that it names."""
    return with_preset(with_cell(values, Path() if path is None else path.parent))


def _with_workers(profile: Profile) -> Profile:
    """With as many workers as the environment asks for."""
    asked = os.environ.get(WORKERS)
    if not asked:
        return profile
    try:
        runtime = Runtime.model_validate({**profile.runtime.model_dump(), "workers": asked})
    except ValidationError as error:
        raise ProfileError(f"{WORKERS}: expected a whole number from 1 to {WIDEST}, got {asked!r}") from error
    return profile.model_copy(update={"runtime": runtime})
