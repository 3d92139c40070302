"""What is checked before any driver is called: the pose, the arm's way to it, speeds and forces.

Every check either passes or raises UnsafePose with what was asked and what is allowed. The arm's way is planned with
the simulator's kinematics and checked against the model of arm, table and board; objects are not known to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from dgrasp.cell import gripper, ur10
from dgrasp.cell.config import CellConfig
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.transforms import orthonormal, pose_problem
from dgrasp.cell.ur10 import HOME
from dgrasp.cell.workspace import BOARD_TOP, BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.config import Config
from dgrasp.sim.cell import Cell
from dgrasp.sim.planning import Infeasible, Plan, collision_at, plan_motion
from dgrasp.sim.scene import Scene

Corner = tuple[float, float, float]
PATH_STEP = 0.03  # rad of the fastest joint between postures checked for collisions


class SafetyLimits(Config):
    """What a cell may do at most. A lab narrows these; none of them is in the paper."""

    low: Corner = Field(
        default=(float(BOUNDS_LOW[0]), float(BOUNDS_LOW[1]), BOARD_TOP),
        description="lowest corner of the box the TCP may grasp in, world, metres (the policies' workspace)",
    )
    high: Corner = Field(
        default=(float(BOUNDS_HIGH[0]), float(BOUNDS_HIGH[1]), float(BOUNDS_HIGH[2])), description="highest corner"
    )
    minimum_height: float = Field(
        default=BOARD_TOP + gripper.TIP_BEHIND + 0.002,
        ge=BOARD_TOP + gripper.TIP_BEHIND,
        description="lowest z of the TCP, world, m: fingertips close 15 mm ahead of it, 2 mm are left",
    )
    reach: float = Field(default=1.25, gt=0, le=1.3, description="of the flange from the shoulder, m (UR10: 1.3)")
    joint_margin: float = Field(default=0.09, ge=0, lt=1, description="kept from the joints' limits, rad (5 degrees)")
    tilt: float = Field(
        default=math.radians(75), gt=0, lt=math.pi / 2, description="of the approach axis from straight down, rad"
    )
    joint_speed: float = Field(default=0.8, gt=0, le=2.0, description="of the fastest joint, rad/s")
    linear_speed: float = Field(
        default=0.25,
        gt=0,
        le=0.25,
        description="of the TCP, on lines and in joint motions, m/s; reduced speed of ISO 10218-1",
    )
    acceleration: float = Field(default=1.5, gt=0, le=3.0, description="m/s^2 and rad/s^2")
    contact_force: float = Field(default=60.0, gt=0, le=150, description="N on the TCP in free motion and approach")
    grip_force: float = Field(default=80.0, ge=10, le=125, description="N per pad (2F-140: 10 to 125)")

    @model_validator(mode="after")
    def _box(self) -> SafetyLimits:
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low: every coordinate must be below high, got {self.low} and {self.high}")
        widest = {name: type(self).model_fields[name].default for name in ("low", "high")}
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
    approach_distance: float = Field(default=0.10, gt=0, description="pre-grasp behind the grasp, metres")
    lift_height: float = Field(default=0.15, gt=0, description="straight up after closing, metres")
    hold_seconds: float = Field(default=3.0, ge=0, description="still after lifting, for the operator to look")
    grip_force: float = Field(default=40.0, gt=0, description="N per pad")
    grip_speed: float = Field(default=0.10, gt=0, description="of the gap, m/s")
    open_width: float = Field(default=gripper.OPENING, description="gap before the grasp, metres")


@dataclass(frozen=True, eq=False)
class SafeGrasp:
    """A grasp that passed all checks: joint angles (6,) and TCP poses (4, 4) at the ends of its straight lines."""

    q_before: np.ndarray
    T_world_before: np.ndarray
    T_world_grasp: np.ndarray
    T_world_lifted: np.ndarray


class SafetyCheck:
    """The gate in front of the drivers. Holds a simulated arm for reach and collisions; use as a context manager."""

    def __init__(self, limits: SafetyLimits | None = None, motion: MotionConfig | None = None) -> None:
        self.limits, self.motion = limits or SafetyLimits(), motion or MotionConfig()
        check_motion(self.motion, self.limits)
        config = CellConfig(
            approach_distance=self.motion.approach_distance,
            lift_height=self.motion.lift_height,
            linear_speed=self.motion.linear_speed,
        )
        self._model = Cell(config)
        self._model.reset(Scene(()))

    def __enter__(self) -> SafetyCheck:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the simulated arm; safe to call twice."""
        self._model.close()

    def grasp(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> SafeGrasp:
        """Check a grasp and the way to it, and plan that way from HOME; raises UnsafePose.

        The planner looks at a few postures of each phase, as fits a simulation. Here the way it chose is checked again
        every PATH_STEP; where that finds a contact the grasp is refused, without a search for another way.
        """
        T = check_pose(T_world_tcp, self.limits)
        plan = plan_motion(self._model.world, T)
        if isinstance(plan, Infeasible):
            raise UnsafePose(f"refused: {plan.reason}")
        self._check_way(plan)
        ends = tcp_pose(np.stack([plan.approach[0], plan.approach[-1], plan.lift[-1]]))
        return SafeGrasp(plan.approach[0], *ends)

    def joint_motion(self, q_from: Float[np.ndarray, "6"], q_to: Float[np.ndarray, "6"]) -> None:
        """Check a joint motion between two postures against limits, arm and workbench; raises UnsafePose."""
        path = resampled(np.stack([q_from, q_to]), PATH_STEP)
        check_joints(path[-1:], self.limits)
        check_reach(path, self.limits)
        if hit := self._first_hit(path[1:]):
            raise UnsafePose(
                f"refused: {hit} on the way from joint angles {_degrees(q_from)} to {_degrees(q_to)} (degrees); "
                "move the arm by hand to a place with a free way"
            )

    def joint_speed(self, q_from: Float[np.ndarray, "6"], q_to: Float[np.ndarray, "6"]) -> float:
        """Of the fastest joint, rad/s: `motion.joint_speed`, or slower where the TCP would exceed the linear limit."""
        path = resampled(np.stack([q_from, q_to]), PATH_STEP)
        along = np.linalg.norm(np.diff(tcp_pose(path)[:, :3, 3], axis=0), axis=1)
        turned = np.abs(np.diff(path, axis=0)).max(axis=1)
        lever = float((along / np.maximum(turned, 1e-9)).max(initial=0.0))  # metres per radian
        return min(self.motion.joint_speed, self.limits.linear_speed / max(lever, 1e-9))

    def _check_way(self, plan: Plan) -> None:
        for phase, path in (
            ("on the way to the pre-grasp", np.concatenate([HOME[None], plan.travel])),
            ("approaching", plan.approach),
            ("lifting", plan.lift),
        ):
            check_joints(path, self.limits)
            if hit := self._first_hit(resampled(path, PATH_STEP)):
                raise UnsafePose(f"refused: {hit} {phase}")

    def _first_hit(self, path: Float[np.ndarray, "n 6"]) -> str | None:
        return next(filter(None, (collision_at(self._model.world, q) for q in path)), None)


def resampled(path: Float[np.ndarray, "n 6"], step: float) -> Float[np.ndarray, "m 6"]:
    """Joint angles along the same way, rad, ends included; no joint moves further than `step` between two of them."""
    way = np.concatenate([[0.0], np.abs(np.diff(path, axis=0)).max(1).cumsum()])
    at = np.linspace(0.0, way[-1], max(2, math.ceil(way[-1] / step) + 1))
    return np.stack([np.interp(at, way, q) for q in path.T], axis=1)


BOX_ROUNDING = 1e-4  # m; the optimizer clips candidates to the box's very faces, in float32


def check_pose(T_world_tcp: Float[np.ndarray, "4 4"], limits: SafetyLimits) -> Float[np.ndarray, "4 4"]:
    """The pose in float64, if it is rigid, inside the box, high enough and points down; raises UnsafePose."""
    problem = pose_problem(T_world_tcp)
    if problem:
        raise UnsafePose(f"refused: {problem}")
    T = orthonormal(T_world_tcp)
    for axis, value, low, high in zip("xyz", T[:3, 3], limits.low, limits.high, strict=True):
        if not low - BOX_ROUNDING <= value <= high + BOX_ROUNDING:
            raise UnsafePose(
                f"refused: {axis} = {value:.4f} m is outside the workspace box, allowed are {low:.4f} to {high:.4f} m"
            )
    if T[2, 3] < limits.minimum_height:
        raise UnsafePose(
            f"refused: z = {T[2, 3]:.4f} m is below the minimum height of {limits.minimum_height:.4f} m, "
            "the fingertips would meet the board"
        )
    tilt = math.acos(float(np.clip(-T[2, 2], -1, 1)))
    if tilt > limits.tilt:
        raise UnsafePose(
            f"refused: the tool points {math.degrees(tilt):.0f} degrees away from straight down, "
            f"allowed are {math.degrees(limits.tilt):.0f}"
        )
    return T


def check_joints(path: Float[np.ndarray, "n 6"], limits: SafetyLimits) -> None:
    """Joint limits and reach along a path of joint angles; raises UnsafePose."""
    excess = np.abs(path).max(0) - (ur10.POSITION_LIMITS - limits.joint_margin)
    joint = int(excess.argmax())
    if excess[joint] > 0:
        worst = float(np.abs(path[:, joint]).max())
        allowed = float(ur10.POSITION_LIMITS[joint] - limits.joint_margin)
        raise UnsafePose(
            f"refused: {ur10.JOINTS[joint]} would turn to {math.degrees(worst):.0f} degrees, "
            f"allowed are {math.degrees(allowed):.0f} either way"
        )
    _refuse_beyond(float(_reaches(path).max()), limits)


def check_reach(path: Float[np.ndarray, "n 6"], limits: SafetyLimits) -> None:
    """Distance of the flange from the shoulder on the way of a joint motion; raises UnsafePose.

    An arm that starts farther out may come back, but not go farther out on the way.
    """
    reaches = _reaches(path)
    if reaches.max() > reaches[0]:
        _refuse_beyond(float(reaches.max()), limits)


def _reaches(path: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "n"]:
    return np.linalg.norm(ur10.forward(path)[:, :3, 3] - [0.0, 0.0, ur10.D1], axis=-1)


def _refuse_beyond(reach: float, limits: SafetyLimits) -> None:
    if reach > limits.reach:
        raise UnsafePose(
            f"refused: the flange would be {reach:.2f} m from the shoulder, allowed are {limits.reach:.2f} m"
        )


def check_width(width: float) -> float:
    """A gap that the gripper has; raises UnsafePose."""
    if not 0 <= width <= gripper.OPENING:
        raise UnsafePose(f"refused: gripper width {width} m, allowed are 0 to {gripper.OPENING} m")
    return width


def check_motion(motion: MotionConfig, limits: SafetyLimits) -> None:
    """Speeds, accelerations, forces and width within their caps; raises UnsafePose naming the first that is not."""
    for name, unit in (
        ("joint_speed", "rad/s"),
        ("linear_speed", "m/s"),
        ("acceleration", "m/s^2"),
        ("grip_force", "N"),
    ):
        asked, allowed = getattr(motion, name), getattr(limits, name)
        if asked > allowed:
            raise UnsafePose(f"refused: {name} of {asked:g} {unit}, the cap is {allowed:g} {unit}")
    slowest, fastest = gripper.SPEED_RANGE
    if not slowest <= motion.grip_speed <= fastest:
        raise UnsafePose(f"refused: grip_speed of {motion.grip_speed:g} m/s, the 2F-140 has {slowest:g} to {fastest:g}")
    weakest, _ = gripper.FORCE_RANGE
    if motion.grip_force < weakest:
        raise UnsafePose(f"refused: grip_force of {motion.grip_force:g} N, the 2F-140 has no less than {weakest:g} N")
    check_width(motion.open_width)


def _degrees(q: np.ndarray) -> list[int]:
    return np.degrees(q).round().astype(int).tolist()


__all__ = [
    "HOME",
    "MotionConfig",
    "SafeGrasp",
    "SafetyCheck",
    "SafetyLimits",
    "check_joints",
    "check_motion",
    "check_pose",
    "check_width",
    "resampled",
]
