"""Photographs of a lens with distortion as a pinhole would have taken them, by OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from dgrasp.data.captures.distortion import Distortion
from dgrasp.lazy import required

WIDEST = 4.0  # times the focal length: a picture of which a pinhole shows less than a sixteenth is another camera's
STEPS = 24  # of bisection: the zoom to a millionth


class FoldedLens(ValueError):
    """Coefficients that map two directions to one pixel within the image: they are of another lens or resolution."""


def undistorted(
    image: UInt8[np.ndarray, "h w 3"], K: Float[np.ndarray, "3 3"], distortion: Distortion
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "3 3"]]:
    """The pinhole's picture, of the same size, and its `K`: zoomed in until no pixel lies outside of the photograph.

    Raises FoldedLens, and ImportError where OpenCV is not installed.
    """
    if distortion.is_pinhole:
        return image, K
    cv2 = required("cv2", "a lens with distortion", "photos")
    height, width = image.shape[:2]
    K_pinhole = _zoomed(K, _least_zoom(cv2, K, distortion, (width, height)))
    v, u = np.mgrid[:height, :width].astype(np.float64)
    uv = _seen_at(cv2, np.stack([u.ravel(), v.ravel()], axis=1), K_pinhole, K, distortion)
    x, y = (uv[:, i].reshape(height, width).astype(np.float32) for i in (0, 1))
    if not ((np.diff(x, axis=1) > 0).all() and (np.diff(y, axis=0) > 0).all()):
        raise FoldedLens("the coefficients fold the image")
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), K_pinhole


def _zoomed(K: Float[np.ndarray, "3 3"], zoom: float) -> Float[np.ndarray, "3 3"]:
    return K * np.array([[zoom, 1, 1], [1, zoom, 1], [1, 1, 1]])


def _seen_at(
    cv2: Any, uv: Float[np.ndarray, "n 2"], K_pinhole: Float[np.ndarray, "3 3"], K: Float[np.ndarray, "3 3"],
    distortion: Distortion,
) -> Float[np.ndarray, "n 2"]:  # fmt: skip
    """Where the photograph shows what the pinhole shows at its pixels `uv`."""
    p_cam = np.column_stack([(uv - K_pinhole[:2, 2]) / K_pinhole[[0, 1], [0, 1]], np.ones(len(uv))])
    project = cv2.fisheye.projectPoints if distortion.kind == "fisheye" else cv2.projectPoints
    still = np.zeros(3)
    seen, _ = project(p_cam[:, None], still, still, K, np.array(distortion.coefficients))
    return seen.reshape(-1, 2)


def _least_zoom(cv2: Any, K: Float[np.ndarray, "3 3"], distortion: Distortion, size: tuple[int, int]) -> float:
    """The least zoom, 1 or more, that shows the pinhole nothing from outside of the photograph."""
    width, height = size
    u, v = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    border = np.concatenate(
        [np.column_stack([u, np.full(width, row)]) for row in (0.0, height - 1.0)]
        + [np.column_stack([np.full(height, column), v]) for column in (0.0, width - 1.0)]
    )

    def inside(zoom: float) -> bool:
        seen = _seen_at(cv2, border, _zoomed(K, zoom), K, distortion)
        return bool((np.isfinite(seen) & (seen >= -0.5) & (seen <= np.subtract(size, 0.5))).all())

    if inside(1.0):
        return 1.0
    if not inside(WIDEST):
        raise FoldedLens(f"a pinhole would show less than 1/{WIDEST:g} of the image's width")
    low, high = 1.0, WIDEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if inside(middle) else (middle, high)
    return high
