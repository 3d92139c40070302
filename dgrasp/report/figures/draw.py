"""Grippers, poses and paths drawn into camera views by projection."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap
from matplotlib.patheffects import withStroke
from matplotlib.typing import ColorType as Colour

from dgrasp.cameras import Views, project
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.workspace import BOARD_CENTRE, BOARD_SIZE, BOARD_TOP

DEEPEST, STEM = 0.05, 0.06  # m: from the TCP to the fork's root, where fingers are no shorter; and on to its end


def gripper_strokes(hand: Hand) -> tuple[Float[np.ndarray, "4 3"], Float[np.ndarray, "2 3"]]:
    """A fork as wide and as deep as the open hand, and its stem, in the TCP's frame; metres."""
    side, root = hand.opening / 2, -min(DEEPEST, hand.depth)
    fork = np.array([[-side, 0, hand.tip_ahead], [-side, 0, root], [side, 0, root], [side, 0, hand.tip_ahead]])
    return fork, np.array([[0, 0, root], [0, 0, root - STEM]])


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
    views: Views, view: int, T_world_tcp: Float[np.ndarray, "4 4"], hand: Hand
) -> list[Float[np.ndarray, "points 2"]]:
    """One gripper as lines in pixels; parts behind the camera are left out."""
    strokes = gripper_strokes(hand)
    p_tcp = np.concatenate(strokes)
    uv, depth = to_pixels(views, view, p_tcp @ T_world_tcp[:3, :3].T + T_world_tcp[:3, 3])
    ends = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    parts = zip(np.split(uv, ends), np.split(depth, ends), strict=True)
    return [line for line, far in parts if (far > 0.05).all()]


def draw_gripper(
    axes: Axes,
    views: Views,
    view: int,
    T_world_tcp: Float[np.ndarray, "4 4"],
    hand: Hand,
    *,
    color: Colour,
    alpha: float = 1.0,
    width: float = 1.6,
    outlined: bool = False,
) -> None:
    """One gripper as a fork; parts behind the camera are left out. outlined: in white, to stand out among others."""
    effects = [withStroke(linewidth=width + 2.0, foreground="white")] if outlined else None
    style: dict[str, Any] = {
        "color": color,
        "alpha": alpha,
        "lw": width,
        "solid_capstyle": "round",
        "solid_joinstyle": "round",
    }
    for uv in gripper_in_view(views, view, T_world_tcp, hand):
        axes.plot(*uv.T, **style, path_effects=effects, zorder=6 if outlined else 2)


def draw_path(
    axes: Axes,
    views: Views,
    view: int,
    p_world: Float[np.ndarray, "steps 3"],
    *,
    cmap: Colormap,
    alpha: float = 1.0,
    width: float = 1.0,
) -> None:
    """A path of positions; colour runs with progress."""
    uv, depth = to_pixels(views, view, p_world)
    if (depth <= 0.05).any():
        return
    segments = np.stack([uv[:-1], uv[1:]], axis=1)
    lines = LineCollection(list(segments), cmap=cmap, alpha=alpha, linewidths=width)
    lines.set_array(np.linspace(0, 1, len(segments)))
    lines.set_clim(0, 1)
    axes.add_collection(lines)


def letter_panels(axes: Iterable[Axes]) -> None:
    """(a), (b), ... before the titles of panels, in their order."""
    for letter, ax in zip("abcdefghijklmnopqrstuvwxyz", axes, strict=False):
        side = next((side for side in ("left", "center", "right") if ax.get_title(side)), "left")
        ax.set_title(f"({letter}) {ax.get_title(side)}".rstrip(), loc=side)  # type: ignore[arg-type]


def draw_scale_bar(axes: Axes, views: Views, view: int = 0, metres: float = 0.1) -> None:
    """A bar of known length that lies on the board along x, near its front edge."""
    left = BOARD_CENTRE - (BOARD_SIZE[0] / 2 - 0.02, BOARD_SIZE[1] / 2 - 0.03, 0.0)
    uv, _ = to_pixels(views, view, left + np.array([[0.0, 0.0, 0.0], [metres, 0.0, 0.0]]))
    axes.plot(*uv.T, color="0.1", lw=2.2, solid_capstyle="butt")
    axes.annotate(
        f"{100 * metres:.0f} cm", uv.mean(axis=0), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=7
    )


def draw_reach(axes: Axes, views: Views, view: int, p_world: Float[np.ndarray, "3"], reach: float) -> None:
    """A dashed square on the board about the place below a point: from how far candidates can come.

    reach: along each of the world's axes, metres; Adam bounds each coordinate by itself.
    """
    corners = p_world[:2] + reach * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    sides = np.concatenate([np.linspace(p, q, 20) for p, q in itertools.pairwise(corners)])
    uv, _ = to_pixels(views, view, np.column_stack([sides, np.full(len(sides), BOARD_TOP)]))
    axes.plot(*uv.T, color="0.25", lw=0.9, ls=(0, (4, 3)))
