"""The arm: URDF against the DH table, closed-form inverse, limits, time-parameterised motion."""

from __future__ import annotations

import numpy as np
import pybullet as bullet
import pytest

from dgrasp.cell import motion, ur10, workspace
from dgrasp.cell.hand import tcp_pose, tool0_pose
from dgrasp.cell.transforms import from_bullet
from dgrasp.cell.ur10 import HOME
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene


def test_urdf_follows_the_dh_table(cell: Cell) -> None:
    cell.reset(Scene(()))
    world, robot = cell.world, cell.world.robot
    flange = next(i for i, name in robot.links.items() if name == "gripper_link")
    for q in np.random.default_rng(0).uniform(-np.pi, np.pi, (100, 6)):
        robot.place(q)
        state = bullet.getLinkState(robot.body, flange, computeForwardKinematics=True, physicsClientId=world.client)
        T = ur10.forward(q)
        T[:3, 3] += workspace.BASE_POSITION
        np.testing.assert_allclose(from_bullet(state[4], state[5]), T, atol=1e-6)


def test_urdf_has_the_arms_limits(cell: Cell) -> None:
    cell.reset(Scene(()))
    robot = cell.world.robot
    infos = [bullet.getJointInfo(robot.body, j, physicsClientId=cell.client) for j in robot.arm]
    np.testing.assert_allclose([info[9] for info in infos], ur10.POSITION_LIMITS, atol=1e-6)
    np.testing.assert_allclose([info[8] for info in infos], -ur10.POSITION_LIMITS, atol=1e-6)
    np.testing.assert_allclose([info[10] for info in infos], ur10.EFFORT_LIMITS)
    assert all(info[11] >= v for info, v in zip(infos, ur10.VELOCITY_LIMITS, strict=True))


def test_inverse_returns_every_branch() -> None:
    q = np.random.default_rng(1).uniform(-np.pi, np.pi, (300, 6))
    T = ur10.forward(q)
    found = ur10.inverse(T)
    reached = np.isfinite(found).all(-1)
    assert reached.sum() > 6 * len(q)
    np.testing.assert_allclose(
        ur10.forward(np.nan_to_num(found))[reached], np.repeat(T[:, None], 8, 1)[reached], atol=1e-9
    )
    turns = np.where(reached[..., None], np.abs(np.angle(np.exp(1j * (found - q[:, None])))), np.inf)
    assert turns.max(-1).min(-1).max() < 1e-8  # the angles we came from are among the branches


def test_inverse_is_nan_out_of_reach() -> None:
    T = np.eye(4)
    T[:3, 3] = 2.0, 0.0, 0.5
    assert np.isnan(ur10.inverse(T[None])).all()


def test_tcp_and_flange_poses_are_inverse() -> None:
    T = tcp_pose(HOME)
    flange = ur10.forward(HOME)
    np.testing.assert_allclose(tool0_pose(T), flange, atol=1e-12)


def test_nearest_turns_respects_limits() -> None:
    q = np.array([3.0, 0.0, 3.0, 3.0, 0.0, -3.0])
    reference = np.array([-6.0, 0.0, -3.1, 9.0, 0.0, 3.0])
    near = ur10.nearest_turns(q, reference)
    assert (np.abs(near) <= ur10.POSITION_LIMITS + 1e-12).all()
    np.testing.assert_allclose(np.cos(near), np.cos(q), atol=1e-12)
    assert near[0] == pytest.approx(3.0 - 2 * np.pi)
    assert near[2] == pytest.approx(3.0)  # the elbow has half the range of the others


@pytest.mark.parametrize("distance", [1e-4, 0.05, 0.5, 3.0])
def test_trapezoid_keeps_speed_and_acceleration(distance: float) -> None:
    dt, speed, acceleration = 1 / 240, 1.5, 4.0
    s = np.concatenate([[0.0, 0.0], motion.trapezoid(distance, speed, acceleration, dt), [1.0, 1.0]]) * distance
    v = np.diff(s) / dt
    assert s[-1] == pytest.approx(distance)
    assert v.min() > -1e-9 and v.max() <= speed * (1 + 1e-6)
    assert np.abs(np.diff(v)).max() / dt <= acceleration * 1.01


def test_joint_motion_keeps_the_joints_limits(cell: Cell) -> None:
    config = cell.config
    for end in np.random.default_rng(2).uniform(-2, 2, (20, 6)):
        path = np.concatenate([HOME[None], motion.joint_motion(HOME, end, config)])
        speed = np.abs(np.diff(path, axis=0)).max(0) / config.time_step
        assert (speed <= config.joint_speed * ur10.VELOCITY_LIMITS * (1 + 1e-6)).all()
        np.testing.assert_allclose(path[-1], end)
