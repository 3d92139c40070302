"""Open the paper's devices as one cell, from one file that a lab writes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml
from pydantic import Field

from dgrasp.config import Config
from dgrasp.files import write_text
from dgrasp.robot.cell import Calibration, Camera
from dgrasp.robot.devices import DeviceCell
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.drivers.robotiq import CLOSED_COUNTS, OPEN_COUNTS, RobotiqGripper
from dgrasp.robot.drivers.robotiq import PORT as GRIPPER_PORT
from dgrasp.robot.drivers.ur import UrArm
from dgrasp.robot.safety import MotionConfig, SafetyCheck, SafetyLimits
from dgrasp.robot.viewpoints import Viewpoint


class HardwareConfig(Config):
    """A lab's cell: addresses, calibration, views, limits."""

    arm: str = Field(description="address of the UR10's controller")
    gripper: str = Field(default="", description="address of the URCap's socket; empty: the arm's controller")
    gripper_port: int = Field(default=GRIPPER_PORT, ge=1, le=65535, description="of the URCap's socket")
    gripper_counts: tuple[int, int] = Field(
        default=(OPEN_COUNTS, CLOSED_COUNTS), description="at 140 mm and at 0 mm, see `RobotiqGripper.calibrate`"
    )
    cameras: dict[str, str] = Field(min_length=1, description="name in the calibration -> serial number of a D415")
    viewpoints: tuple[Viewpoint, ...] = Field(min_length=1, description="fixed views, in the policies' order")
    calibration: Calibration
    limits: SafetyLimits = SafetyLimits()
    motion: MotionConfig = MotionConfig()

    @classmethod
    def read(cls, path: Path) -> HardwareConfig:
        """From YAML; raises FileNotFoundError or pydantic's ValidationError naming what is wrong."""
        return cls.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))

    def write(self, path: Path) -> Path:
        """As YAML, every setting in it, for `read`. Raises FileExistsError: a cell's file may hold edits by hand."""
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"{path}: exists already; move it away, or choose another name")
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
        return path


def open_cell(
    config: HardwareConfig, *, cameras: Mapping[str, Camera] | None = None, dry_run: bool = False
) -> DeviceCell:
    """Connect to all devices; nothing moves. Whatever fails, those already open are closed again.

    cameras: opened ones by name, instead of those that `config` names. dry_run: see `DeviceCell`. The backend is
    "hardware", or "loopback" if programs on this machine answer at the addresses. Raises ConnectionLost,
    SilentGripper, FrozenCamera, ImportError, UnsafePose.
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
        cell = DeviceCell(
            arm,
            gripper,
            cameras,
            config.viewpoints,
            config.calibration,
            peers={"arm": arm.peer, "gripper": gripper.peer},
            serials={"controller": arm.serial},
            safety=safety,
            dry_run=dry_run,
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
