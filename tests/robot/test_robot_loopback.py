"""The unmodified drivers against stand-ins: a whole grasp, arming, dry run, and every failure in mid-trial.

Fixed ports (the controller's): these tests cannot run in parallel.
"""

import time

import numpy as np
import pytest
from robot_poses import top_down
from robot_stand_ins import HEIGHT, WIDTH, need

from dgrasp.robot import (
    CONFIRMATION,
    ConnectionLost,
    FrozenCamera,
    NotArmed,
    ProtectiveStop,
    SilentGripper,
    UnsafePose,
)
from dgrasp.robot.drivers.robotiq import RobotiqGripper
from dgrasp.robot.drivers.ur import controller_pose
from dgrasp.robot.safety import HOME
from dgrasp.sim import ur10
from dgrasp.sim.gripper import TOOL0_TCP
from dgrasp.sim.robot import tcp_pose

GRASP = top_down(0.25, 0.1, 0.05)


def test_the_controllers_poses_are_its_own_forward_kinematics():
    """Half a turn of base and a tool of the TCP's length, against the DH table without either."""
    q = HOME + 0.2
    T = ur10.HALF_TURN @ ur10.forward(q)  # the controller's base: the DH table's own
    x, y, z, *_ = controller_pose(tcp_pose(q))
    expected = T[:3, 3] + T[:3, 2] * TOOL0_TCP
    assert np.allclose([x, y, z], expected)


def test_a_whole_grasp(loopback):
    cell = loopback.cell
    assert cell.backend == "loopback"
    loopback.gripper.tell(object=100)
    with cell.armed(CONFIRMATION):
        done = cell.execute(GRASP)
    assert done.moved and done.holds
    assert done.width == pytest.approx(0.14 * (228 - 100) / (228 - 3))
    assert list(done.seconds) == ["home", "open", "travel", "approach", "close", "lift", "hold", "release"]
    state = loopback.state()
    assert state["events"] == ["moveJ", "moveL", "moveL", "moveL", "moveL", "moveJ"]
    assert np.allclose(state["q"], HOME, atol=1e-3)


def test_an_empty_hand_is_told_from_a_full_one(loopback):
    with loopback.cell.armed(CONFIRMATION):
        done = loopback.cell.execute(GRASP)
    assert not done.holds and done.width == 0.0


def test_the_arm_is_where_the_grasp_is(loopback):
    """Stopped in mid-grasp by its own force cap: the stand-in's joints lie on the line to the pose asked for."""
    loopback.controller.tell(do="force", value=[0, 0, 90], at="moveL")
    with pytest.raises(ProtectiveStop), loopback.cell.armed(CONFIRMATION):
        loopback.cell.execute(GRASP)
    p = tcp_pose(np.array(loopback.state()["q"]))[:3, 3]
    assert np.allclose(p[:2], GRASP[:2, 3], atol=1e-3)
    assert GRASP[2, 3] < p[2] < GRASP[2, 3] + loopback.config.motion.approach_distance


def test_views_are_the_cameras_pictures_with_their_calibration(loopback):
    views = loopback.cell.observe()
    assert views.images.shape == (2, HEIGHT, WIDTH, 3)
    assert (views.images[0] != views.images[1]).mean() > 0.9  # two exposures of noise
    for i, calibrated in enumerate(loopback.config.calibration.cameras):
        assert np.allclose(views.Ts_world_cam[i], calibrated.T_mount_cam)
        assert views.K[i, 0, 0] == calibrated.fx


def test_frames_arrive_bit_for_bit(loopback):
    loopback.device.freeze()
    assert np.array_equal(loopback.camera.capture(), loopback.device.last)


# --- arming, refusal, dry run: nothing moves


def test_nothing_moves_before_arming(loopback):
    with pytest.raises(NotArmed, match="emergency stop"):
        loopback.cell.execute(GRASP)
    with pytest.raises(NotArmed, match="confirm with the words"), loopback.cell.armed("yes"):
        pass
    with loopback.cell.armed(CONFIRMATION):
        pass
    with pytest.raises(NotArmed):  # arming ends with its block
        loopback.cell.execute(GRASP)
    assert loopback.state()["events"] == []
    assert loopback.gripper.tell()["sets"] == [{"ACT": 1, "GTO": 1}]  # of the activation


def test_an_unsafe_pose_reaches_no_driver(loopback):
    with loopback.cell.armed(CONFIRMATION), pytest.raises(UnsafePose, match="outside the workspace"):
        loopback.cell.execute(top_down(0.6, 0.0, 0.05))
    assert loopback.state()["events"] == []
    assert len(loopback.gripper.tell()["sets"]) == 1


