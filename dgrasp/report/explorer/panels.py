"""The panels of the slope explorer: pure, data in, axes out. Widget and static twin draw with the same functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dgrasp.cameras import Views
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.model import PAPERS
from dgrasp.report.explorer.canvas import Panel
from dgrasp.report.explorer.data import CandidatePath, SliceLandscape, SlopesOnPath
from dgrasp.report.explorer.pose_slice import SCALES, UNITS, PoseSlice
from dgrasp.report.figures.draw import draw_gripper, gripper_in_view, show_view, to_pixels
from dgrasp.report.figures.plots import policy_colour
from dgrasp.report.names import model_label

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


Candidates = Mapping[str, tuple[CandidatePath, str]]  # by the name of the model: the path, its colour


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


def plot_ways(
    axes: Axes, views: Views, view: int, T_world_grasp: Float[np.ndarray, "4 4"], candidates: Candidates
) -> None:
    """Each candidate's way in a camera's view, which is cut to where the ways and the grasp are."""
    for path, colour in candidates.values():
        uv, depth = to_pixels(views, view, path.Ts_world_tcp[:, :3, 3])
        if (depth > 0.05).all():
            axes.plot(*uv.T, color=colour, lw=0.9, alpha=0.9)
    ways = [path.Ts_world_tcp[:, :3, 3] for path, _ in candidates.values()]
    _look_at(axes, views, view, np.concatenate([T_world_grasp[None, :3, 3], *ways]))


def plot_grippers(axes: Axes, views: Views, view: int, candidates: Candidates, step: int, hand: Hand) -> None:
    """Each candidate's gripper at `step` in a camera's view, with a white rim: seen on objects of any colour."""
    for path, colour in candidates.values():
        strokes = gripper_in_view(views, view, path.Ts_world_tcp[step], hand)
        widths, colours = ([x for x in pair for _ in strokes] for pair in ((3.6, 2.0), ("white", colour)))
        axes.add_collection(
            LineCollection(2 * strokes, colors=colours, linewidths=widths, capstyle="round"), autolim=False
        )


def plot_values(axes: Axes, candidates: Candidates) -> None:
    """The candidate's value after each step, one line per model; every model has its own scale of values."""
    gains = {name: path.scores - path.scores[0] for name, (path, _) in candidates.items()}
    for name, (_, colour) in candidates.items():
        axes.plot(gains[name], color=colour, label=name)
    low, high = (float(bound(list(gains.values()))) for bound in (np.min, np.max))
    margin = 0.08 * max(high - low, 1e-9)
    steps = len(next(iter(gains.values()))) - 1
    axes.set(xlim=(-0.4, steps + 0.4), ylim=(low - margin, high + margin), xlabel="step")
    axes.locator_params(axis="y", nbins=4)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_title("value gained since the start", y=1.02)


def mark_step(axes: Axes, candidates: Candidates, step: int) -> None:
    """Where on `plot_values` the candidates are."""
    axes.axvline(step, color="0.7", lw=0.8)
    for path, colour in candidates.values():
        axes.plot(step, path.scores[step] - path.scores[0], marker="o", ms=6, color=colour, mec="white")


def explorer_panels(
    models: Sequence[ModelPanel],
    pose_slice: PoseSlice,
    views: Views,
    T_world_grasp: Float[np.ndarray, "4 4"],
    step: int,
    note: str = "",
    hand: Hand = PAPERS.hand,
) -> list[Panel]:
    """All panels: one or two models' landscapes, up to two camera views, values against steps, keys and a note.

    Raises ValueError unless there are one or two models and 0 <= step <= the number of steps.
    """
    if not 1 <= len(models) <= 2:
        raise ValueError(f"models: expected one or two, got {len(models)}")
    steps = len(models[0].path.scores) - 1
    if not 0 <= step <= steps:
        raise ValueError(f"step: expected 0 to {steps}, the steps of this path, got {step}")
    candidates = {model.name: (model.path, policy_colour(model.name)) for model in models}
    paths = tuple(model.path for model in models)
    panels = [_model_panel(k, model, pose_slice, step) for k, model in enumerate(models)]
    panels += [_camera_panel(k, views, T_world_grasp, candidates, step, hand) for k in range(min(2, len(views)))]
    return [
        *panels,
        Panel(
            "values", paths, lambda axes: plot_values(axes, candidates), lambda axes: mark_step(axes, candidates, step)
        ),
        Panel("keys", tuple(candidates), lambda axes: _show_keys(axes, candidates)),
        Panel("note", note, lambda axes: _show_note(axes, note)),
    ]


