"""Grasp poses for the tests of the real cell."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from dgrasp.cell.workspace import BOARD_TOP


def top_down(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    """`T_world_tcp` with the approach axis straight down; z in metres above the board."""
    return tilted(x, y, z, 0.0, yaw)


def tilted(x: float, y: float, z: float, tilt: float, yaw: float = 0.0) -> np.ndarray:
    """The same, with the approach axis `tilt` radians away from straight down, about the world's x."""
    T = np.eye(4)
    T[:3, :3] = (Rotation.from_rotvec([tilt, 0, 0]) * Rotation.from_euler("ZX", [yaw, np.pi])).as_matrix()
    T[:3, 3] = x, y, BOARD_TOP + z
    return T
