"""A described cell to look at: frames, reach over the workspace, and what the hand can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dgrasp.cell.description import CellDescription
from dgrasp.cell.examined import YAWS, Examined
from dgrasp.report.figures.own_picture import write_picture

AXIS = 0.1  # m, of the frames drawn
COLOURS = ("tab:red", "tab:green", "tab:blue")  # x, y, z
REACH = "RdYlGn"


def draw_cell(found: Examined, path: Path) -> Path:
    """Write a PNG: the cell from above and from the side, with frames and reach, and the hand open and closed.

    Raises ValueError for a file that is there and is no picture of before (`check_picture`).
    """
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    above, side, hand = figure.subplots(1, 3, width_ratios=(1.3, 1.3, 1))
    for ax, axes, title in ((above, (0, 1), "from above"), (side, (0, 2), "from the side")):
        _bench(ax, found.cell, axes)
        _frames(ax, found.cell, axes)
        if len(found.places):
            shown = ax.scatter(
                *found.places[:, axes].T, c=found.reached, cmap=REACH, vmin=0, vmax=len(YAWS), s=18, edgecolors="black",
                linewidths=0.3, zorder=5,
            )  # fmt: skip
        ax.set(title=f"{found.cell.name}, {title}", xlabel="x, m", ylabel=f"{'xyz'[axes[1]]}, m", aspect="equal")
    heights = [view.T_world_cam[2, 3] for view in found.cell.views]
    side.set_ylim(found.cell.bench.table_size[2] - 0.15, max(heights) + 0.15)
    if len(found.places):
        figure.colorbar(shown, ax=side, ticks=range(len(YAWS) + 1), label=f"turns in reach, of {len(YAWS)}", shrink=0.7)
    _hand(hand, found.cell)
    return write_picture(figure, path)


def _bench(ax: Axes, cell: CellDescription, axes: tuple[int, int]) -> None:
    b = cell.bench
    table = np.array([*b.table_centre, b.table_size[2] / 2])
    board = np.array([*b.board_centre, b.board_top - b.board_size[2] / 2])
    low, high = np.array(cell.workspace.low), np.array(cell.workspace.high)
    boxes: tuple[tuple[np.ndarray, np.ndarray, dict[str, Any]], ...] = (
        (table, np.array(b.table_size), {"facecolor": "#e8dccb", "edgecolor": "none"}),
        (board, np.array(b.board_size), {"facecolor": "#9aa0a8", "edgecolor": "none"}),
        ((low + high) / 2, high - low, {"facecolor": "none", "edgecolor": "black", "linestyle": "--"}),
    )
    for centre, size, style in boxes:
        corner = (centre - size / 2)[list(axes)]
        wide, high_in_picture = size[list(axes)]
        ax.add_patch(Rectangle((corner[0], corner[1]), wide, high_in_picture, **style))


def _frames(ax: Axes, cell: CellDescription, axes: tuple[int, int]) -> None:
    named = {"base": cell.arm.T_world_base} | {view.name: view.T_world_cam for view in cell.views}
    places: dict[tuple[float, float], list[str]] = {}  # those behind one another share a label
    for name, T in named.items():
        for direction, colour in zip(T[:3, :3].T, COLOURS, strict=True):
            line = np.stack([T[:3, 3], T[:3, 3] + AXIS * direction])[:, axes]
            ax.plot(*line.T, color=colour, lw=1.5)
        places.setdefault((round(T[axes[0], 3], 2), round(T[axes[1], 3], 2)), []).append(name)
    for place, names in places.items():
        ax.annotate(", ".join(names), place, fontsize=7, xytext=(3, 3), textcoords="offset points")
    for _, _, T in cell.views:
        centre, ahead = T[:3, 3], T[:3, 2]
        line = np.stack([centre, centre + ahead * np.linalg.norm(cell.bench.middle - centre)])[:, axes]
        ax.plot(*line.T, color="grey", lw=0.5, ls=":")


def _hand(ax: Axes, cell: CellDescription) -> None:
    """Across the fingers: open, and closed in outline; the tool centre point in the middle."""
    g = cell.gripper
    thick, _, length = g.finger
    styles: tuple[tuple[float, dict[str, Any]], ...] = (
        (g.opening, {"facecolor": "#5a5f66"}),
        (0.0, {"facecolor": "none", "edgecolor": "#5a5f66"}),
    )
    for gap, style in styles:
        for side in (-1, 1):
            left = side * gap / 2 - (thick if side < 0 else 0)
            ax.add_patch(Rectangle((1000 * left, -1000 * g.tip_ahead), 1000 * thick, 1000 * length, **style))
    widest = 1000 * g.opening
    ax.add_patch(Rectangle((-widest / 2, -1000 * g.tip_ahead), widest, 1000 * length, facecolor="#cfe3f5", zorder=0))
    ax.plot(0, 0, "+", color="black")
    ax.annotate("tool centre point", (0, 0), fontsize=7, xytext=(4, 4), textcoords="offset points")
    ax.set(title=f"{g.name}: {widest:.0f} mm, {g.force[0]:g} to {g.force[1]:g} N", xlabel="closing axis, mm")
    ax.set(ylabel="towards the flange, mm", aspect="equal")
    ax.set(xlim=(-0.75 * widest, 0.75 * widest), ylim=(-2000 * g.tip_ahead - 10, 1100 * length))
