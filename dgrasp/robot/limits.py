"""What a cell may do at most, and the checks of poses, postures, speeds, forces and waits that need no simulator.

Every check either passes or raises UnsafePose with what was asked and what is allowed. Drivers use them, too.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field, ValidationError, model_validator

from dgrasp.cell import gripper
from dgrasp.cell.description import CellDescription
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.model import PAPERS, CellModel, model_of
from dgrasp.cell.transforms import orthonormal, pose_problem
from dgrasp.cell.workspace import BOARD_TOP, BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.config import Config

JOINT_SPEED = 0.8  # rad/s; our choice, far below what a UR10 can
COUNTS = {6: "six", 7: "seven"}
Corner = tuple[float, float, float]
LONGEST_WAIT = 600.0  # s; our choice: whoever waits longer has mistyped
UNDER_TIPS = 0.002  # m left between closed fingertips and the board
MODEL_ERROR = (0.01, 0.05)  # m and rad between our model of an arm and its own kinematics: plans are made by the model
BOX_ROUNDING = 1e-4  # m; the optimizer clips candidates to the box's very faces, in float32


class SafetyLimits(Config):
    """What a cell may do at most. A lab narrows these; none of them is in the paper.

    Of a described cell, box, height, reach, joints with their speeds, and grip force are its own, and may be narrowed,
    too. Raises ValueError, also for a described cell whose arm's model does not fit.
    """

    opt_in: ClassVar[frozenset[str]] = frozenset({"cell"})
    cell: CellDescription | None = Field(None, description="whose limits these are; null: the paper's cell")
    low: Corner = Field(
        default=(float(BOUNDS_LOW[0]), float(BOUNDS_LOW[1]), BOARD_TOP),
        description="lowest corner of the box the TCP may grasp in, world, metres (the policies' workspace)",
    )
    high: Corner = Field(
        default=(float(BOUNDS_HIGH[0]), float(BOUNDS_HIGH[1]), float(BOUNDS_HIGH[2])), description="highest corner"
    )
    minimum_height: float = Field(
        default=BOARD_TOP + gripper.TIP_BEHIND + UNDER_TIPS,
        description="lowest z of the TCP, world, m: fingertips close 15 mm ahead of it, 2 mm are left",
    )
    reach: float = Field(
        default=1.25, gt=0, description="of the flange from the shoulder, m (UR10: 1.3; others: as far as they go)"
    )
    joint_margin: float = Field(default=0.09, ge=0, lt=1, description="kept from the joints' limits, rad (5 degrees)")
    tilt: float = Field(
        default=math.radians(75), gt=0, lt=math.pi / 2, description="of the approach axis from straight down, rad"
    )
    joint_speed: float = Field(
        default=JOINT_SPEED, gt=0, le=2.0, description="of the fastest joint, rad/s; no more than each of them can"
    )
    linear_speed: float = Field(
        default=0.25,
        gt=0,
        le=0.25,
        description="of the TCP, on lines and in joint motions, m/s; reduced speed of ISO 10218-1",
    )
    acceleration: float = Field(default=1.5, gt=0, le=3.0, description="m/s^2 and rad/s^2")
    contact_force: float = Field(default=60.0, gt=0, le=150, description="N on the TCP in free motion and approach")
    grip_force: float = Field(default=80.0, description="N per pad (2F-140: 10 to 125)")

    @model_validator(mode="before")
    @classmethod
    def _described(cls, values: Any) -> Any:
        """A described cell's own limits where none are given."""
        cell = values.get("cell") if isinstance(values, dict) else None
        if cell is None:
            return values
        try:
            cell = CellDescription.model_validate(cell)
        except ValidationError:  # which the field says in its own words
            return values
        own = {
            "low": cell.workspace.low,
            "high": cell.workspace.high,
            "minimum_height": cell.bench.board_top + cell.gripper.tip_ahead + UNDER_TIPS,
            "reach": model_of(cell).arm.longest,
            "joint_speed": min(JOINT_SPEED, *cell.arm.speed),
            "grip_force": min(80.0, cell.gripper.force[1]),
        }
        return own | values | {"cell": cell}

    @model_validator(mode="after")
    def _hand(self) -> SafetyLimits:
        hand, top = self.model.hand, self.model.board_top
        if not self.minimum_height >= top + hand.tip_ahead:
            raise ValueError(
                f"minimum_height: {self.minimum_height:g} m; fingertips close {1000 * hand.tip_ahead:.0f} mm ahead of "
                f"the TCP, allowed are {top + hand.tip_ahead:g} m and more"
            )
        low, high = hand.force
        if not low <= self.grip_force <= high:
            raise ValueError(f"grip_force: {self.grip_force:g} N; the {hand.name} has {low:g} to {high:g} N")
        return self

    @model_validator(mode="after")
    def _arm(self) -> SafetyLimits:
        """Nothing is allowed that the arm cannot do."""
        arm = self.model.arm
        slowest = float(np.min(arm.speeds))
        if not self.joint_speed <= slowest:
            raise ValueError(
                f"joint_speed: {self.joint_speed:g} rad/s; the slowest joint of the {arm.name} has {slowest:g} rad/s, "
                "allowed is no more"
            )
        if not self.reach <= arm.longest:
            raise ValueError(f"reach: {self.reach:g} m; the {arm.name} goes {arm.longest:g} m from its shoulder")
        return self

    @property
    def model(self) -> CellModel:
        """The cell that these are limits of."""
        return model_of(self.cell)

    @model_validator(mode="after")
    def _box(self) -> SafetyLimits:
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low: every coordinate must be below high, got {self.low} and {self.high}")
        widest = {name: tuple(getattr(self.model, name).tolist()) for name in ("low", "high")}
        if np.less(self.low, widest["low"]).any() or np.greater(self.high, widest["high"]).any():
            raise ValueError(
                f"low, high: the box {self.low} to {self.high} reaches beyond the policies' workspace, "
                f"{widest['low']} to {widest['high']}; narrow it"
            )
        return self


