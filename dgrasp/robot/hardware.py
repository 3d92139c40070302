"""Open the paper's devices as one cell, from one file that a lab writes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from dgrasp.cell.following import StepLimits
from dgrasp.cell.interface import Calibration, Camera
from dgrasp.cell.workspace import BASE_POSITION, BOARD_TOP
from dgrasp.config import Config, explain
from dgrasp.files import UserFileError, read_yaml, write_text
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.drivers.robotiq import CLOSED_COUNTS, OPEN_COUNTS, RobotiqGripper, check_counts
from dgrasp.robot.drivers.robotiq import PORT as GRIPPER_PORT
from dgrasp.robot.drivers.ur import UrArm
from dgrasp.robot.following import SteeredDevices
from dgrasp.robot.limits import MotionConfig, SafetyLimits
from dgrasp.robot.safety import SafetyCheck
from dgrasp.robot.viewpoints import Viewpoint

BOARD_HEIGHT = BOARD_TOP - BASE_POSITION[2]  # m: of the board's top above `base_link`, in the cell the policies know
BOARD_ERROR = 0.002  # m; our choice: what `SafetyLimits.minimum_height` leaves under closed fingertips


ADDRESS = r"^[A-Za-z0-9.:_-]*$"  # host names and addresses; no blanks, no ways of reaching them


class HardwareConfig(Config):
    """A lab's cell: addresses, calibration, views, limits."""

    arm: str = Field(min_length=1, pattern=ADDRESS, description="address of the UR10's controller")
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
    steps: StepLimits = StepLimits()

    @field_validator("gripper_counts")
    @classmethod
    def _counts(cls, counts: tuple[int, int]) -> tuple[int, int]:
        return check_counts(counts)

    @field_validator("board_heights")
    @classmethod
    def _board(cls, heights: tuple[float, ...]) -> tuple[float, ...]:
        worst = max(heights, key=lambda z: abs(z - BOARD_HEIGHT))
        if not abs(worst - BOARD_HEIGHT) <= BOARD_ERROR:
            raise ValueError(
                f"the board's top was measured at {1000 * worst:.1f} mm from the arm's base, expected is "
                f"{1000 * BOARD_HEIGHT:.1f} mm to {1000 * BOARD_ERROR:.0f} mm: fingertips would meet it, or miss "
                "objects. Shim the board, or the arm"
            )
        return heights

    @model_validator(mode="after")
    def _cameras(self) -> Self:
        for view in self.viewpoints:
            if view.camera not in self.cameras:
                raise ValueError(f"viewpoints: unknown camera {view.camera!r}; cameras: {', '.join(self.cameras)}")
        serials = list(self.cameras.values())
        if twice := [serial for serial in self.cameras.values() if serials.count(serial) > 1]:
            raise ValueError(f"cameras: two have the serial number {twice[0]!r}")
        return self

    @classmethod
    def read(cls, path: Path) -> HardwareConfig:
        """From YAML; raises FileNotFoundError, or UserFileError that names every key that is not as allowed."""
        try:
            return cls.model_validate(read_yaml(path))
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
    config: HardwareConfig, *, cameras: Mapping[str, Camera] | None = None, dry_run: bool = False
) -> SteeredDevices:
    """Connect to all devices; nothing moves. Whatever fails, those already open are closed again.

    cameras: opened ones by name, instead of those that `config` names. dry_run: see `DeviceCell`. The backend is
    "hardware", or "loopback" if programs on this machine answer at the addresses, or a simulator does. Raises
    ConnectionLost, SilentGripper, FrozenCamera, ImportError, UnsafePose, ValueError for what is no cell of this kind.
    """
    with ExitStack() as opened:
        # first, since loading its model blocks all threads for a while, and the arm's watchdog waits for nobody
        safety = opened.enter_context(SafetyCheck(config.limits, config.motion))
        arm = UrArm(config.arm, config.limits)
        opened.callback(arm.close)
        gripper = RobotiqGripper(config.gripper or config.arm, config.gripper_port, counts=config.gripper_counts)
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
