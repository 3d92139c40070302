"""Pinhole cameras in the OpenCV convention: x right, y down, z forward, integer pixel centres (no +0.5).

`K` is the 3x3 matrix of intrinsics in pixels, `T_world_cam` the pose of the camera frame in the world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dgrasp.checks import at_first, check_numbers, described
from dgrasp.poses import check_poses, invert, make_pose, transform_points

CV_TO_GL = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV's axes of a camera to OpenGL's (y up, looks along -z), and back
NEAREST, FARTHEST = 1e-8, 1e6  # metres of depth and pixels, where projections are clamped: our choice, to stay finite


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels, with the image size they belong to.

    Raises ValueError unless sizes are positive whole numbers, focal lengths are positive and everything is finite.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            object.__setattr__(self, name, _pixels(getattr(self, name), name))
        for name in ("fx", "fy", "cx", "cy"):
            number, positive = getattr(self, name), name not in ("cx", "cy")
            if not _is_finite(number) or (positive and number <= 0):
                raise ValueError(f"{name}: expected {'a positive' if positive else 'a finite'} number, got {number!r}")

    @classmethod
    def d415(cls, width: int = 640, height: int = 480) -> Intrinsics:
        """A RealSense D415's colour camera: fx = fy = 617, centre (320, 240) at 640x480, scaled to the asked size.

        617 px follow from the datasheet's 69 degrees across 1280 pixels, cropped to 640x480 on the chip. The
        predecessor's simulated camera is wider (450 px); see REPRODUCING.md.
        """
        return cls(640, 480, 617.0, 617.0, 320.0, 240.0).resized(width, height)

    def resized(self, width: int, height: int) -> Intrinsics:
        """The same camera sampled on another pixel grid; raises ValueError for sizes that are no positive numbers."""
        width, height = _pixels(width, "width"), _pixels(height, "height")
        sx, sy = width / self.width, height / self.height
        return Intrinsics(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def check_lens(self, focal: str = "fx, fy", centre: str = "cx, cy") -> None:
        """Raises ValueError if no camera is like that, as where numbers are of another unit or image size.

        focal, centre: what the numbers are called where they were stated.
        """
        w, h, fx, fy, cx, cy = self.width, self.height, self.fx, self.fy, self.cx, self.cy
        if not (0 <= cx <= w and 0 <= cy <= h):
            raise ValueError(f"{centre}: ({cx:g}, {cy:g}) is outside of {w}x{h} pixels")
        if not all(0.1 * w <= f <= 100 * w for f in (fx, fy)):
            raise ValueError(f"{focal}: ({fx:g}, {fy:g}) are of no lens, at {w} pixels' width")


def _is_finite(number: object) -> bool:
    """Whether it is one real number, and finite; a truth value is none."""
    try:
        return not isinstance(number, bool | np.bool_) and math.isfinite(number)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError):  # several numbers, or beyond floating point
        return False


def _pixels(number: Any, name: str) -> int:
    """A size of an image; raises ValueError unless it is a positive whole number."""
    if not _is_finite(number) or number != int(number) or number <= 0:
        raise ValueError(f"{name}: expected a positive whole number of pixels, got {number!r}")
    return int(number)


def _point(p: Tensor, name: str) -> Tensor:
    """A point of whole numbers in floating-point ones; raises ValueError for what is no finite point."""
    if isinstance(p, Tensor) and p.dtype in (torch.int16, torch.int32, torch.int64):
        p = p.to(torch.get_default_dtype())
    check_numbers(p, name, "(3,)", (1,), (3,))
    return p


def look_at(eye: Float[Tensor, "3"], target: Float[Tensor, "3"]) -> Float[Tensor, "4 4"]:
    """`T_world_cam` of a camera at `eye` (metres, world) that looks at `target`; the world's z is up in the image.

    Raises ValueError unless these are two finite points, one not straight above the other.
    """
    eye, target = _point(eye, "eye"), _point(target, "target")
    if not 0 < (target - eye).norm() < math.inf:
        raise ValueError(
            f"look_at: eye and target must be two points some way apart, got {eye.tolist()} and {target.tolist()}"
        )
    forward = torch.nn.functional.normalize(target - eye, dim=0)
    up = eye.new_tensor([0.0, 0.0, 1.0])
    right = torch.linalg.cross(forward, up)
    if right.norm() < 1e-6:
        raise ValueError("look_at: eye and target lie on one vertical, so the image has no upward direction")
    right = torch.nn.functional.normalize(right, dim=0)
    down = torch.linalg.cross(forward, right)
    return make_pose(torch.stack([right, down, forward], dim=-1), eye)


def view_from_sphere(centre: Float[Tensor, "3"], radius: float, azimuth: float, polar: float) -> Float[Tensor, "4 4"]:
    """`T_world_cam` on a sphere about `centre`: azimuth from +x, polar angle from the vertical, radians.

    Raises ValueError for a centre that is no finite point, a radius that is not positive, angles that are not finite,
    and straight above the centre, where no direction is up in the image.
    """
    centre = _point(centre, "centre")
    if not _is_finite(radius) or radius <= 0:
        raise ValueError(f"radius: expected a positive number of metres, got {radius!r}")
    for name, angle in (("azimuth", azimuth), ("polar", polar)):
        if not _is_finite(angle):
            raise ValueError(f"{name}: expected a finite number of radians, got {angle!r}")
    direction = [math.sin(polar) * math.cos(azimuth), math.sin(polar) * math.sin(azimuth), math.cos(polar)]
    return look_at(centre + radius * centre.new_tensor(direction), centre)


def project(
    K: Float[Tensor, "*#batch 3 3"], T_world_cam: Float[Tensor, "*#batch 4 4"], p_world: Float[Tensor, "*#batch n 3"]
) -> tuple[Float[Tensor, "*#batch n 2"], Float[Tensor, "*#batch n"]]:
    """Pixels (u, v) and depths (metres along the optical axis) of world points."""
    p_cam = transform_points(invert(T_world_cam), p_world)
    return pixels_of(K, p_cam), p_cam[..., 2]


def pixels_of(K: Float[Tensor, "*#batch 3 3"], p_cam: Float[Tensor, "*#batch n 3"]) -> Float[Tensor, "*#batch n 2"]:
    """Pixels (u, v) of points in the camera frame; finite (clamped to +-1e6) also for points behind the camera."""
    homogeneous = p_cam @ K.transpose(-1, -2)
    return (homogeneous[..., :2] / p_cam[..., 2:].clamp(min=NEAREST)).clamp(-FARTHEST, FARTHEST)


def visible(
    K: Float[Tensor, "*#batch 3 3"],
    T_world_cam: Float[Tensor, "*#batch 4 4"],
    p_world: Float[Tensor, "*#batch n 3"],
    size: tuple[int, int],
) -> Bool[Tensor, "*#batch n"]:
    """Which world points lie in front of the camera and within its image of `size` (width, height)."""
    uv, depth = project(K, T_world_cam, p_world)
    u, v = uv.unbind(-1)
    return (depth > 0) & (u >= 0) & (u <= size[0] - 1) & (v >= 0) & (v <= size[1] - 1)


def pixel_rays(
    K: Float[Tensor, "*#batch 3 3"], T_world_cam: Float[Tensor, "*#batch 4 4"], uv: Float[Tensor, "*#batch n 2"]
) -> tuple[Float[Tensor, "*#batch n 3"], Float[Tensor, "*#batch n 3"]]:
    """Origins and unit directions in the world of the rays through pixels (u, v)."""
    homogeneous = torch.cat([uv, torch.ones_like(uv[..., :1])], dim=-1)
    d_cam = torch.nn.functional.normalize(homogeneous @ torch.linalg.inv(K).transpose(-1, -2), dim=-1)
    d_world = d_cam @ T_world_cam[..., :3, :3].transpose(-1, -2)
    return T_world_cam[..., None, :3, 3].expand_as(d_world), d_world


def check_intrinsics(K: Float[Tensor, "*#batch 3 3"], name: str = "K", ndims: tuple[int, ...] = ()) -> None:
    """Raise ValueError unless `K` (..., 3, 3) is finite, with positive focal lengths and last row (0, 0, 1)."""
    check_numbers(K, name, "(..., 3, 3)", ndims or (max(2, getattr(K, "ndim", 2)),), (3, 3))
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)
    if (wrong := (focal <= 0).any(-1)).any():
        raise ValueError(
            f"{name}: focal lengths must be positive (pixels), got {focal[wrong][0].tolist()}{at_first(wrong)}"
        )
    if (wrong := ((K[..., 2, :] - K.new_tensor([0.0, 0.0, 1.0])).abs() > 1e-6).any(-1)).any():
        row = K[..., 2, :][wrong][0].tolist()
        raise ValueError(f"{name}: last row must be (0, 0, 1), got {row}{at_first(wrong)}")


def _check_images(images: object) -> None:
    if (
        not isinstance(images, np.ndarray)
        or images.ndim != 4
        or images.shape[-1] != 3
        or images.dtype != np.uint8
        or images.size == 0
    ):
        got = f"{images.dtype} of shape {images.shape}" if isinstance(images, np.ndarray) else described(images)
        raise ValueError(
            f"images: expected uint8 of shape (views, height, width, 3) with at least one view and pixel, got {got}"
        )


def _for_torch(array: np.ndarray) -> np.ndarray:
    """The array, or a copy where torch would not take it; strides that it takes stay, and with them the last bits."""
    if array.dtype.kind == "f":
        precision = np.float32 if array.dtype.itemsize == 4 else np.float64
        array = array.astype(precision, copy=False)  # of this machine's byte order
    awkward = any(stride < 0 or stride % array.itemsize for stride in array.strides)
    return array.copy() if awkward else array


@dataclass(frozen=True)
class Views:
    """Calibrated RGB views of one scene: the observation `o` of the paper, and all that a policy may see.

    images: uint8, shape (views, height, width, 3), RGB.
    K: float32 or float64, shape (views, 3, 3), pixels.
    Ts_world_cam: float32 or float64, shape (views, 4, 4), camera poses in the world (metres).

    Arrays that torch does not take as they are, such as a reversed view of another array (`bgr[..., ::-1]`) or numbers
    in another byte order, are kept as a copy with the same numbers; extended precision is rounded to float64.
    Raises ValueError that names what is missing, misshapen or no calibration.
    """

    images: np.ndarray
    K: np.ndarray
    Ts_world_cam: np.ndarray

    def __post_init__(self) -> None:
        _check_images(self.images)
        n = len(self.images)
        for name, array, shape in (("K", self.K, (n, 3, 3)), ("Ts_world_cam", self.Ts_world_cam, (n, 4, 4))):
            if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind != "f":
                got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise ValueError(
                    f"{name}: expected a numpy array of floats of shape {shape}, one calibration per image, got {got}"
                )
            if array.dtype.itemsize < 4:
                raise ValueError(
                    f"{name}: expected float32 or float64, got {array.dtype}, too coarse for a calibration"
                )
            object.__setattr__(self, name, _for_torch(array))
        object.__setattr__(self, "images", _for_torch(self.images))
        check_intrinsics(torch.tensor(self.K), "K")
        check_poses(torch.tensor(self.Ts_world_cam), "Ts_world_cam")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice | list[int] | np.ndarray) -> Views:
        """A selection of views; index with a slice or a list so that the view dimension stays."""
        return Views(self.images[index], self.K[index], self.Ts_world_cam[index])