class MotionConfig(Config):
    """How a grasp is executed. Not in the paper, slower than the simulated cell."""

    joint_speed: float = Field(default=0.5, gt=0, description="of the fastest joint in free motion, rad/s")
    linear_speed: float = Field(default=0.10, gt=0, description="of approach and lift, m/s")
    acceleration: float = Field(default=0.5, gt=0, description="m/s^2 and rad/s^2")
    approach_distance: float = Field(default=0.10, gt=0, le=0.5, description="pre-grasp behind the grasp, metres")
    lift_height: float = Field(default=0.15, gt=0, le=0.5, description="straight up after closing, metres")
    hold_seconds: float = Field(
        default=3.0, ge=0, le=LONGEST_WAIT, description="still after lifting, for the operator to look"
    )
    grip_force: float = Field(default=40.0, gt=0, description="N per pad")
    grip_speed: float = Field(default=0.10, gt=0, description="of the gap, m/s")
    open_width: float = Field(default=gripper.OPENING, description="gap before the grasp, metres")


def motion_of(limits: SafetyLimits) -> MotionConfig:
    """How a cell with these limits moves unless told otherwise: as the paper's, with its own hand's width and force,
    and no faster than its joints."""
    usual, hand = MotionConfig(), limits.model.hand
    if limits.cell is None:
        return usual
    return MotionConfig(
        joint_speed=min(usual.joint_speed, limits.joint_speed),
        grip_force=float(np.clip(usual.grip_force, hand.force[0], limits.grip_force)),
        grip_speed=float(np.clip(usual.grip_speed, *hand.speed)),
        open_width=hand.opening,
    )


def check_pose(T_world_tcp: Float[np.ndarray, "4 4"], limits: SafetyLimits) -> Float[np.ndarray, "4 4"]:
    """The pose in float64, if it is rigid, inside the box, high enough and points down; raises UnsafePose."""
    T = orthonormal(check_rigid(T_world_tcp))
    for axis, value, low, high in zip("xyz", T[:3, 3], limits.low, limits.high, strict=True):
        if not low - BOX_ROUNDING <= value <= high + BOX_ROUNDING:
            raise UnsafePose(
                f"refused: {axis} = {value:.4f} m is outside the workspace box, allowed are {low:.4f} to {high:.4f} m"
            )
    if not T[2, 3] >= limits.minimum_height:
        raise UnsafePose(
            f"refused: z = {T[2, 3]:.4f} m is below the minimum height of {limits.minimum_height:.4f} m, "
            "the fingertips would meet the board"
        )
    tilt = math.acos(float(np.clip(-T[2, 2], -1, 1)))
    if not tilt <= limits.tilt:
        raise UnsafePose(
            f"refused: the tool points {math.degrees(tilt):.0f} degrees away from straight down, "
            f"allowed are {math.degrees(limits.tilt):.0f}"
        )
    return T


