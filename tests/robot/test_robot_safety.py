"""Each rule refuses what it is there for, names it, and lets the rest pass. No driver is involved."""

import math

import numpy as np
import pytest
from robot_poses import tilted, top_down

from dgrasp.cell import ur10
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.workspace import BASE_POSITION, BOARD_TOP
from dgrasp.robot import safety as safety_module
from dgrasp.robot.safety import (
    HOME,
    PATH_STEP,
    MotionConfig,
    SafetyCheck,
    SafetyLimits,
    check_joints,
    check_pose,
    check_reach,
    check_width,
    resampled,
)
from dgrasp.sim import planning


@pytest.fixture(scope="module")
def safety():
    with SafetyCheck() as check:
        yield check


def test_a_grasp_that_passes_comes_with_its_straight_lines(safety):
    T = top_down(0.25, 0.1, 0.05, yaw=0.4)
    grasp = safety.grasp(T.astype(np.float32))
    turned = grasp.T_world_grasp @ np.diag([-1.0, -1.0, 1.0, 1.0])  # the same grasp to two fingers
    assert min(np.abs(grasp.T_world_grasp - T).max(), np.abs(turned - T).max()) < 1e-6
    assert np.allclose(grasp.T_world_before[:3, 3] - T[:3, 3], [0, 0, safety.motion.approach_distance])
    assert np.allclose(grasp.T_world_lifted[:3, 3] - T[:3, 3], [0, 0, safety.motion.lift_height])


@pytest.mark.parametrize(
    ("T", "why"),
    [
        (top_down(0.54, 0.0, 0.05), r"x = 0\.5400 m is outside the workspace box, allowed are -0\.1270 to 0\.5270"),
        (top_down(0.2, -0.31, 0.05), r"y = -0\.3100 m is outside"),
        (top_down(0.2, 0.0, 0.1195), r"z = 1\.0800 m is outside"),
        (top_down(0.2, 0.0, 0.0165), r"below the minimum height of 0\.9775 m"),
        (tilted(0.2, 0.0, 0.08, math.radians(80)), r"points 80 degrees away from straight down, allowed are 75"),
        (tilted(0.2, 0.0, 0.08, math.pi), "180 degrees"),
        (np.eye(3), r"shape \(3, 3\)"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([2.0, 1.0, 1.0, 1.0]), "not a rotation"),
    ],
)
def test_unsafe_poses_are_refused_with_the_reason(safety, T, why):
    with pytest.raises(UnsafePose, match="^refused: .*" + why):
        safety.grasp(T)


def test_the_minimum_height_keeps_closed_fingertips_off_the_board():
    assert SafetyLimits().minimum_height == pytest.approx(BOARD_TOP + 0.015 + 0.002)
    check_pose(top_down(0.2, 0.0, 0.0171), SafetyLimits())


def test_rounding_does_not_put_a_pose_on_the_box_s_face_outside():
    check_pose(top_down(np.float32(0.527) + 1e-5, 0.0, 0.05), SafetyLimits())
    with pytest.raises(UnsafePose, match="x = 0"):
        check_pose(top_down(0.5272, 0.0, 0.05), SafetyLimits())


def test_poses_beyond_the_arm_are_refused():
    wide = SafetyLimits().model_copy(update={"low": (-2.0, -2.0, 0.9), "high": (2.0, 2.0, 2.0)})  # not checked
    with SafetyCheck(wide) as safety, pytest.raises(UnsafePose, match="no joint angles of the UR10"):
        safety.grasp(top_down(1.5, 0.0, 0.05))


def test_the_hand_does_not_pass_through_the_board():
    low = SafetyLimits().model_copy(update={"low": (-0.127, -0.305, 0.9), "minimum_height": 0.9})  # not checked
    with SafetyCheck(low) as safety, pytest.raises(UnsafePose, match=r"hits the (board|table)"):
        safety.grasp(top_down(0.2, 0.0, -0.04))


