"""Open the paper's devices as one cell, from one file that a lab writes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.cell.following import StepLimits
from dgrasp.cell.interface import Arm, Calibration, Camera, CameraCalibration, Gripper
from dgrasp.cell.looking import meant, middle_of_floor, share_seen
from dgrasp.cell.workspace import BASE_POSITION, BOARD_TOP
from dgrasp.config import Config, explain
from dgrasp.files import UserFileError, read_yaml, write_text
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.drivers.robotiq import CLOSED_COUNTS, OPEN_COUNTS, RobotiqGripper, check_counts
from dgrasp.robot.drivers.robotiq import PORT as GRIPPER_PORT
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.drivers.ur import UrArm
from dgrasp.robot.following import SteeredDevices
from dgrasp.robot.limits import MotionConfig, SafetyLimits, motion_of
from dgrasp.robot.safety import SafetyCheck
from dgrasp.robot.viewpoints import Viewpoint

BOARD_HEIGHT = BOARD_TOP - BASE_POSITION[2]  # m: of the board's top above `base_link`, in the cell the policies know
FAR = 10.0  # m: no camera of a bench stands that far from the world's origin, but millimetres do
NEAR_BOARD = 1.0  # m: no board is that far beside its height, but millimetres are
BOARD_ERROR = 0.002  # m; our choice: what `SafetyLimits.minimum_height` leaves under closed fingertips


ADDRESS = r"^[A-Za-z0-9.:_-]*$"  # host names and addresses; no blanks, no ways of reaching them


class NoDriver(UserFileError):
    """This project has no driver for an arm and a hand; the message says what to bring instead."""


class OwnArm(Arm, Protocol):
    """A driver of one's own.

    peer: who answers (`dgrasp.robot.drivers.sockets.peer_of` of a TCP connection). real: whether that moves a real arm:
    True, or False for a simulator; None, it does not say, is accepted from this machine alone. serial: the controller's
    number, for the log; may be empty.
    """

    peer: Peer
    real: bool | None
    serial: str


class OwnGripper(Gripper, Protocol):
    """A driver of one's own. peer: who answers, as for `OwnArm`."""

    peer: Peer


class HardwareConfig(Config):
    """A lab's cell: addresses, calibration, views, limits. cell: another than the paper's, for drivers of one's own."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"cell"})
    cell: CellDescription | None = Field(
        None,
        description="another cell (dgrasp.cell.description): its name, its file (from this folder on), or all of it; "
        "null: the paper's",
    )
    arm: str = Field(min_length=1, pattern=ADDRESS, description="address of the arm's controller")
    gripper: str = Field(
        default="", pattern=ADDRESS, description="address of the URCap's socket; empty: the arm's controller"
    )
    gripper_port: int = Field(default=GRIPPER_PORT, ge=1, le=65535, description="of the URCap's socket")
    gripper_counts: tuple[int, int] = Field(
        default=(OPEN_COUNTS, CLOSED_COUNTS), description="at 140 mm and at 0 mm, see `RobotiqGripper.calibrate`"
    )
    cameras: dict[str, str] = Field(min_length=1, description="name in the calibration -> serial number of a D415")
    board_heights: tuple[float, ...] = Field(
        min_length=3,
        description="z of the board's top in the arm's base frame, m, at three places or more (`touched_height`)",
    )
    viewpoints: tuple[Viewpoint, ...] = Field(min_length=1, description="fixed views, in the policies' order")
    calibration: Calibration
    limits: SafetyLimits = SafetyLimits()
    motion: MotionConfig = MotionConfig()
    steps: StepLimits = StepLimits(rate=2)  # stop and go: at 0.5 m/s^2 a step of 2 cm takes 0.4 s

    @field_validator("gripper_counts")
    @classmethod
    def _counts(cls, counts: tuple[int, int]) -> tuple[int, int]:
        return check_counts(counts)

    @model_validator(mode="before")
    @classmethod
    def _described(cls, values: Any) -> Any:
        """The cell is read, and what is not said of limits and motion is its own."""
        if not isinstance(values, dict) or values.get("cell") is None:
            return values
        cell = CellConfig(description=values["cell"]).description
        if cell is None:
            return values | {"cell": None}
        own = {"limits": {"cell": cell}, "motion": motion_of(SafetyLimits(cell=cell)).model_dump()}
        said = {name: values.get(name) or {} for name in own}
        given = {name: v.model_dump() if isinstance(v, Config) else v for name, v in said.items()}
        return values | {"cell": cell} | {name: own[name] | given[name] for name in own}

    @model_validator(mode="after")
    def _board(self) -> Self:
        expected = BOARD_HEIGHT
        if self.cell is not None:
            expected = self.cell.bench.board_top - self.cell.arm.base_position[2]
        worst = max(self.board_heights, key=lambda z: abs(z - expected))
        if abs(worst - expected) > NEAR_BOARD:
            raise ValueError(
                f"board_heights: {worst:g} m from the arm's base, expected is {expected:g} m; are these millimetres, "
                "not metres?"
            )
        if not abs(worst - expected) <= BOARD_ERROR:
            raise ValueError(
                f"board_heights: the board's top was measured at {1000 * worst:.1f} mm from the arm's base, expected "
                f"is {1000 * expected:.1f} mm to {1000 * BOARD_ERROR:.0f} mm: fingertips would meet it, or miss "
                "objects. Shim the board, or the arm"
            )
        return self

    @model_validator(mode="after")
    def _cameras(self) -> Self:
        for view in self.viewpoints:
            if view.camera not in self.cameras:
                raise ValueError(f"viewpoints: unknown camera {view.camera!r}; cameras: {', '.join(self.cameras)}")
        serials = list(self.cameras.values())
        if twice := [serial for serial in self.cameras.values() if serials.count(serial) > 1]:
            raise ValueError(f"cameras: two have the serial number {twice[0]!r}")
        calibrated = [camera.camera for camera in self.calibration.cameras]
        if missing := [name for name in self.cameras if name not in calibrated]:
            raise ValueError(f"cameras: {missing[0]!r} is not calibrated; calibrated: {', '.join(calibrated)}")
        for name in dict.fromkeys(view.camera for view in self.viewpoints):
            self._check_sight(self.calibration.of(name))
        return self

    def _check_sight(self, camera: CameraCalibration) -> None:
        """A camera that stands is of this bench, and sees some of the workspace, or ValueError."""
        if camera.mount != "world":
            return
        where, T_world_cam = f"calibration: camera {camera.camera!r}: T_mount_cam", np.array(camera.T_mount_cam)
        if (off := float(np.abs(T_world_cam[:3, 3]).max())) > FAR:
            raise ValueError(
                f"{where}: {off:g} m from the world's origin; allowed are up to {FAR:g} m, are these millimetres, not "
                "metres?"
            )
        places = middle_of_floor(np.array(self.limits.low), np.array(self.limits.high))
        if share_seen(camera.intrinsics, T_world_cam, places) == 0:
            why = meant(camera.intrinsics, T_world_cam, places)
            raise ValueError(f"{where}: it stands and sees nothing of the middle of the workspace{why}")

    @classmethod
    def read(cls, path: Path) -> HardwareConfig:
        """From YAML; a `cell` is looked for from the file's folder, then from the working directory, then by name.

        Raises FileNotFoundError, or UserFileError that names every key that is not as allowed.
        """
        values = read_yaml(path)
        if isinstance(values, dict) and isinstance(cell := values.get("cell"), str):
            beside = Path(path).parent / cell
            values["cell"] = str(beside) if beside.is_file() else cell
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserFileError(explain(str(path), cls, error)) from error

    def write(self, path: Path) -> Path:
        """As YAML, every setting in it, for `read`. Raises FileExistsError: a cell's file may hold edits by hand."""
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"{path}: exists already; move it away, or choose another name")
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
        return path


