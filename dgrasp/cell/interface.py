"""What a grasp policy and an attempt may know of a robot cell, whichever of the five backends it is.

    hardware    the UR10, 2F-140 and D415 of the paper, through `dgrasp.robot.drivers`
    twin        the PyBullet cell with what reality adds
    simulation  the PyBullet cell of the training data (Table 1)
    replay      a recorded trial log; nothing moves
    loopback    the unmodified drivers against stand-ins on 127.0.0.1 (tests)

`RobotCell` is the interface; `Arm`, `Gripper` and `Camera` are the devices that `dgrasp.robot.devices.DeviceCell`
is made of. The world frame is tied to the arm: its `base_link` stands at `dgrasp.cell.workspace.BASE_POSITION`, so that
poses mean the same in simulation and in the lab. Metres, radians, newtons, seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, field_validator, model_validator

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_problem
from dgrasp.config import Config

Backend = Literal["hardware", "twin", "simulation", "replay", "loopback"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Row = tuple[float, float, float, float]


class UnsafePose(ValueError):
    """A pose or motion was refused before any driver was called; the message says why and what is allowed."""


class NotArmed(RuntimeError):
    """A motion was asked of a cell that nobody has armed, or another thread, or that has ended its work."""


class HandNotEmpty(NotArmed):
    """A motion was asked of a cell whose gripper still holds something."""


class CellFault(RuntimeError):
    """A device failed. The arm has been told to stop; the message says what happened and what the operator does.

    phase: of the execution, where it happened in one ("home", "approach", ...).
    executed: what the grasp had come to, if the fault came after it, while the object was put down.
    """

    phase = ""
    executed: Execution | None = None


class ConnectionLost(CellFault):
    """The arm's controller no longer answers."""


class ProtectiveStop(CellFault):
    """The arm pressed on something and was stopped, by its controller or by our force cap."""


class FrozenCamera(CellFault):
    """The camera delivers no new frames, or the same frame again."""


class SilentGripper(CellFault):
    """The gripper does not answer, or reports a fault."""


class Arm(Protocol):
    """Its joints, in the order of the cell's `arm.joints`; motions block until the arm stands still. Raises CellFault.

    (The paper's cell has six, ordered as `dgrasp.cell.ur10.JOINTS`.) A driver of one's own also has three attributes,
    see `dgrasp.robot.hardware.OwnArm`: `peer`, who answers; `real`, True for a real arm, False for a simulator, and
    None for what does not say, which is refused unless it answers on this machine; `serial`, a number or "".
    """

    def joints(self) -> Float[np.ndarray, "joints"]:
        """Measured joint angles, radians."""
        ...

    def tcp(self) -> Float[np.ndarray, "4 4"]:
        """Measured `T_world_tcp`, by the arm's own kinematics (calibrated at the factory, where it is real)."""
        ...

    def move_joints(self, q: Float[np.ndarray, "joints"], *, speed: float, acceleration: float) -> None:
        """Synchronised joint motion; speed of the fastest joint in rad/s, acceleration in rad/s^2."""
        ...

    def move_line(self, T_world_tcp: Float[np.ndarray, "4 4"], *, speed: float, acceleration: float) -> None:
        """Straight motion of the TCP; m/s and m/s^2."""
        ...

    def stop(self) -> None:
        """Stop as fast as the controller allows; also called from another thread while a motion blocks.

        Never raises: it is what runs after everything else failed.
        """
        ...

    def close(self) -> None:
        """Let go of the controller; safe to call twice."""
        ...


class Gripper(Protocol):
    """Two parallel fingers. Raises SilentGripper. A driver of one's own has a `peer`, as `Arm` says."""

    def activate(self) -> None:
        """Make it ready; it may open and close fully. Nothing happens if it is ready."""
        ...

    def move(self, width: float, *, speed: float, force: float) -> float:
        """Open or close to `width` (m between the pads) at `speed` (m/s) and `force` (N per pad); blocks.

        Returns the width at which the fingers stand.
        """
        ...

    def holds(self) -> bool:
        """Whether the gripper's own sensing says that the fingers stopped on something while closing."""
        ...

    def close(self) -> None:
        """Let go of the device; safe to call twice."""
        ...


class Camera(Protocol):
    """A colour camera. Raises FrozenCamera."""

    @property
    def serial(self) -> str:
        """The device's own number; empty where it has none, as in a stand-in, which is refused next to a real arm."""
        ...

    def capture(self) -> UInt8[np.ndarray, "height width 3"]:
        """An RGB image exposed after this call."""
        ...

    def close(self) -> None:
        """Let go of the device; safe to call twice."""
        ...