def test_joint_limits_keep_their_margin():
    q = HOME.copy()
    check_joints(q[None], SafetyLimits())
    q[2] = math.radians(176)
    with pytest.raises(UnsafePose, match="elbow_joint would turn to 176 degrees, allowed are 175"):
        check_joints(np.stack([HOME, q]), SafetyLimits())


def test_reach_is_limited():
    stretched = np.radians([0.0, -60.0, 30.0, -90.0, -90.0, 0.0])
    far = float(np.linalg.norm(ur10.forward(stretched)[:3, 3] - [0, 0, ur10.D1]))
    with pytest.raises(UnsafePose, match=f"flange would be {far:.2f} m from the shoulder"):
        check_joints(stretched[None], SafetyLimits(reach=far - 0.05))
    check_joints(stretched[None], SafetyLimits(reach=far + 0.01))


def test_reach_is_limited_on_the_way_and_not_only_at_its_end(safety):
    """The arm straightens when the elbow passes through zero; from farther out it may come back."""
    bent, other_way = HOME.copy(), HOME.copy()
    bent[2], other_way[2] = 1.5, -1.5
    with pytest.raises(UnsafePose, match=r"from the shoulder, allowed are 1\.25 m"):
        safety.joint_motion(bent, other_way)
    straight = HOME.copy()
    straight[2] = 0.0
    check_reach(np.stack([straight, bent]), SafetyLimits())
    with pytest.raises(UnsafePose, match="from the shoulder"):
        check_reach(np.stack([bent, straight]), SafetyLimits())


def test_joint_motions_are_as_slow_as_the_limit_on_the_tool_asks():
    turned, wrist = HOME.copy(), HOME.copy()
    turned[0] += 0.5  # the base: all of the arm is the lever
    wrist[5] += 0.5  # the last joint: the tool turns in its place
    with SafetyCheck(SafetyLimits(linear_speed=0.1)) as careful:
        radius = np.linalg.norm(tcp_pose(HOME)[:2, 3] - BASE_POSITION[:2])
        assert careful.joint_speed(HOME, turned) == pytest.approx(0.1 / radius, rel=0.01)
        assert 0.1 / radius < careful.motion.joint_speed
        assert careful.joint_speed(HOME, wrist) == careful.motion.joint_speed
        assert careful.joint_speed(HOME, HOME) == careful.motion.joint_speed


def test_a_joint_motion_into_the_table_is_refused(safety):
    into_table = HOME.copy()
    into_table[1] = math.radians(-20)
    with pytest.raises(UnsafePose, match=r"hits the .* on the way from joint angles"):
        safety.joint_motion(HOME, into_table)
    safety.joint_motion(HOME, HOME + 0.1)


WAY = top_down(0.25, 0.1, 0.05)


def test_the_whole_way_is_checked_for_collisions(safety, monkeypatch):
    plan = planning.plan_motion(safety.world, WAY)
    asked = []
    monkeypatch.setattr(safety_module, "collision_at", lambda world, q: asked.append(q))
    safety.grasp(WAY)
    for path in (plan.travel, plan.approach, plan.lift):
        nearest = np.abs(path[:, None] - np.stack(asked)).max(-1).min(1)
        assert nearest.max() <= PATH_STEP


