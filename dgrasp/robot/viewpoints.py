"""The fixed views of a cell: where its cameras stand, or the postures from which the camera on the flange looks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from pydantic import Field

from dgrasp.cell import transforms, ur10
from dgrasp.cell.interface import CameraCalibration, UnsafePose
from dgrasp.cell.transforms import transform
from dgrasp.cell.workspace import BASE_POSITION
from dgrasp.config import Config
from dgrasp.robot.limits import check_rigid
from dgrasp.robot.safety import HOME, SafetyCheck


class Viewpoint(Config):
    """One fixed view. A camera on the flange needs the posture from which it looks; a standing one has none."""

    camera: str = Field(description="name of a calibrated camera")
    posture: tuple[float, float, float, float, float, float] | None = Field(
        default=None, description="joint angles of the arm, rad; None: the camera stands, the arm waits at home"
    )


def wrist_viewpoints(
    camera: CameraCalibration, Ts_world_cam: Float[np.ndarray, "views 4 4"], safety: SafetyCheck
) -> tuple[Viewpoint, ...]:
    """Postures from which a camera on the flange looks as if it stood at the given poses, upright or upside down.

    Of all those postures the one nearest to HOME that has a free way from there is taken; the cell turns the images of
    a camera that hangs upside down. Raises UnsafePose where there is none.
    """
    T_tool0_cam = np.array(camera.T_mount_cam)
    found = []
    for i, T_world_cam in enumerate(np.asarray(Ts_world_cam, dtype=np.float64)):
        check_rigid(T_world_cam)
        turns = [transform(transforms.yaw(turn)) for turn in (0.0, np.pi)]
        Ts_base_tool0 = np.stack([T_world_cam @ turn @ transforms.inverse(T_tool0_cam) for turn in turns])
        Ts_base_tool0[:, :3, 3] -= BASE_POSITION
        options = ur10.inverse(Ts_base_tool0).reshape(-1, 6)
        options = np.array([ur10.nearest_turns(q, HOME) for q in options if np.isfinite(q).all()]).reshape(-1, 6)
        order = np.abs(options - HOME).max(-1).argsort()
        free = (q for q in options[order] if _has_free_way(safety, q))
        if (q := next(free, None)) is None:
            raise UnsafePose(
                f"refused: the arm cannot bring the camera to view {i}; {len(options)} postures were tried"
            )
        found.append(Viewpoint(camera=camera.camera, posture=tuple(q.tolist())))
    return tuple(found)


def _has_free_way(safety: SafetyCheck, q: np.ndarray) -> bool:
    try:
        safety.joint_motion(HOME, q)
    except UnsafePose:
        return False
    return True