def check_rigid(T_world_tcp: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """A pose that is one; raises UnsafePose."""
    if problem := pose_problem(T_world_tcp):
        raise UnsafePose(f"refused: {problem}")
    return T_world_tcp


def check_posture(q: Float[np.ndarray, "joints"], joints: int = 6) -> Float[np.ndarray, "joints"]:
    """So many finite joint angles, rad, in float64; raises UnsafePose."""
    posture = np.asarray(q, dtype=np.float64)
    if posture.shape != (joints,) or not np.isfinite(posture).all():
        expected = f"{COUNTS.get(joints, joints)} finite numbers, in radians"
        raise UnsafePose(f"refused: joint angles {posture.tolist()}, expected {expected}")
    return posture


def check_within(name: str, value: float, most: float, unit: str) -> float:
    """A speed, acceleration or force above 0 and up to `most`; raises UnsafePose, for NaN too."""
    if not 0 < value <= most:
        raise UnsafePose(f"refused: {name} of {value:g} {unit}, allowed are more than 0 and up to {most:g} {unit}")
    return value


def check_wait(name: str, seconds: float) -> float:
    """A wait that ends: more than 0 s, no more than LONGEST_WAIT; raises ValueError, for NaN too."""
    if not 0 < seconds <= LONGEST_WAIT:
        raise ValueError(f"{name}: {seconds:g} s, expected more than 0 and up to {LONGEST_WAIT:g} s")
    return seconds


def check_joints(path: Float[np.ndarray, "n joints"], limits: SafetyLimits) -> None:
    """Joint limits and reach along a path of joint angles; raises UnsafePose."""
    arm = limits.model.arm
    lower, upper = arm.lower + limits.joint_margin, arm.upper - limits.joint_margin
    excess = np.maximum(path - upper, lower - path)
    row, joint = np.unravel_index(int(excess.argmax()), excess.shape)
    if not excess[row, joint] <= 0:  # so that NaN is refused, too; likewise below
        low, high = np.degrees([lower[joint], upper[joint]])
        worst = abs(float(path[row, joint])) if low == -high else float(path[row, joint])
        allowed = f"{high:.0f} either way" if low == -high else f"{low:.0f} to {high:.0f}"
        raise UnsafePose(
            f"refused: {arm.joints[joint]} would turn to {math.degrees(worst):.0f} degrees, allowed are {allowed}"
        )
    _refuse_beyond(float(arm.reach(path).max()), limits)


def check_reach(path: Float[np.ndarray, "n joints"], limits: SafetyLimits) -> None:
    """Distance of the flange from the shoulder on the way of a joint motion; raises UnsafePose.

    An arm that starts farther out may come back, but not go farther out on the way.
    """
    reaches = limits.model.arm.reach(path)
    if not reaches.max() <= reaches[0]:
        _refuse_beyond(float(reaches.max()), limits)


def _refuse_beyond(reach: float, limits: SafetyLimits) -> None:
    if not reach <= limits.reach:
        raise UnsafePose(
            f"refused: the flange would be {reach:.2f} m from the shoulder, allowed are {limits.reach:.2f} m"
        )


def check_width(width: float, hand: Hand = PAPERS.hand) -> float:
    """A gap that the gripper has; raises UnsafePose."""
    if not 0 <= width <= hand.opening:
        raise UnsafePose(f"refused: gripper width {width} m, allowed are 0 to {hand.opening} m")
    return width


def check_motion(motion: MotionConfig, limits: SafetyLimits) -> None:
    """Speeds, accelerations, forces, width and hold within their caps; raises UnsafePose for the first that is not."""
    for name, unit in (
        ("joint_speed", "rad/s"),
        ("linear_speed", "m/s"),
        ("acceleration", "m/s^2"),
        ("grip_force", "N"),
    ):
        asked, allowed = getattr(motion, name), getattr(limits, name)
        if not 0 < asked <= allowed:
            raise UnsafePose(f"refused: {name} of {asked:g} {unit}, the cap is {allowed:g} {unit}")
    hand = limits.model.hand
    slowest, fastest = hand.speed
    if not slowest <= motion.grip_speed <= fastest:
        raise UnsafePose(
            f"refused: grip_speed of {motion.grip_speed:g} m/s, the {hand.name} has {slowest:g} to {fastest:g}"
        )
    weakest, _ = hand.force
    if motion.grip_force < weakest:
        raise UnsafePose(
            f"refused: grip_force of {motion.grip_force:g} N, the {hand.name} has no less than {weakest:g} N"
        )
    check_width(motion.open_width, hand)
    if not 0 <= motion.hold_seconds <= LONGEST_WAIT:
        raise UnsafePose(f"refused: hold_seconds of {motion.hold_seconds:g} s, allowed are 0 to {LONGEST_WAIT:g} s")
