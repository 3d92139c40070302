"""How many attempts the evaluation makes, and on what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dgrasp.config import Config, each
from dgrasp.policy.policies import POLICIES, PolicyNames
from dgrasp.sim.tasks.paper import TaskNames, check_task


class TaskBudget(Config):
    """Scenes of a task and grasp attempts in each."""

    scenes: int = Field(ge=1, description="test scenes")
    attempts: int = Field(ge=1, description="grasp attempts in a scene; a lifted object is taken away")


TaskBudgets = Annotated[dict[str, TaskBudget], each(check_task)]


class EvaluationConfig(Config):
    """Sec. 5.1: 10 scenes x 5 attempts (simple, clutter), 50 scenes (novel), each run 5 times.

    Each repetition has scenes of its own, the same ones for all policies. The paper repeats because random starts make
    its policies' choices random; ours choose nearly the same grasp from any starts, so that repeating the same scenes
    would count the same attempts five times and make the intervals too narrow.
    """

    tasks: TaskBudgets = Field(
        default={
            "simple": TaskBudget(scenes=10, attempts=5),
            "clutter": TaskBudget(scenes=10, attempts=5),
            "novel": TaskBudget(scenes=50, attempts=1),
        },
        description="task -> budget",
    )
    policies: PolicyNames = Field(default=tuple(POLICIES), description="policies, in table order")
    views: int = Field(default=2, ge=2, le=3, description="images per plan (Sec. 5: 2; the predecessor used 3)")
    repetitions: int = Field(default=5, ge=1, description="runs with other scenes and other starting poses (Sec. 5.1)")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="level of the Wilson intervals")


class ValidationConfig(Config):
    """Sec. 4.2: tuning is guided by grasp success on validation scenes of the simple task, 10 scenes x 5 attempts."""

    tasks: TaskNames = Field(default=("simple",), description="tasks, scene by scene in turn")
    scenes: int = Field(default=10, ge=1, description="validation scenes of each task")
    attempts: int = Field(default=5, ge=1, description="grasp attempts in each")
    final_scenes: int = Field(
        default=10,
        ge=1,
        description="further validation scenes of each task, for the final comparison of `tuning.finalists`",
    )


class TuningConfig(Config):
    """The search of Sec. 3.3: initial learning rates, decay rates and steps; ranges are not in the paper."""

    trials: int = Field(default=100, ge=1, description="finished trials of a study (Sec. 3.3: 100)")
    steps: tuple[int, int] = Field(default=(8, 32), description="range of steps")
    translation_rate: tuple[float, float] = Field(default=(1e-3, 0.1), description="range, logarithmic, metres")
    rotation_rate: tuple[float, float] = Field(default=(1e-2, 1.0), description="range, logarithmic")
    decay: tuple[float, float] = Field(default=(0.7, 1.0), description="range of both decay rates")
    startup_trials: int = Field(
        default=10, ge=1, description="random trials before TPE, and before trials may be pruned"
    )
    prune: bool = Field(
        default=True,
        description="end trials that fall behind the median of the others; false: every trial makes all its attempts "
        "(Sec. 4.2)",
    )
    pruning_warmup: int = Field(default=10, ge=0, description="attempts of a trial before it may be pruned")
    scheme: Literal["bayes", "race"] = Field(
        default="bayes",
        description='"bayes" prunes trials below the median of the others (Optuna); "race" those that lose against the '
        "untuned settings on the same attempts",
    )
    race_risk: float = Field(
        default=0.2, gt=0, lt=0.5, description='"race": a trial is pruned when chance explains its losses less often'
    )
    finalists: int = Field(
        default=0,
        ge=0,
        description="best trials that meet the untuned settings once more on other attempts; 0: the best trial wins "
        "(paper)",
    )
    evidence: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="final comparison: settings replace the untuned ones only if chance explains their lead less often "
        "than this (paired sign test, shared by the finalists); null: the best of the final comparison wins",
    )

    @model_validator(mode="after")
    def _ranges(self) -> TuningConfig:
        for name in ("steps", "translation_rate", "rotation_rate", "decay"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name}: expected 0 < low <= high, got ({low}, {high})")
        return self
