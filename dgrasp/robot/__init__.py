"""The real cell (Sec. 5.2): devices, safety, trials and their log, replay."""

from __future__ import annotations

from dgrasp.lazy import names_of, require_companion

require_companion(__name__)
_HOMES = {
    "Arm": "dgrasp.cell.interface",
    "AskingOperator": "dgrasp.robot.trials",
    "BACKENDS": "dgrasp.cell.interface",
    "Backend": "dgrasp.cell.interface",
    "CONFIRMATION": "dgrasp.robot.devices",
    "Calibration": "dgrasp.cell.interface",
    "Camera": "dgrasp.cell.interface",
    "CameraCalibration": "dgrasp.cell.interface",
    "CellFault": "dgrasp.cell.interface",
    "CellJudges": "dgrasp.robot.trials",
    "ConnectionLost": "dgrasp.cell.interface",
    "DeviceCell": "dgrasp.robot.devices",
    "Execution": "dgrasp.cell.interface",
    "FrozenCamera": "dgrasp.cell.interface",
    "Gripper": "dgrasp.cell.interface",
    "HardwareConfig": "dgrasp.robot.hardware",
    "LogError": "dgrasp.robot.log",
    "MotionConfig": "dgrasp.robot.safety",
    "NotArmed": "dgrasp.cell.interface",
    "Operator": "dgrasp.robot.trials",
    "PAPER_OBJECTS": "dgrasp.robot.trials",
    "Presentation": "dgrasp.robot.trials",
    "ProtectiveStop": "dgrasp.cell.interface",
    "ReplayCell": "dgrasp.robot.replay",
    "RobotCell": "dgrasp.cell.interface",
    "SafetyLimits": "dgrasp.robot.safety",
    "SilentGripper": "dgrasp.cell.interface",
    "TrialLog": "dgrasp.robot.log",
    "TrialProtocol": "dgrasp.robot.trials",
    "UnsafePose": "dgrasp.cell.interface",
    "Verdict": "dgrasp.robot.trials",
    "Viewpoint": "dgrasp.robot.viewpoints",
    "banner": "dgrasp.cell.interface",
    "for_real_robot": "dgrasp.robot.trials",
    "open_cell": "dgrasp.robot.hardware",
    "read_log": "dgrasp.robot.log",
    "run_trials": "dgrasp.robot.trials",
    "wrist_viewpoints": "dgrasp.robot.viewpoints",
}
__all__ = sorted(_HOMES)
__getattr__ = names_of(__name__, _HOMES)
