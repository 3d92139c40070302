"""The UR10 (CB3) through ur_rtde: asynchronous motions that are watched, and a watchdog on the controller's side.

Two things guard a motion. We poll the controller's own report at 50 Hz: safety state, pauses, force on the TCP,
progress, and whether reports still arrive; and a motion has a time to end in. And the controller stops the arm by
itself when our sign of life stays out for 0.5 s, so a pulled plug or a dead process does not leave a moving arm
behind; nor does a call that blocks all of Python's threads.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dgrasp.cell import gripper, transforms, ur10
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import CellFault, ConnectionLost, ProtectiveStop
from dgrasp.cell.workspace import BASE_POSITION
from dgrasp.robot.drivers.sockets import answers, reach, vendor_library
from dgrasp.robot.limits import MODEL_ERROR, SafetyLimits, check_posture, check_rigid, check_within

RTDE_PORT, DASHBOARD_PORT, SECONDARY_PORT = 30004, 29999, 30002
ROBOT_STATE, ROBOT_MODE_DATA = 16, 0  # kinds of message and of its parts on the secondary port, which sends at 10 Hz
POLL = 0.02  # s between looks at a motion
SILENCE = 0.6  # s without a new report before the connection counts as lost (the CB3 reports at 125 Hz)
WATCHDOG = 2.0  # Hz at which the controller wants signs of life, or it stops the arm: 0.5 s are 5 cm at 0.1 m/s
SIGN_OF_LIFE = 0.05  # s between ours
START_SECONDS = 1.0  # a motion that the controller has not begun by then was not accepted
CALL_SECONDS = 2.0  # that a call of the library may take; all but the longest take less than 0.1 s
PATIENCE = 10.0  # s that a motion may take beyond twice the time it takes if all is well, as `ExampleArm` has it
TURNING = 0.2  # rad/s that a straight motion turns at least, for that time
ARRIVED = (0.002, 0.01)  # m and rad, from the target of a straight motion
ARRIVED_JOINTS = 0.005  # rad
BRAKING = 4.0  # rad/s^2 of the fastest joint when stopped
REPORTED = (
    "timestamp",
    "actual_q",
    "actual_TCP_pose",
    "actual_TCP_force",
    "robot_mode",
    "safety_mode",
    "safety_status_bits",
    "robot_status_bits",
    "runtime_state",
)
ROBOT_MODE_RUNNING = 7
SAFETY_MODES = {1: "normal", 2: "reduced"}  # in which the arm may move
OTHER_SAFETY_MODES = {
    3: "protective stop",
    4: "recovery",
    5: "safeguard stop",
    6: "system emergency stop",
    7: "emergency stop",
    8: "violation",
    9: "fault",
}
PAUSES = (3, 4)  # of `runtime_state`: pausing, paused
BASE_FROM_WORLD = ur10.HALF_TURN @ np.block([[np.eye(3), -np.array(BASE_POSITION)[:, None]], [0, 0, 0, 1]])


class UrArm:
    """An `Arm`. Opening it uploads ur_rtde's control program; nothing moves before a motion is asked for."""

    def __init__(self, host: str, limits: SafetyLimits | None = None) -> None:
        """Raises ConnectionLost where nobody answers or the arm is not ready, ImportError without ur_rtde."""
        receive, control, self._dashboard = map(vendor_library, ("rtde_receive", "rtde_control", "dashboard_client"))
        self.host, self.limits = host, limits or SafetyLimits()
        for port in (DASHBOARD_PORT, RTDE_PORT):  # the library itself would wait for ever
            try:
                self.peer = reach(host, port)
            except OSError as error:
                raise ConnectionLost(
                    f"arm: nothing answers at {host}:{port} ({error}); is the controller on, and is this its address?"
                ) from error
        self.serial = serial_number(self.peer.address)
        self.real = moves_a_robot(self.peer.address)
        self._calls = threading.Lock()
        self._lost = ""  # why, once lost: the library reconnects by itself, without the watchdog
        self._closed = threading.Event()
        self._report: Any = None
        self._control: Any = None
        try:
            self._report = receive.RTDEReceiveInterface(self.peer.address, -1.0, list(REPORTED))
            self._check_ready()
            self._control = control.RTDEControlInterface(self.peer.address)
            tool = [0.0, 0.0, gripper.TOOL0_TCP, 0.0, 0.0, 0.0]
            if not (self._control.setTcp(tool) and self._control.setWatchdog(WATCHDOG)):
                raise ConnectionLost("arm: the controller did not accept TCP or watchdog; restart the cell")
            self._check_model()
        except BaseException as error:
            self._disconnect()
            if isinstance(error, RuntimeError) and not isinstance(error, CellFault):
                raise ConnectionLost(f"arm: the controller at {host} refuses to work with us ({error})") from error
            raise
        self._life = threading.Thread(target=self._give_signs_of_life, daemon=True, name="signs of life")
        self._life.start()

    # --- Arm

    def joints(self) -> Float[np.ndarray, "6"]:
        """Measured joint angles, radians."""
        self._check_reports()
        return np.array(self._report.getActualQ())

    def tcp(self) -> Float[np.ndarray, "4 4"]:
        """Measured `T_world_tcp`, by the controller's kinematics."""
        self._check_reports()
        return world_pose(self._report.getActualTCPPose())

    def move_joints(self, q: Float[np.ndarray, "6"], *, speed: float, acceleration: float) -> None:
        """See `Arm.move_joints`. Raises UnsafePose for what is not finite or above the limits, CellFault."""
        target = check_posture(q)
        check_within("joint speed", speed, self.limits.joint_speed, "rad/s")
        check_within("acceleration", acceleration, self.limits.acceleration, "rad/s^2")
        seconds = float(np.abs(self.joints() - target).max()) / speed + speed / acceleration
        with self._watched("joint motion", seconds):
            self._start("moveJ", target.tolist(), speed, acceleration)
        away = float(np.abs(self.joints() - target).max())
        if away > ARRIVED_JOINTS:
            raise CellFault(
                f"arm: the joint motion ended {np.degrees(away):.1f} degrees from its target; restart the cell"
            )

    def move_line(self, T_world_tcp: Float[np.ndarray, "4 4"], *, speed: float, acceleration: float) -> None:
        """See `Arm.move_line`. Raises UnsafePose for what is not finite or above the limits, CellFault."""
        check_rigid(T_world_tcp)
        check_within("linear speed", speed, self.limits.linear_speed, "m/s")
        check_within("acceleration", acceleration, self.limits.acceleration, "m/s^2")
        away, turned = _distance(self.tcp(), T_world_tcp)
        seconds = max(away / speed, turned / TURNING) + speed / acceleration
        with self._watched("straight motion", seconds):
            self._start("moveL", controller_pose(T_world_tcp), speed, acceleration)
        away, turned = _distance(self.tcp(), T_world_tcp)
        if away > ARRIVED[0] or turned > ARRIVED[1]:
            raise CellFault(
                f"arm: the straight motion ended {1000 * away:.1f} mm and {np.degrees(turned):.1f} degrees off its "
                "target; restart the cell"
            )

    def stop(self) -> None:
        """Stop through the control program; if that does not answer, through the dashboard. Never raises.

        Takes CALL_SECONDS for either at most, whatever else of the library hangs.
        """
        if not self._ask_program(lambda control: control.stopJ(BRAKING)):
            _within_time(self._stop_by_dashboard)

    def _ask_program(self, ask: Callable[[Any], object]) -> bool:
        """Whether the control program runs and did in time what it was asked."""
        done = threading.Event()

        def call() -> None:
            with contextlib.suppress(Exception), self._calling():
                if self._alive() and not self._halt() and self._control.isProgramRunning():  # halted: no answer comes
                    ask(self._control)
                    done.set()

        _within_time(call)
        return done.is_set()

    def _stop_by_dashboard(self) -> None:
        if answers(self.peer.address, DASHBOARD_PORT, timeout=0.5) is None:
            dashboard = self._dashboard.DashboardClient(self.peer.address)
            dashboard.connect()
            dashboard.stop()
            dashboard.disconnect()

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        """One call at a time. Raises ConnectionLost where another one does not end."""
        if not self._calls.acquire(timeout=CALL_SECONDS):
            raise ConnectionLost("arm: a call of the control program does not end; look at the arm, restart the cell")
        try:
            yield
        finally:
            self._calls.release()

    def close(self) -> None:
        """End the control program and disconnect; one that does not answer is ended through the dashboard."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._life.join(CALL_SECONDS)
        if not self._ask_program(lambda control: control.stopScript()) and self._runs():
            _within_time(self._stop_by_dashboard)
        self._lost = self._lost or "arm: the connection was closed; open the cell anew"
        self._disconnect()

    def _disconnect(self) -> None:
        for name in ("_control", "_report"):
            if library := getattr(self, name):
                _within_time(library.disconnect)
                del library
            setattr(self, name, None)  # its destructor blocks all threads for a second: now, not in a motion

    # --- watching

    @contextlib.contextmanager
    def _watched(self, name: str, seconds: float) -> Iterator[None]:
        """Begin a motion in the body, then watch it to its end; whatever goes wrong, the arm is told to stop.

        seconds: that it takes if all is well; PATIENCE and twice as long are allowed.
        """
        allowed = PATIENCE + 2 * seconds
        try:
            self._check_safety()
            rest = self._force()
            before = self._progress().operationId()
            yield
            begun = time.monotonic()
            while True:
                self._check_safety()
                self._check_force(rest, name)
                progress = self._progress()
                if progress.operationId() != before:
                    if not progress.isAsyncOperationRunning():
                        break
                elif time.monotonic() - begun > START_SECONDS:
                    raise CellFault(f"arm: the controller did not begin the {name} within {START_SECONDS} s")
                if time.monotonic() - begun > allowed:
                    raise CellFault(
                        f"arm: the {name} has not ended within {allowed:.1f} s; look at the arm and at the speed "
                        "slider of the pendant, restart the cell"
                    )
                time.sleep(POLL)
        except BaseException:
            self.stop()
            raise

    def _start(self, method: str, target: list[float], speed: float, acceleration: float) -> None:
        with self._calling():
            accepted = getattr(self._control, method)(target, speed, acceleration, True)
        if not accepted:
            self._check_safety()
            raise ConnectionLost(f"arm: the controller did not accept {method}; restart the cell to load its program")

    def _check_reports(self) -> None:
        """Raise unless a report younger than SILENCE is there."""
        if self._lost:
            raise ConnectionLost(self._lost)
        stamp, deadline = self._report.getTimestamp(), time.monotonic() + SILENCE
        while self._report.isConnected() and self._report.getTimestamp() == stamp:
            if time.monotonic() > deadline:
                break
            time.sleep(0.002)
        else:
            if self._report.isConnected():
                return
        self._lost = (
            f"arm: connection to {self.host} lost; the controller's watchdog stops the arm. "
            "Look at the arm, press the emergency stop if it moves, check the cable, restart the cell"
        )
        raise ConnectionLost(self._lost)

    def _check_safety(self) -> None:
        self._check_stops()
        if not self._control.isProgramRunning():
            time.sleep(2 * POLL)  # a stop ends the program, too, and its report may be on its way
            self._check_stops()
            raise ConnectionLost(
                "arm: the control program has ended on the controller; the arm stands. Restart the cell"
            )

    def _check_stops(self) -> None:
        self._check_reports()
        if self._report.isEmergencyStopped():
            raise CellFault("arm: emergency stop; release it, power the arm on at the pendant, restart the cell")
        if self._report.isProtectiveStopped():
            raise ProtectiveStop(
                "arm: protective stop, it met something; clear the way, unlock it at the pendant, restart the cell"
            )
        if halt := self._halt():
            raise CellFault(f"arm: {halt}; its motion was given up, see that nobody is near and restart the cell")

    def _halt(self) -> str:
        """What halts the arm but not its program, which would go on by itself afterwards; empty if nothing does."""
        mode, safety = self._report.getRobotMode(), self._report.getSafetyMode()
        if safety not in SAFETY_MODES:
            return f"{OTHER_SAFETY_MODES.get(safety, 'halted')} (safety mode {safety})"
        if mode != ROBOT_MODE_RUNNING:
            return f"not ready (robot mode {mode}, expected {ROBOT_MODE_RUNNING})"
        return "its program was paused" if self._report.getRuntimeState() in PAUSES else ""

    def _check_ready(self) -> None:
        self._check_reports()
        mode, safety = self._report.getRobotMode(), self._report.getSafetyMode()
        if mode != ROBOT_MODE_RUNNING or safety not in SAFETY_MODES:
            raise ConnectionLost(
                f"arm: not ready (robot mode {mode}, safety mode {safety}); power it on and release the brakes at the "
                f"pendant (robot mode {ROBOT_MODE_RUNNING}, safety mode {' or '.join(SAFETY_MODES.values())})"
            )

    def _force(self) -> np.ndarray:
        return np.array(self._report.getActualTCPForce()[:3])

    def _check_force(self, rest: np.ndarray, name: str) -> None:
        """The CB3 estimates the force from motor currents, with a bias by payload: the change since rest counts."""
        force = float(np.linalg.norm(self._force() - rest))
        if not force <= self.limits.contact_force:  # so that NaN stops the arm, too
            raise ProtectiveStop(
                f"arm: stopped at {force:.0f} N on the tool in the {name}, the cap is {self.limits.contact_force:.0f} N"
            )

    def _check_model(self) -> None:
        """Plans are made with our model of the arm: another arm, or another base or TCP, is found before it moves."""
        time.sleep(2 * POLL)  # until reports know the new TCP
        away, turned = _distance(self.tcp(), tcp_pose(self.joints()))
        if away > MODEL_ERROR[0] or turned > MODEL_ERROR[1]:
            raise CellFault(
                f"arm: its TCP is {1000 * away:.0f} mm and {np.degrees(turned):.0f} degrees from where a UR10 (CB3) "
                "has it at these joint angles; is it another model?"
            )

    def _progress(self) -> Any:
        return self._control.getAsyncOperationProgressEx()

    def _alive(self) -> bool:
        with contextlib.suppress(CellFault):
            self._check_reports()
            return True
        return False

    def _runs(self) -> bool:
        with contextlib.suppress(Exception):
            return self._alive() and bool(self._control.isProgramRunning())
        return False

    def _give_signs_of_life(self) -> None:
        while not self._closed.wait(SIGN_OF_LIFE):
            with contextlib.suppress(Exception), self._calling():
                if self._report.isConnected() and self._control.isProgramRunning():
                    self._control.kickWatchdog()


def _within_time(call: Callable[[], object]) -> None:
    """Call, and wait CALL_SECONDS for the end; a call that hangs is left behind, and what it raises is dropped."""

    def run() -> None:
        with contextlib.suppress(Exception):
            call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(CALL_SECONDS)


def serial_number(address: str, port: int = DASHBOARD_PORT) -> str:
    """What the controller says its serial number is; empty where it does not know the question.

    Asked without ur_rtde, which refuses the question to every CB3.
    """
    try:
        with socket.create_connection((address, port), 2.0) as connection, connection.makefile("rw") as lines:
            lines.readline()  # the greeting
            lines.write("get serial number\n")
            lines.flush()
            answer = lines.readline().strip()
    except OSError:
        return ""
    return answer if answer.isdigit() else ""


def moves_a_robot(address: str, port: int = SECONDARY_PORT, timeout: float = 2.0) -> bool | None:
    """Whether the controller says that a real arm is connected and enabled; None where it does not say.

    A simulator's does not, nor one that is set to simulation at the pendant.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((address, port), timeout) as connection, connection.makefile("rb") as stream:
            while time.monotonic() < deadline:
                size, kind = struct.unpack(">iB", stream.read(5))
                message = stream.read(size - 5)
                while kind == ROBOT_STATE and message:
                    size, part = struct.unpack_from(">iB", message)
                    if part == ROBOT_MODE_DATA:
                        _, connected, enabled = struct.unpack_from(">Q2?", message, 5)
                        return connected and enabled
                    message = message[max(size, 5) :]
    except (OSError, struct.error):  # nobody there, silence, or no controller's message
        pass
    return None


def _distance(T_1: np.ndarray, T_2: np.ndarray) -> tuple[float, float]:
    """Metres and radians between two poses."""
    turn = Rotation.from_matrix(T_1[:3, :3].T @ T_2[:3, :3])
    return float(np.linalg.norm(T_1[:3, 3] - T_2[:3, 3])), float(turn.magnitude())


def controller_pose(T_world_tcp: Float[np.ndarray, "4 4"]) -> list[float]:
    """x, y, z (m) and rotation vector (rad) in the controller's base, which is `base_link` turned half a turn."""
    T = BASE_FROM_WORLD @ T_world_tcp
    return [*T[:3, 3].tolist(), *Rotation.from_matrix(T[:3, :3]).as_rotvec().tolist()]


def world_pose(pose: list[float]) -> Float[np.ndarray, "4 4"]:
    """Inverse of `controller_pose`."""
    return transforms.inverse(BASE_FROM_WORLD) @ transforms.transform(Rotation.from_rotvec(pose[3:]), pose[:3])
