"""The figures' plot functions: pure, data in, axes out; notebooks share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dgrasp.cameras import Views
from dgrasp.nerf.quality import psnr, ssim
from dgrasp.nerf.validation import NovelView
from dgrasp.report.figures.draw import draw_gripper, draw_path, show_view, to_pixels
from dgrasp.report.outputs import BASE_COLOUR, CONTROL_COLOUR, DGRASP_COLOUR, PAPER_COLOUR

PROGRESS = LinearSegmentedColormap.from_list("blue to green", ["#1f3fbf", "#2bb673"])  # Figures 4 to 6
BEST = "#d7191c"
POSITIVE, NEGATIVE = "#1a9641", "#d7191c"


def plot_optimization(
    axes: Axes,
    views: Views,
    paths: Float[np.ndarray, "steps candidates 4 4"],
    *,
    view: int = 0,
    best: int = 5,
    title: str | None = None,
) -> None:
    """Candidates ordered from best to worst final value: paths from blue to green, the `best` final poses in red."""
    show_view(axes, views, view, title)
    for candidate in reversed(range(paths.shape[1])):
        draw_path(axes, views, view, paths[:, candidate, :3, 3], cmap=PROGRESS, alpha=0.8)
        top = candidate < best
        draw_gripper(
            axes, views, view, paths[-1, candidate], color=BEST if top else PROGRESS(1.0), alpha=0.9 if top else 0.35,
            width=1.6 if top else 0.9,
        )  # fmt: skip


def plot_final_candidates(
    axes: Axes, views: Views, finals: Float[np.ndarray, "candidates 4 4"], *, view: int = 0, title: str | None = None
) -> None:
    """Final states, best first; the selected grasp in red (Figure 1, right)."""
    show_view(axes, views, view, title)
    for T in finals[1:][::-1]:
        draw_gripper(axes, views, view, T, color="#dddddd", alpha=0.55, width=0.9)
    draw_gripper(axes, views, view, finals[0], color=BEST, width=2.0)


def plot_demonstration(
    axes: Axes,
    views: Views,
    Ts_world_tcp: Float[np.ndarray, "steps 4 4"],
    *,
    view: int = 0,
    every: int = 4,
    title: str | None = None,
) -> None:
    """Gripper poses along a demonstrated trajectory, from blue to green, which is the grasp (Figure 1, left)."""
    show_view(axes, views, view, title)
    draw_path(axes, views, view, Ts_world_tcp[:, :3, 3], cmap=PROGRESS)
    last = len(Ts_world_tcp) - 1
    for step in sorted({*range(last % every, last, every), last}):
        draw_gripper(axes, views, view, Ts_world_tcp[step], color=PROGRESS(step / max(last, 1)), alpha=0.9)


def plot_labelled_poses(
    axes: Axes,
    views: Views,
    T_positive: Float[np.ndarray, "4 4"],
    Ts_negative: Float[np.ndarray, "n 4 4"],
    *,
    view: int = 0,
    title: str | None = None,
) -> None:
    """L_main: one demonstrated grasp (green) among sampled poses (red)."""
    show_view(axes, views, view, title)
    for T in Ts_negative:
        draw_gripper(axes, views, view, T, color=NEGATIVE, alpha=0.5, width=1.0)
    draw_gripper(axes, views, view, T_positive, color=POSITIVE, width=2.2)


def plot_slopes(
    axes: Axes,
    views: Views,
    p_world: Float[np.ndarray, "n 3"],
    arrows: Mapping[str, tuple[Float[np.ndarray, "n 3"], str]],
    *,
    view: int = 0,
    length: float = 0.04,
    title: str | None = None,
) -> None:
    """L_aux: directions at poses as arrows of equal length (metres); `arrows` maps a label to (directions, colour)."""
    show_view(axes, views, view, title)
    for label, (directions, colour) in arrows.items():
        norm = np.linalg.norm(directions, axis=1, keepdims=True)
        tips = p_world + length * directions / np.maximum(norm, 1e-12)
        uv, _ = to_pixels(views, view, p_world)
        uv_tip, _ = to_pixels(views, view, tips)
        axes.quiver(
            *uv.T,
            *(uv_tip - uv).T,
            angles="xy",
            scale_units="xy",
            scale=1,
            color=colour,
            width=0.005,
            label=label,
            alpha=0.85,
        )
    _zoom(axes, views, view, p_world)
    axes.legend(loc="best", framealpha=0.8, frameon=True)


def _zoom(axes: Axes, views: Views, view: int, p_world: Float[np.ndarray, "n 3"], margin: float = 0.08) -> None:
    """The part of a view around points, in the proportions of the whole; margin: share of the image's width."""
    height, width = views.images[view].shape[:2]
    uv, _ = to_pixels(views, view, p_world)
    (u_low, v_low), (u_high, v_high) = uv.min(axis=0), uv.max(axis=0)
    half = margin * width + max(u_high - u_low, (v_high - v_low) * width / height) / 2
    u, v = (u_low + u_high) / 2, (v_low + v_high) / 2
    axes.set(xlim=(u - half, u + half), ylim=(v + half * height / width, v - half * height / width))


