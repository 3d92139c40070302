"""The panels of the slope explorer: pure, data in, axes out. Widget and static twin draw with the same functions."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from dgrasp.cameras import Views
from dgrasp.report.draw import draw_gripper, show_view, to_pixels
from dgrasp.report.plots import policy_colour
from dgrasp.report.pose_slice import SCALES, UNITS, PoseSlice
from dgrasp.report.slice_data import CandidatePath, SliceLandscape, SlopesOnPath

DEMONSTRATED = "#1a9641"
PATH = "#d95f02"  # as the walkers of notebook 0
LEVELS = 14
ARROW = 0.13  # length of the longest demonstrated arrow, and of every slope there, in half widths


@dataclass(frozen=True, eq=False)
class ModelPanel:
    """One model's part of the picture."""

    name: str
    landscape: SliceLandscape
    demonstration: SlopesOnPath
    path: CandidatePath


def plot_slice(axes: Axes, pose_slice: PoseSlice, landscape: SliceLandscape) -> None:
    """Scores as filled contours and slopes as grey arrows of one length, at every second point of the grid."""
    shares = landscape.shares
    axes.contourf(shares, shares, landscape.scores, levels=LEVELS, cmap="YlGnBu")
    every = slice((len(shares) - 1) % 2, None, 2)
    arrows = _unit(landscape.slopes[every, every].reshape(-1, 2)).T
    vertical, horizontal = np.meshgrid(shares[every], shares[every], indexing="ij")
    axes.quiver(horizontal.ravel(), vertical.ravel(), *arrows, color="0.3", scale=17, width=0.0045, pivot="mid")
    axes.set(xlim=(-1, 1), ylim=(-1, 1))
    _ticks(axes, pose_slice)


def plot_demonstrated(axes: Axes, pose_slice: PoseSlice, path: SlopesOnPath, *, color: str) -> None:
    """The demonstration projected on the slice: its displacements (green), and the slopes at the same poses."""
    at = pose_slice.project(path.coordinates)
    displacement = pose_slice.project(path.displacements)
    slope = path.slopes[:, list(pose_slice.indices)] * np.asarray(pose_slice.half_widths)  # score per half width
    longest = max(float(np.linalg.norm(displacement, axis=1).max()), 1e-12)
    style: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "zorder": 3}
    axes.plot(*np.vstack([at, at[-1] + displacement[-1]]).T, color=DEMONSTRATED, lw=1.2)
    axes.quiver(*at.T, *(ARROW * displacement / longest).T, color=DEMONSTRATED, width=0.011, **style)
    axes.quiver(*at.T, *(ARROW * _unit(slope)).T, color=color, width=0.007, **style)
    axes.plot(0, 0, marker="*", ms=13, color=DEMONSTRATED, mec="white", zorder=4)


def plot_path(axes: Axes, pose_slice: PoseSlice, path: CandidatePath, step: int) -> None:
    """A candidate's path projected on the slice: the whole way thin, up to `step` thick, a dot where it is now."""
    at = pose_slice.project(path.coordinates)
    axes.plot(*at.T, color=PATH, lw=0.8, marker=".", ms=3, zorder=5)
    axes.plot(*at[: step + 1].T, color=PATH, lw=2.2, zorder=5)
    axes.plot(*at[0], marker="s", ms=6, color="white", mec=PATH, zorder=6)
    axes.plot(*at[step], marker="o", ms=9, color=PATH, mec="white", zorder=6)


def plot_grippers(
    axes: Axes,
    views: Views,
    view: int,
    T_world_grasp: Float[np.ndarray, "4 4"],
    candidates: Mapping[str, tuple[CandidatePath, str]],
    step: int,
    title: str | None = None,
) -> None:
    """A camera's view with the demonstrated gripper (green) and each candidate's way and gripper at `step`."""
    show_view(axes, views, view, title)
    draw_gripper(axes, views, view, T_world_grasp, color=DEMONSTRATED, width=1.6)
    for path, colour in candidates.values():
        uv, depth = to_pixels(views, view, path.Ts_world_tcp[:, :3, 3])
        if (depth > 0.05).all():
            axes.plot(*uv.T, color=colour, lw=0.9, alpha=0.9)
        draw_gripper(axes, views, view, path.Ts_world_tcp[step], color=colour, width=2.0)
    p_world = np.concatenate(
        [T_world_grasp[None, :3, 3], *(path.Ts_world_tcp[:, :3, 3] for path, _ in candidates.values())]
    )
    _look_at(axes, views, view, p_world)


def plot_values(axes: Axes, candidates: Mapping[str, tuple[CandidatePath, str]], step: int) -> None:
    """The candidate's value after each step, one line per model; every model has its own scale of values."""
    for name, (path, colour) in candidates.items():
        rise = path.scores - path.scores[0]
        axes.plot(rise, color=colour, label=name)
        axes.plot(step, rise[step], marker="o", ms=6, color=colour, mec="white")
    axes.axvline(step, color="0.7", lw=0.8, zorder=0)
    gains = [path.scores - path.scores[0] for path, _ in candidates.values()]
    low, high = float(np.min(gains)), float(np.max(gains))
    margin = 0.08 * max(high - low, 1e-9)
    axes.set(xlim=(-0.4, len(gains[0]) - 0.6), ylim=(low - margin, high + margin), xlabel="step")
    axes.locator_params(nbins=4)
    axes.set_title("value gained since the start", y=1.02)


