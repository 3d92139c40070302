"""A sheet to look at: demonstrations of an import drawn into their own pictures."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dgrasp.cameras import project
from dgrasp.data.imports.cameras import sight_of
from dgrasp.data.imports.episode import Episode
from dgrasp.report.figures.own_picture import write_picture

AXIS = 0.05  # m, of the axes drawn
COLOURS = ("tab:red", "tab:green", "tab:blue")  # x, y, z
CAPTION = (
    "thick: the hand at the grasp (red: across the fingers, blue: approach); thin: the world's axes (red: x, blue: z); "
    "orange: the hand's way"
)
LETTERS = 50  # of the caption beside each other, per column of pictures


def draw_import(episodes: list[Episode], path: Path, rows: int = 4) -> Path:
    """Write a PNG: some episodes' views, with the hand's way (orange), the grasp's and the world's axes in them.

    A line below says what is what. The world's axes stand at the lowest height of the way, where the grasp is or
    below it. Half of the rows are the episodes whose cameras see their grasps worst (`shown`). Raises ValueError for a
    file that is there and is no picture of before (`check_picture`).
    """
    chosen = [episodes[i] for i in shown(episodes, rows)]
    columns = max(len(e.views) for e in chosen)
    figure = Figure(figsize=(3.2 * columns, 2.6 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), columns, squeeze=False)
    for e, row in zip(chosen, axes, strict=True):
        for k, ax in enumerate(row):
            ax.set_axis_off()
            if k < len(e.views):
                _draw(ax, e, k)
        row[0].set_title(f"{e.name}: {sight_of([e]).share:.0%} of the cameras see the grasp", fontsize=7, loc="left")
    figure.supxlabel(textwrap.fill(CAPTION, LETTERS * columns), fontsize=7)
    return write_picture(figure, path)


def shown(episodes: list[Episode], rows: int) -> list[int]:
    """Which episodes are drawn in so many rows, in their order: half of them are seen worst, the others spread."""
    sights = [sight_of([e]) for e in episodes]
    by_sight = sorted(range(len(episodes)), key=lambda i: (sights[i].share, -sights[i].off))
    worst, others = by_sight[: rows // 2], sorted(by_sight[rows // 2 :])
    places = np.linspace(0, len(others) - 1, rows - len(worst)).astype(int) if others else np.zeros(0, int)
    spread = np.unique(places)
    return sorted([*worst, *(others[i] for i in spread)])


def _draw(ax: Axes, e: Episode, k: int) -> None:
    image = e.views.images[k]
    height, width = image.shape[:2]
    ax.imshow(image)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    way = _pixels(e, k, e.Ts_world_tcp[:, :3, 3])
    ax.plot(way[:, 0], way[:, 1], color="orange", lw=1.2, marker=".", markersize=3)
    board = np.eye(4)
    board[:3, 3] = e.Ts_world_tcp[-1, :3, 3] * (1, 1, 0) + (0, 0, e.Ts_world_tcp[:, 2, 3].min())
    for T, width_of_line in ((e.Ts_world_tcp[-1], 2.0), (board, 0.8)):
        ends = _pixels(e, k, np.vstack([T[:3, 3], T[:3, 3] + AXIS * T[:3, :3].T]))
        for end, colour in zip(ends[1:], COLOURS, strict=True):
            ax.plot([ends[0, 0], end[0]], [ends[0, 1], end[1]], color=colour, lw=width_of_line)


def _pixels(e: Episode, k: int, p_world: np.ndarray) -> np.ndarray:
    uv, _ = project(torch.tensor(e.views.K[k]), torch.tensor(e.views.Ts_world_cam[k]), torch.tensor(p_world))
    return uv.numpy()
