"""The unmodified drivers against stand-ins: a whole grasp, arming, dry run, and every failure in mid-trial.

Fixed ports (the controller's): these tests cannot run in parallel.
"""

import contextlib
import ipaddress
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from robot_fakes import FakePolicy
from robot_poses import top_down
from robot_stand_ins import BOARD, HEIGHT, WIDTH, need, standing_calibration

from dgrasp.cell import ur10
from dgrasp.cell.gripper import Q_CLOSED, TOOL0_TCP, gap
from dgrasp.cell.hand import CAMERA_SENSOR, tcp_pose
from dgrasp.cell.interface import (
    Calibration,
    CellFault,
    ConnectionLost,
    FrozenCamera,
    HandNotEmpty,
    NotArmed,
    ProtectiveStop,
    SilentGripper,
    UnsafePose,
)
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.files import UserFileError
from dgrasp.robot.devices import CONFIRMATION, DeviceCell, backend_of
from dgrasp.robot.drivers import ur
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.drivers.robotiq import RobotiqGripper
from dgrasp.robot.drivers.sockets import Peer, peer_of, reach
from dgrasp.robot.drivers.ur import UrArm, controller_pose, moves_a_robot, serial_number, world_pose
from dgrasp.robot.hardware import HardwareConfig
from dgrasp.robot.limits import SafetyLimits
from dgrasp.robot.log import read_log
from dgrasp.robot.safety import HOME
from dgrasp.robot.trials import TrialProtocol, Verdict, run_trials
from dgrasp.robot.viewpoints import Viewpoint, wrist_viewpoints

GRASP = top_down(0.25, 0.1, 0.05)


def test_the_controllers_poses_are_its_own_forward_kinematics():
    """Half a turn of base and a tool of the TCP's length, against the DH table without either."""
    q = HOME + 0.2
    T = ur10.HALF_TURN @ ur10.forward(q)  # the controller's base: the DH table's own
    x, y, z, *_ = controller_pose(tcp_pose(q))
    expected = T[:3, 3] + T[:3, 2] * TOOL0_TCP
    assert np.allclose([x, y, z], expected)
    assert np.allclose(world_pose(controller_pose(tcp_pose(q))), tcp_pose(q))


def test_a_whole_grasp(loopback):
    cell = loopback.cell
    assert cell.backend == "loopback"
    loopback.gripper.tell(object=100)
    with cell.armed(CONFIRMATION):
        done = cell.execute(GRASP)
    assert done.moved and done.holds
    assert done.width == pytest.approx(gap(Q_CLOSED * (100 - 3) / (228 - 3)))
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


@contextlib.contextmanager
def on_the_wrist(loopback):
    """The cell with its camera on the flange, to be carried to the fixed views; opened anew afterwards."""
    i = loopback.config.calibration.cameras[0]
    offset = np.eye(4)
    offset[:3, 3] = CAMERA_SENSOR
    wrist = i.model_copy(
        update={"camera": "wrist", "mount": "tool0", "T_mount_cam": tuple(map(tuple, offset.tolist()))}
    )
    cell = loopback.cell
    cell.calibration, cell.cameras = Calibration(cameras=(wrist,)), {"wrist": loopback.camera}
    cell.viewpoints = wrist_viewpoints(wrist, evaluation_viewpoints(2), cell.safety)
    try:
        yield cell
    finally:
        cell.broken = "its cameras were changed by a test"


def test_a_camera_on_the_wrist_is_carried_to_its_views(loopback):
    """Each view's pose comes from the joints measured there: the poses asked for, and upright."""
    asked = evaluation_viewpoints(2)
    with on_the_wrist(loopback) as cell:
        with pytest.raises(NotArmed):
            cell.observe()
        with cell.armed(CONFIRMATION):
            views = cell.observe()
    assert np.allclose(views.Ts_world_cam[:, :3, 3], asked[:, :3, 3], atol=2e-3)
    assert np.allclose(views.Ts_world_cam[:, :3, :3], asked[:, :3, :3], atol=5e-3)
    assert np.allclose(loopback.state()["q"], HOME, atol=1e-3)
    assert loopback.state()["events"] == ["moveJ", "moveJ", "moveJ"]


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
    assert loopback.gripper.tell()["sets"] == []


