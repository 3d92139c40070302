"""What the ablations ask: questions about the paper's text, each with arms that differ in one thing.

The questions are `questions.yaml` beside this file; a profile says which of them it asks, and how much each arm gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from dgrasp.config import Config
from dgrasp.evaluation.config import TaskBudget, TaskBudgets
from dgrasp.files import parse_yaml
from dgrasp.policy.policies import policy_spec

NAME = r"^[a-z][a-z0-9_]*$"
SPLIT = Literal["ablation", "validation"]


class Arm(Config):
    """One way to do it: what differs from the experiment's own settings."""

    policy: str = Field(description="whose model, coordinates and order of steps: one of the paper's eight")
    value: dict[str, Any] = Field(default={}, description="changes of Psi and its training, as in a profile")
    optimizer: dict[str, Any] = Field(default={}, description="changes of the climb, as in a profile")
    nerf: dict[str, Any] = Field(default={}, description="changes of Phi, which is then trained anew")
    times: dict[str, int] = Field(
        default={},
        description="whole numbers of a profile that are multiplied, with dots: value.batch, optimizer.n_starts (and "
        "with it the numbers of candidates that climb on)",
    )
    views: int | None = Field(default=None, ge=2, le=3, description="images per plan; null: the experiment's")

    @field_validator("policy")
    @classmethod
    def _known(cls, name: str) -> str:
        return policy_spec(name).name


class Comparison(Config):
    """Two arms on the same scenes and starts, and what the paper says or expects of them."""

    arm: str
    against: str
    expects: Literal["higher", "lower", "same", "nothing"] = Field(
        description="of the arm's success; same: the paper found or claims no difference; nothing: it does not say"
    )


class Question(Config):
    """One explanation or choice, and the arms that test it."""

    asks: str = Field(description="the question, as a sentence")
    says: str = Field(description="what the paper or its code says to it")
    place: str = Field(description="where")
    arms: dict[str, Arm] = Field(min_length=2)
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    own: bool = Field(
        default=False,
        description="arms that change neither Psi nor Phi use the experiment's own readouts, trained in full; false: "
        "all arms are trained anew and equally long",
    )
    as_long_as: str | None = Field(
        default=None, description="an arm whose training time all arms get, instead of its number of steps"
    )

    @model_validator(mode="after")
    def _arms(self) -> Question:
        named = {c.arm for c in self.comparisons} | {c.against for c in self.comparisons}
        named |= set() if self.as_long_as is None else {self.as_long_as}
        if unknown := sorted(named - self.arms.keys()):
            raise ValueError(f"comparisons: no arm {unknown[0]!r}; arms: {', '.join(self.arms)}")
        return self


class AblationsConfig(Config):
    """Which questions a profile asks, and what each arm gets. Not in the paper, which tests none of them."""

    questions: tuple[str, ...] = Field(default=(), description="names in `questions.yaml`, in order; empty: all")
    steps: float = Field(default=0.2, gt=0, le=1, description="share of `value.steps` that each arm is trained for")
    phi_steps: float = Field(
        default=0.5, gt=0, le=1, description="share of `nerf.training.steps`, for arms with a Phi of their own"
    )
    together: int = Field(
        default=4,
        ge=1,
        description="questions whose arms are trained side by side before any is tried: they share observations",
    )
    tasks: TaskBudgets = Field(
        default={"clutter": TaskBudget(scenes=50, attempts=5), "novel": TaskBudget(scenes=250, attempts=1)},
        description="task -> scenes and attempts of each arm",
    )
    choice_scenes: int = Field(
        default=20, ge=1, description="validation scenes of each task, where the ablations are to guide a choice"
    )
    probe_scenes: int = Field(
        default=24,
        ge=0,
        description="scenes of the first task on which arrivals are counted, and held-out demonstrations",
    )
    probe_starts: int = Field(default=128, ge=1, description="poses that all climb to the end there")
    pace_steps: int = Field(default=6, ge=1, description="steps that are timed, for arms of equal training time")
    checkpoint_every: int = Field(default=25, ge=1, description="steps between checkpoints of an arm")

    @field_validator("questions")
    @classmethod
    def _questions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return asked(names) and names

    def names(self, given: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The questions to ask: those given, else the profile's."""
        return asked(given or self.questions)


@cache
def questions() -> Mapping[str, Question]:
    """All questions by name, as they were read and checked."""
    source = files("dgrasp.experiment").joinpath("questions.yaml")
    read = parse_yaml(source.read_bytes(), "questions.yaml")
    return {name: Question.model_validate(values) for name, values in read.items()}


def asked(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of questions, all for none; raises ValueError for one that is not there, naming what is."""
    known = questions()
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown question {unknown[0]!r}; questions: {', '.join(known)}")
    return names or tuple(known)
