"""Figure 2 and the cosines behind it: what the two losses supervise, and whether slopes follow demonstrations."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dgrasp.data.demonstrations import Demonstration
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.pictures import close_up, picture
from dgrasp.report.figures.plots import plot_cosines, plot_labelled_poses, plot_side_view, plot_slopes, policy_colour
from dgrasp.report.figures.slope_arrows import SlopeArrows, one_per_method, slope_arrows, slope_cosines
from dgrasp.report.names import model_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio

POSES = 12  # with arrows in Figure 2


def cosines(studio: Studio) -> pd.DataFrame:
    """Of all models, on held-out trajectories (`slope_cosines`)."""
    profile, seed = studio.experiment.profile.value, studio.experiment.seed
    return studio.once("cosines", lambda: slope_cosines(studio.values, studio.held_out, profile, seed))


def draw_cosines(studio: Studio) -> Drawn:
    """Distribution of the cosine of slope and displacement, for translation and rotation."""
    table = cosines(studio)
    figure, axes = plt.subplots(1, 2, figsize=(8.0, 2.9), sharey=True)
    plot_cosines(axes, table)
    letter_panels(axes)
    medians = table.groupby("model", sort=False)[["translation", "rotation"]].median()
    found = {f"{model}_{part}": f"{medians.loc[model, part]:.2f}" for model in medians.index for part in medians}
    said = "; ".join(
        f"{model_label(str(model))} {row.translation:.2f} and {row.rotation:.2f}" for model, row in medians.iterrows()
    )
    facts = {"medians": said, "poses": int(table.groupby("model").size().iloc[0]), "scenes": len(studio.held_out)}
    return Drawn(figure, table.round(5), studio.experiment.values(), facts | found)


def draw_fig02(studio: Studio) -> Drawn:
    """Left, poses of the main loss; middle and right, slopes beside demonstrated displacements."""
    demo, values = plain_demonstration(studio), studio.values
    arrows = slope_arrows(values, demo, studio.experiment.profile.value, studio.experiment.seed, poses=POSES)
    views = picture(studio.experiment.profile.cell, demo.state, studio.size.width, studio.size.finer)
    near = close_up(studio.experiment.profile.cell, demo.state, arrows.p_world, studio.size.width, studio.size.finer)
    figure, axes = plt.subplots(1, 3, figsize=(11.0, 3.1), width_ratios=(1.2, 1.1, 1.0))
    hand = demo.state.model.hand
    plot_labelled_poses(axes[0], views, arrows.T_world_grasp, arrows.Ts_negative, hand=hand, title="main loss")
    methods = one_per_method(values)
    directions = {"demonstrated": (arrows.displacement, "0.1")}
    directions |= {method: (arrows.slopes[model], policy_colour(model)) for method, model in methods.items()}
    plot_slopes(axes[1], near, arrows.p_world, directions, title="auxiliary loss")
    plot_side_view(axes[2], arrows.p_world, directions, title="the same from the side")
    letter_panels(axes)
    medians = {method: _median_cosine(arrows, model) for method, model in methods.items()}
    axes[2].set_xlabel(axes[2].get_xlabel() + "\nmedian cosine here: " + _listed(medians))
    facts = {"poses": POSES, "medians": _listed(medians), "negatives": len(arrows.Ts_negative)}
    return Drawn(figure, arrows.table(), studio.experiment.values(), facts)


def plain_demonstration(studio: Studio) -> Demonstration:
    """The first held-out demonstration on an object of one colour, on which arrows show; else the first."""
    demos = studio.held_out
    return next((demo for demo in demos if demo.state.object(demo.object).printed is None), demos[0])


def _median_cosine(arrows: SlopeArrows, model: str) -> float:
    slope, way = arrows.slopes[model], arrows.displacement
    lengths = np.linalg.norm(slope, axis=1) * np.linalg.norm(way, axis=1)
    return float(np.median((slope * way).sum(axis=1) / np.maximum(lengths, 1e-12)))


def _listed(medians: dict[str, float]) -> str:
    return ", ".join(f"{method} {median:.2f}" for method, median in medians.items())