def plot_success_rates(axes: Axes, table: pd.DataFrame, tasks: Sequence[str]) -> None:
    """Ours (dots with Wilson intervals) beside the paper's (grey ticks), one group per task."""
    policies = list(dict.fromkeys(table["policy"]))
    for i, name in enumerate(policies):
        rows = table[table["policy"] == name].set_index("task").reindex(tasks)
        x = np.arange(len(tasks)) + (i - (len(policies) - 1) / 2) * 0.8 / len(policies)
        error = np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]])
        axes.errorbar(x, rows["rate"], yerr=np.clip(error, 0, None), fmt="o", ms=4, color=policy_colour(name), lw=1.2)
        axes.plot(x, rows["paper"], ls="", marker="_", ms=9, mew=2, color=PAPER_COLOUR)
    axes.set(xticks=np.arange(len(tasks)), xticklabels=tasks, ylim=(-0.02, 1.02), ylabel="grasp success rate")


def plot_convergence(axes: Axes, table: pd.DataFrame, share: str) -> None:
    """A share of candidates (column `near_grasp` or `in_corner`) after each step, one line per policy; 6D dashed."""
    for policy, rows in table.groupby("policy", sort=False):
        axes.plot(rows["step"], rows[share], color=policy_colour(str(policy)), ls=_dashes(str(policy)), label=policy)
    highest = 0.0 if table[share].isna().all() else float(table[share].max())
    axes.set(xlabel="step", ylabel="share of candidates", ylim=(0, max(0.01, 1.05 * highest)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def plot_success_by_value(axes: Axes, table: pd.DataFrame, ylabel: str = "success rate") -> None:
    """`success_by_value`: rate in bins of rising value with Wilson intervals, one line per policy; 6D dashed."""
    policies = list(dict.fromkeys(table["policy"]))
    for i, policy in enumerate(policies):
        rows = table[table["policy"] == policy]
        x = rows["bin"] + 0.06 * (i - (len(policies) - 1) / 2)
        error = np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]).clip(0)
        style = {"ls": _dashes(policy), "color": policy_colour(policy), "label": policy}
        axes.errorbar(x, rows["rate"], yerr=error, marker="o", ms=4, **style)
    bins = sorted(set(table["bin"]))
    top = min(1.0, 1.1 * float(table["high"].max()))
    axes.set(xlabel="by value, lowest to highest", xticks=bins, ylabel=ylabel, ylim=(-0.02 * top, 1.02 * top))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def plot_by_object(axes: Axes, table: pd.DataFrame) -> None:
    """`findings.by_object`: one line per object, the hardest on top, a dot with its Wilson interval per policy."""
    policies = list(dict.fromkeys(table["policy"]))
    objects = list(dict.fromkeys(table["objects"]))
    for i, policy in enumerate(policies):
        rows = table[table["policy"] == policy].set_index("objects")
        y = np.array([objects.index(name) for name in rows.index]) + 0.24 * (i - (len(policies) - 1) / 2)
        error = np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]).clip(0)
        axes.errorbar(rows["rate"], y, xerr=error, fmt="o", ms=4, color=policy_colour(policy), lw=1.2, label=policy)
    counts = table.groupby("objects")["n"].max()
    axes.set(yticks=range(len(objects)), yticklabels=[f"{name} (n = {counts[name]})" for name in objects])
    axes.set(xlim=(-0.02, 1.02), xlabel="grasp success rate")
    axes.invert_yaxis()
    if policies:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(policies))


