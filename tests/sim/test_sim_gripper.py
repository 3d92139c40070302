"""The gripper: closed forms against the linkage in Bullet, constraints over the stroke, force at the pads."""

from __future__ import annotations

import numpy as np
import pybullet as bullet
import pytest
from sim_scenes import box, scene_of, top_down

from dgrasp.cell import gripper
from dgrasp.cell.config import CellConfig
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.ur10 import HOME
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene


def test_opening_is_the_vendors() -> None:
    assert gripper.gap(0.0) == pytest.approx(0.140)
    assert gripper.gap(gripper.Q_CLOSED) == pytest.approx(0.0, abs=1e-12)
    assert gripper.tip_height(gripper.Q_CLOSED) - gripper.tip_height(0.0) == pytest.approx(0.0236, abs=1e-3)


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.07, 0.1285, 0.14])
def test_crank_angle_inverts_gap(gap: float) -> None:
    assert gripper.gap(gripper.crank_angle(gap)) == pytest.approx(gap, abs=1e-12)


def test_crank_angle_refuses_what_the_gripper_cannot_open() -> None:
    with pytest.raises(ValueError, match=r"outside the gripper's range"):
        gripper.crank_angle(0.15)


def finger_distance(cell: Cell) -> float:
    robot = cell.world.robot
    left, right = robot.fingers.values()
    close = bullet.getClosestPoints(
        robot.body, robot.body, 0.3, linkIndexA=left, linkIndexB=right, physicsClientId=cell.client
    )
    return min(point[8] for point in close)


def test_linkage_has_the_closed_forms(cell: Cell) -> None:
    cell.reset(Scene(()))
    world, robot = cell.world, cell.world.robot
    T = tcp_pose(HOME)
    for q in np.linspace(0.0, gripper.Q_CLOSED - 1e-3, 9):
        robot.place(HOME, q)
        assert finger_distance(cell) == pytest.approx(gripper.gap(q), abs=1e-4)
        tips = []
        for finger in robot.fingers.values():
            for shape in bullet.getCollisionShapeData(robot.body, finger, physicsClientId=world.client):
                state = bullet.getLinkState(
                    robot.body, finger, computeForwardKinematics=True, physicsClientId=world.client
                )
                at, turn = bullet.multiplyTransforms(state[0], state[1], shape[5], shape[6])
                half = np.array(shape[3]) / 2
                corners = np.array([[sx, sy, sz] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]) * half
                R = np.array(bullet.getMatrixFromQuaternion(turn)).reshape(3, 3)
                tips.append(((corners @ R.T + at - T[:3, 3]) @ T[:3, 2]).max())
        expected = gripper.tip_height(q) - gripper.tip_height(gripper.Q_CLOSED) + gripper.TIP_BEHIND
        assert max(tips) == pytest.approx(expected, abs=1e-4)


def test_constraints_track_while_closing(cell: Cell) -> None:
    cell.reset(Scene(()))
    errors, cranks = [], []

    def watch(phase: str) -> None:
        if phase == "close":
            robot = cell.world.robot
            q = [bullet.getJointState(robot.body, j, physicsClientId=cell.client)[0] for j in robot.linkage]
            errors.append(max(q) - min(q))
            cranks.append(q[0])

    cell.execute(top_down(0.2, 0.0, 0.10), watch=watch)
    assert max(errors) < 2e-3
    assert cranks[0] < 0.1 and max(cranks) == pytest.approx(gripper.Q_CLOSED, abs=5e-3)
    assert (np.diff(cranks)[:-4] > -1e-4).all()


@pytest.mark.parametrize("force", [10.0, 60.0, 125.0])
def test_pads_press_with_the_set_force(force: float) -> None:
    measured = []
    with Cell(CellConfig(grip_force=force)) as cell:
        cell.reset(scene_of(box()))

        def watch(phase: str) -> None:
            if phase == "hold":
                robot, body = cell.world.robot, cell.world.objects["box"]
                for finger in robot.fingers.values():
                    contacts = bullet.getContactPoints(robot.body, body, linkIndexA=finger, physicsClientId=cell.client)
                    measured.append(sum(c[9] for c in contacts))

        assert cell.execute(top_down(0.2, 0.0, 0.035), watch=watch).outcome is Outcome.SUCCESS
    assert np.median(measured) == pytest.approx(force, rel=0.05)
