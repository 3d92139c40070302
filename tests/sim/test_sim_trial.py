"""The protocol's outcomes: each is reached on purpose, with its reason; the cases that must fail do fail."""

from __future__ import annotations

import re

import numpy as np
import pybullet as bullet
import pytest
from scipy.spatial.transform import Rotation
from sim_scenes import box, scene_of, top_down

from dgrasp.cell.config import CellConfig
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.sim.cell import Cell


def test_a_box_between_the_fingers_is_lifted(cell: Cell) -> None:
    cell.reset(scene_of(box(), box("other", at=(0.4, 0.2))))
    trial = cell.execute(top_down(0.2, 0.0, 0.035))
    assert trial.outcome is Outcome.SUCCESS and trial.success
    assert trial.object == "box" and trial.lifted == ("box",)
    assert [o.name for o in trial.scene_after.objects] == ["other"]
    assert list(trial.phases) == ["travel", "approach", "close", "lift", "hold"]
    assert trial.simulated_seconds == pytest.approx(sum(trial.phases.values()))
    assert 2.0 < trial.simulated_seconds < 4.0
    np.testing.assert_allclose(
        trial.scene_after.objects[0].T_world_object[:3, 3], [0.4, 0.2, BOARD_TOP + 0.035], atol=1e-3
    )


@pytest.mark.parametrize("turn", [0.0, np.pi])
def test_a_half_turn_of_the_gripper_is_the_same_grasp(cell: Cell, turn: float) -> None:
    cell.reset(scene_of(box()))
    assert cell.execute(top_down(0.2, 0.0, 0.035, yaw=turn)).success


def test_an_object_beside_the_fingers_is_missed(cell: Cell) -> None:
    cell.reset(scene_of(box(at=(0.2, 0.15))))
    trial = cell.execute(top_down(0.2, 0.0, 0.035))
    assert trial.outcome is Outcome.MISSED and trial.object is None
    assert trial.reason == "the fingers closed on nothing"
    assert len(trial.scene_after) == 1


def test_one_sided_contact_is_missed(cell: Cell) -> None:
    """A box that does not move stands at one finger only."""
    cell.reset(scene_of(box(at=(0.2 + 0.035, 0.0), mass=500.0, friction=5.0)))
    trial = cell.execute(top_down(0.2, 0.0, 0.035))
    assert trial.outcome is Outcome.MISSED
    assert trial.reason == "only one finger touches box"


def test_a_box_too_heavy_for_the_grip_slips() -> None:
    with Cell(CellConfig(grip_force=10.0)) as cell:
        cell.reset(scene_of(box(mass=4.0)))
        trial = cell.execute(top_down(0.2, 0.0, 0.035))
    assert trial.outcome is Outcome.SLIPPED and "stayed behind" in trial.reason
    assert len(trial.scene_after) == 1


def test_an_object_pulled_out_in_the_hold_is_dropped(cell: Cell) -> None:
    cell.reset(scene_of(box()))

    def watch(phase: str) -> None:
        if phase == "hold":
            body = cell.world.objects["box"]
            position, _ = bullet.getBasePositionAndOrientation(body, physicsClientId=cell.client)
            bullet.applyExternalForce(
                body, -1, [0, 0, -20000.0], position, bullet.WORLD_FRAME, physicsClientId=cell.client
            )

    trial = cell.execute(top_down(0.2, 0.0, 0.035), watch=watch)
    assert trial.outcome is Outcome.DROPPED and "fell during the hold" in trial.reason
    assert trial.object is None


def test_an_object_held_but_not_high_enough_is_no_success() -> None:
    """Judged from the object's height, not from the contacts alone."""
    with Cell(CellConfig(lift_height=0.08)) as cell:
        cell.reset(scene_of(box()))
        trial = cell.execute(top_down(0.2, 0.0, 0.035))
    assert not trial.success


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        (np.full((4, 4), np.nan), "NaN"),
        (np.eye(3), r"shape \(3, 3\)"),
        (np.diag([1.0, -1.0, -2.0, 1.0]), "not a rotation"),
        (top_down(2.0, 0.0, 0.05), "no joint angles"),
    ],
)
def test_impossible_poses_are_unreachable(cell: Cell, pose: np.ndarray, reason: str) -> None:
    cell.reset(scene_of(box()))
    trial = cell.execute(pose)
    assert trial.outcome is Outcome.UNREACHABLE
    assert re.search(reason, trial.reason), trial.reason
    assert trial.simulated_seconds == 0.0 and len(trial.scene_after) == 1


def test_a_pose_through_the_board_is_a_collision(cell: Cell) -> None:
    cell.reset(scene_of(box()))
    trial = cell.execute(top_down(0.3, 0.1, -0.03))
    assert trial.outcome is Outcome.COLLISION and "board" in trial.reason


def test_a_pose_from_below_is_a_collision(cell: Cell) -> None:
    T = np.eye(4)
    T[:3, 3] = 0.4, 0.0, BOARD_TOP + 0.05
    cell.reset(scene_of(box()))
    trial = cell.execute(T)
    assert trial.outcome in (Outcome.COLLISION, Outcome.UNREACHABLE) and trial.reason


def test_a_pose_inside_the_arm_is_a_collision(cell: Cell) -> None:
    T = top_down(-0.40, 0.0, 0.25)
    cell.reset(scene_of(box()))
    trial = cell.execute(T)
    assert trial.outcome in (Outcome.COLLISION, Outcome.UNREACHABLE)


def test_a_finger_on_top_of_an_object_stops_the_arm(cell: Cell) -> None:
    tall = box("post", at=(0.2 + 0.078, 0.0), size=(0.03, 0.05, 0.09), mass=0.2)
    cell.reset(scene_of(tall))
    trial = cell.execute(top_down(0.2, 0.0, 0.03))
    assert trial.outcome is Outcome.COLLISION
    assert "pressed on the post" in trial.reason and "approach" in trial.reason


def test_no_pose_raises(cell: Cell) -> None:
    rng = np.random.default_rng(0)
    scene = scene_of(box(), box("other", at=(0.35, 0.1)))
    outcomes = set()
    for _ in range(25):
        T = np.eye(4)
        T[:3, :3] = Rotation.random(rng=rng).as_matrix()
        T[:3, 3] = rng.uniform([-0.127, -0.305, 0.9605], [0.527, 0.305, 1.0655])
        cell.reset(scene)
        trial = cell.execute(T)
        assert trial.reason
        outcomes.add(trial.outcome)
    assert Outcome.COLLISION in outcomes


def test_the_whole_hand_reaches_the_workspace_top_down(cell: Cell) -> None:
    """Every corner of the bounds is reachable top-down at any turn: tasks are not impossible by construction."""
    for x in (-0.12, 0.2, 0.52):
        for y in (-0.30, 0.0, 0.30):
            for yaw in (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4):
                cell.reset(scene_of())
                trial = cell.execute(top_down(x, y, 0.02, yaw))
                assert trial.outcome is Outcome.MISSED, (x, y, yaw, trial.reason)


def test_an_empty_cell_says_what_to_do() -> None:
    with Cell() as empty, pytest.raises(RuntimeError, match=r"call cell.reset"):
        empty.execute(top_down(0.2, 0.0, 0.03))
