"""Settings of the simulated cell. Physics first, then looks; every default says where it comes from."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from dgrasp.cell.description import CellDescription, read_cell
from dgrasp.cell.model import CellModel, model_of
from dgrasp.cell.simulable import LEAST_FORCE
from dgrasp.cell.urdf import in_place
from dgrasp.config import Config

PAPERS = "ur10_2f140_d415"  # what the simulator has built in
USUAL_FORCE = 60.0  # N
EXACT = 200  # iterations of the solver in described cells


@cache
def _papers() -> CellDescription:
    return read_cell(PAPERS)


class CellConfig(Config):
    """The PyBullet cell: time step, contact, gripper, motion, judgement, light.

    description: a mapping, or a cell's name or file. The paper's cell described is the paper's cell: None.
    """

    opt_in: ClassVar[frozenset[str]] = frozenset({"description"})
    description: CellDescription | None = Field(
        None, description="another cell (dgrasp.cell.description): its name, its file, or all of it; null: the paper's"
    )

    # --- physics
    frequency: int = Field(240, ge=60, le=4800, description="Simulation steps per second (predecessor: 240)")
    solver_iterations: int = Field(
        50,
        ge=10,
        le=1000,
        description="Constraint solver iterations a step (Bullet's default); 200 in described cells, whose smaller "
        "hands hold lighter objects: with 50 a third of the cylinders sprang out of the Panda's",
    )
    solver_residual: float = Field(
        1e-5,
        gt=0,
        le=1,
        description="The solver may stop below this squared residual (Bullet: 1e-7; the same to 0.1 N of grip)",
    )
    board_friction: float = Field(
        1.0, ge=0, le=10, description="Lateral friction of board and table (predecessor's workbench)"
    )
    pad_friction: float = Field(
        2.0,
        ge=0,
        le=10,
        description="Lateral friction of the pads; Bullet multiplies: 1.0 on a 0.5 object, as rubber on plastic",
    )
    grip_force: float = Field(
        USUAL_FORCE,
        ge=LEAST_FORCE,
        le=125,
        description="Force per pad in newtons; the 2F-140 gives 10 to 125, middle taken; other hands the same, or the "
        "middle of what they give, if that is less",
    )
    stop_force: float = Field(
        150.0,
        gt=0,
        le=1000,
        description="Robot against anything before the grip: protective stop in newtons (UR default 150)",
    )

    # --- motion
    joint_speed: float = Field(0.9, gt=0, le=1, description="Share of the joints' velocity limits used in free motion")
    joint_acceleration: float = Field(
        8.0, gt=0, le=40, description="rad/s^2; not published for the CB3, its software's maximum is higher"
    )
    linear_speed: float = Field(0.30, gt=0, le=1, description="TCP speed of approach and lift in m/s; not in the paper")
    approach_distance: float = Field(
        0.10, gt=0, le=0.5, description="Pre-grasp behind the grasp along the approach axis, metres"
    )
    lift_height: float = Field(0.15, gt=0, le=0.5, description="Straight up after closing, metres (predecessor: 0.075)")
    hold_seconds: float = Field(0.5, ge=0, le=10, description="Still after lifting; dropped in this time is not lifted")
    close_seconds: float = Field(1.0, gt=0, le=5, description="At most this long for closing")
    use_gripper_symmetry: bool = Field(
        True, description="A half turn about the approach axis is the same grasp to two fingers"
    )

    # --- judgement
    lifted_height: float = Field(
        0.10, gt=0, le=0.5, description="The object must be this much higher after the hold, metres"
    )

    # --- looks
    width: int = Field(128, ge=8, le=4096, description="Image width in pixels")
    height: int = Field(96, ge=8, le=4096, description="Image height in pixels")
    board_colour: tuple[float, float, float] = Field((0.36, 0.37, 0.40), description="RGB in [0, 1]; not in the paper")
    table_colour: tuple[float, float, float] = Field((0.62, 0.52, 0.42), description="RGB in [0, 1]; not in the paper")
    background: tuple[float, float, float] = Field((0.85, 0.87, 0.89), description="RGB in [0, 1] beyond the cell")
    light_direction: tuple[float, float, float] = Field((0.6, 0.5, 1.6), description="Towards the light, world frame")

    @model_validator(mode="before")
    @classmethod
    def _described(cls, values: Any) -> Any:
        """A cell's name or file is read; its hand presses as hard as the paper's, if it can."""
        if not isinstance(values, dict) or values.get("description") is None:
            return values
        cell = values["description"]
        if isinstance(cell, str | Path):
            cell = in_place(cell)
        try:
            cell = CellDescription.model_validate(cell)
        except ValidationError:  # which the field says in its own words
            return values
        if cell == _papers():
            return values | {"description": None}
        low, high = cell.gripper.force
        force = float(np.clip(USUAL_FORCE, low, (low + high) / 2))
        return {"grip_force": force, "solver_iterations": EXACT, **values, "description": cell}

    @model_validator(mode="after")
    def _held(self) -> Self:
        if self.description is None:
            return self
        low, high = self.description.gripper.force
        if not low <= self.grip_force <= high:
            raise ValueError(
                f"grip_force: {self.grip_force:g} N; {self.description.gripper.name} has {low:g} to {high:g} N"
            )
        return self

    @property
    def model(self) -> CellModel:
        """Geometry, arm and hand; raises as `dgrasp.cell.model.model_of` does."""
        return model_of(self.description)

    @property
    def time_step(self) -> float:
        return 1.0 / self.frequency
