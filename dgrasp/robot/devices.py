"""A cell made of an arm, a gripper and cameras: the paper's with drivers, or the same drivers against stand-ins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.robot.cell import (
    Arm,
    Backend,
    Calibration,
    Camera,
    CellFault,
    Execution,
    Gripper,
    NotArmed,
    UnsafePose,
)
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.safety import HOME, SafeGrasp, SafetyCheck, check_joints
from dgrasp.robot.viewpoints import Viewpoint
from dgrasp.sim.gripper import TOOL0_TCP

CONFIRMATION = "I stand at the emergency stop"
AT_POSTURE = 0.01  # rad: nearer than this, the arm is there


class DeviceCell:
    """A `RobotCell`. Moves only between `with cell.armed(CONFIRMATION):` and the end of that block, or the first fault.

    peers: who answered, arm and gripper; all of them on this machine makes the backend "loopback", none "hardware".
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
        serials: Mapping[str, str],
        safety: SafetyCheck,
        dry_run: bool = False,
    ) -> None:
        self.arm, self.gripper, self.cameras = arm, gripper, dict(cameras)
        self.viewpoints, self.calibration, self.dry_run = tuple(viewpoints), calibration, dry_run
        addresses = {part: peer.address for part, peer in peers.items()}
        numbers = ", ".join(f"{name} {camera.serial or 'without a number'}" for name, camera in self.cameras.items())
        self.devices: Mapping[str, str] = {**addresses, **serials, "cameras": numbers}
        self._backend = backend_of(peers)
        if self._backend == "hardware" and not all(camera.serial for camera in self.cameras.values()):
            raise ValueError(f"cameras: {numbers}; expected devices with a serial number where a robot answers")
        self.safety = safety
        self._check_viewpoints()
        self.broken = ""  # the fault that ended this cell's work, in words
        self._armed = False

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

    @contextmanager
    def armed(self, confirm: str) -> Iterator[DeviceCell]:
        """Allow motions inside the block. `confirm` must be CONFIRMATION, word for word.

        Raises NotArmed for other words, and after a fault: then this cell is to be closed and opened anew.
        """
        if self.broken:
            raise NotArmed(f"the cell stays disarmed after a fault, close it and open it anew ({self.broken})")
        if confirm != CONFIRMATION:
            raise NotArmed(f"the cell stays disarmed: confirm with the words {CONFIRMATION!r}, if they are true")
        self._armed = True
        try:
            yield self
        finally:
            self._armed = False

    def close(self) -> None:
        """Let go of all devices; safe to call twice."""
        self._armed = False
        parts: list[Arm | Gripper | Camera | SafetyCheck] = [
            self.arm,
            self.gripper,
            *self.cameras.values(),
            self.safety,
        ]
        for part in parts:
            part.close()

    # --- RobotCell

    def observe(self) -> Views:
        """Views from the fixed viewpoints, the arm home or at each view's posture. Raises CellFault, NotArmed."""
        images, Ks, Ts = [], [], []
        with self._guarded():
            for view in self.viewpoints:
                calibrated = self.calibration.of(view.camera)
                self._go(HOME if view.posture is None else np.array(view.posture))
                image = self.cameras[view.camera].capture()
                if image.shape != (calibrated.height, calibrated.width, 3):
                    raise CellFault(
                        f"camera {view.camera}: image of shape {image.shape}, but it was calibrated at "
                        f"{calibrated.width}x{calibrated.height}; calibrate anew or set its resolution"
                    )
                images.append(image)
                Ks.append(calibrated.intrinsics.matrix)
                Ts.append(self._mount_pose(calibrated.mount) @ np.array(calibrated.T_mount_cam))
            if any(view.posture is not None for view in self.viewpoints):
                self._go(HOME)
        return Views(np.stack(images), np.stack(Ks), np.stack(Ts))

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """See `RobotCell.rehearse`; calls no driver."""
        self.safety.grasp(T_world_tcp)

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """See `RobotCell.execute`; release puts the object back where it was."""
        grasp = self.safety.grasp(T_world_tcp)
        if self.dry_run:
            return Execution(grasp.T_world_grasp, moved=False)
        with self._guarded():
            return self._execute(grasp)

    # --- motion

    def _execute(self, grasp: SafeGrasp) -> Execution:
        seconds: dict[str, float] = {}
        self._timed(seconds, "home", lambda: self._go(HOME))
        self._timed(seconds, "open", self._open)
        self._timed(seconds, "travel", lambda: self._joints(grasp.q_before))
        self._timed(seconds, "approach", lambda: self._line(grasp.T_world_grasp))
        width = self._timed(seconds, "close", lambda: self._grip(0.0))
        self._timed(seconds, "lift", lambda: self._line(grasp.T_world_lifted))
        self._timed(seconds, "hold", lambda: time.sleep(self.safety.motion.hold_seconds))
        holds = self.gripper.holds()
        execution = Execution(grasp.T_world_grasp, moved=True, holds=holds, width=width, seconds=seconds)
        try:
            self._timed(seconds, "release", lambda: self._release(grasp))
        except BaseException as error:  # an operator's interrupt, too: the grasp is over, whatever it was
            error.executed = execution  # type: ignore[attr-defined]
            raise
        return execution

    def _release(self, grasp: SafeGrasp) -> None:
        """The checked way backwards: down, open, back along the approach, home."""
        self._line(grasp.T_world_grasp)
        self._grip(self.safety.motion.open_width)
        self._line(grasp.T_world_before)
        self._joints(HOME)

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

    def _line(self, T_world_tcp: np.ndarray) -> None:
        self._check_armed()
        motion = self.safety.motion
        self.arm.move_line(T_world_tcp, speed=motion.linear_speed, acceleration=motion.acceleration)

    def _grip(self, width: float) -> float:
        self._check_armed()
        motion = self.safety.motion
        return self.gripper.move(width, speed=motion.grip_speed, force=motion.grip_force)

    def _open(self) -> None:
        self._check_armed()
        self.gripper.activate()
        self._grip(self.safety.motion.open_width)

    def _check_armed(self) -> None:
        if not self._armed:
            raise NotArmed(
                f"the cell is disarmed: motions need `with cell.armed({CONFIRMATION!r}):`, and arming ends with a fault"
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever goes wrong inside: stop the arm, disarm, and let the error through."""
        try:
            yield
        except (UnsafePose, NotArmed):  # refused before anything moved
            raise
        except BaseException as error:
            self._armed = False
            if isinstance(error, CellFault):
                self.broken = str(error)
            self.arm.stop()
            raise

    def _timed(self, seconds: dict[str, float], phase: str, act: Callable[[], float | None]) -> float | None:
        begun = time.monotonic()
        try:
            result = act()
        except CellFault as fault:
            fault.phase = phase
            raise
        seconds[phase] = round(time.monotonic() - begun, 3)
        return result

    # --- views

    def _mount_pose(self, mount: str) -> np.ndarray:
        if mount == "world":
            return np.eye(4)
        T_world_tool0 = self.arm.tcp()
        T_world_tool0[:3, 3] -= TOOL0_TCP * T_world_tool0[:3, 2]
        return T_world_tool0

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
                check_joints(np.array([view.posture]), self.safety.limits)


def backend_of(peers: Mapping[str, Peer]) -> Backend:
    """Which backend those make who answered; raises ValueError for a mixture, or without an arm."""
    if "arm" not in peers:
        raise ValueError(f"devices: expected at least the arm, got {', '.join(peers) or 'nothing'}")
    if len({peer.here for peer in peers.values()}) > 1:
        addresses = {part: peer.address for part, peer in peers.items()}
        raise ValueError(f"devices: some are stand-ins on this machine and some are not: {addresses}")
    return "loopback" if peers["arm"].here else "hardware"
