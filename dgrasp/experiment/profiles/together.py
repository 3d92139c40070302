"""Sections of a profile that must go together. Each check raises ValueError with the keys, their values, and what fits.

They are here, and not in the sections' own classes, which know nothing of each other and also serve without a profile.
"""

from __future__ import annotations

from collections.abc import Sequence

from dgrasp.cell.config import CellConfig
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.data.config import DataConfig
from dgrasp.evaluation.outcomes import OutcomesConfig
from dgrasp.nerf.config import PretrainConfig
from dgrasp.policy.policies import policy_spec
from dgrasp.slopes.climb import SCHEDULES
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig

BEYOND = 0.3  # m: our choice. A policy's workspace may be larger than the cell's, but not somewhere else


def check_views(data: DataConfig, training: PretrainConfig, value: ValueConfig) -> None:
    """The demonstrations have the views that both trainings draw from."""
    if value.policy_views > data.policy_views:
        raise ValueError(
            f"value.policy_views: {value.policy_views} asked, but data.policy_views is {data.policy_views}; allowed: "
            f"1 to {data.policy_views}, or more data.policy_views"
        )
    if training.source_views >= data.views:
        sources, least = training.source_views, training.source_views + 1
        raise ValueError(
            f"nerf.training.source_views: {sources} sources and a target need {least} views, but data.views is "
            f"{data.views}; allowed: data.views of {least} or more, or fewer sources"
        )


def check_outcomes(value: ValueConfig, outcomes: OutcomesConfig | None) -> None:
    """Failed grasps are among the negatives of the second round of training, and of no other."""
    negatives = value.negatives
    if negatives.outcome_share:
        raise ValueError(
            f"value.negatives.outcome_share: {negatives.outcome_share:g}, but the first round of training has no "
            "failed grasps; expected null here, and outcomes.share for a second round"
        )
    others = negatives.near_share + negatives.turned_share + negatives.blocked_share
    if outcomes is not None and others + outcomes.share > 1:
        raise ValueError(
            f"outcomes.share: {outcomes.share:g} of the negatives, but near, turned and blocked ones are {others:g} "
            f"already; allowed: up to {1 - others:g}"
        )


def check_pruning(optimizer: OptimizerConfig, policies: Sequence[str]) -> None:
    """The steps after which candidates are dropped are steps of the climb, for each of the policies.

    A tuned climb may have fewer steps: `tuning.steps` is no part of this.
    """
    phases = [len(SCHEDULES[policy_spec(name).schedule]) for name in policies]
    last = optimizer.steps * (min(phases) if optimizer.pruning_first is None else 1)
    first = (optimizer.pruning_first or ()) if optimizer.pruning else ()
    for name, pairs, steps in (("pruning", optimizer.pruning, last), ("pruning_first", first, optimizer.steps)):
        for step, _ in pairs:
            if step > steps:
                raise ValueError(
                    f"optimizer.{name}: nobody is dropped after step {step} of a climb of {steps} steps; allowed: 0 to "
                    f"{steps}, or more optimizer.steps"
                )


def check_workspace(value: ValueConfig, cell: CellConfig) -> None:
    """Grasps are searched where the cell's workspace is, or a little beyond it."""
    described = cell.description
    if described is None:
        whose, low, high = "the paper's cell", tuple(BOUNDS_LOW.tolist()), tuple(BOUNDS_HIGH.tolist())
    else:
        whose, low, high = described.name, described.workspace.low, described.workspace.high
    for axis, a, b, least, most in zip("xyz", *value.workspace, low, high, strict=True):
        if a >= most or b <= least or a < least - BEYOND or b > most + BEYOND:
            raise ValueError(
                f"value.workspace: {a:g} to {b:g} m in {axis}, but that of {whose} is {least:g} to {most:g} m; allowed "
                f"are {BEYOND:g} m beyond it at most (cell.description describes another cell)"
            )
