"""Figures of the real-robot chapter: outcomes of trials (Figure 7), success against calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageDraw

from dgrasp.cameras import Intrinsics, view_from_sphere
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_matrix
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.report.figures.draw import gripper_in_view
from dgrasp.report.figures.filmstrip import Frame, film
from dgrasp.report.figures.plots import policy_colour
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import ycb
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.sweep import ROTATION, TRANSLATION

CORNER = 0.05  # m from two sides of the workspace: a pose that went to its corner (Sec. 5.2)
EDGE = 0.01  # m from one side: a pose that the workspace alone stopped
SHOWN = ("home", "approach", "close", "lift")  # frames of a trial in Figure 7


@dataclass(frozen=True, eq=False)
class Example:
    """One trial shown in Figure 7. `record` is None where no trial ended that way."""

    title: str
    record: dict | None
    frames: tuple[Frame, ...] = ()


def is_in_corner(x: float, y: float) -> bool:
    """Whether a TCP position (world, m) lies within 5 cm of two sides of the workspace."""
    sides = np.minimum(np.array([x, y]) - BOUNDS_LOW[:2], BOUNDS_HIGH[:2] - np.array([x, y]))
    return bool((sides < CORNER).all())


def is_at_edge(x: float, y: float) -> bool:
    """Whether a TCP position (world, m) lies within 1 cm of a side of the workspace."""
    sides = np.minimum(np.array([x, y]) - BOUNDS_LOW[:2], BOUNDS_HIGH[:2] - np.array([x, y]))
    return bool((sides < EDGE).any())


def choose_examples(trials: pd.DataFrame) -> dict[str, dict | None]:
    """One trial each for failure to the corner, slippage and success; None where there is none.

    trials: rows of `TrialLog.judged`. Of several, one that was executed, and of these the one the policy valued
    highest. Where no pose went to a corner, one that went to an edge is taken, and called so.
    """
    posed = trials[trials["pose"].notna()].copy()
    posed["refused"] = posed["outcome"] == Outcome.REFUSED
    posed = posed.sort_values(["refused", "value"], ascending=[True, False], kind="stable")
    failed = posed[~posed["success"].astype(bool)]
    corner, edge = (failed[[bool(near(*pose[:2])) for pose in failed["pose"]]] for near in (is_in_corner, is_at_edge))
    outside = {"failure to the edge": edge} if len(edge) and not len(corner) else {"failure to the corner": corner}
    kinds = outside | {
        "slippage": posed[posed["outcome"].isin([Outcome.SLIPPED, Outcome.DROPPED])],
        "success": posed[posed["success"].astype(bool)],
    }
    return {title: rows.iloc[0].to_dict() if len(rows) else None for title, rows in kinds.items()}


def film_trial(record: dict, twin: TwinConfig, cell: CellConfig, observer: Observer, seed: int) -> tuple[Frame, ...]:
    """The frames `SHOWN` of a recorded twin trial, executed again; fewer where it ended before.

    Of a refused one there is one frame, with the refused pose drawn as a red fork.
    """
    T_world_tcp = pose_matrix(record["pose"])
    with TwinCell(twin, cell, observer, seed) as again:
        again.present(record["object"], record["presentation"])
        if record["outcome"] == Outcome.REFUSED:
            return (("home; red: the refused pose", _with_pose(again.simulated, T_world_tcp)),)
        T_world_tcp[:3, 3] += again.reality.execution_shift
        aim = torch.from_numpy(T_world_tcp[:3, 3] + [0.0, 0.0, 0.06])
        camera = view_from_sphere(aim, 0.7, np.radians(60), np.radians(72)).numpy()
        frames, _ = film(again.simulated, T_world_tcp, T_world_cam=camera)
    return tuple(frame for frame in frames if frame[0] in SHOWN)


def _with_pose(cell: Cell, T_world_tcp: np.ndarray) -> np.ndarray:
    """A picture of the cell that shows its object and a pose."""
    ends = np.stack([T_world_tcp[:3, 3], cell.scene.objects[0].T_world_object[:3, 3]])
    distance = 0.7 + float(np.linalg.norm(ends[1] - ends[0]))
    camera = view_from_sphere(torch.from_numpy(ends.mean(axis=0)), distance, np.radians(60), np.radians(72)).numpy()
    views = cell.observe(camera[None], Intrinsics.d415(320, 240))
    picture = Image.fromarray(views.images[0])
    for uv in gripper_in_view(views, 0, T_world_tcp):
        ImageDraw.Draw(picture).line([tuple(p) for p in uv.tolist()], fill=(215, 25, 28), width=3)
    return np.asarray(picture)


def plot_examples(axes: Sequence[Sequence[Axes]], examples: Sequence[Example], trials: int) -> None:
    """One row per example, one column per frame; a row without a trial says so. trials: of how many."""
    for row, example in zip(axes, examples, strict=True):
        for ax in row:
            ax.set_axis_off()
        text = example.title
        if example.record is not None:
            outcome = example.record["outcome"]
            text += f": {example.record['object']}" + (f" ({outcome})" if outcome != example.title else "")
        row[0].set_title(text)
        for ax, (phase, image) in zip(row, example.frames, strict=False):
            ax.imshow(image)
            ax.set_title(f"{text}\n{phase}" if ax is row[0] else f"\n{phase}")
        row[0].title.set_in_layout(len(example.frames) < 2)  # it runs over the next column, which keeps its height
        if example.record is None:
            row[0].text(0.0, 0.5, f"none among {trials} trials at this profile", transform=row[0].transAxes)


def examples_table(examples: Sequence[Example]) -> pd.DataFrame:
    """What Figure 7 shows, as data."""
    keys = ("policy", "object", "presentation", "outcome", "reason", "value")
    return pd.DataFrame([{"shown": e.title, **{k: (e.record or {}).get(k) for k in keys}} for e in examples])


def ycb_appearance(attempts: pd.DataFrame) -> str:
    """How the YCB objects of recorded attempts looked; empty where none took part."""
    return ", ".join(look for look in (ycb.FLAT, ycb.TEXTURED) if attempts["models"].str.contains(look).any())


def plot_calibration_sweep(axes: Sequence[Axes], rates: pd.DataFrame) -> None:
    """Success with Wilson intervals against the hand-eye error: left its length (mm), right its angle (degrees).

    The error is added to those of arm and lens, which the twin has at 0 as well.
    rates: from `dgrasp.twin.rates.sweep_rates`. Curves stand 1 % of the axis apart, so that equal ones show.
    """
    labels = {TRANSLATION: "added hand-eye error, position (mm)", ROTATION: "added hand-eye error, turn (degrees)"}
    for ax, (kind, label) in zip(axes, labels.items(), strict=True):
        here = rates[rates["kind"] == kind]
        apart = 0.01 * here["error"].max()
        for k, (policy, rows) in enumerate(here.groupby("policy", sort=False)):
            error = np.clip(np.stack([rows["rate"] - rows["low"], rows["high"] - rows["rate"]]), 0, None)
            colour = policy_colour(str(policy))
            ax.errorbar(
                rows["error"] + k * apart, rows["rate"], yerr=error, fmt="o-", ms=4, lw=1.2, color=colour, label=policy
            )
        ax.set(xlabel=label, ylim=(-0.02, 1.02), ylabel="grasp success rate in the twin")
    axes[0].legend(loc="upper left", title=f"n = {_numbers(rates['n'])} per point")


def _numbers(n: pd.Series) -> str:
    return str(n.min()) if n.min() == n.max() else f"{n.min()} to {n.max()}"
