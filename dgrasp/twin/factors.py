"""Success in the twin under each factor alone, under none, and under all together: which of them costs what?

Every factor has the size that the twin gives it (`TwinConfig`); three stand in this table alone (`EXTRA`). All
policies and all conditions meet the same presentations, directions, noise and starting poses. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from pydantic import Field, field_validator

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.rows import Row, read_rows
from dgrasp.evaluation.series import finish_series, rows
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.workers import PolicySource, worker_policy
from dgrasp.jobs.workforce import Workforce
from dgrasp.policy.policies import policy_spec
from dgrasp.robot.trials import for_real_robot
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.objects.everyday import EVERYDAY, everyday
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import COLUMNS, SweepPoint, presentations

NONE, ALL, TWIN, FAR_OFF = "none", "all", "twin", "twin_10mm_2deg"
FACTORS: Mapping[str, tuple[str, ...]] = {
    "bench": ("textured_bench",),
    "light": ("light_turn", "ambient", "diffuse", "specular"),
    "shadow": ("shadow",),
    "exposure": ("exposure_stops", "white_balance"),
    "camera pose": ("hand_eye_shift", "hand_eye_turn", "arm_shift"),
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


class FactorsConfig(Config):
    """Which conditions, which policies, how many presentations."""

    policies: tuple[str, ...] = Field(
        default=("base_quat_sync", "dgrasp_quat_sync"), min_length=1, description="one Base and one dGrasp"
    )
    conditions: tuple[str, ...] = Field(default=CONDITIONS, min_length=1, description="see `dgrasp.twin.factors`")
    objects: tuple[str, ...] = Field(default=tuple(o.name for o in EVERYDAY), min_length=1, description="paper's names")
    presentations: int = Field(default=5, ge=1, description="of each object, per policy and condition")

    @field_validator("policies", "conditions", "objects")
    @classmethod
    def _known(cls, names: tuple[str, ...], info: Any) -> tuple[str, ...]:
        check = {"policies": policy_spec, "conditions": check_condition, "objects": everyday}[info.field_name]
        for name in names:
            check(name)
        return names


class FactorsRecipe(Config):
    """Everything the attempts depend on besides the trained models and tuned parameters (which are input runs)."""

    factors: FactorsConfig
    twin: TwinConfig
    cell: CellConfig
    observer: Observer


@dataclass(frozen=True)
class _Point:
    policy: str
    condition: str

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.condition.replace(' ', '_')}"


def try_factors(
    recipe: FactorsRecipe,
    sources: Mapping[str, PolicySource],
    inputs: Mapping[str, Run],
    root: Path,
    *,
    seed: int,
    workers: Workforce | int,
) -> Run:
    """Attempt all presentations under all conditions; returns the complete run, with `attempts.csv` in it.

    sources, inputs: as of `dgrasp.twin.sweep.sweep`. The condition stands in the column `kind`. Resumes by policy and
    condition.
    """
    outputs = Outputs(units=("conditions/*",))
    run = open_run(root, "factors", recipe, inputs=inputs, seed=seed, code=(__name__,), outputs=outputs)
    if run.complete:
        return run
    points = [_Point(policy, name) for name in recipe.factors.conditions for policy in recipe.factors.policies]
    units = {p.name: joblib.delayed(_attempts)(recipe, sources[p.policy], p, seed) for p in points}
    return finish_series(
        run, units, workers, folder="conditions", table="attempts.csv", columns=COLUMNS, desc="factors",
        unit="condition",
    )  # fmt: skip


def factor_rates(run: Run, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, factor, successes, n, rate, low, high, seed, loss), conditions in the order they were asked for.

    loss: the rate without any factor less this one; NaN where that condition was not tried.
    """
    run.check()
    assert isinstance(run.recipe, FactorsRecipe)
    attempts = read_rows(run.path / "attempts.csv").rename(columns={"kind": "factor"})
    grouped = attempts.groupby(["policy", "factor"], sort=False)["success"]
    table = with_rates(grouped.agg(successes="sum", n="count").reset_index().astype({"successes": int}), confidence)
    without = table[table["factor"] == NONE].set_index("policy")["rate"]
    return table.assign(seed=run.seed, loss=table["policy"].map(without) - table["rate"])


def _attempts(recipe: FactorsRecipe, source: PolicySource, point: _Point, seed: int) -> Iterator[Row]:
    policy = for_real_robot(worker_policy(source))
    with TwinCell(condition(point.condition, recipe.twin), recipe.cell, recipe.observer, seed) as cell:
        as_sweep = SweepPoint(point.policy, point.condition, 0.0)
        setups = presentations(cell, policy, as_sweep, recipe.factors.objects, recipe.factors.presentations)
        yield from rows(cell, setups, seed=seed)
