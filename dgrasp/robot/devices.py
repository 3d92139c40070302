"""A cell made of an arm, a gripper and cameras: the paper's with drivers, or the same drivers against stand-ins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, UInt8

from dgrasp.cameras import Views
from dgrasp.cell.hand import CAMERA_SENSOR
from dgrasp.cell.interface import (
    Arm,
    Backend,
    Calibration,
    Camera,
    CameraCalibration,
    CellFault,
    Execution,
    Gripper,
    HandNotEmpty,
)
from dgrasp.cell.model import PAPERS, CellModel
from dgrasp.cell.transforms import inverse, transform, yaw
from dgrasp.robot.arming import CONFIRMATION as CONFIRMATION
from dgrasp.robot.arming import OneHand
from dgrasp.robot.arrival import AT_POSTURE, check_above_board, check_reached, check_there
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.limits import check_joints
from dgrasp.robot.log import REAL
from dgrasp.robot.safety import SafeGrasp, SafetyCheck
from dgrasp.robot.viewpoints import Viewpoint

MOUNT_ERROR = 0.02  # m that the camera may be beside its place in the model of the hand
Result = TypeVar("Result")
HOLDING = ("lift", "hold", "release")  # phases that may end with an object in the hand


class DeviceCell(OneHand):
    """A `RobotCell`. Moves only between `with cell.armed(CONFIRMATION):` and the end of that block, or the first fault.

    Only the thread that armed it moves it; what another does with it waits until a grasp is over (see `OneHand`).
    After each motion, and before the fingers close, the arm is measured: one that is not where it was told to be is a
    fault (`dgrasp.robot.arrival`), whatever its driver says.

    peers: who answered, arm and gripper. real: whether the controller says that it moves a real arm (None: it does not
    say). A real arm elsewhere makes the backend "hardware", stand-ins on this machine or a simulator "loopback".
    own: whether the arm's driver is the user's, who is then asked for `real`, where it must be known.
    serials: numbers of other parts, as far as known. `devices` names all for the log, peers by the address reached and
    cameras by their own numbers; one without a number is no part of a robot's cell (ValueError).
    dry_run: grasps are checked and not executed. A camera on the arm is still carried to its views, which are motions
    like any other, checked and only when armed; with standing cameras and the arm at home, nothing moves.
    Closing the cell closes all that it was given.
    """

    def __init__(
        self,
        arm: Arm,
        gripper: Gripper,
        cameras: Mapping[str, Camera],
        viewpoints: tuple[Viewpoint, ...],
        calibration: Calibration,
        *,
        peers: Mapping[str, Peer],
        real: bool | None,
        serials: Mapping[str, str],
        safety: SafetyCheck,
        dry_run: bool = False,
        own: bool = False,
    ) -> None:
        super().__init__()
        self.arm, self.gripper, self.cameras = arm, gripper, dict(cameras)
        self.viewpoints, self.calibration, self.dry_run = tuple(viewpoints), calibration, dry_run
        addresses = {part: peer.address for part, peer in peers.items()}
        numbers = ", ".join(f"{name} {camera.serial or 'without a number'}" for name, camera in self.cameras.items())
        self._backend = backend_of(peers, real, own=own)
        robot = REAL if self._backend == "hardware" else "none"
        self.devices: Mapping[str, str] = {**addresses, "robot": robot, **serials, "cameras": numbers}
        if self._backend == "hardware" and not all(camera.serial for camera in self.cameras.values()):
            raise ValueError(f"cameras: {numbers}; expected devices with a serial number where a robot answers")
        self.safety = safety
        self._check_viewpoints()

    def __enter__(self) -> DeviceCell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def backend(self) -> Backend:
        return self._backend

    @property
    def settings(self) -> Mapping[str, Any]:
        limits, motion = self.safety.limits, self.safety.motion
        return {"limits": limits.model_dump(mode="json"), "motion": motion.model_dump(mode="json")}

    @property
    def calibration_id(self) -> str:
        return self.calibration.id

    def close(self) -> None:
        """Let go of all devices, and stop the arm if another thread moves it; safe to call twice."""
        self.end()
        cameras = [camera.close for camera in self.cameras.values()]
        with ExitStack() as closing:  # whichever of them fails, all are closed, the arm first
            for close in (self.safety.close, *cameras, self.gripper.close, self.arm.close):
                closing.callback(close)

    # --- RobotCell

    def observe(self) -> Views:
        """Views from the fixed viewpoints, the arm home or at each view's posture. Raises CellFault, NotArmed."""
        taken: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        with self._turn(), self._guarded():
            if any(view.posture is not None for view in self.viewpoints):
                self._check_hand()
            for view in self.viewpoints:
                self._go(self.safety.arm.home if view.posture is None else np.array(view.posture))
                taken.append(self._picture(view.camera))
            if any(view.posture is not None for view in self.viewpoints):
                self._go(self.safety.arm.home)
        return Views(*(np.stack(column) for column in zip(*taken, strict=True)))

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """See `RobotCell.rehearse`; calls no driver."""
        with self._turn():
            self.safety.grasp(T_world_tcp)

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """See `RobotCell.execute`; release puts the object back where it was."""
        with self._turn():
            grasp = self.safety.grasp(T_world_tcp)
            if self.dry_run:
                return Execution(grasp.T_world_grasp, moved=False)
            with self._guarded():
                return self._execute(grasp)

    # --- motion

    def _execute(self, grasp: SafeGrasp) -> Execution:
        seconds: dict[str, float] = {}
        self._timed({}, "look", self._check_hand)
        self._timed(seconds, "home", lambda: self._go(self.safety.arm.home))
        self._timed(seconds, "open", self._open)
        self._timed(seconds, "travel", lambda: self._joints(grasp.q_before))
        grasp = self._timed(seconds, "approach", lambda: self._approach(grasp))
        width = self._timed(seconds, "close", lambda: self._close(grasp))
        self._timed(seconds, "lift", lambda: self._line(grasp.T_world_lifted))
        self._timed(seconds, "hold", lambda: self._rest(self.safety.motion.hold_seconds))
        holds = self.gripper.holds()
        execution = Execution(grasp.T_world_grasp, moved=True, holds=holds, width=width, seconds=seconds)
        try:
            self._timed(seconds, "release", lambda: self._release(grasp))
        except BaseException as error:  # an operator's interrupt, too: the grasp is over, whatever it was
            error.executed = execution  # type: ignore[attr-defined]
            raise
        return execution

    def _approach(self, grasp: SafeGrasp) -> SafeGrasp:
        """From the pre-grasp to the grasp; returns the one that was reached, with its ways on."""
        self._line(grasp.T_world_grasp)
        return grasp

    def _close(self, grasp: SafeGrasp) -> float:
        """Close the fingers, with the arm where it is taken to be. Returns the width."""
        check_above_board(check_there(self.arm, grasp.T_world_grasp, "before closing"), self.safety.limits)
        return self._grip(0.0)

    def let_go(self) -> None:
        """Open the fingers where the hand is, after a fault that left an object in them: a person holds it meanwhile.

        Raises NotArmed, SilentGripper.
        """
        with self._turn(), self._guarded():
            self._open()

    def _check_hand(self) -> None:
        self._check_armed(moves=False)
        if self.gripper.holds():
            raise HandNotEmpty(
                "the gripper holds an object of an earlier grasp: the arm would carry it about and drop it. "
                "Hold the object, then `with cell.armed(...): cell.let_go()`"
            )

    def _release(self, grasp: SafeGrasp) -> None:
        """The checked way backwards: down, open, back along the approach, home."""
        self._line(grasp.T_world_grasp)
        self._grip(self.safety.motion.open_width)
        self._line(grasp.T_world_before)
        self._joints(self.safety.arm.home)

    def _go(self, q: np.ndarray) -> None:
        """A joint motion from wherever the arm is, checked first; none where it is already there."""
        now = self.arm.joints()
        if np.abs(now - q).max() < AT_POSTURE:
            return
        self.safety.joint_motion(now, q)
        self._joints(q)

    def _joints(self, q: np.ndarray) -> None:
        self._check_armed()
        speed = self.safety.joint_speed(self.arm.joints(), q)
        self.arm.move_joints(q, speed=speed, acceleration=self.safety.motion.acceleration)
        check_reached(self.arm, q, self.safety.arm)

    def _line(self, T_world_tcp: np.ndarray) -> None:
        self._check_armed()
        motion = self.safety.motion
        self.arm.move_line(T_world_tcp, speed=motion.linear_speed, acceleration=motion.acceleration)
        check_there(self.arm, T_world_tcp)

    def _grip(self, width: float) -> float:
        self._check_armed()
        motion = self.safety.motion
        return self.gripper.move(width, speed=motion.grip_speed, force=motion.grip_force)

    def _open(self) -> None:
        self._check_armed()
        self.gripper.activate()
        self._grip(self.safety.motion.open_width)

    def _stop(self) -> None:
        self.arm.stop()

    def _timed(self, seconds: dict[str, float], phase: str, act: Callable[[], Result]) -> Result:
        begun = time.monotonic()
        try:
            result = act()
        except CellFault as fault:
            fault.phase = phase
            if phase in HOLDING:
                fault.args = (f"{fault}. The fingers may still hold the object: see DeviceCell.let_go",)
            raise
        seconds[phase] = round(time.monotonic() - begun, 3)
        return result

    # --- views

    def _picture(self, camera: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, K and `T_world_cam` of a camera, from wherever the arm is."""
        calibrated = self.calibration.of(camera)
        image = self._capture(camera)
        if image.shape != (calibrated.height, calibrated.width, 3):
            raise CellFault(
                f"camera {camera}: image of shape {image.shape}, but it was calibrated at "
                f"{calibrated.width}x{calibrated.height}; calibrate anew or set its resolution"
            )
        return upright(image, calibrated, self._mount_pose(calibrated.mount) @ np.array(calibrated.T_mount_cam))

    def _capture(self, camera: str) -> UInt8[np.ndarray, "h w 3"]:
        return self.cameras[camera].capture()

    def _mount_pose(self, mount: str) -> np.ndarray:
        if mount == "world":
            return np.eye(4)
        return self.arm.tcp() @ inverse(self.safety.hand.T_flange_tcp)

    def _check_viewpoints(self) -> None:
        if not self.viewpoints:
            raise ValueError("viewpoints: expected one at least")
        for view in self.viewpoints:
            calibrated = self.calibration.of(view.camera)
            if view.camera not in self.cameras:
                raise KeyError(f"viewpoint of camera {view.camera!r}, connected are: {', '.join(self.cameras)}")
            if (view.posture is None) != (calibrated.mount == "world"):
                raise ValueError(
                    f"viewpoint of camera {view.camera!r}, mounted on {calibrated.mount!r}: a camera on tool0 needs a "
                    "posture, a standing one has none"
                )
            if view.posture is not None:
                check_mount(calibrated, self.safety.limits.model)
                check_joints(np.array([view.posture]), self.safety.limits)


def upright(
    image: UInt8[np.ndarray, "h w 3"], camera: CameraCalibration, T_world_cam: Float[np.ndarray, "4 4"]
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]:
    """Image, K and pose of a view, turned by half a turn where the camera hangs upside down: policies know no such."""
    K = camera.intrinsics.matrix
    if T_world_cam[2, 1] <= 0:  # the image's downward axis points down
        return image, K, T_world_cam
    K = K.copy()
    K[0, 2], K[1, 2] = camera.width - 1 - K[0, 2], camera.height - 1 - K[1, 2]
    return image[::-1, ::-1].copy(), K, T_world_cam @ transform(yaw(np.pi))


def check_mount(camera: CameraCalibration, cell: CellModel = PAPERS) -> None:
    """A camera on the hand is where the cell's model has one, which collisions are checked with, or ValueError."""
    known = [np.array(CAMERA_SENSOR)]
    if cell.description is not None:
        known = [c.T_carrier_cam[:3, 3] for c in cell.description.cameras if c.mounted is not None]
        if not known:
            raise ValueError(f"camera {camera.camera}: {cell.name} has no camera on its hand; mount it on the world")
    at = np.array(camera.T_mount_cam)[:3, 3]
    modelled = min(known, key=lambda p: float(np.linalg.norm(at - p)))
    if (away := float(np.linalg.norm(at - modelled))) > MOUNT_ERROR:
        at_mm, modelled_mm = (", ".join(f"{1000 * v:.0f}" for v in p) for p in (at, modelled))
        raise ValueError(
            f"camera {camera.camera}: its sensor is at ({at_mm}) mm from the flange, {1000 * away:.0f} mm from where "
            f"the model of the hand has it, ({modelled_mm}) mm: collisions would be checked with a camera elsewhere. "
            f"Mount it there, to {1000 * MOUNT_ERROR:.0f} mm"
        )


def backend_of(peers: Mapping[str, Peer], real: bool | None, *, own: bool = False) -> Backend:
    """Which backend those make who answered; raises ValueError for a mixture, without an arm, or if nobody can tell.

    real: whether the arm says that it is one, None: it does not say. own: whether its driver is the user's.
    """
    if "arm" not in peers:
        raise ValueError(f"devices: expected at least the arm, got {', '.join(peers) or 'nothing'}")
    if len({peer.here for peer in peers.values()}) > 1:
        addresses = {part: peer.address for part, peer in peers.items()}
        raise ValueError(f"devices: some are stand-ins on this machine and some are not: {addresses}")
    here, address = peers["arm"].here, peers["arm"].address
    if here and real:
        raise ValueError(
            f"arm: what answers at {address}, on this machine, says that it moves a real arm; connect to the "
            "controller's own address, which is what the log must name"
        )
    if not here and real is None:
        ask = "set `real = True` (or False, for a simulator) in your driver" if own else "is its port 30002 open?"
        raise ValueError(f"arm: the controller at {address} does not say whether it moves a real arm; {ask}")
    return "hardware" if real else "loopback"