def _model_panel(k: int, model: ModelPanel, pose_slice: PoseSlice, step: int) -> Panel:
    def still(axes: Axes) -> None:
        plot_slice(axes, pose_slice, model.landscape)
        plot_demonstrated(axes, pose_slice, model.demonstration, color=policy_colour(model.name))
        _show_name(axes, model)
        if k > 0:
            axes.set(ylabel="", yticklabels=[])

    shows = (model.name, pose_slice, model.landscape, model.demonstration)
    return Panel(f"model {k}", shows, still, lambda axes: plot_path(axes, pose_slice, model.path, step))


def _camera_panel(
    k: int, views: Views, T_world_grasp: Float[np.ndarray, "4 4"], candidates: Candidates, step: int, hand: Hand
) -> Panel:
    def still(axes: Axes) -> None:
        show_view(axes, views, k)
        draw_gripper(axes, views, k, T_world_grasp, hand, color=DEMONSTRATED, width=1.6)
        plot_ways(axes, views, k, T_world_grasp, candidates)

    shows = (T_world_grasp.tobytes(), tuple(path for path, _ in candidates.values()))
    return Panel(f"camera {k}", shows, still, lambda axes: plot_grippers(axes, views, k, candidates, step, hand))


def _show_name(axes: Axes, model: ModelPanel) -> None:
    translation, rotation = (_cosine(c) for c in model.demonstration.cosines)
    axes.set_title(model_label(model.name), color=policy_colour(model.name), y=1.055)
    cosines = f"cosine to demonstrated: translation {translation}, rotation {rotation}"
    axes.text(-1, 1.03, cosines, color=policy_colour(model.name), fontsize=8, va="bottom")


def _show_keys(axes: Axes, candidates: Candidates) -> None:
    axes.set_axis_off()
    axes.legend(handles=_keys(candidates), loc="center left", ncols=6, fontsize=8, borderpad=0, borderaxespad=0)


def _show_note(axes: Axes, note: str) -> None:
    axes.set_axis_off()
    axes.text(1, 0.4, note, ha="right", fontsize=8, color="0.4", transform=axes.transAxes)


def _look_at(axes: Axes, views: Views, view: int, p_world: Float[np.ndarray, "n 3"]) -> None:
    """Show the part of the image that holds the points, with room for grippers, but never more than the image."""
    uv, _ = to_pixels(views, view, p_world)
    size = np.array(views.images.shape[2:0:-1], dtype=float)
    low, high = uv.min(axis=0), uv.max(axis=0)
    share = min(1.0, max(0.55, float(((high - low) / size).max()) + 0.3))
    corner = np.clip((low + high) / 2 - share * size / 2, 0, (1 - share) * size) - 0.5
    axes.set(xlim=(corner[0], corner[0] + share * size[0]), ylim=(corner[1] + share * size[1], corner[1]))


def _keys(candidates: Candidates) -> list[Line2D]:
    lines = [("demonstrated", DEMONSTRATED), ("candidate's path", PATH), ("slope of the landscape", "0.35")]
    lines += [(f"{model_label(name)}: slope there, gripper", colour) for name, (_, colour) in candidates.items()]
    return [Line2D([], [], color=colour, label=label) for label, colour in lines]


def _ticks(axes: Axes, pose_slice: PoseSlice) -> None:
    """Axes are drawn in half widths; ticks and labels say millimetres or degrees from the grasp."""
    at = np.linspace(-0.5, 0.5, 3)  # labels at the ends would run into those of the neighbour
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
