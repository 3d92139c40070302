"""Rigid transforms as float64 NumPy matrices, and Bullet's (position, quaternion xyzw) pairs.

The simulator speaks NumPy in double precision; `dgrasp.poses` states the same conventions for torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

IDENTITY = np.eye(4)
IDENTITY.setflags(write=False)


def transform(rotation: np.ndarray | Rotation | None = None, translation: Any = (0.0, 0.0, 0.0)) -> np.ndarray:
    """4x4 matrix from a rotation (matrix or SciPy rotation) and a translation in metres."""
    T = np.eye(4)
    if rotation is not None:
        T[:3, :3] = rotation.as_matrix() if isinstance(rotation, Rotation) else rotation
    T[:3, 3] = translation
    return T


def inverse(T_a_b: np.ndarray) -> np.ndarray:
    """T_b_a of rigid transforms (..., 4, 4)."""
    T = np.zeros_like(T_a_b)
    R = np.swapaxes(T_a_b[..., :3, :3], -1, -2)
    T[..., :3, :3] = R
    T[..., :3, 3] = -(R @ T_a_b[..., :3, 3:])[..., 0]
    T[..., 3, 3] = 1.0
    return T


def to_bullet(T: np.ndarray) -> tuple[list[float], list[float]]:
    """Position and quaternion (xyzw) of a pose."""
    return T[:3, 3].tolist(), Rotation.from_matrix(T[:3, :3]).as_quat().tolist()


def from_bullet(position: Any, quaternion: Any) -> np.ndarray:
    """4x4 pose from Bullet's position and quaternion (xyzw)."""
    return transform(Rotation.from_quat(quaternion), position)


def pose_vector(T: np.ndarray) -> list[float]:
    """x, y, z, qx, qy, qz, qw: how tables and logs write a pose (metres; unit quaternion, qw >= 0)."""
    q = Rotation.from_matrix(T[:3, :3]).as_quat(canonical=True)
    return [float(v) for v in (*T[:3, 3], *q)]


def pose_matrix(pose: Sequence[float]) -> np.ndarray:
    """Inverse of `pose_vector`: (4, 4)."""
    return transform(Rotation.from_quat(pose[3:]), pose[:3])


def direction(angle: float) -> tuple[float, float]:
    """(cos, sin) of an angle in radians, the same on every processor.

    NumPy's differ in the last bit between those with and without AVX-512, and a falling pile amplifies that.
    """
    return math.cos(angle), math.sin(angle)


def yaw(angle: float) -> np.ndarray:
    """3x3 rotation about z."""
    c, s = direction(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def pose_problem(T: Any) -> str | None:
    """Why `T` is not a rigid 4x4 transform, in words; None if it is one."""
    T = np.asarray(T, dtype=np.float64)
    if T.shape != (4, 4):
        return f"the pose has shape {T.shape}, expected (4, 4)"
    if not np.isfinite(T).all():
        return "the pose contains NaN or infinite entries"
    R = T[:3, :3]
    if np.abs(R.T @ R - np.eye(3)).max() > 1e-3 or np.linalg.det(R) < 0:
        return "the pose's upper left 3x3 block is not a rotation"
    if np.abs(T[3] - [0.0, 0.0, 0.0, 1.0]).max() > 1e-6:
        return "the pose's last row is not 0 0 0 1"
    return None


def orthonormal(T: np.ndarray) -> np.ndarray:
    """The same pose in float64 with its rotation rounded to the nearest exact one (float32 policies)."""
    u, _, vt = np.linalg.svd(np.asarray(T, dtype=np.float64)[:3, :3])
    return transform(u @ vt, np.asarray(T, dtype=np.float64)[:3, 3])
