"""The figures' plot functions: pure, data in, axes out; notebooks share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dgrasp.cameras import Views
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.model import PAPERS
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.nerf.quality import psnr, ssim
from dgrasp.nerf.validation import NovelView
from dgrasp.report.figures.climbs import Climb
from dgrasp.report.figures.draw import draw_gripper, draw_path, draw_reach, draw_scale_bar, show_view, to_pixels
from dgrasp.report.names import model_label, object_label, policy_label, task_label
from dgrasp.report.outputs import BASE_COLOUR, CONTROL_COLOUR, DGRASP_COLOUR, PAPER_COLOUR

PROGRESS = ListedColormap(colormaps["plasma"](np.linspace(0.0, 0.82, 256)), "start to end")  # even steps, no pale end
POSITIVE, NEGATIVE = "#117733", "0.45"  # no method's colours
ALONG, INWARDS = "#882255", "#44AA99"  # query lines


def plot_climb(
    axes: Axes, views: Views, climb: Climb, policy: str, *, shown: int, view: int = 0, title: str | None = None
) -> None:
    """Paths of the first `shown` random starts, dark to bright; where they end in grey; the chosen grasp is thick.

    The dashed square is the climb's reach about the chosen grasp. Below: which share of all starts arrives.
    """
    show_view(axes, views, view, title or policy_label(policy))
    paths = climb.sample(shown)
    for k in range(paths.shape[1]):
        draw_path(axes, views, view, paths[:, k, :3, 3], cmap=PROGRESS, width=1.3)
        draw_gripper(axes, views, view, paths[-1, k], climb.hand, color="0.35", alpha=0.45, width=0.7)
    plot_chosen(axes, views, climb, policy, view)
    axes.set_xlabel(arrival(climb), fontsize=8)


def plot_ends(
    axes: Axes, views: Views, climb: Climb, policy: str, *, shown: int, view: int = 0, title: str | None = None
) -> None:
    """Where the first `shown` random starts end, in grey, and the chosen grasp (Figure 1, right)."""
    show_view(axes, views, view, title or policy_label(policy))
    for T in climb.sample(shown)[-1]:
        draw_gripper(axes, views, view, T, climb.hand, color="0.2", alpha=0.5, width=0.8)
    plot_chosen(axes, views, climb, policy, view)
    axes.set_xlabel(arrival(climb), fontsize=8)


def plot_chosen(axes: Axes, views: Views, climb: Climb, policy: str, view: int = 0) -> None:
    """The chosen grasp in its method's colour, the reach about it, and a scale bar."""
    if climb.reach:
        draw_reach(axes, views, view, climb.T_world_tcp[:3, 3], climb.reach)
    colour = policy_colour(policy)
    draw_gripper(axes, views, view, climb.T_world_tcp, climb.hand, color=colour, width=2.6, outlined=True)
    draw_scale_bar(axes, views, view)


def arrival(climb: Climb) -> str:
    """Which share of a climb's candidates ends at an object, of how many, and how many began there."""
    end, begin = climb.share("at_object"), climb.share("at_object", 0)
    return f"{end:.0%} of {climb.paths.shape[1]:,} starts end at an object ({begin:.0%} began there)"


def plot_demonstration(
    axes: Axes,
    views: Views,
    Ts_world_tcp: Float[np.ndarray, "steps 4 4"],
    *,
    hand: Hand = PAPERS.hand,
    view: int = 0,
    every: int = 4,
    title: str | None = None,
) -> None:
    """Gripper poses along a demonstrated trajectory, from dark to bright, which is the grasp (Figure 1, left)."""
    show_view(axes, views, view, title)
    draw_path(axes, views, view, Ts_world_tcp[:, :3, 3], cmap=PROGRESS, width=2.0)
    last = len(Ts_world_tcp) - 1
    for step in sorted({*range(last % every, last, every), last}):
        draw_gripper(axes, views, view, Ts_world_tcp[step], hand, color=PROGRESS(step / max(last, 1)), alpha=0.9)


def plot_labelled_poses(
    axes: Axes,
    views: Views,
    T_positive: Float[np.ndarray, "4 4"],
    Ts_negative: Float[np.ndarray, "n 4 4"],
    *,
    hand: Hand = PAPERS.hand,
    view: int = 0,
    title: str | None = None,
) -> None:
    """L_main: one demonstrated grasp (blue, thick) among sampled poses (red)."""
    show_view(axes, views, view, title)
    for T in Ts_negative:
        draw_gripper(axes, views, view, T, hand, color=NEGATIVE, alpha=0.5, width=1.0)
    draw_gripper(axes, views, view, T_positive, hand, color=POSITIVE, width=2.6, outlined=True)


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
    axes.legend(loc="best", framealpha=0.8, frameon=True)