def plot_studies(axes: Axes, trials: pd.DataFrame) -> None:
    """Tuning: success of every trial (pruned ones hollow) and the best so far, one line per policy; 6D dashed.

    Squares are policies that move and turn one after the other ("seq").
    """
    for policy, rows in trials.groupby("policy", sort=False):
        colour, shape = policy_colour(str(policy)), "s" if str(policy).endswith("_seq") else "o"
        complete = rows["state"] == "COMPLETE"
        best = rows["success"].where(complete).cummax().ffill()
        dots = {"markevery": complete.tolist(), "marker": shape, "ms": 4, "ls": _dashes(str(policy))}
        axes.plot(rows["trial"], best, color=colour, label=policy, **dots)
        for some, face in ((complete, colour), (~complete, "none")):
            axes.scatter(rows["trial"][some], rows["success"][some], c=face, edgecolors=colour, marker=shape, s=16)
    axes.set(xlabel="trial (0: untuned)", ylabel="success in simulation", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _dashes(policy: str) -> str:
    return "--" if "_6d" in policy else "-"


def policy_colour(policy: str) -> str:
    """One colour per method, everywhere: of a policy, or of a model."""
    if "control" in policy:
        return CONTROL_COLOUR
    return DGRASP_COLOUR if policy.startswith("dgrasp") else BASE_COLOUR


def plot_table(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """A data frame as a figure, so that tables have a bitmap and a vector too."""
    axes.set_axis_off()
    axes.set_title(title)
    cells = axes.table(
        cellText=table.astype(str).to_numpy().tolist(), colLabels=list(table.columns), loc="center", cellLoc="center"
    )
    cells.auto_set_font_size(False)
    cells.set_fontsize(7.5)
    cells.auto_set_column_width(list(range(len(table.columns))))
    cells.scale(1, 1.25)
    for (row, _), cell in cells.get_celld().items():
        cell.set_linewidth(0.4 if row else 0.8)
        if row == 0:
            cell.set_text_props(weight="bold")


def plot_novel_view(axes: Sequence[Axes], view: NovelView) -> None:
    """The source images, the held-out view (objects outlined), its rendering by Phi, and Phi's depth in metres.

    Needs one axes per source and three more.
    """
    sources = [(image, f"source {i + 1}") for i, image in enumerate(view.sources.images)]
    rendered = np.clip(view.rgb, 0, 1)
    shown = [*sources, (view.target.images[0], "held-out view"), (rendered, "rendered by Φ")]
    for ax, (image, title) in zip(axes, shown, strict=False):
        ax.imshow(image)
        ax.set(title=title, xticks=[], yticks=[])
    held_out, rendering, depth = axes[len(sources) :]
    if view.mask.any():
        held_out.contour(view.mask, levels=[0.5], colors="white", linewidths=0.8)
    rendering.set_xlabel(_quality(view))
    metres = depth.imshow(view.depth, cmap="viridis")
    depth.set(title="depth by Φ", xticks=[], yticks=[])
    depth.figure.colorbar(metres, ax=depth, label="m", shrink=0.8)


def _quality(view: NovelView) -> str:
    objects = f", objects {psnr(view.rgb, view.reference, view.mask):.1f} dB" if view.mask.any() else ""
    return f"{psnr(view.rgb, view.reference):.1f} dB{objects}\nSSIM {ssim(view.rgb, view.reference):.2f}"


def plot_queries(
    axes: Axes,
    points: Float[np.ndarray, "lines n 3"],
    directions: Float[np.ndarray, "lines 3"],
    title: str | None = None,
) -> None:
    """Query points in the TCP frame (millimetres) with their view directions, on 3-D axes; grey: the fingers."""
    for line, direction in zip(1e3 * points, directions, strict=True):
        colour = DGRASP_COLOUR if abs(direction[2]) > 0.5 else BASE_COLOUR
        axes.scatter(*line.T, color=colour, s=14)
        axes.quiver(*line.mean(axis=0), *(8 * direction), color=colour, lw=1.2)  # type: ignore[misc]
    for side in (-35, 35):
        axes.plot([side, side], [0, 0], [-40, 15], color="0.6", lw=4, alpha=0.5)  # type: ignore[arg-type]
    axes.set(xlabel="x, closing (mm)", ylabel="y, width (mm)", title=title or f"{points[..., 0].size} query points")
    axes.set(xticks=(-30, 0, 30), yticks=(-15, 0, 15))
    axes.set_zlabel("z, approach (mm)")  # type: ignore[attr-defined]
    axes.invert_zaxis()  # type: ignore[attr-defined]
    axes.set_box_aspect((70, 40, 55), zoom=0.85)  # type: ignore[arg-type, call-arg]
