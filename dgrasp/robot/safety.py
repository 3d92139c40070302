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

from dgrasp.cell.config import CellConfig
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.ur10 import HOME
from dgrasp.robot.limits import (
    BOX_ROUNDING,
    MotionConfig,
    SafetyLimits,
    check_joints,
    check_motion,
    check_pose,
    check_posture,
    check_reach,
    check_width,
    motion_of,
)
from dgrasp.sim.cell import Cell
from dgrasp.sim.planning import Infeasible, JointPaths, collision_at, plan_motion
from dgrasp.sim.scene import Scene
from dgrasp.sim.world import World

PATH_STEP = 0.03  # rad of the fastest joint between postures checked for collisions


@dataclass(frozen=True, eq=False)
class SafeGrasp:
    """A grasp that passed all checks: joint angles and TCP poses (4, 4) at the ends of its straight lines."""

    q_before: np.ndarray
    T_world_before: np.ndarray
    T_world_grasp: np.ndarray
    T_world_lifted: np.ndarray


class SafetyCheck:
    """The gate in front of the drivers. Holds a simulated arm for reach and collisions; use as a context manager."""

    def __init__(self, limits: SafetyLimits | None = None, motion: MotionConfig | None = None) -> None:
        self.limits = limits or SafetyLimits()
        self.motion = motion or motion_of(self.limits)
        check_motion(self.motion, self.limits)
        self.arm, self.hand = self.limits.model.arm, self.limits.model.hand
        config = CellConfig(
            description=self.limits.cell,
            approach_distance=self.motion.approach_distance,
            lift_height=self.motion.lift_height,
            linear_speed=self.motion.linear_speed,
        )
        self._model = Cell(config)
        self._model.reset(Scene((), cell=self.limits.cell))

    def __enter__(self) -> SafetyCheck:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the simulated arm; safe to call twice."""
        self._model.close()

    @property
    def world(self) -> World:
        """The simulated arm alone on its bench; what it is shown of a posture, it keeps until the next question."""
        return self._model.world

    def grasp(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> SafeGrasp:
        """Check a grasp and the way to it, and plan that way from the arm's home; raises UnsafePose.

        The planner looks at a few postures of each phase, as fits a simulation. Here the way it chose is checked again
        every PATH_STEP; where that finds a contact the grasp is refused, without a search for another way.
        """
        T = check_pose(T_world_tcp, self.limits)
        plan = plan_motion(self.world, T)
        if isinstance(plan, Infeasible):
            raise UnsafePose(f"refused: {plan.reason}")
        self._check_way(plan)
        ends = self.arm.tcp_pose(np.stack([plan.approach[0], plan.approach[-1], plan.lift[-1]]))
        return SafeGrasp(plan.approach[0], *ends)

    def joint_motion(self, q_from: Float[np.ndarray, "joints"], q_to: Float[np.ndarray, "joints"]) -> None:
        """Check a joint motion between two postures against limits, arm and workbench; raises UnsafePose."""
        path = self._way(q_from, q_to)
        check_joints(path[-1:], self.limits)
        check_reach(path, self.limits)
        if hit := self._first_hit(path[1:]):
            raise UnsafePose(
                f"refused: {hit} on the way from joint angles {_degrees(q_from)} to {_degrees(q_to)} (degrees); "
                "move the arm by hand to a place with a free way"
            )

    def joint_speed(self, q_from: Float[np.ndarray, "joints"], q_to: Float[np.ndarray, "joints"]) -> float:
        """Of the fastest joint, rad/s: `motion.joint_speed`, or slower where the TCP would exceed the linear limit."""
        path = self._way(q_from, q_to)
        along = np.linalg.norm(np.diff(self.arm.tcp_pose(path)[:, :3, 3], axis=0), axis=1)
        turned = np.abs(np.diff(path, axis=0)).max(axis=1)
        lever = float((along / np.maximum(turned, 1e-9)).max(initial=0.0))  # metres per radian
        return min(self.motion.joint_speed, self.limits.linear_speed / max(lever, 1e-9))

    def _way(self, q_from: np.ndarray, q_to: np.ndarray) -> np.ndarray:
        n = len(self.arm.joints)
        return resampled(np.stack([check_posture(q_from, n), check_posture(q_to, n)]), PATH_STEP)

    def _check_way(self, plan: JointPaths) -> None:
        for phase, path in (
            ("on the way to the pre-grasp", np.concatenate([self.arm.home[None], plan.travel])),
            ("approaching", plan.approach),
            ("lifting", plan.lift),
        ):
            check_joints(path, self.limits)
            if hit := self._first_hit(resampled(path, PATH_STEP)):
                raise UnsafePose(f"refused: {hit} {phase}")

    def _first_hit(self, path: Float[np.ndarray, "n joints"]) -> str | None:
        return next(filter(None, (collision_at(self._model.world, q) for q in path)), None)


def resampled(path: Float[np.ndarray, "n joints"], step: float) -> Float[np.ndarray, "m joints"]:
    """Joint angles along the same way, rad, ends included; no joint moves further than `step` between two of them."""
    way = np.concatenate([[0.0], np.abs(np.diff(path, axis=0)).max(1).cumsum()])
    at = np.linspace(0.0, way[-1], max(2, math.ceil(way[-1] / step) + 1))
    return np.stack([np.interp(at, way, q) for q in path.T], axis=1)


def _degrees(q: np.ndarray) -> list[int]:
    return np.degrees(q).round().astype(int).tolist()


__all__ = [  # with the limits and checks that need no simulator
    "BOX_ROUNDING",
    "HOME",
    "MotionConfig",
    "SafeGrasp",
    "SafetyCheck",
    "SafetyLimits",
    "check_joints",
    "check_motion",
    "check_pose",
    "check_reach",
    "check_width",
    "resampled",
]