def test_an_obstacle_between_the_planners_samples_is_found(safety, monkeypatch):
    travel = planning.plan_motion(safety.world, WAY).travel
    rows = np.linspace(0, len(travel) - 1, planning.PLAN_SAMPLES).round().astype(int)
    obstacle = travel[(rows[6] + rows[7]) // 2]

    def hit(world, q):
        return "the hand hits the lamp" if np.abs(q - obstacle).max() < 0.55 * PATH_STEP else None

    for module in (planning, safety_module):
        monkeypatch.setattr(module, "collision_at", hit)
    assert isinstance(planning.plan_motion(safety.world, WAY), planning.JointPaths)
    with pytest.raises(UnsafePose, match=r"^refused: the hand hits the lamp on the way to the pre-grasp"):
        safety.grasp(WAY)


def test_resampling_keeps_ends_and_steps():
    rng = np.random.default_rng(0)
    for path in (
        np.stack([HOME, HOME + 1.0]),
        HOME + rng.normal(0, 0.2, (30, 6)).cumsum(0),
        HOME[None],
        HOME[None][[0, 0]],
    ):
        close = resampled(path, 0.03)
        assert np.allclose(close[[0, -1]], path[[0, -1]])
        assert np.abs(np.diff(close, axis=0)).max() <= 0.03 + 1e-12


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"joint_speed": 0.9}, "joint_speed of 0.9 rad/s, the cap is 0.8 rad/s"),
        ({"linear_speed": 0.3}, "linear_speed of 0.3 m/s, the cap is 0.25"),
        ({"acceleration": 2.0}, "acceleration of 2"),
        ({"grip_force": 100.0}, "grip_force of 100 N, the cap is 80 N"),
        ({"grip_force": 5.0}, "no less than 10 N"),
        ({"grip_speed": 0.5}, "the 2F-140 has 0.03 to 0.25"),
        ({"open_width": 0.15}, "gripper width 0.15 m, allowed are 0 to 0.14 m"),
    ],
)
def test_speeds_forces_and_widths_beyond_the_caps_are_refused(change, why):
    with pytest.raises(UnsafePose, match=why):
        SafetyCheck(motion=MotionConfig(**change))


def test_widths_that_the_gripper_has_pass():
    assert check_width(0.0) == 0.0 and check_width(0.14) == 0.14
    with pytest.raises(UnsafePose):
        check_width(-0.001)


def test_limits_themselves_are_checked():
    with pytest.raises(ValueError, match="below high"):
        SafetyLimits(low=(0.6, 0.0, 0.9))
    with pytest.raises(ValueError, match="linear_speed"):
        SafetyLimits(linear_speed=1.0)
    with pytest.raises(ValueError, match=r"minimum_height: 0.95 m; fingertips close 15 mm .*allowed are 0\.9755 m"):
        SafetyLimits(minimum_height=0.95)
    with pytest.raises(ValueError, match="reaches beyond the policies' workspace"):
        SafetyLimits(high=(0.6, 0.3, 1.1))
    with pytest.raises(ValueError, match="reaches beyond the policies' workspace"):
        SafetyLimits(low=(0.0, 0.0, 0.9))
    with pytest.raises(ValueError, match=r"reach: 1.31 m; the UR10 goes 1.3 m from its shoulder"):
        SafetyLimits(reach=1.31)
    assert SafetyLimits(low=(0.0, 0.0, 0.97)).low == (0.0, 0.0, 0.97)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_passes_no_check(safety, wrong):
    """Also where somebody made settings without their checks."""
    q = HOME.copy()
    q[0] = wrong
    for check in (
        lambda: safety.joint_motion(HOME, q),
        lambda: safety.joint_motion(q, HOME),
        lambda: safety.joint_speed(HOME, q),
        lambda: check_joints(np.stack([HOME, q]), SafetyLimits()),
        lambda: check_width(wrong),
        lambda: check_joints(HOME[None], SafetyLimits().model_copy(update={"reach": math.nan})),
        lambda: check_pose(WAY, SafetyLimits().model_copy(update={"tilt": math.nan})),
        lambda: check_pose(WAY, SafetyLimits().model_copy(update={"minimum_height": math.nan})),
    ):
        with pytest.raises(UnsafePose, match=r"^refused: "):
            check()
    for name in (
        "joint_speed",
        "linear_speed",
        "acceleration",
        "grip_force",
        "grip_speed",
        "open_width",
        "hold_seconds",
    ):
        with pytest.raises(UnsafePose, match=r"^refused: "):
            SafetyCheck(motion=MotionConfig().model_copy(update={name: wrong}))
        with pytest.raises(ValueError, match=rf"(?s){name}.*finite number"):
            MotionConfig(**{name: wrong})
    for name in set(SafetyLimits.model_fields) - {"low", "high", "cell"}:
        with pytest.raises(ValueError, match=rf"(?s){name}.*finite number"):
            SafetyLimits(**{name: wrong})
    with pytest.raises(ValueError, match=r"(?s)low\.2.*finite number"):
        SafetyLimits(low=(0.0, 0.0, wrong))
