"""The landscape of the plane while it is learned, with and without taught slopes, after the same steps."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from dgrasp.examples import plane
from dgrasp.report.figures.animation import as_image
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.examples import NEAR, TAUGHT, WALKERS
from dgrasp.report.outputs import NO_OBJECTS, Drawn
from dgrasp.report.studio import Studio

SHOWN = tuple(range(0, plane.STEPS + 1, 20))  # steps of training
STILLS = (0, 100, 200, 400)  # in the picture for print
LEVELS = 12  # of height: fewer than in the figure `plane`, for a small file
DRAWN = 40  # walkers
FRAME, FIRST, LAST = 350, 900, 3000  # milliseconds that a picture is shown


@dataclass(frozen=True)
class Learned:
    """frames: one for each step shown. still: the picture for print. arrived: `losses`, `step`, share `arrived`."""

    frames: list[Image]
    still: plt.Figure
    arrived: pd.DataFrame


def learned(studio: Studio) -> Learned:
    """Both trainings side by side; profiles for trying out show fewer steps."""
    return studio.once("learning", lambda: _learn(studio.experiment.seed, SHOWN[:: 1 if studio.size.finer > 1 else 5]))


def draw_learning(studio: Studio) -> Drawn:
    """The animation, and in print the landscapes after some of the steps."""
    found = learned(studio)
    milliseconds = [FIRST, *[FRAME] * (len(found.frames) - 2), LAST]
    main, both = (when(found.arrived, losses) for losses in TAUGHT)
    facts = {"shown": DRAWN, "walkers": WALKERS, "main": main, "both": both}
    return Drawn(
        found.still,
        found.arrived,
        facts=facts,
        frames=found.frames,
        milliseconds=milliseconds,
        ycb_appearance=NO_OBJECTS,
    )


def when(arrived: pd.DataFrame, losses: str) -> str:
    """From which of the steps on half of the walkers arrive, in words."""
    rows = arrived[arrived["losses"] == losses]
    below = rows.loc[rows["arrived"] < 0.5, "step"]
    later = rows.loc[rows["step"] > below.max(), "step"] if len(below) else rows["step"]
    return f"from step {later.min()} on" if len(later) else "never"


def _learn(seed: int, shown: tuple[int, ...]) -> Learned:
    paths, frames, rows = plane.demonstrations(n=24, seed=seed), [], []
    still, axes = plt.subplots(len(TAUGHT), len(STILLS), figsize=(10.0, 5.4), sharex=True, sharey=True)
    trainings = (plane.values_in_training(paths, weight, seed, plane.STEPS) for weight in TAUGHT.values())
    for step, values in enumerate(zip(*trainings, strict=True)):
        if step in shown or step in STILLS:
            climbs = [plane.climb(value, seed, walkers=WALKERS) for value in values]
            shares = [_arrived(climb) for climb in climbs]
            rows += [{"losses": name, "step": step, "arrived": x} for name, x in zip(TAUGHT, shares, strict=True)]
            if step in shown:
                frames.append(_frame(step, values, climbs, shares))
            if step in STILLS:
                column = axes[:, STILLS.index(step)]
                _plot(column, [f"step {step}"] * len(values), values, climbs, [_says(share) for share in shares])
    for ax, name in zip(axes[:, 0], TAUGHT, strict=True):
        ax.set_ylabel(name)
    letter_panels(axes.ravel())
    return Learned(frames, still, pd.DataFrame(rows))


def _frame(step: int, values: tuple[plane.Value, ...], climbs: list[Tensor], shares: list[float]) -> Image:
    figure, axes = plt.subplots(1, len(values), figsize=(5.8, 3.0), sharey=True)
    _plot(axes, list(TAUGHT), values, climbs, [f"step {step} of {plane.STEPS}: {_says(share)}" for share in shares])
    return as_image(figure)


def _says(share: float) -> str:
    return f"{share:.0%} of {WALKERS} walkers arrive"


def _plot(
    axes: np.ndarray, titles: list[str], values: tuple[plane.Value, ...], climbs: list[Tensor], below: list[str]
) -> None:
    """Small panels: what the axes are, the figure `plane` says."""
    for ax, title, value, climb, text in zip(axes, titles, values, climbs, below, strict=True):
        plane.plot_landscape(ax, value, climb[:, :DRAWN], title, LEVELS)
        ax.set_ylabel("")
        ax.set_xlabel(text, fontsize=8)


def _arrived(climb: Float[Tensor, "steps n 2"]) -> float:
    return float(((climb[-1] - plane.GOOD_ACTION).norm(dim=-1) < NEAR).float().mean())
