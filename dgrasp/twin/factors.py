"""Success in the twin under each factor alone, under none, and under all together: which of them costs what?

Every factor has the size that the twin gives it (`TwinConfig`); three stand in this table alone (`EXTRA`). All
policies and all conditions meet the same presentations, directions, noise and starting poses. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import bootstrap

from dgrasp.config import Config, each
from dgrasp.evaluation.rows import Row
from dgrasp.evaluation.series import rows
from dgrasp.evaluation.stage import SeriesStage
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.workers import PolicySource, check_looks
from dgrasp.policy.policies import PAIR, PolicyNames
from dgrasp.runs import Run
from dgrasp.sim.objects.everyday import EVERYDAY, ObjectNames
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.recipe import TwinRecipe
from dgrasp.twin.sweep import COLUMNS, SweepPoint, presentations

NONE, ALL, TWIN, FAR_OFF = "none", "all", "twin", "twin_10mm_2deg"
FACTORS: Mapping[str, tuple[str, ...]] = {
    "bench": ("textured_bench",),
    "light": ("light_turn", "ambient", "diffuse", "specular"),
    "shadow": ("shadow",),
    "exposure": ("exposure_stops", "white_balance"),
    "camera pose": ("hand_eye_shift", "hand_eye_turn", "arm_shift", "execution_shift"),
    "intrinsics": ("focal_share", "centre_share"),
    "noise": ("read_noise", "shot_noise", "blur"),
    "distractors": ("distractors",),
    "object texture": ("object_texture",),
    "size": ("size_spread",),
    "mass": ("mass_spread",),
    "friction": ("friction_spread",),
    "grip": ("grip_spread",),
    "latency": ("camera_latency", "command_latency"),  # objects stand still: it costs seconds, and no grasp
}
EXTRA: Mapping[str, Any] = {"distractors": 4, "object_texture": True, "size_spread": 0.15}
# Nothing of reality: looks and physics of the simulated tasks.
NEUTRAL: Mapping[str, Any] = {
    "textured_bench": False, "light_turn": 0.0, "ambient": (0.55, 0.55), "diffuse": (0.45, 0.45), "specular": 0.0,
    "shadow": False, "exposure_stops": 0.0, "white_balance": 0.0, "hand_eye_shift": 0.0, "hand_eye_turn": 0.0,
    "arm_shift": 0.0, "focal_share": 0.0, "centre_share": 0.0, "read_noise": 0.0, "shot_noise": 0.0, "blur": 0.0,
    "mass_spread": 0.0, "friction_spread": 0.0, "grip_spread": 0.0, "execution_shift": 0.0, "camera_latency": 0.0,
    "command_latency": 0.0,
}  # fmt: skip
CONDITIONS = (NONE, *FACTORS, ALL)


def condition(name: str, twin: TwinConfig) -> TwinConfig:
    """The twin under a condition: a factor alone, none, all of them; "twin" as it is, or 10 mm and 2 degrees off.

    Raises ValueError naming the conditions there are.
    """
    check_condition(name)
    everything = twin.model_dump() | dict(EXTRA)
    if name == TWIN:
        return twin
    if name == FAR_OFF:
        return TwinConfig.model_validate(twin.model_dump() | {"hand_eye_shift": 0.010, "hand_eye_turn": 2.0})
    if name == ALL:
        return TwinConfig.model_validate(everything)
    kept = FACTORS.get(name, ())
    return TwinConfig.model_validate({**NEUTRAL, **{field: everything[field] for field in kept}})


def check_condition(name: str) -> str:
    """The name; raises ValueError naming what exists."""
    known = (*CONDITIONS, TWIN, FAR_OFF)
    if name not in known:
        raise ValueError(f"unknown condition {name!r}; conditions: {', '.join(known)}")
    return name


ConditionNames = Annotated[tuple[str, ...], Field(min_length=1), each(check_condition)]


class FactorsConfig(Config):
    """Which conditions, which policies, how many presentations."""

    policies: PolicyNames = Field(default=PAIR, description="one Base and one dGrasp")
    conditions: ConditionNames = Field(default=CONDITIONS, description="see `dgrasp.twin.factors`")
    objects: ObjectNames = Field(default=tuple(o.name for o in EVERYDAY), description="paper's names")
    presentations: int = Field(default=10, ge=1, description="of each object, per policy and condition")


class FactorsRecipe(TwinRecipe):
    """What the attempts depend on."""

    factors: FactorsConfig
    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no table mixes two of them")


@dataclass(frozen=True)
class _Point:
    """Small, so that an interruption costs a minute at most."""

    policy: str
    condition: str
    object: str

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.condition}-{self.object}".replace(" ", "_")


def factor_rates(run: Run, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, factor, successes, n, rate, low, high, seed, loss, loss_low, loss_high), in the order asked for.

    loss: the rate without any factor less this one, and its interval by a bootstrap of presentations, which are the
    same ones under all conditions; NaN where that condition was not tried.
    """
    attempts = try_factors.read(run).rename(columns={"kind": "factor"})
    grouped = attempts.groupby(["policy", "factor"], sort=False)["success"]
    table = with_rates(grouped.agg(successes="sum", n="count").reset_index().astype({"successes": int}), confidence)
    pairs = zip(table["policy"], table["factor"], strict=True)
    loss, low, high = zip(*(_loss(attempts, policy, factor, confidence) for policy, factor in pairs), strict=True)
    return table.assign(seed=run.seed, loss=loss, loss_low=low, loss_high=high)


def _loss(attempts: pd.DataFrame, policy: str, factor: str, confidence: float) -> tuple[float, float, float]:
    """What a factor costs a policy, and the interval; NaN where there is nothing to compare with."""
    of = attempts[attempts["policy"] == policy].astype({"success": float})
    wide = of.pivot_table(index=["object", "presentation"], columns="factor", values="success")
    if NONE not in wide:
        return (float("nan"),) * 3
    lost = (wide[NONE] - wide[factor]).dropna().to_numpy()
    if np.ptp(lost) == 0:
        return (float(lost.mean()),) * 3
    found = bootstrap((lost,), np.mean, confidence_level=confidence, method="percentile", rng=np.random.default_rng(0))
    return float(lost.mean()), float(found.confidence_interval.low), float(found.confidence_interval.high)


def _points(recipe: FactorsRecipe) -> Iterator[_Point]:
    asked = recipe.factors
    for name, policy, shown in product(asked.conditions, asked.policies, asked.objects):
        yield _Point(policy, name, shown)


def _attempts(recipe: FactorsRecipe, source: PolicySource, point: _Point, seed: int) -> Iterator[Row]:
    check_looks(recipe.ycb_models)
    policy = recipe.policy(source)
    with TwinCell(condition(point.condition, recipe.twin), recipe.cell, recipe.observer, seed) as cell:
        as_sweep = SweepPoint(point.policy, point.condition, 0.0)
        setups = presentations(cell, policy, as_sweep, (point.object,), recipe.factors.presentations)
        yield from rows(cell, setups, seed=seed)


# the condition stands in the column `kind`
try_factors = SeriesStage(
    name="factors",
    code=__name__,
    folder="conditions",
    columns=COLUMNS,
    units=_points,
    attempts=_attempts,
    begin_by=lambda point: (point.object, point.condition),  # a worker lets objects come to rest once for many
    doing="factors",
    unit="object",
)
