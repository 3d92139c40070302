"""Grippers, poses and paths drawn into camera views by projection."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap
from matplotlib.typing import ColorType as Colour

from dgrasp.cameras import Views, project

# A fork in the TCP frame (metres): closed fingertips are 15 mm ahead of the TCP, the hand opens 140 mm.
_HALF_OPENING, _TIP, _PALM, _WRIST = 0.07, 0.015, -0.05, -0.11
GRIPPER_STROKES: tuple[Float[np.ndarray, "n 3"], ...] = (
    np.array(
        [[-_HALF_OPENING, 0, _TIP], [-_HALF_OPENING, 0, _PALM], [_HALF_OPENING, 0, _PALM], [_HALF_OPENING, 0, _TIP]]
    ),
    np.array([[0, 0, _PALM], [0, 0, _WRIST]]),
)


def to_pixels(views: Views, view: int, p_world: Float[np.ndarray, "n 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 2) and depths (n,) of world points in one view."""
    K, T = torch.as_tensor(views.K[view]), torch.as_tensor(views.Ts_world_cam[view])
    uv, depth = project(K.double(), T.double(), torch.as_tensor(p_world, dtype=torch.float64))
    return uv.numpy(), depth.numpy()


def show_view(axes: Axes, views: Views, view: int = 0, title: str | None = None) -> None:
    """The image of a view, without ticks, as the background of projected drawings."""
    height, width = views.images[view].shape[:2]
    axes.imshow(views.images[view])
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)


def gripper_in_view(
    views: Views, view: int, T_world_tcp: Float[np.ndarray, "4 4"]
) -> list[Float[np.ndarray, "points 2"]]:
    """One gripper as lines in pixels; parts behind the camera are left out."""
    p_tcp = np.concatenate(GRIPPER_STROKES)
    uv, depth = to_pixels(views, view, p_tcp @ T_world_tcp[:3, :3].T + T_world_tcp[:3, 3])
    ends = np.cumsum([len(stroke) for stroke in GRIPPER_STROKES])[:-1]
    parts = zip(np.split(uv, ends), np.split(depth, ends), strict=True)
    return [line for line, far in parts if (far > 0.05).all()]


def draw_gripper(
    axes: Axes,
    views: Views,
    view: int,
    T_world_tcp: Float[np.ndarray, "4 4"],
    *,
    color: Colour,
    alpha: float = 1.0,
    width: float = 1.6,
) -> None:
    """One gripper as a fork; parts behind the camera are left out."""
    for uv in gripper_in_view(views, view, T_world_tcp):
        axes.plot(*uv.T, color=color, alpha=alpha, lw=width, solid_capstyle="round", solid_joinstyle="round")


def draw_path(
    axes: Axes, views: Views, view: int, p_world: Float[np.ndarray, "steps 3"], *, cmap: Colormap, alpha: float = 1.0
) -> None:
    """A path of positions; colour runs with progress."""
    uv, depth = to_pixels(views, view, p_world)
    if (depth <= 0.05).any():
        return
    segments = np.stack([uv[:-1], uv[1:]], axis=1)
    lines = LineCollection(list(segments), cmap=cmap, alpha=alpha, linewidths=1.0)
    lines.set_array(np.linspace(0, 1, len(segments)))
    lines.set_clim(0, 1)
    axes.add_collection(lines)
