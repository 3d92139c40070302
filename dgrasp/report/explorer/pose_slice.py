"""Two-dimensional slices of SE(3) round a grasp: what the slope explorer draws.

A pose is written as six coordinates relative to the grasp: its displacement along the world's x, y, z (metres), and
the rotation vector of its turn about the axes of the TCP (radians): `T = (p_grasp + c[:3], R_grasp exp(c[3:]))`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.poses import Pose, make_pose

AXES = ("x", "y", "z", "about x", "about y", "about z")
UNITS = ("mm",) * 3 + ("degrees",) * 3
SCALES = (1e3,) * 3 + (180 / math.pi,) * 3  # metres, radians -> what axes and sliders show
# Not in the paper: half the workspace's width is 0.3 m, its height 0.1 m; turns up to where a grasp is surely lost.
HALF_WIDTHS = (0.12, 0.12, 0.06) + (math.radians(60),) * 3


@dataclass(frozen=True)
class PoseSlice:
    """The plane of two coordinates, horizontal and vertical, through `offsets` in the other four.

    half_widths: the slice reaches this far to both sides of the grasp, metres or radians. offsets: six coordinates,
    metres and radians; those of the slice's own axes are not used.
    """

    axes: tuple[str, str] = ("x", "y")
    half_widths: tuple[float, float] = HALF_WIDTHS[:2]
    offsets: tuple[float, ...] = (0.0,) * 6

    def __post_init__(self) -> None:
        for axis in self.axes:
            axis_index(axis)
        if len(self.axes) != 2 or self.axes[0] == self.axes[1]:
            raise ValueError(f"axes: expected two different pose axes, got {self.axes}; choose of {', '.join(AXES)}")
        if not all(math.isfinite(w) and w > 0 for w in self.half_widths):
            raise ValueError(f"half_widths: expected two lengths above 0 (metres, radians), got {self.half_widths}")
        if len(self.offsets) != 6 or not all(math.isfinite(o) for o in self.offsets):
            raise ValueError(f"offsets: expected six finite numbers (metres, radians), got {self.offsets}")

    @classmethod
    def around(cls, axes: tuple[str, str], zoom: float = 1.0, offsets: tuple[float, ...] = (0.0,) * 6) -> PoseSlice:
        """The usual width of these axes, divided by `zoom`."""
        if not (math.isfinite(zoom) and zoom > 0):
            raise ValueError(f"zoom: expected a number above 0, got {zoom}")
        widths = [HALF_WIDTHS[axis_index(axis)] / zoom for axis in axes]
        return cls(axes, (widths[0], widths[1]), offsets)

    @property
    def indices(self) -> tuple[int, int]:
        """Which of the six coordinates are drawn."""
        return axis_index(self.axes[0]), axis_index(self.axes[1])

    def coordinates(self, shares: Float[Tensor, "n 2"]) -> Float[Tensor, "n 6"]:
        """Coordinates of places in the slice, given as shares of its half widths in [-1, 1]."""
        full = shares.new_tensor(self.offsets).repeat(len(shares), 1)
        for k, index in enumerate(self.indices):
            full[:, index] = shares[:, k] * self.half_widths[k]
        return full

    def project(self, coordinates: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "n 2"]:
        """What the slice shows of poses or displacements: its two coordinates, as shares of its half widths."""
        return np.asarray(coordinates)[..., list(self.indices)] / np.asarray(self.half_widths)


def axis_index(axis: str) -> int:
    """Place of an axis among the six coordinates; raises ValueError naming what exists."""
    if axis not in AXES:
        raise ValueError(f"unknown pose axis {axis!r}; axes: {', '.join(AXES)}")
    return AXES.index(axis)


def poses_at(T_world_grasp: Pose, coordinates: Float[Tensor, "n 6"]) -> Float[Tensor, "n 4 4"]:
    """Poses of coordinates relative to a grasp; differentiable in the coordinates."""
    turn = roma.rotvec_to_rotmat(coordinates[:, 3:])
    return make_pose(T_world_grasp[:3, :3] @ turn, T_world_grasp[:3, 3] + coordinates[:, :3])


def coordinates_of(T_world_grasp: Pose, T_world_tcp: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n 6"]:
    """The inverse of `poses_at`, for turns of less than pi."""
    turn = roma.rotmat_to_rotvec(T_world_grasp[:3, :3].T @ T_world_tcp[:, :3, :3])
    return torch.cat([T_world_tcp[:, :3, 3] - T_world_grasp[:3, 3], turn], dim=-1)
