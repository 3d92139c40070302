"""Scales of the experiment: `smoke` (minutes, two cores), `laptop` (hours, two cores), `paper` (a GPU).

A profile is data: one YAML file, validated key by key. The code is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dgrasp.cell.config import CellConfig
from dgrasp.config import Config
from dgrasp.data.config import DataConfig
from dgrasp.devices import check_device_name, check_shares
from dgrasp.evaluation.config import EvaluationConfig, TuningConfig, ValidationConfig
from dgrasp.nerf.config import NerfConfig
from dgrasp.sim.tasks.paper import task
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import SweepConfig
from dgrasp.twin.trials import TwinTrialsConfig
from dgrasp.value.config import ValueConfig

PROFILES = ("smoke", "laptop", "paper")
PUBLISHABLE = ("laptop", "paper")  # the others are for trying things out: watermarked, and never published


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

    threads: int = Field(default=2, ge=1, description="threads of NeRF pre-training on the CPU")
    workers: int = Field(default=2, ge=1, description="processes for data, value training, tuning and trials")
    studies: str | None = Field(
        default=None,
        pattern="://",
        description="URL of a database of Optuna's where tuning keeps its studies, so that many machines can share "
        "their trials: sqlite:///studies.db, postgresql://...; null: a journal file in each study's run",
    )
    study_workers: int = Field(
        default=1,
        ge=1,
        description="processes that share the trials of one study; above 1 their order is not repeatable",
    )


class TwinStages(Config):
    """The twin in a profile: what reality adds, the trials of Table 2, the sweep over calibration errors."""

    reality: TwinConfig = TwinConfig()
    trials: TwinTrialsConfig = TwinTrialsConfig()
    sweep: SweepConfig = SweepConfig()


class Profile(Config):
    """All settings of one run of the experiment."""

    name: str = Field(
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

    @field_validator("data")
    @classmethod
    def _task(cls, data: DataConfig) -> DataConfig:
        """Looked up here and not in DataConfig: recorded data can be read without their task's module."""
        task(data.task)
        return data

    @model_validator(mode="after")
    def _shares(self) -> Profile:
        """The batches of both trainings can be shared out evenly to the devices."""
        check_shares("nerf.training.scenes_per_step", self.nerf.training.scenes_per_step, self.runtime.devices)
        check_shares("value.batch", self.value.batch, self.runtime.devices)
        return self


class ProfileError(ValueError):
    """A profile is unknown or its file has settings that are not allowed; the message lists them all."""


def load_profile(name: str | Path) -> Profile:
    """A shipped profile by name, or one's own YAML file by path (ending in .yaml).

    Raises ProfileError that names every unknown or invalid key.
    """
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else None
    if path is None and name not in PROFILES:
        raise ProfileError(
            f"unknown profile {str(name)!r}; profiles: {', '.join(PROFILES)}, or the path of a .yaml file"
        )
    if path is not None and not path.is_file():
        raise ProfileError(f"{path}: no such profile file")
    source = path or files("dgrasp.experiment.profiles").joinpath(f"{name}.yaml")
    try:
        profile = Profile.model_validate(yaml.load(source.read_text(encoding="utf-8"), _UniqueKeys))
    except yaml.YAMLError as error:
        raise ProfileError(f"{source}: not valid YAML ({error})") from error
    except ValidationError as error:
        raise ProfileError(_explain(str(source), error)) from error
    if path is not None and profile.name in PROFILES:
        raise ProfileError(f"{path}: name: {profile.name!r} is a shipped profile's; give yours another name")
    return profile


class _UniqueKeys(yaml.SafeLoader):
    """YAML without repeated keys, of which the last would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _explain(source: str, error: ValidationError) -> str:
    lines = [f"{source}: {error.error_count()} setting(s) not allowed"]
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "(top level)"
        lines.append(f"  {where}: {problem['msg']}{_allowed_keys(problem) if problem['loc'] else ''}")
    return "\n".join(lines)


def _allowed_keys(problem: ErrorDetails) -> str:
    if problem["type"] != "extra_forbidden":
        return f" (got {problem.get('input')!r})"
    models: list[type[Config]] = [Profile]
    for part in problem["loc"][:-1]:
        below = [m for model in models if part in model.model_fields for m in _configs(model.model_fields[part])]
        chosen = [model for model in models if part in _tags(model)]  # which member of a union
        models = below or chosen or models  # else a key of a mapping, or a place in a list
    return f"; allowed: {', '.join(dict.fromkeys(name for model in models for name in model.model_fields))}"


def _configs(field: FieldInfo | Any) -> list[type[Config]]:
    """The settings that a field may hold, also inside mappings, lists and unions."""
    annotation = field.annotation if isinstance(field, FieldInfo) else field
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [model for part in get_args(annotation) for model in _configs(part)]


def _tags(model: type[Config]) -> set[Any]:
    """What pydantic calls this member of a union: its class, or the value of its literal field."""
    return {model.__name__, *(value for f in model.model_fields.values() for value in get_args(f.annotation))}