def empty_figure() -> Figure:
    """The explorer's figure without content: two landscapes, two cameras, values. Kept, it saves making axes."""
    with rc_context({"figure.constrained_layout.use": False}):  # it would cost as much as all the drawing
        figure = Figure(figsize=(11.6, 4.9), dpi=100)
    FigureCanvasAgg(figure)
    for k in range(2):
        figure.add_axes((0.055 + 0.335 * k, 0.18, 0.305, 0.70), label=f"model {k}")
    for k in range(2):
        figure.add_axes((0.712 + 0.146 * k, 0.57, 0.142, 0.31), label=f"camera {k}")
    figure.add_axes((0.745, 0.18, 0.245, 0.27), label="values")
    return figure


def explorer_figure(
    panels: Sequence[ModelPanel],
    pose_slice: PoseSlice,
    views: Views,
    T_world_grasp: Float[np.ndarray, "4 4"],
    step: int,
    note: str = "",
    figure: Figure | None = None,
) -> Figure:
    """All panels side by side: one or two models' landscapes, two camera views, values against steps.

    figure: an `empty_figure` or an earlier result, which is drawn anew. Raises ValueError unless there are one or two
    panels and 0 <= step <= the number of steps.
    """
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"panels: expected one or two models, got {len(panels)}")
    steps = len(panels[0].path.scores) - 1
    if not 0 <= step <= steps:
        raise ValueError(f"step: expected 0 to {steps}, the steps of this path, got {step}")
    figure = figure or empty_figure()
    _wipe(figure)
    on = {str(axes.get_label()): axes for axes in figure.axes}
    candidates = {panel.name: (panel.path, policy_colour(panel.name)) for panel in panels}
    for k, panel in enumerate(panels):
        _model_panel(on[f"model {k}"], panel, pose_slice, step)
    on["model 1"].set(visible=len(panels) == 2, ylabel="", yticklabels=[])
    for k in range(2):
        on[f"camera {k}"].set_visible(k < len(views))
        if k < len(views):
            plot_grippers(on[f"camera {k}"], views, k, T_world_grasp, candidates, step)
    plot_values(on["values"], candidates, step)
    figure.legend(handles=_keys(candidates), loc="lower left", bbox_to_anchor=(0.045, 0.0), ncols=6, fontsize=8)
    figure.text(0.99, 0.955, note, ha="right", fontsize=8, color="0.4")
    return figure


def _wipe(figure: Figure) -> None:
    """Take away what is drawn, and keep the axes."""
    for artist in [*figure.legends, *figure.texts]:
        artist.remove()
    for axes in figure.axes:
        for artist in [*axes.lines, *axes.collections, *axes.images, *axes.texts]:
            artist.remove()
        axes.set_prop_cycle(None)


def to_png(figure: Figure) -> bytes:
    """An `explorer_figure` as PNG bytes, drawn once and compressed lightly because someone is waiting."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    target = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(target, format="png", compress_level=1)
    return target.getvalue()


def _model_panel(axes: Axes, panel: ModelPanel, pose_slice: PoseSlice, step: int) -> None:
    plot_slice(axes, pose_slice, panel.landscape)
    plot_demonstrated(axes, pose_slice, panel.demonstration, color=policy_colour(panel.name))
    plot_path(axes, pose_slice, panel.path, step)
    translation, rotation = (_cosine(c) for c in panel.demonstration.cosines)
    axes.set_title(panel.name, color=policy_colour(panel.name), y=1.055)
    cosines = f"cosine with the demonstration: translation {translation}, rotation {rotation}"
    axes.text(-1, 1.03, cosines, color=policy_colour(panel.name), fontsize=8, va="bottom")


def _look_at(axes: Axes, views: Views, view: int, p_world: Float[np.ndarray, "n 3"]) -> None:
    """Show the part of the image that holds the points, with room for grippers, but never more than the image."""
    uv, _ = to_pixels(views, view, p_world)
    size = np.array(views.images.shape[2:0:-1], dtype=float)
    low, high = uv.min(axis=0), uv.max(axis=0)
    share = min(1.0, max(0.55, float(((high - low) / size).max()) + 0.3))
    corner = np.clip((low + high) / 2 - share * size / 2, 0, (1 - share) * size) - 0.5
    axes.set(xlim=(corner[0], corner[0] + share * size[0]), ylim=(corner[1] + share * size[1], corner[1]))


def _keys(candidates: Mapping[str, tuple[CandidatePath, str]]) -> list[Line2D]:
    lines = [("demonstrated", DEMONSTRATED), ("candidate's path", PATH), ("slope of the landscape", "0.35")]
    lines += [(f"{name}: slope there, gripper", colour) for name, (_, colour) in candidates.items()]
    return [Line2D([], [], color=colour, label=label) for label, colour in lines]


def _ticks(axes: Axes, pose_slice: PoseSlice) -> None:
    """Axes are drawn in half widths; ticks and labels say millimetres or degrees from the grasp."""
    at = np.linspace(-1, 1, 3)
    for axis, name, width, index in zip(
        (axes.xaxis, axes.yaxis), pose_slice.axes, pose_slice.half_widths, pose_slice.indices, strict=True
    ):
        axis.set_ticks(at, [f"{share * width * SCALES[index]:.3g}" for share in at])
        frame = "of the TCP " if index >= 3 else ""
        axis.set_label_text(f"{name} {frame}({UNITS[index]} from the grasp)")


def _unit(vectors: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _cosine(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:+.2f}"
