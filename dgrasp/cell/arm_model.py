"""The arm as planning needs it: where its TCP is, which postures bring it to a grasp, and ways along straight lines.

The UR10 has its closed form with eight branches (`dgrasp.cell.motion`). Any other arm goes by Pinocchio
(`dgrasp.cell.kinematics`): from several postures to the start of a line, and then from pose to pose, always near.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float

from dgrasp.cell import hand, motion, ur10, workspace
from dgrasp.cell.description import ArmDescription
from dgrasp.cell.kinematics import Numeric
from dgrasp.cell.motion import MotionSettings
from dgrasp.cell.transforms import inverse

Candidate = tuple[float, int, bool, np.ndarray]  # travel time, branch, turned by half, joints where the approach starts
STARTS = 6  # postures from which a described arm looks for ways to a grasp, its home first
SAME = 0.05  # rad: postures nearer to each other are one
TURNS, SWEEPS = 25, 4  # of each joint that are tried for the longest reach, and how often: to some millimetres


class Arm(Protocol):
    """Joints in their order, radians; poses in the world, metres. speeds: rad/s."""

    name: str
    joints: tuple[str, ...]
    home: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    speeds: np.ndarray
    base_link: str
    base_position: tuple[float, float, float]

    @property
    def longest(self) -> float:
        """The largest `reach` of all postures, metres, to the next centimetre."""
        ...

    def flange_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """`T_world_flange`."""
        ...

    def tcp_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """`T_world_tcp`."""
        ...

    def reach(self, path: Float[np.ndarray, "n joints"]) -> Float[np.ndarray, "n"]:
        """Metres from the shoulder to the flange."""
        ...

    def candidates(
        self, T_world_tcp: Float[np.ndarray, "4 4"], Ts_approach: Float[np.ndarray, "n 4 4"], config: MotionSettings
    ) -> list[Candidate]:
        """Postures at the start of an approach that ends in the grasp, the shortest travel from home first."""
        ...

    def follow(
        self, Ts_world_tcp: Float[np.ndarray, "n 4 4"], branch: int, q_start: Float[np.ndarray, "joints"], dt: float
    ) -> Float[np.ndarray, "n joints"] | None:
        """Joint path along poses, `dt` seconds apart, that begins near `q_start`; None where it cannot be followed."""
        ...

    def near(
        self, T_world_tcp: Float[np.ndarray, "4 4"], q: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """Joints that reach a pose, those nearest to `q`; None where none do."""
        ...

    def onward(
        self,
        Ts_world_tcp: Float[np.ndarray, "n 4 4"],
        T_world_tcp: Float[np.ndarray, "4 4"],
        q: Float[np.ndarray, "joints"],
        dt: float,
    ) -> Float[np.ndarray, "n joints"] | None:
        """As `follow`, in the branch that the arm is in: at `q`, with its TCP at `T_world_tcp`."""
        ...


class PapersArm:
    """The UR10."""

    name, base_link = "UR10", "base_link"
    joints: tuple[str, ...] = ur10.JOINTS
    home, speeds = ur10.HOME, ur10.VELOCITY_LIMITS
    lower, upper = -ur10.POSITION_LIMITS, ur10.POSITION_LIMITS
    base_position = workspace.BASE_POSITION
    longest = ur10.REACH

    def flange_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """See `Arm`."""
        T = ur10.forward(q)
        T[..., :3, 3] += workspace.BASE_POSITION
        return T

    def tcp_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """See `Arm`."""
        return hand.tcp_pose(q)

    def reach(self, path: Float[np.ndarray, "n joints"]) -> Float[np.ndarray, "n"]:
        """See `Arm`."""
        return np.linalg.norm(ur10.forward(path)[:, :3, 3] - [0.0, 0.0, ur10.D1], axis=-1)

    def candidates(
        self, T_world_tcp: Float[np.ndarray, "4 4"], Ts_approach: Float[np.ndarray, "n 4 4"], config: MotionSettings
    ) -> list[Candidate]:
        """See `Arm`."""
        return motion.candidates(T_world_tcp, Ts_approach, ur10.HOME, config)

    def follow(
        self, Ts_world_tcp: Float[np.ndarray, "n 4 4"], branch: int, q_start: Float[np.ndarray, "joints"], dt: float
    ) -> Float[np.ndarray, "n joints"] | None:
        """See `Arm`."""
        return motion.follow(Ts_world_tcp, branch, q_start, dt)

    def near(
        self, T_world_tcp: Float[np.ndarray, "4 4"], q: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """See `Arm`."""
        found = ur10.inverse(hand.tool0_pose(T_world_tcp[None]))[0]
        known = [ur10.nearest_turns(branch, q) for branch in found if np.isfinite(branch).all()]
        return min(known, key=lambda posture: float(np.abs(posture - q).max()), default=None)

    def onward(
        self,
        Ts_world_tcp: Float[np.ndarray, "n 4 4"],
        T_world_tcp: Float[np.ndarray, "4 4"],
        q: Float[np.ndarray, "joints"],
        dt: float,
    ) -> Float[np.ndarray, "n joints"] | None:
        """See `Arm`."""
        found = ur10.inverse(hand.tool0_pose(T_world_tcp[None]))[0]
        branch = int(np.nanargmin(np.abs(np.array([ur10.nearest_turns(b, q) for b in found]) - q).max(1)))
        return motion.follow(Ts_world_tcp, branch, q, dt)


class DescribedArm:
    """An arm by its description and model. solver: in the base's frame."""

    def __init__(self, arm: ArmDescription, T_flange_tcp: Float[np.ndarray, "4 4"], solver: Numeric) -> None:
        self.name, self.joints, self.base_link, self.solver = arm.name, arm.joints, arm.base, solver
        self.home, self.speeds = np.array(arm.home), np.array(arm.speed)
        self.lower, self.upper = np.array(arm.lower), np.array(arm.upper)
        self.base_position, self._shoulder = arm.base_position, solver.shoulder
        self.T_world_base, self.T_flange_tcp = arm.T_world_base, T_flange_tcp
        self._T_base_world, self._T_tcp_flange = inverse(arm.T_world_base), inverse(T_flange_tcp)

    def flange_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """See `Arm`."""
        q = np.asarray(q, dtype=np.float64)
        poses = [self.T_world_base @ self.solver.forward(posture) for posture in q.reshape(-1, len(self.joints))]
        return np.array(poses).reshape(*q.shape[:-1], 4, 4)

    def tcp_pose(self, q: Float[np.ndarray, "*batch joints"]) -> Float[np.ndarray, "*batch 4 4"]:
        """See `Arm`."""
        return self.flange_pose(q) @ self.T_flange_tcp

    def reach(self, path: Float[np.ndarray, "n joints"]) -> Float[np.ndarray, "n"]:
        """See `Arm`."""
        return np.linalg.norm([self.solver.forward(q)[:3, 3] - self._shoulder for q in path], axis=-1)

    @cached_property
    def longest(self) -> float:
        """See `Arm`. Joint after joint is turned to where the arm is longest, from home on."""
        q = self.home.copy()
        for _ in range(SWEEPS):
            for joint, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
                tried = np.repeat(q[None], TURNS + 1, axis=0)
                tried[1:, joint] = np.linspace(low, high, TURNS)
                q = tried[self.reach(tried).argmax()]
        return math.ceil(100 * float(self.reach(q[None])[0])) / 100

    def candidates(
        self, T_world_tcp: Float[np.ndarray, "4 4"], Ts_approach: Float[np.ndarray, "n 4 4"], config: MotionSettings
    ) -> list[Candidate]:
        """See `Arm`. Postures found from `STARTS` others, the same ones on every call; `branch` counts them."""
        found = []
        for turned in (False, True) if config.use_gripper_symmetry else (False,):
            T = Ts_approach[0] @ (motion.HALF_TURN if turned else np.eye(4))
            for branch, q in enumerate(self._postures(T)):
                found.append((float(np.max(np.abs(q - self.home) / self.speeds)), branch, turned, q))
        return sorted(found, key=lambda candidate: candidate[0])

    def _postures(self, T_world_tcp: np.ndarray) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        known: list[np.ndarray] = []
        for k in range(STARTS):
            start = self.home if k == 0 else rng.uniform(self.lower, self.upper)
            q = self._reached(T_world_tcp, start)
            if q is not None and all(np.abs(q - other).max() > SAME for other in known):
                known.append(q)
        return known

    def _reached(self, T_world_tcp: np.ndarray, near: np.ndarray) -> np.ndarray | None:
        q = self.solver.descend(self._T_base_world @ T_world_tcp @ self._T_tcp_flange, near)
        return None if q is None else self._unwound(q)

    def _unwound(self, q: np.ndarray) -> np.ndarray:
        """The same posture with turns of 2 pi taken off, each joint as near to home as its limits allow."""
        turned = q + 2 * np.pi * np.round((self.home - q) / (2 * np.pi))
        return np.where((turned >= self.lower) & (turned <= self.upper), turned, q)

    def follow(
        self, Ts_world_tcp: Float[np.ndarray, "n 4 4"], branch: int, q_start: Float[np.ndarray, "joints"], dt: float
    ) -> Float[np.ndarray, "n joints"] | None:
        """See `Arm`; `branch` says nothing here."""
        path = np.empty((len(Ts_world_tcp), len(q_start)))
        for i, T in enumerate(self._T_base_world @ Ts_world_tcp @ self._T_tcp_flange):
            q = self.solver.descend(T, path[i - 1] if i else q_start)
            if q is None:
                return None
            path[i] = q
        fastest = np.abs(np.diff(path, axis=0)).max(0, initial=0.0) / dt
        return path if (fastest <= self.speeds).all() else None

    def near(
        self, T_world_tcp: Float[np.ndarray, "4 4"], q: Float[np.ndarray, "joints"]
    ) -> Float[np.ndarray, "joints"] | None:
        """See `Arm`."""
        return self.solver.descend(self._T_base_world @ T_world_tcp @ self._T_tcp_flange, q)

    def onward(
        self,
        Ts_world_tcp: Float[np.ndarray, "n 4 4"],
        T_world_tcp: Float[np.ndarray, "4 4"],
        q: Float[np.ndarray, "joints"],
        dt: float,
    ) -> Float[np.ndarray, "n joints"] | None:
        """See `Arm`."""
        return self.follow(Ts_world_tcp, 0, q, dt)
