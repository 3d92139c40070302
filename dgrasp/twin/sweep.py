"""Success against calibration error in the twin: how far may a camera be off before Base and dGrasp miss?

The paper blames calibration for much of what its policies lose on the real robot (Sec. 5.2) without measuring it. Here
the error of the hand-eye pose is set, in a random direction, and everything else is the twin's, its errors of arm
and lens included: 0 is no perfect camera. All policies and all errors meet the same presentations, with the same
directions, noise and starting poses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import product

from pydantic import Field, field_validator

from dgrasp.config import Config
from dgrasp.evaluation.attempt import Planner
from dgrasp.evaluation.rows import POSE, Row, on_table
from dgrasp.evaluation.series import Setup, rows
from dgrasp.evaluation.stage import SeriesStage
from dgrasp.evaluation.workers import PolicySource
from dgrasp.policy.policies import PAIR, PolicyNames
from dgrasp.sim.objects.everyday import EVERYDAY, ObjectNames
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import MAX_SHIFT, MAX_TURN, TwinConfig
from dgrasp.twin.recipe import TwinRecipe

TRANSLATION, ROTATION = "translation (mm)", "rotation (degrees)"
COLUMNS = (
    *("policy", "kind", "error", "object", "presentation", "seed"),
    *POSE,
    *("value", "outcome", "success", "reason", "models", "simulated_seconds"),
)


class SweepConfig(Config):
    """Which errors, which policies, how many presentations."""

    policies: PolicyNames = Field(default=PAIR, description="one Base and one dGrasp")
    millimetres: tuple[float, ...] = Field(
        default=(0.0, 2.0, 5.0, 10.0, 15.0, 20.0), description="lengths of the hand-eye error, mm, without a turn"
    )
    degrees: tuple[float, ...] = Field(
        default=(0.5, 1.0, 2.0, 3.0, 5.0), description="angles of the hand-eye error, degrees, without a shift"
    )
    objects: ObjectNames = Field(default=tuple(o.name for o in EVERYDAY), description="paper's names")
    presentations: int = Field(default=1, ge=1, description="of each object, per policy and error (Sec. 5.2: 5)")

    @field_validator("millimetres")
    @classmethod
    def _millimetres(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return _in_range(values, 1e3 * MAX_SHIFT, "mm")

    @field_validator("degrees")
    @classmethod
    def _degrees(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return _in_range(values, MAX_TURN, "degrees")


class SweepRecipe(TwinRecipe):
    """What the attempts depend on."""

    sweep: SweepConfig


@dataclass(frozen=True)
class SweepPoint:
    """The unit of parallel work: one policy under one calibration error."""

    policy: str
    kind: str
    error: float

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.kind.split()[0]}-{self.error:g}"

    def twin(self, config: TwinConfig) -> TwinConfig:
        """The twin with this error and no other of the hand-eye pose; arm and lens keep theirs.

        Raises ValidationError for an error that the twin does not take.
        """
        shift, turn = (self.error / 1e3, 0.0) if self.kind == TRANSLATION else (0.0, self.error)
        # not model_copy, which would not check them
        return TwinConfig.model_validate(config.model_dump() | {"hand_eye_shift": shift, "hand_eye_turn": turn})


def presentations(
    cell: TwinCell, policy: Planner, point: SweepPoint, objects: Iterable[str], repeats: int
) -> Iterator[Setup]:
    """Each object presented so often, one attempt each. A refused pose or an absent one is a recorded failure."""
    for name, k in product(objects, range(repeats)):
        scene = cell.present(name, k)
        labels = {**asdict(point), "object": name, "presentation": k, "seed": cell.seed, **on_table(scene)}
        yield Setup(policy, ("twin", "starts", name, k), labels)


def _in_range(values: tuple[float, ...], largest: float, unit: str) -> tuple[float, ...]:
    if any(not 0 <= v <= largest for v in values):
        raise ValueError(f"errors must be 0 to {largest:g} {unit}, got {values}")
    return values


def _points(recipe: SweepRecipe) -> Iterator[SweepPoint]:
    for policy in recipe.sweep.policies:
        yield from (SweepPoint(policy, TRANSLATION, e) for e in recipe.sweep.millimetres)
        yield from (SweepPoint(policy, ROTATION, e) for e in recipe.sweep.degrees)


def _attempts(recipe: SweepRecipe, source: PolicySource, point: SweepPoint, seed: int) -> Iterator[Row]:
    policy = recipe.policy(source)
    with TwinCell(point.twin(recipe.twin), recipe.cell, recipe.observer, seed) as cell:
        setups = presentations(cell, policy, point, recipe.sweep.objects, recipe.sweep.presentations)
        yield from rows(cell, setups, seed=seed)


sweep = SeriesStage(
    name="calibration-sweep",
    code=__name__,
    folder="errors",
    columns=COLUMNS,
    units=_points,
    attempts=_attempts,
    doing="twin",
    unit="error",
)
read_sweep = sweep.read