def test_an_unsafe_pose_reaches_no_driver(loopback):
    with loopback.cell.armed(CONFIRMATION), pytest.raises(UnsafePose, match="outside the workspace"):
        loopback.cell.execute(top_down(0.6, 0.0, 0.05))
    assert loopback.state()["events"] == []
    assert loopback.gripper.tell()["sets"] == []


def test_a_dry_run_checks_and_moves_nothing(loopback):
    loopback.cell.dry_run = True
    assert not loopback.cell.execute(GRASP).moved
    with pytest.raises(UnsafePose):
        loopback.cell.execute(top_down(0.6, 0.0, 0.05))
    assert loopback.state()["events"] == []


def rehearsed(loopback, path):
    """A series of two dry trials, and what the log says of them."""
    protocol = TrialProtocol(policies=("dgrasp_6d_seq",), objects=("tennis ball",), presentations=2)
    log = run_trials(loopback.cell, {"dgrasp_6d_seq": FakePolicy(GRASP)}, Judge(), protocol, path)
    assert "no robot moved" in log.banner and log.judged.empty
    assert loopback.gripper.tell()["sets"] == []
    return [r["outcome"] for r in log.records]


def test_a_series_is_rehearsed_with_standing_cameras(loopback, tmp_path):
    """Nothing moves, so nobody needs to arm the cell."""
    loopback.cell.dry_run = True
    assert rehearsed(loopback, tmp_path / "log.jsonl") == ["dry run"] * 2
    assert loopback.state()["events"] == []


def test_a_series_is_rehearsed_with_a_camera_on_the_wrist(loopback, tmp_path):
    """The arm goes to its views and home, when armed; no grasp is executed."""
    with on_the_wrist(loopback) as cell:
        cell.dry_run = True
        with pytest.raises(NotArmed):
            cell.observe()
        with cell.armed(CONFIRMATION):
            assert rehearsed(loopback, tmp_path / "log.jsonl") == ["dry run"] * 2
    assert loopback.state()["events"] == ["moveJ"] * 6


# --- failures in mid-trial: the arm stands, the cell is disarmed, one message


STOPS = {"stop", "watchdog"}  # the watchdog where a busy machine keeps the client silent for 0.5 s


def fails(loopback, fault, match):
    """Execute, expect the fault, and check that the arm stands and stays so."""
    with loopback.cell.armed(CONFIRMATION):
        with pytest.raises(fault, match=match) as raised:
            loopback.cell.execute(GRASP)
        with pytest.raises((NotArmed, ConnectionLost)):
            loopback.cell.execute(GRASP)  # no second try, even in the block
    with pytest.raises(NotArmed, match="open it anew"), loopback.cell.armed(CONFIRMATION):
        pass
    time.sleep(0.6)  # the controller's watchdog needs 0.5 s
    state = loopback.state()
    assert not state["moving"]
    assert "\n" not in str(raised.value)
    return state, raised.value


def test_an_object_left_in_the_hand_is_not_carried_about(loopback):
    """After a fault in the lift it is still there: nothing moves until a person has taken it."""
    loopback.gripper.tell(object=100)
    loopback.cell.gripper.activate()
    loopback.cell.gripper.move(0.0, speed=0.1, force=40)
    with loopback.cell.armed(CONFIRMATION):
        with pytest.raises(HandNotEmpty, match=r"holds an object of an earlier grasp.*let_go"):
            loopback.cell.execute(GRASP)
        assert not {"moveJ", "moveL"} & set(loopback.state()["events"])
        loopback.cell.let_go()
        loopback.gripper.tell(object=None)
        assert loopback.cell.execute(GRASP).moved
    with pytest.raises(NotArmed):
        loopback.cell.let_go()