def plot_side_view(
    axes: Axes,
    p_world: Float[np.ndarray, "n 3"],
    arrows: Mapping[str, tuple[Float[np.ndarray, "n 3"], str]],
    *,
    length: float = 0.03,
    title: str | None = None,
) -> None:
    """The poses of `plot_slopes` seen along the board: x and height above it, centimetres; arrows of equal length."""
    along, height = 100 * p_world[:, 0], 100 * (p_world[:, 2] - BOARD_TOP)
    for directions, colour in arrows.values():
        unit = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
        ends = 100 * length * unit[:, [0, 2]].T
        axes.quiver(along, height, *ends, color=colour, angles="xy", scale_units="xy", scale=1, width=0.007, alpha=0.85)
    axes.axhline(0, color="0.6", lw=1)
    axes.set(xlabel="x (cm)", ylabel="height above the board (cm)", title=title)
    axes.margins(0.2)
    axes.set_aspect("equal", adjustable="datalim")


def plot_rates(axes: Sequence[Axes], table: pd.DataFrame, tasks: Sequence[str]) -> None:
    """One panel for each task, one line for each policy: ours as dots with intervals, the paper's as open diamonds.

    Ticks are the lowest and the highest training seed, where there are several.
    """
    policies = list(dict.fromkeys(table["policy"]))
    y = np.arange(len(policies))
    for ax, task in zip(axes, tasks, strict=True):
        rows = table[table["task"] == task].set_index("policy").reindex(policies)
        for place, (policy, row) in zip(y, rows.iterrows(), strict=True):
            error = [[max(0.0, row["rate"] - row["low"])], [max(0.0, row["high"] - row["rate"])]]
            colour = policy_colour(str(policy))
            ax.errorbar(row["rate"], place, xerr=error, fmt="o", ms=4, lw=1.2, color=colour)
            if row["seeds"] > 1:
                ax.plot([row["least"], row["most"]], [place, place], ls="", marker="|", ms=8, mew=1.0, color=colour)
        ax.plot(rows["paper"], y, ls="", marker="D", ms=4, mfc="white", mec=PAPER_COLOUR, mew=1.1, label="paper")
        ax.plot([], [], "o-", ms=4, lw=1.2, color="0.2", label="ours, with interval")
        if (table["seeds"] > 1).any():
            ax.plot([], [], ls="", marker="|", ms=8, color="0.2", label="lowest and highest training seed")
        ax.grid(axis="y", color="0.92", lw=0.8)
        ax.set(title=task_label(task), xlim=(-0.03, 1.03), xticks=(0, 0.5, 1), xlabel="success rate")
    axes[0].set(yticks=y, yticklabels=[policy_label(policy) for policy in policies])
    axes[0].set_ylim(len(policies) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=3)  # type: ignore[call-arg]


def plot_cosines(axes: Sequence[Axes], table: pd.DataFrame) -> None:
    """Cumulative distributions of `slope_cosines`: left of translation, right of rotation; 6D dashed."""
    for ax, part in zip(axes, ("translation", "rotation"), strict=True):
        for name, rows in table.groupby("model", sort=False):
            ax.ecdf(rows[part], label=model_label(str(name)), color=policy_colour(str(name)), ls=_dashes(f"{name}"))
        ax.axvline(0, color="0.7", lw=0.8)
        ax.set(title=part, xlabel="cosine of slope and displacement", xticks=(-1, -0.5, 0, 0.5, 1))
    axes[0].set_ylabel("share of poses below")
    axes[0].legend(loc="upper left")


def plot_convergence(axes: Axes, table: pd.DataFrame, share: str) -> None:
    """A share of candidates (column `near_grasp` or `in_corner`) after each step, one line per policy; 6D dashed."""
    for policy, rows in table.groupby("policy", sort=False):
        style: dict[str, Any] = {"color": policy_colour(str(policy)), "ls": _dashes(str(policy))}
        axes.plot(rows["step"], rows[share], label=policy_label(str(policy)), **style)
    highest = 0.0 if table[share].isna().all() else float(table[share].max())
    axes.set(xlabel="step", ylabel="share of candidates", ylim=(0, max(0.01, 1.05 * highest)))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def plot_success_by_value(axes: Axes, table: pd.DataFrame, ylabel: str = "success rate") -> None:
    """`success_by_value`: rate in bins of rising value with Wilson intervals, one line per policy; 6D dashed."""
    policies = list(dict.fromkeys(table["policy"]))
    for i, policy in enumerate(policies):
        rows = table[table["policy"] == policy]
        x = rows["bin"] + 0.06 * (i - (len(policies) - 1) / 2)
        error = np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]).clip(0)
        style: dict[str, Any] = {"ls": _dashes(policy), "color": policy_colour(policy), "label": policy_label(policy)}
        axes.errorbar(x, rows["rate"], yerr=error, marker="o", ms=4, **style)
    bins = sorted(set(table["bin"]))
    top = min(1.0, 1.1 * float(table["high"].max()))
    axes.set(
        xlabel="fifths or tenths by rising value",
        xticks=bins,
        ylabel=ylabel,
        ylim=(-0.02 * top, 1.02 * top),
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def plot_dots(axes: Axes, table: pd.DataFrame, column: str, names: Sequence[str]) -> dict[str, float]:
    """Rates with their intervals, each on the line that `names` gives its `column`, policies a little side by side.

    Returns how far beside its line each policy stands.
    """
    policies = list(dict.fromkeys(table["policy"]))
    aside = {policy: 0.24 * (i - (len(policies) - 1) / 2) for i, policy in enumerate(policies)}
    for i, policy in enumerate(policies):
        rows = table[table["policy"] == policy]
        y = np.array([names.index(name) for name in rows[column]]) + aside[policy]
        error = np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]).clip(0)
        style: dict[str, Any] = {"color": policy_colour(policy), "label": policy_label(policy)}
        axes.errorbar(rows["rate"], y, xerr=error, fmt="os"[i % 2], ms=4, lw=1.2, **style)
    return aside


