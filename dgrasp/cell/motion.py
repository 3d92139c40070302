"""Paths of the arm: straight TCP lines through the closed-form inverse, smooth joint motion, choice of branch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from dgrasp.cell import ur10
from dgrasp.cell.hand import tool0_pose
from dgrasp.cell.transforms import transform

HALF_TURN = transform(np.diag([-1.0, -1.0, 1.0]))  # about the approach axis: the same grasp to two fingers
LINE_ACCELERATION = 2.0  # m/s^2 of the TCP on straight lines; not in the paper


class MotionSettings(Protocol):
    """How fast the arm moves, as `dgrasp.cell.config.CellConfig` states it."""

    @property
    def joint_speed(self) -> float:
        """Share of the joints' velocity limits."""

    @property
    def joint_acceleration(self) -> float:
        """Of every joint, rad/s^2."""

    @property
    def linear_speed(self) -> float:
        """Of the TCP on straight lines, m/s."""

    @property
    def use_gripper_symmetry(self) -> bool:
        """Whether a half turn about the approach axis is the same grasp."""

    @property
    def time_step(self) -> float:
        """Seconds."""


def trapezoid(distance: float, speed: float, acceleration: float, dt: float) -> np.ndarray:
    """Progress 0..1 at each step of a motion with trapezoidal velocity (the arm controllers' own profile)."""
    if distance <= 0:
        return np.ones(1)
    ramp = min(speed / acceleration, np.sqrt(distance / acceleration))
    peak = ramp * acceleration
    total = distance / peak + ramp
    t = np.minimum(np.arange(1, int(np.ceil(total / dt)) + 1) * dt, total)
    up = 0.5 * acceleration * np.minimum(t, ramp) ** 2
    flat = peak * np.clip(t - ramp, 0.0, total - 2 * ramp)
    late = np.clip(t - (total - ramp), 0.0, ramp)
    down = peak * late - 0.5 * acceleration * late**2
    return (up + flat + down) / distance


def joint_motion(
    start: np.ndarray, end: np.ndarray, config: MotionSettings, limits: np.ndarray = ur10.VELOCITY_LIMITS
) -> np.ndarray:
    """Synchronised joint motion within the joints' speed limits (rad/s) and the acceleration limit, (steps, joints)."""
    change = np.abs(end - start)
    speeds = config.joint_speed * limits
    longest = float(np.max(change))
    if longest < 1e-9:
        return end[None]
    speed = float(np.min(speeds / np.maximum(change / longest, 1e-9)))
    s = trapezoid(longest, speed, config.joint_acceleration, config.time_step)
    return start + s[:, None] * (end - start)


def line(T_from: np.ndarray, T_to: np.ndarray, config: MotionSettings) -> np.ndarray:
    """TCP poses at every step of a straight motion with fixed orientation, (steps, 4, 4)."""
    step = T_to[:3, 3] - T_from[:3, 3]
    s = trapezoid(float(np.linalg.norm(step)), config.linear_speed, LINE_ACCELERATION, config.time_step)
    poses = np.repeat(T_to[None], len(s), axis=0)
    poses[:, :3, 3] = T_from[:3, 3] + s[:, None] * step
    return poses


def interpolate(Ts: np.ndarray, rate: float, frequency: float) -> np.ndarray:
    """Poses recorded at `rate` Hz, resampled to `frequency` Hz: linear in position, slerp in orientation."""
    if len(Ts) < 2:
        return Ts
    knots = np.arange(len(Ts)) / rate
    t = np.minimum(np.arange(1, int(np.ceil(knots[-1] * frequency)) + 1) / frequency, knots[-1])
    rotations = Slerp(knots, Rotation.from_matrix(Ts[:, :3, :3]))(t).as_matrix()
    poses = np.zeros((len(t), 4, 4))
    poses[:, :3, :3], poses[:, 3, 3] = rotations, 1.0
    for axis in range(3):
        poses[:, axis, 3] = np.interp(t, knots, Ts[:, axis, 3])
    return poses


def follow(Ts_world_tcp: np.ndarray, branch: int, q_start: np.ndarray, dt: float) -> np.ndarray | None:
    """Joint path (n, 6) along poses in one branch, beginning near `q_start`; None where it cannot be followed."""
    q = ur10.inverse(tool0_pose(Ts_world_tcp), [branch])[:, 0]
    if not np.isfinite(q).all():
        return None
    q[0] = ur10.nearest_turns(q[0], q_start)
    q = np.unwrap(q, axis=0)
    if (np.abs(q) > ur10.POSITION_LIMITS).any():
        return None
    fastest = np.abs(np.diff(q, axis=0)).max(0, initial=0.0) / dt
    return q if (fastest <= ur10.VELOCITY_LIMITS).all() else None


def candidates(
    T_world_tcp: np.ndarray, Ts_approach: np.ndarray, q_home: np.ndarray, config: MotionSettings
) -> list[tuple[float, int, bool, np.ndarray]]:
    """(travel time, branch, turned, joint angles at the start of the approach), the shortest travel first."""
    found = []
    for turned in (False, True) if config.use_gripper_symmetry else (False,):
        ends = np.stack([Ts_approach[0], T_world_tcp]) @ (HALF_TURN if turned else np.eye(4))
        q = ur10.inverse(tool0_pose(ends))
        for branch in range(8):
            if np.isfinite(q[:, branch]).all():
                start = ur10.nearest_turns(q[0, branch], q_home)
                seconds = float(np.max(np.abs(start - q_home) / ur10.VELOCITY_LIMITS))
                found.append((seconds, branch, turned, start))
    return sorted(found, key=lambda c: c[0])