def test_a_dry_run_checks_and_moves_nothing(loopback):
    loopback.cell.dry_run = True
    assert not loopback.cell.execute(GRASP).moved
    with pytest.raises(UnsafePose):
        loopback.cell.execute(top_down(0.6, 0.0, 0.05))
    assert loopback.state()["events"] == []


# --- failures in mid-trial: the arm stands, the cell is disarmed, one message


def fails(loopback, fault, match):
    """Execute, expect the fault, and check that the arm stands and stays so."""
    with loopback.cell.armed(CONFIRMATION):
        with pytest.raises(fault, match=match) as raised:
            loopback.cell.execute(GRASP)
        with pytest.raises((NotArmed, ConnectionLost)):
            loopback.cell.execute(GRASP)  # no second try, even in the block
    with pytest.raises(NotArmed, match="open it anew"), loopback.cell.armed(CONFIRMATION):
        pass
    time.sleep(0.3)  # the controller's watchdog needs 0.2 s
    state = loopback.state()
    assert not state["moving"]
    assert "\n" not in str(raised.value)
    return state, raised.value


def test_protective_stop(loopback):
    loopback.controller.tell(do="protective", at="moveL")
    state, stop = fails(loopback, ProtectiveStop, "unlock it at the pendant")
    assert stop.phase == "approach" and not state["running"]


def test_too_much_force(loopback):
    loopback.controller.tell(do="force", value=[30, 40, 50], at="moveL")
    state, stop = fails(loopback, ProtectiveStop, r"stopped at 71 N on the tool .* cap is 60 N")
    assert stop.phase == "approach" and "stop" in state["events"]


def test_force_below_the_cap_is_borne(loopback):
    loopback.controller.tell(do="force", value=[0, 0, 55], at="moveL")
    with loopback.cell.armed(CONFIRMATION):
        assert loopback.cell.execute(GRASP).moved


def test_lost_connection(loopback):
    """The client cannot stop the arm any more: the controller's watchdog does."""
    loopback.controller.tell(do="drop", at="moveL")
    state, _ = fails(loopback, ConnectionLost, "connection to 127.0.0.1 lost")
    assert "watchdog" in state["events"]
    loopback.controller.tell(do="unlock")  # the network is back, and the library may have reconnected by itself
    with pytest.raises(ConnectionLost, match="restart the cell"):
        loopback.cell.arm.move_joints(HOME, speed=0.1, acceleration=0.1)


def test_silent_gripper(loopback):
    loopback.gripper.tell(mute=True)
    state, fault = fails(loopback, SilentGripper, "no answer from 127.0.0.1:63352")
    assert fault.phase == "open" and "stop" in state["events"]


def test_gripper_fault(loopback):
    loopback.gripper.tell(fault=14)
    fails(loopback, SilentGripper, "fault 14, overcurrent")


def test_gripper_that_never_arrives(loopback):
    loopback.cell.gripper.move_seconds = 0.3
    loopback.gripper.tell(travel=60)
    fails(loopback, SilentGripper, r"did not reach \d+ counts within 0.3 s")


def test_frozen_camera(loopback):
    loopback.cell.observe()
    loopback.device.freeze()
    with pytest.raises(FrozenCamera, match="the same frame again"):
        loopback.cell.observe()
    assert loopback.state()["events"][-1:] == ["stop"]


def test_camera_without_frames(loopback):
    loopback.device.mode = "dead"
    with pytest.raises(FrozenCamera, match=r"no frame within 0\.5 s"):
        loopback.cell.observe()


# --- opening


def test_nobody_at_the_arms_address():
    need("rtde_control", "rtde_receive", "dashboard_client")
    from dgrasp.robot.drivers.ur import UrArm

    with pytest.raises(ConnectionLost, match=r"nothing answers at 127\.0\.0\.2:29999"):
        UrArm("127.0.0.2")


def test_an_arm_in_protective_stop_is_not_opened(loopback):
    loopback.cell.close()
    loopback.controller.tell(do="protective")
    with pytest.raises(ConnectionLost, match="safety mode 3"):
        loopback.open()


def test_nobody_at_the_grippers_address():
    with pytest.raises(SilentGripper, match="is the URCap installed"):
        RobotiqGripper("127.0.0.1", 9)


def test_a_gripper_is_not_moved_before_its_activation(gripper):
    hand = RobotiqGripper("127.0.0.1")
    with pytest.raises(SilentGripper, match=r"call activate\(\)"):
        hand.move(0.1, speed=0.1, force=40)
    hand.activate()
    assert hand.calibrate() == (3, 228)
    assert hand.move(0.07, speed=0.03, force=125) == pytest.approx(0.07, abs=0.001)
    assert gripper.tell()["sets"][-1] | {"POS": 0} == {"SPE": 0, "FOR": 255, "POS": 0, "GTO": 1}
    assert not hand.holds()
    hand.close()