class CameraCalibration(Config):
    """Intrinsics and mounting of one camera.

    `mount` is the frame that carries the camera: "tool0" (the flange; hand-eye calibration) or "world" (it stands).
    """

    camera: str = Field(description="name or serial number of the camera")
    width: int = Field(ge=1, description="image width, pixels")
    height: int = Field(ge=1, description="image height, pixels")
    fx: float = Field(gt=0, description="focal length, pixels")
    fy: float = Field(gt=0, description="focal length, pixels")
    cx: float = Field(description="principal point, pixels")
    cy: float = Field(description="principal point, pixels")
    mount: Literal["tool0", "world"] = Field(description="frame that carries the camera")
    T_mount_cam: tuple[Row, Row, Row, Row] = Field(description="pose of the camera frame (OpenCV axes) in the mount")

    @field_validator("T_mount_cam")
    @classmethod
    def _is_a_pose(cls, T: tuple[Row, Row, Row, Row]) -> tuple[Row, Row, Row, Row]:
        if problem := pose_problem(T):
            raise ValueError(problem)
        return T

    @model_validator(mode="after")
    def _lens(self) -> Self:
        self.intrinsics.check_lens()
        return self

    @property
    def intrinsics(self) -> Intrinsics:
        return Intrinsics(self.width, self.height, self.fx, self.fy, self.cx, self.cy)


class Calibration(Config):
    """All cameras of a cell. `id` names the calibration in trial logs: another calibration has another id."""

    cameras: tuple[CameraCalibration, ...] = Field(min_length=1)
    note: str = Field(default="", description="when, by whom, residuals")

    @field_validator("cameras")
    @classmethod
    def _are_different(cls, cameras: tuple[CameraCalibration, ...]) -> tuple[CameraCalibration, ...]:
        names = [camera.camera for camera in cameras]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"camera {twice[0]!r} is calibrated twice; a camera has one calibration")
        return cameras

    @property
    def id(self) -> str:
        return self.digest()[:12]

    def of(self, camera: str) -> CameraCalibration:
        """Look a camera up; raises KeyError naming what exists."""
        for calibrated in self.cameras:
            if calibrated.camera == camera:
                return calibrated
        known = ", ".join(c.camera for c in self.cameras)
        raise KeyError(f"camera {camera!r} is not calibrated; calibrated: {known}")


@dataclass(frozen=True, eq=False)
class Execution:
    """What a cell did with a pose.

    T_world_tcp: the pose asked for; of an arm that was led, the one it reached. moved: whether an arm (real or
    simulated) moved at all. holds: what the gripper senses after the lift (None where nothing moved). width: between
    the pads after closing, metres. seconds: per phase and in the cell's own time. The rest is filled by cells that
    judge for themselves (simulation and twin, by physics; the replay, from its log). outcome: None where a person has
    to judge. object: the one that was lifted, if any. duration: of the whole grasp, seconds in the cell's own time.
    """

    T_world_tcp: np.ndarray
    moved: bool
    holds: bool | None = None
    width: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    outcome: Outcome | None = None
    reason: str = ""
    object: str = ""
    duration: float | None = None


class RobotCell(Protocol):
    """A cell that shows a scene and grasps in it. Nothing here says which backend it is but `backend` itself."""

    @property
    def backend(self) -> Backend:
        """Who acts."""
        ...

    @property
    def dry_run(self) -> bool:
        """Whether grasps are checked and not executed: such a series gives no verdicts."""
        ...

    @property
    def devices(self) -> Mapping[str, str]:
        """Addresses or serial numbers of the devices that act, by part; none in simulation and replay."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What else decides how it acts (safety limits, motion), as JSON: it heads the log, and is one per series."""
        ...

    @property
    def calibration_id(self) -> str:
        """Names the calibration that `observe` relies on."""
        ...

    def observe(self) -> Views:
        """Calibrated RGB views from the cell's fixed viewpoints: all that a policy may see. Raises CellFault."""
        ...

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """Dry run: check the grasp and the way to it without moving anything. Raises UnsafePose."""
        ...

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """Rehearse, then home, approach, close, lift, hold, release. Raises UnsafePose, NotArmed, CellFault.

        (The simulation alone does not rehearse: there, what cannot be reached is an outcome.)
        """
        ...

    def close(self) -> None:
        """Let go of everything; safe to call twice."""
        ...


def banner(backend: Backend, source: str = "") -> str:
    """The line that notebook, table and log carry: which backend moved, or that no robot moved."""
    lines = {
        "hardware": "HARDWARE: a real robot moves in these trials.",
        "twin": "TWIN: no robot moved; the trials ran in simulation.",
        "simulation": "SIMULATION: no robot moved; the trials ran in the cell of the training data.",
        "replay": "REPLAY: no robot moved; the trials are read from a log{source}.",
        "loopback": "LOOPBACK: no robot moved; the drivers spoke to stand-ins or to a simulator.",
    }
    if backend not in lines:
        raise ValueError(f"unknown backend {backend!r}; backends: {', '.join(BACKENDS)}")
    return lines[backend].format(source=f" of backend {source!r}" if source else "")