def test_a_fault_with_an_object_in_the_hand_says_so(loopback):
    loopback.gripper.tell(object=100)
    loopback.controller.tell(do="protective", at="moveL")
    with loopback.cell.armed(CONFIRMATION):
        with pytest.raises(ProtectiveStop) as raised:
            loopback.cell.execute(GRASP)
        assert raised.value.phase == "approach" and "let_go" not in str(raised.value)
    loopback.gripper.tell(reset=True)
    loopback.refresh()
    loopback.gripper.tell(object=100)
    original = loopback.cell.gripper.move

    def close_then_stop(width, **how):
        reached = original(width, **how)
        if width == 0.0:
            loopback.controller.tell(do="protective", at="moveL")
        return reached

    loopback.cell.gripper.move = close_then_stop
    with loopback.cell.armed(CONFIRMATION), pytest.raises(ProtectiveStop, match="may still hold the object") as raised:
        loopback.cell.execute(GRASP)
    assert raised.value.phase == "lift"


def test_an_interrupt_while_the_object_is_put_down_tells_of_the_grasp(loopback, monkeypatch):
    def interrupted(grasp):
        raise KeyboardInterrupt

    monkeypatch.setattr(loopback.cell, "_release", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised, loopback.cell.armed(CONFIRMATION):
        loopback.cell.execute(GRASP)
    assert raised.value.executed.moved and "lift" in raised.value.executed.seconds


def test_protective_stop(loopback):
    loopback.controller.tell(do="protective", at="moveL")
    state, stop = fails(loopback, ProtectiveStop, "unlock it at the pendant")
    assert stop.phase == "approach" and not state["running"]


def test_too_much_force(loopback):
    loopback.controller.tell(do="force", value=[30, 40, 50], at="moveL")
    state, stop = fails(loopback, ProtectiveStop, r"stopped at 71 N on the tool .* cap is 60 N")
    assert stop.phase == "approach" and STOPS & set(state["events"])


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


def test_emergency_stop(loopback):
    loopback.controller.tell(do="emergency", at="moveL")
    fails(loopback, CellFault, "arm: emergency stop; release it")


@pytest.mark.parametrize(
    ("halt", "said"), [("safeguard", r"safeguard stop \(safety mode 5\)"), ("pause", "was paused")]
)
def test_an_arm_that_was_halted_does_not_go_on_when_it_is_let(loopback, halt, said):
    loopback.controller.tell(do=halt, at="moveL")
    state, _ = fails(loopback, CellFault, said)
    assert "dashboard stop" in state["events"]
    loopback.controller.tell(do="unlock")
    time.sleep(0.2)
    after = loopback.state()
    assert after["q"] == state["q"] and not after["running"]


def test_a_motion_that_never_ends_is_given_up(loopback, monkeypatch):
    monkeypatch.setattr("dgrasp.robot.drivers.ur.PATIENCE", 1.0)
    loopback.controller.tell(do="stall", at="moveL")
    state, _ = fails(loopback, CellFault, r"the straight motion has not ended within \d\.\d s")
    assert STOPS & set(state["events"])


def test_silent_gripper(loopback):
    loopback.gripper.tell(mute=True)
    state, fault = fails(loopback, SilentGripper, "no answer from 127.0.0.1:63352")
    assert fault.phase == "look" and STOPS & set(state["events"])


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
    assert loopback.state()["events"] == ["stop"]


def test_camera_without_frames(loopback, monkeypatch):
    monkeypatch.setattr(loopback.camera, "timeout", 0.5)
    loopback.device.mode = "dead"
    with pytest.raises(FrozenCamera, match=r"no frame within 0\.5 s"):
        loopback.cell.observe()


# --- whole trials: the log is whole after each failure, and the series goes on with a cell opened anew


def the_log_is_whole(loopback, path, fault, outcome):
    protocol = TrialProtocol(policies=("dgrasp_6d_seq",), objects=("tennis ball",), presentations=2)
    policies, operator = {"dgrasp_6d_seq": FakePolicy(GRASP)}, Judge()
    with pytest.raises(fault), loopback.cell.armed(CONFIRMATION):
        run_trials(loopback.cell, policies, operator, protocol, path)
    log = read_log(path)
    assert [r["outcome"] for r in log.records] == [outcome] and not log.cut
    assert log.backend == "loopback" and log.header["devices"]["arm"] == "127.0.0.1"
    time.sleep(0.6)
    assert not loopback.state()["moving"]
    loopback.gripper.tell(reset=True)
    loopback.refresh()
    with loopback.cell.armed(CONFIRMATION):
        log = run_trials(loopback.cell, policies, operator, protocol, path)
    assert log.done == {1, 2} and len(log.records) == (2 if outcome == "collision" else 3)


class Judge:
    """Finds every grasp that was executed a success."""

    def present(self, presentation):
        pass

    def verdict(self, presentation, execution):
        assert execution.moved
        return Verdict(Outcome.SUCCESS)


def test_trials_after_a_lost_connection(loopback, tmp_path):
    loopback.controller.tell(do="drop", at="moveL")
    the_log_is_whole(loopback, tmp_path / "log.jsonl", ConnectionLost, "fault")


def test_trials_after_a_protective_stop(loopback, tmp_path):
    loopback.controller.tell(do="protective", at="moveL")
    the_log_is_whole(loopback, tmp_path / "log.jsonl", ProtectiveStop, "collision")


def test_trials_after_a_silent_gripper(loopback, tmp_path):
    loopback.gripper.tell(mute=True)
    the_log_is_whole(loopback, tmp_path / "log.jsonl", SilentGripper, "fault")


def test_trials_after_a_frozen_camera(loopback, tmp_path):
    loopback.cell.observe()
    loopback.device.freeze()
    the_log_is_whole(loopback, tmp_path / "log.jsonl", FrozenCamera, "fault")


# --- opening


def test_without_the_vendors_libraries_the_error_says_what_to_install(monkeypatch):
    for module in ("rtde_receive", "pyrealsense2"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install dgrasp\[robot\]"):
        UrArm("192.0.2.7")
    with pytest.raises(ImportError, match=r"libusb-1\.0-0"):
        RealSenseCamera()


HERE, ELSEWHERE = Peer("127.0.0.1", here=True), Peer("192.0.2.7", here=False)


def test_who_answers_tells_hardware_from_stand_ins():
    assert backend_of({"arm": HERE, "gripper": HERE}, real=False) == "loopback"
    assert backend_of({"arm": HERE, "gripper": HERE}, real=None) == "loopback"
    assert backend_of({"arm": ELSEWHERE, "gripper": ELSEWHERE}, real=True) == "hardware"


def test_a_simulator_is_no_hardware_wherever_it_runs():
    """In a container on this machine it has an address of its own."""
    assert backend_of({"arm": ELSEWHERE, "gripper": ELSEWHERE}, real=False) == "loopback"


def test_a_real_arm_behind_a_forwarded_port_is_no_stand_in():
    with pytest.raises(ValueError, match="on this machine, says that it moves a real arm"):
        backend_of({"arm": HERE, "gripper": HERE}, real=True)


def test_a_controller_that_does_not_say_what_it_moves_is_neither():
    with pytest.raises(ValueError, match="does not say whether it moves a real arm; is its port 30002 open"):
        backend_of({"arm": ELSEWHERE, "gripper": ELSEWHERE}, real=None)


def test_the_controller_says_whether_it_moves_a_real_arm(loopback):
    assert moves_a_robot("127.0.0.1") is False
    loopback.controller.tell(do="real", value=True)
    assert moves_a_robot("127.0.0.1") is True
    loopback.cell.close()
    with pytest.raises(ValueError, match="says that it moves a real arm"):
        loopback.open()


def test_a_controller_that_is_silent_or_talks_nonsense_has_not_said():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert moves_a_robot("127.0.0.1", port, timeout=0.2) is None

        def serve():
            with server.accept()[0] as first, server.accept()[0] as second:  # the first is the one above
                first.close()
                second.sendall(b"not a robot's message at all")

        thread = threading.Thread(target=serve)
        thread.start()
        assert moves_a_robot("127.0.0.1", port, timeout=0.5) is None
        thread.join()
    assert moves_a_robot("127.0.0.1", port, timeout=0.2) is None


def test_a_mixture_of_robot_and_stand_ins_is_refused():
    with pytest.raises(ValueError, match="some are stand-ins"):
        backend_of({"arm": ELSEWHERE, "gripper": HERE}, real=True)
    with pytest.raises(ValueError, match="at least the arm"):
        backend_of({}, real=True)


def test_a_robots_cell_has_cameras_with_numbers(loopback):
    class Borrowed:
        serial = ""

    cell, cameras = loopback.cell, {"left": Borrowed(), "right": loopback.camera}
    parts = (cell.viewpoints, cell.calibration)
    with pytest.raises(ValueError, match="left without a number, right stand-in; expected devices with a serial"):
        DeviceCell(
            cell.arm, cell.gripper, cameras, *parts, peers={"arm": ELSEWHERE}, real=True, serials={}, safety=cell.safety
        )


def own_addresses():
    """Of this machine's network cards; UDP's connect asks the routing table and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.7", 9))
        yield probe.getsockname()[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3", "localhost", "0.0.0.0", *own_addresses()])
def test_this_machine_is_known_by_all_its_addresses(host):
    with socket.create_server(("0.0.0.0", 0)) as server:
        peer = reach(host, server.getsockname()[1])
    assert peer.here
    assert ipaddress.ip_address(peer.address)  # a literal, whatever was asked for
    assert backend_of({"arm": peer, "gripper": peer}, real=False) == "loopback"


def test_another_machine_s_address_is_none_of_ours():
    class Connection:
        def getpeername(self):
            return "192.0.2.7", 30004

        def getsockname(self):
            return "192.0.2.1", 50000

    assert peer_of(Connection()) == Peer("192.0.2.7", here=False)


def test_the_log_names_the_controller(loopback):
    assert loopback.cell.devices == {
        "arm": "127.0.0.1",
        "gripper": "127.0.0.1",
        "robot": "none",
        "controller": "2026300000",
        "cameras": "left stand-in, right stand-in",
    }


@pytest.mark.parametrize(
    ("answer", "number"), [(b"2026300000\n", "2026300000"), (b"could not understand\n", ""), (b"", "")]
)
def test_a_controller_that_does_not_know_its_number_is_none_the_worse(answer, number):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection:
                connection.sendall(b"Connected: Universal Robots Dashboard Server\n")
                connection.recv(1024)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert serial_number("127.0.0.1", server.getsockname()[1]) == number
        thread.join()


def test_a_cell_called_by_another_name_is_still_a_loopback(loopback):
    loopback.cell.close()
    config, loopback.config = loopback.config, loopback.config.model_copy(update={"arm": "0.0.0.0"})
    try:
        loopback.cell = loopback.open()
    finally:
        loopback.config = config
    assert loopback.cell.backend == "loopback" and loopback.cell.devices["arm"] == "127.0.0.1"


CELL = HardwareConfig(
    arm="192.0.2.7",
    cameras={"left": "1", "right": "2"},
    board_heights=BOARD,
    viewpoints=(Viewpoint(camera="left"), Viewpoint(camera="right")),
    calibration=standing_calibration(),
)


def cells_file(folder):
    return CELL.write(folder / "cell.yaml")


def test_a_lab_writes_one_file(tmp_path):
    file, config = cells_file(tmp_path), CELL
    assert HardwareConfig.read(file) == config
    file.write_text(file.read_text().replace("linear_speed: 0.25", "linear_speed: 2.5"))
    with pytest.raises(ValueError, match="linear_speed"):
        HardwareConfig.read(file)
    with pytest.raises(
        ValueError, match=r"board's top was measured at 25\.0 mm from the arm's base, expected is -12\.5 mm"
    ):
        HardwareConfig(**{**dict(config), "board_heights": (-0.0125, 0.025, -0.0125)})
    with pytest.raises(ValueError, match="board_heights"):
        HardwareConfig(**{**dict(config), "board_heights": (-0.0125,)})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("- -0.0125", "- .nan", r"board_heights\.0: Input should be a finite number"),
        ("- -0.0125", "- -.inf", r"board_heights\.0: Input should be a finite number"),
        ("hold_seconds: 3.0", "hold_seconds: .inf", r"motion\.hold_seconds: .*finite number"),
        ("hold_seconds: 3.0", "hold_seconds: 1.0e+9", r"motion\.hold_seconds: .*less than or equal to 600"),
        ("joint_speed: 0.5", "joint_speed: .nan", r"motion\.joint_speed: .*finite number"),
        ("contact_force: 60.0", "contact_force: .nan", r"limits\.contact_force: .*finite number"),
        ("posture: null", "posture: [0, 0, 0, 0, 0, .nan]", r"viewpoints\.0\.posture\.5: .*finite number"),
        ("width: 64", "width: .inf", r"calibration\.cameras\.0\.width: .*finite"),
        ("fx: ", "fx: .inf #", r"calibration\.cameras\.0\.fx: .*finite number"),
        ("  - 1.0\n", "  - 2.0\n", r"calibration\.cameras\.0\.T_mount_cam: .*last row is not 0 0 0 1"),
        ("limits:", "limits: {grip_force: 20.0}\nlimits:", r"key 'limits' stands twice.*line \d+"),
        ("  grip_speed: 0.1", "  grip_speed: 0.1\n  grip_speed: 0.2", "key 'grip_speed' stands twice"),
        ("- 3\n", "- 300\n", r"gripper_counts: .*0 <= open < closed <= 255"),
        ("arm: 192.0.2.7", "arm: !!python/object/apply:os.system ['touch here']", "could not determine a constructor"),
        ("arm: ", "arrm: ", r"arrm: .*allowed: cell, arm, gripper, gripper_port"),
        ("arm: 192", "arm: \x00192", "not valid YAML"),
    ],
)
def test_a_cells_file_is_refused_by_name_of_file_and_key(tmp_path, old, new, why):
    file = cells_file(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UserFileError, match=rf"(?s)^{re.escape(str(file))}: .*{why}"):
        HardwareConfig.read(file)
    assert not (tmp_path / "here").exists() and not Path("here").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda T: np.vstack([T[:3] * [1, 1, 1, 1000], T[3]]), r"left': T_mount_cam: 1526\.\d+ m .*are these millim"),
        (
            lambda T: T @ np.diag([1.0, -1, -1, 1]),
            r"sees nothing of the middle of the workspace; its axes look like",
        ),
        (lambda T: np.vstack([T[:3] * [1, 1, 1, 0] + [0, 0, 0, 9], T[3]]), r"sees nothing of the middle of the works"),
    ],
)
def test_a_standing_camera_that_is_elsewhere_or_looks_away_is_refused(change, why):
    left, right = CELL.calibration.cameras
    T = change(np.array(left.T_mount_cam))
    elsewhere = left.model_copy(update={"T_mount_cam": tuple(map(tuple, T.tolist()))})
    calibration = Calibration(cameras=(elsewhere, right))
    with pytest.raises(ValueError, match=why):
        HardwareConfig(**{**dict(CELL), "calibration": calibration})
    views = (Viewpoint(camera="right"),)  # nobody looks through the other one
    assert HardwareConfig(**{**dict(CELL), "calibration": calibration, "viewpoints": views}).viewpoints == views


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"- arm", b"arm: {", b"? [a]\n: b"])
def test_what_is_no_cells_file_is_named(tmp_path, content):
    file = tmp_path / "cell.yaml"
    file.write_bytes(content)
    with pytest.raises(UserFileError, match=r"cell\.yaml: "):
        HardwareConfig.read(file)


WRONG = (float("nan"), float("inf"), 0.0, -1.0)


@pytest.mark.parametrize("wrong", WRONG)
def test_waits_of_devices_end(gripper, wrong):
    for how in ({"timeout": wrong}, {"move_seconds": wrong}):
        with pytest.raises(ValueError, match=r"(timeout|move_seconds): .* expected more than 0 and up to 600 s"):
            RobotiqGripper("127.0.0.1", **how)
    need("pyrealsense2")
    with pytest.raises(ValueError, match="timeout"):
        RealSenseCamera(timeout=wrong)


@pytest.mark.parametrize("wrong", WRONG)
def test_no_device_is_told_what_is_no_number(loopback, wrong):
    arm, hand, q = loopback.cell.arm, loopback.cell.gripper, HOME.copy()
    for move, target in ((arm.move_joints, HOME), (arm.move_line, GRASP)):
        for how in ({"speed": wrong, "acceleration": 0.1}, {"speed": 0.1, "acceleration": wrong}):
            with pytest.raises(UnsafePose, match=r"refused: .* allowed are more than 0"):
                move(target, **how)
    for how in ({"speed": wrong, "force": 40}, {"speed": 0.1, "force": wrong}):
        with pytest.raises(UnsafePose, match=r"grip (speed|force)"):
            hand.move(0.1, **how)
    if not np.isfinite(wrong):
        q[3] = wrong
        with pytest.raises(UnsafePose, match="expected six finite numbers"):
            arm.move_joints(q, speed=0.1, acceleration=0.1)
        with pytest.raises(UnsafePose, match="NaN or infinite"):
            arm.move_line(np.full((4, 4), wrong), speed=0.1, acceleration=0.1)
    with pytest.raises(UnsafePose, match="gripper width"):
        hand.move(-1.0 if wrong == 0.0 else wrong, speed=0.1, force=40)
    with pytest.raises(UnsafePose, match=r"joint speed of 0\.9 rad/s, .* up to 0\.8"):
        arm.move_joints(HOME, speed=0.9, acceleration=0.1)
    assert loopback.state()["events"] == [] and loopback.gripper.tell()["sets"] == []


def test_a_closed_arm_says_so(loopback):
    arm = loopback.cell.arm
    loopback.cell.close()
    with pytest.raises(ConnectionLost, match="the connection was closed; open the cell anew"):
        arm.move_joints(HOME, speed=0.1, acceleration=0.1)


def test_drivers_do_not_load_the_simulator():
    """A lab's machine needs it for the safety check alone; drivers work without."""
    program = (
        "import sys, dgrasp.robot.arming, dgrasp.robot.limits, dgrasp.robot.log\n"
        "import dgrasp.robot.drivers.realsense, dgrasp.robot.drivers.robotiq, dgrasp.robot.drivers.ur\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pybullet', 'pybullet_data') or m[:10] == 'dgrasp.sim'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Hanging:
    """A vendor's library, control program and reports in one; calls named in `hang` do not end."""

    def __init__(self, *hang):
        self.hang, self.called, self.stamp = hang, [], 0.0

    def __getattr__(self, name):
        def call(*arguments):
            self.called.append(name)
            if name in self.hang:
                threading.Event().wait()
            self.stamp += 0.008
            found = {"getTimestamp": self.stamp, "getSafetyMode": 1, "getRobotMode": 7, "getRuntimeState": 2}
            return self if name == "DashboardClient" else found.get(name, not name.endswith("Stopped"))

        return call


@pytest.mark.parametrize("hangs", ["stopJ", "kickWatchdog", "moveJ"])
def test_a_library_that_hangs_keeps_nobody_from_stopping(monkeypatch, hangs):
    """The dashboard stops the arm, whatever call of the control program does not end, and closing ends."""
    monkeypatch.setattr(ur, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(ur, "answers", lambda *_, **__: None)
    arm, dashboard = object.__new__(UrArm), Hanging()
    arm.host, arm.peer, arm._dashboard, arm._lost = "", HERE, dashboard, ""
    arm._calls, arm._closed, arm.limits = threading.Lock(), threading.Event(), SafetyLimits()
    arm._report, arm._control = Hanging(), Hanging(hangs, "stopScript", "disconnect")
    arm._life = threading.Thread(target=arm._give_signs_of_life, daemon=True)
    arm._life.start()
    if hangs == "moveJ":
        threading.Thread(target=arm._start, args=(hangs, [], 0.1, 0.1), daemon=True).start()
    time.sleep(0.1)
    begun = time.monotonic()
    for act in (arm.stop, arm.close):
        dashboard.called.clear()
        ending = threading.Thread(target=act, daemon=True)
        ending.start()
        ending.join(5)
        assert not ending.is_alive() and "stop" in dashboard.called
    with pytest.raises(ConnectionLost, match="does not end; look at the arm"):
        arm._start("moveJ", [], 0.1, 0.1)
    assert time.monotonic() - begun < 5


def test_nobody_at_the_arms_address():
    need("rtde_control", "rtde_receive", "dashboard_client")
    with pytest.raises(ConnectionLost, match=r"nothing answers at 127\.0\.0\.2:29999"):
        UrArm("127.0.0.2")


def test_an_arm_in_protective_stop_is_not_opened(loopback):
    loopback.cell.close()
    loopback.controller.tell(do="protective")
    with pytest.raises(ConnectionLost, match=r"^arm: not ready \(robot mode 7, safety mode 3\)"):
        loopback.open()


def test_another_model_of_arm_is_found_before_it_moves(loopback):
    loopback.cell.close()
    loopback.controller.tell(do="swap")
    with pytest.raises(CellFault, match=r"TCP is 50 mm and 0 degrees from where a UR10 \(CB3\) has it"):
        loopback.open()
    assert not {"moveJ", "moveL"} & set(loopback.state()["events"])


def test_nobody_at_the_grippers_address():
    with pytest.raises(SilentGripper, match="is the URCap installed"):
        RobotiqGripper("127.0.0.1", 9)


def test_a_gripper_is_not_moved_before_its_activation(gripper):
    hand = RobotiqGripper("127.0.0.1")
    with pytest.raises(SilentGripper, match=r"call activate\(\)"):
        hand.move(0.1, speed=0.1, force=40)
    hand.activate()
    assert hand.calibrate() == (3, 228)
    assert hand.move(0.07, speed=0.03, force=125) == pytest.approx(0.07, abs=0.0005)  # half a count
    assert [hand.counts_of(w) for w in (0.14, 0.0)] == [3, 228]
    assert [hand.width_of(c) for c in (0, 3, 228, 255)] == pytest.approx([0.14, 0.14, 0.0, 0.0], abs=1e-9)
    assert gripper.tell()["sets"][-1] | {"POS": 0} == {"SPE": 0, "FOR": 255, "POS": 0, "GTO": 1}
    assert not hand.holds()
    hand.close()


def test_a_gripper_that_let_go_by_itself_is_activated_again(gripper):
    """Opening the cell does not fail for faults that only ask for an activation, and activating ends them."""
    first = RobotiqGripper("127.0.0.1")
    first.activate()
    first.close()
    gripper.tell(fault=15)
    hand = RobotiqGripper("127.0.0.1")
    with pytest.raises(SilentGripper, match="fault 15, automatic release done, activate again"):
        hand.move(0.1, speed=0.1, force=40)
    hand.activate()
    assert hand.move(0.1, speed=0.1, force=40) == pytest.approx(0.1, abs=0.0005)
    gripper.tell(fault=12)
    with pytest.raises(SilentGripper, match="fault 12"):
        RobotiqGripper("127.0.0.1")
    hand.close()
