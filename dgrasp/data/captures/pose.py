"""The pose of a frame's camera, from `transform_matrix` in OpenGL's axes, with the transform it was given undone."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from dgrasp.cameras import CV_TO_GL
from dgrasp.cell.transforms import inverse
from dgrasp.data.captures.document import Entry, shown

LAST_ROW = (0.0, 0.0, 0.0, 1.0)
ROUNDED = 1e-3  # of a rotation's entries: three decimals, as `dgrasp.poses.check_poses` allows


def camera_pose(entry: Entry) -> Float[np.ndarray, "4 4"]:
    """`T_capture_cam` of the frame: camera to the capture's own frame, OpenCV's axes, metres if the file's are.

    nerfstudio's `applied_transform` and `applied_scale` are undone: they say that poses were brought from the frame
    they were measured in to another one. Raises CaptureError if a matrix is not rigid; its shift may be of any size.
    """
    entry.check_spelling("applied_transform", "applied_scale")
    T = _matrix(entry, "transform_matrix", entry.frame.get("transform_matrix"))
    with np.errstate(over="ignore", invalid="ignore"):
        if (scale := entry.number("applied_scale")) is not None:
            if scale <= 0:
                raise entry.error("applied_scale", f"expected a positive number, got {scale:g}")
            T[:3, 3] /= scale
        if "applied_transform" in entry:
            T = inverse(_matrix(entry, "applied_transform", entry.get("applied_transform"))) @ T
        return T @ CV_TO_GL


def _matrix(entry: Entry, key: str, value: Any) -> Float[np.ndarray, "4 4"]:
    """A rigid transform of JSON lists: 4 rows, or 3 without the last one."""
    rows = value if isinstance(value, list) else []
    if len(rows) not in (3, 4) or not all(isinstance(row, list) and len(row) == 4 for row in rows):
        lengths = [len(row) for row in rows if isinstance(row, list)]
        got = f"rows of {', '.join(map(str, lengths[:6]))}" if lengths else shown(value)
        raise entry.error(key, f"expected 4 rows (or 3, without the last) of 4 numbers, got {got}")
    T = np.array([[entry.finite(key, number) for number in row] for row in rows] + [LAST_ROW] * (4 - len(rows)))
    with np.errstate(over="ignore", invalid="ignore"):
        _check_rigid(entry, key, T)
    return T


def _check_rigid(entry: Entry, key: str, T: Float[np.ndarray, "4 4"]) -> None:
    if np.abs(T[3] - LAST_ROW).max() > ROUNDED:
        transposed = np.abs(T[:, 3] - LAST_ROW).max() <= ROUNDED
        hint = "; the translation stands there: the matrix is transposed (column by column)" if transposed else ""
        raise entry.error(key, f"the last row is {_row(T[3])}, expected {_row(LAST_ROW)}{hint}")
    R = T[:3, :3]
    error = float(np.abs(R.T @ R - np.eye(3)).max())
    if not error <= ROUNDED:
        size = float(np.linalg.norm(R) / np.sqrt(3))
        scaled = size > 0 and np.abs(R.T @ R / size**2 - np.eye(3)).max() <= ROUNDED
        hint = f"; it is one times {size:.4g}: poses must not be scaled" if scaled else ""
        raise entry.error(
            key, f"the upper left 3x3 block is not a rotation (|R^T R - I| up to {error:.2g}, allowed 0.001){hint}"
        )
    if np.linalg.det(R) < 0:
        raise entry.error(key, "the upper left 3x3 block is not a rotation but a reflection: an axis points backwards")


def _row(values: Any) -> str:
    return f"({', '.join(f'{v:.4g}' for v in values)})"
