"""What policies and tasks are called in figures and tables that people read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dgrasp.policy.policies import policy_spec

METHODS = {"base": "Base", "dgrasp": "dGrasp", "control": "Control"}
ROTATIONS = {"quat": "quaternion", "6d": "6D"}
SCHEDULES = {"seq": "sequential", "sync": "synchronous"}
TASKS = {
    "simple": "simple", "clutter": "clutter", "novel": "novel objects", "unseen": "unseen objects",
    "twin": "everyday objects in the twin", "twin_10mm_2deg": "twin, 10 mm and 2 degrees off",
}  # fmt: skip
OTHERS = {"base_reported": "predecessor, three views"}  # only the paper reports it


def method_of(policy: str) -> str:
    """ "Base", "dGrasp" or "Control": the method of a policy, or of a model."""
    return METHODS[policy.partition("_")[0]]


def policy_label(policy: str) -> str:
    """A policy as people say it: "dGrasp (quaternion, synchronous)"; raises ValueError for an unknown one."""
    if policy in OTHERS:
        return OTHERS[policy]
    spec = policy_spec(policy)
    return f"{method_of(policy)} ({ROTATIONS[spec.representation]}, {SCHEDULES[spec.schedule]})"


def model_label(model: str) -> str:
    """A trained model as people say it: "Base", "dGrasp (6D)"."""
    rotation = ROTATIONS.get(model.rpartition("_")[2])
    return f"{method_of(model)} ({rotation})" if rotation else "Control" if "control" in model else method_of(model)


def arm_label(arm: str) -> str:
    """An arm of the ablations as people say it: "dGrasp 64", "finite differences", "weight 0.1"."""
    first, _, rest = arm.partition("_")
    named = " ".join([METHODS.get(first, first), *([rest] if rest else [])])
    return re.sub(r"(?<=\d)_(?=\d)", ".", named).replace("_", " ")


def task_label(task: str) -> str:
    """A task as people say it; tasks of one's own keep their names."""
    return TASKS.get(task, task)


def training_label(training: str) -> str:
    """A training set as people say it. training: `dgrasp.experiment.choices.training_set`."""
    return "the simple task alone" if training == "simple" else training


def seeds_label(seeds: Iterable[int]) -> str:
    """ "training seed 0", "training seeds 0, 1, 2"."""
    named = [str(seed) for seed in seeds]
    return f"training seed{'s' * (len(named) > 1)} {', '.join(named)}"


def number_of_seeds(count: int) -> str:
    """ "one training seed", "3 training seeds"."""
    return "one training seed" if count == 1 else f"{count} training seeds"


def object_label(name: str) -> str:
    """An object as people say it: "tennis ball" of the YCB set's "056_tennis_ball"."""
    return re.sub(r"^\d{3}_", "", name).replace("_", " ")