def open_cell(
    config: HardwareConfig,
    *,
    arm: OwnArm | None = None,
    gripper: OwnGripper | None = None,
    cameras: Mapping[str, Camera] | None = None,
    dry_run: bool = False,
) -> SteeredDevices:
    """Connect to all devices; nothing moves. Whatever fails, those already open are closed again.

    arm, gripper: opened drivers of one's own, for a cell that is not the paper's. cameras: opened ones by name, instead
    of those that `config` names, any objects that do what `dgrasp.cell.interface.Camera` says; next to a real arm each
    has a `serial`. dry_run: see `DeviceCell`. The backend is "hardware", or "loopback" if programs on
    this machine answer at the addresses, or a simulator does. Raises ConnectionLost, SilentGripper, FrozenCamera,
    ImportError, UnsafePose, ValueError for what is no cell of this kind, NoDriver for a described cell without drivers.
    """
    if config.cell is not None and (arm is None or gripper is None):
        raise NoDriver(
            f"no driver for {config.cell.arm.name} with {config.cell.gripper.name}; bring one: open_cell(config, "
            "arm=..., gripper=...) takes any objects that do what dgrasp.cell.interface.Arm and Gripper say, and "
            "dgrasp/robot/drivers/example.py is an example (REAL_CELL.md, 'Another arm')"
        )
    with ExitStack() as opened:
        # first, since loading its model blocks all threads for a while, and the arm's watchdog waits for nobody
        safety = opened.enter_context(SafetyCheck(config.limits, config.motion))
        own = arm is not None
        arm = arm or UrArm(config.arm, config.limits)
        opened.callback(arm.close)
        host = config.gripper or config.arm
        gripper = gripper or RobotiqGripper(host, config.gripper_port, counts=config.gripper_counts)
        opened.callback(gripper.close)
        if cameras is None:
            cameras = _open_cameras(config, opened)
        cell = SteeredDevices(
            arm,
            gripper,
            cameras,
            config.viewpoints,
            config.calibration,
            peers={"arm": arm.peer, "gripper": gripper.peer},
            real=arm.real,
            serials={"controller": arm.serial},
            safety=safety,
            dry_run=dry_run,
            steps=config.steps,
            own=own,
        )
        opened.pop_all()
    return cell


def _open_cameras(config: HardwareConfig, opened: ExitStack) -> dict[str, Camera]:
    cameras: dict[str, Camera] = {}
    for name, serial in config.cameras.items():
        calibrated = config.calibration.of(name)
        camera = RealSenseCamera(serial, width=calibrated.width, height=calibrated.height)
        opened.callback(camera.close)
        camera.warm_up()
        cameras[name] = camera
    return cameras