def plot_by_object(axes: Axes, table: pd.DataFrame) -> None:
    """`findings.by_object`: one line per object, the hardest on top, a dot with its Wilson interval per policy."""
    objects = list(dict.fromkeys(table["objects"]))
    plot_dots(axes, table, "objects", objects)
    counts = table.groupby("objects")["n"].max()
    axes.set(yticks=range(len(objects)), yticklabels=[f"{object_label(name)} (n = {counts[name]})" for name in objects])
    axes.set(xlim=(-0.02, 1.02), xlabel="grasp success rate")
    axes.invert_yaxis()


def plot_studies(axes: Axes, trials: pd.DataFrame) -> None:
    """Tuning: success of every trial (pruned ones hollow) and the best so far, one line per policy; 6D dashed.

    Squares are policies that move and turn one after the other ("seq").
    """
    for policy, rows in trials.groupby("policy", sort=False):
        colour, shape = policy_colour(str(policy)), "s" if str(policy).endswith("_seq") else "o"
        complete = rows["state"] == "COMPLETE"
        best = rows["success"].where(complete).cummax().ffill()
        dots = {"markevery": complete.tolist(), "marker": shape, "ms": 4, "ls": _dashes(str(policy))}
        axes.plot(rows["trial"], best, color=colour, label=policy_label(str(policy)), **dots)
        for some, face in ((complete, colour), (~complete, "none")):
            axes.scatter(rows["trial"][some], rows["success"][some], c=face, edgecolors=colour, marker=shape, s=16)
    axes.set(xlabel="trial (0: untuned)", ylabel="success in simulation", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _dashes(policy: str) -> str:
    """6D dashed, of policies and of models."""
    return "--" if "_6d" in policy else "-"


def methods_of(policies: Sequence[str]) -> list[str]:
    """One policy of each method, the first that moves and turns at once (else its first)."""
    order = sorted(policies, key=lambda policy: not policy.endswith("_sync"))
    firsts = {policy.partition("_")[0]: policy for policy in reversed(order)}
    return sorted(firsts.values())


def policy_colour(policy: str) -> str:
    """One colour per method, everywhere: of a policy, or of a model."""
    if "control" in policy:
        return CONTROL_COLOUR
    return DGRASP_COLOUR if policy.startswith("dgrasp") else BASE_COLOUR


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
    opening: float = PAPERS.hand.opening,
) -> None:
    """Query points in the TCP frame (millimetres) with their view directions, on 3-D axes; grey: the open fingers.

    opening: of the hand, metres. Limits are the same for all points, so that pictures compare.
    """
    for line, direction in zip(1e3 * points, directions, strict=True):
        colour = ALONG if abs(direction[2]) > 0.5 else INWARDS
        axes.scatter(*line.T, color=colour, s=14)
        axes.quiver(*line.mean(axis=0), *(8 * direction), color=colour, lw=1.2)  # type: ignore[misc]
    for side in (-500 * opening, 500 * opening):
        axes.plot([side, side], [0, 0], [-40, 15], color="0.6", lw=4, alpha=0.5)  # type: ignore[arg-type]
    axes.set(xlabel="x, closing (mm)", ylabel="y, width (mm)", title=title or f"{points[..., 0].size} query points")
    axes.set(xlim=(-95, 95), ylim=(-25, 25), xticks=(-70, 0, 70), yticks=(-20, 0, 20), zlim=(40, -45))
    axes.set_zlabel("z, approach (mm)")  # type: ignore[attr-defined]
    axes.set_box_aspect((190, 50, 85), zoom=0.85)  # type: ignore[arg-type, call-arg]
