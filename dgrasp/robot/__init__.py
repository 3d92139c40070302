"""The real cell (Sec. 5.2) and its stand-ins: one interface, four backends that are never confused."""

from dgrasp.robot.cell import (
    BACKENDS,
    Arm,
    Backend,
    Calibration,
    Camera,
    CameraCalibration,
    CellFault,
    ConnectionLost,
    Execution,
    FrozenCamera,
    Gripper,
    NotArmed,
    ProtectiveStop,
    RobotCell,
    SilentGripper,
    UnsafePose,
    banner,
)
from dgrasp.robot.devices import CONFIRMATION, DeviceCell
from dgrasp.robot.hardware import HardwareConfig, open_cell
from dgrasp.robot.log import LogError, TrialLog, read_log
from dgrasp.robot.replay import ReplayCell
from dgrasp.robot.safety import MotionConfig, SafetyLimits
from dgrasp.robot.trials import (
    PAPER_OBJECTS,
    AskingOperator,
    CellJudges,
    Operator,
    Presentation,
    TrialProtocol,
    Verdict,
    for_real_robot,
    run_trials,
)
from dgrasp.robot.viewpoints import Viewpoint, wrist_viewpoints

__all__ = [
    "BACKENDS",
    "CONFIRMATION",
    "PAPER_OBJECTS",
    "Arm",
    "AskingOperator",
    "Backend",
    "Calibration",
    "Camera",
    "CameraCalibration",
    "CellFault",
    "CellJudges",
    "ConnectionLost",
    "DeviceCell",
    "Execution",
    "FrozenCamera",
    "Gripper",
    "HardwareConfig",
    "LogError",
    "MotionConfig",
    "NotArmed",
    "Operator",
    "Presentation",
    "ProtectiveStop",
    "ReplayCell",
    "RobotCell",
    "SafetyLimits",
    "SilentGripper",
    "TrialLog",
    "TrialProtocol",
    "UnsafePose",
    "Verdict",
    "Viewpoint",
    "banner",
    "for_real_robot",
    "open_cell",
    "read_log",
    "run_trials",
    "wrist_viewpoints",
]
