"""The animation of the README: Base beside dGrasp on one scene, climbing from the same random starts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from dgrasp.cameras import Views
from dgrasp.cell.outcome import Outcome
from dgrasp.report.figures.climbs import Climb
from dgrasp.report.figures.draw import draw_gripper, draw_scale_bar, gripper_in_view, show_view, to_pixels
from dgrasp.report.figures.optimization import background, central_scene, climbs
from dgrasp.report.figures.plots import policy_colour
from dgrasp.report.names import method_of
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.cell import Cell

TASK = "novel"  # objects that no network has seen
SHOWN = 36  # candidates
DOTS_PER_INCH = 110
FRAME, FIRST, LAST = 160, 900, 3500  # milliseconds that a picture is shown
ENDED = {True: "lifted", False: "not lifted"}


def draw_climb(studio: Studio) -> Drawn:
    """All pictures of the climb, and last the chosen grasps with what became of them."""
    found, views = climbs(studio, TASK), background(studio, TASK)
    lifted = {policy: executes(studio, climb) for policy, climb in found.items()}
    steps = next(iter(found.values())).paths.shape[0]
    shown = range(0, steps, 1 if studio.size.finer > 1 else 5)  # a profile for trying out shows every fifth step
    frames = [as_image(_frame(views, found, step, SHOWN)) for step in shown]
    last = _frame(views, found, steps - 1, SHOWN, lifted)
    times = [FIRST, *[FRAME] * (len(frames) - 1), LAST]
    data = pd.concat([climb.table(policy, TASK, SHOWN) for policy, climb in found.items()])
    facts: dict[str, object] = {"shown": SHOWN, "starts": next(iter(found.values())).paths.shape[1]}
    facts |= {"scene": central_scene(studio, TASK), "of": studio.size.candidates}
    for policy, climb in found.items():
        method = policy.partition("_")[0]
        facts |= {f"{method}_at": f"{climb.share('at_object'):.0%}", "begin": f"{climb.share('at_object', 0):.0%}"}
        facts |= {f"{method}_ended": ENDED[lifted[policy]]}
    facts = {"base_at": "not shown", "base_ended": "not shown", "dgrasp_at": "not shown"} | facts
    return Drawn(last, data, studio.experiment.used(), facts, frames=[*frames, as_image(last)], milliseconds=times)


def executes(studio: Studio, climb: Climb) -> bool:
    """Whether the chosen grasp lifts something in the simulated cell."""
    assert climb.scene is not None
    with Cell(studio.experiment.profile.cell) as cell:
        cell.reset(climb.scene)
        return cell.execute(climb.T_world_tcp.astype(float)).outcome is Outcome.SUCCESS


def as_image(figure: Figure) -> Image.Image:
    """A figure as pixels; it is closed."""
    figure.set_dpi(DOTS_PER_INCH)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    plt.close(figure)
    return Image.fromarray(pixels)


def _frame(
    views: Views, found: dict[str, Climb], step: int, shown: int, lifted: dict[str, bool] | None = None
) -> Figure:
    figure, axes = plt.subplots(1, len(found), figsize=(3.7 * len(found), 3.15), squeeze=False)
    for ax, (policy, climb) in zip(axes[0], found.items(), strict=True):
        show_view(ax, views, 0, method_of(policy))
        _draw_candidates(ax, views, climb, policy, step, shown, faint=lifted is not None)
        draw_scale_bar(ax, views)
        said = (
            f"step {step} of {len(climb.paths) - 1}: {climb.share('at_object', step):.0%} of candidates at the object"
        )
        if lifted is not None:
            colour = policy_colour(policy)
            draw_gripper(ax, views, 0, climb.T_world_tcp, climb.hand, color=colour, width=3.2, outlined=True)
            said = f"the grasp of highest value: {ENDED[lifted[policy]]}"
        ax.set_xlabel(said, fontsize=8)
    return figure


def _draw_candidates(
    axes: Axes, views: Views, climb: Climb, policy: str, step: int, shown: int, *, faint: bool
) -> None:
    """Grippers where they are after a step, and the way that each has come."""
    paths, colour = climb.sample(shown)[: step + 1], policy_colour(policy)
    uv = np.stack([to_pixels(views, 0, p)[0] for p in paths[..., :3, 3]], axis=1)  # (candidates, steps, 2)
    forks = [line for T in paths[-1] for line in gripper_in_view(views, 0, T, climb.hand)]
    ways = LineCollection(list(uv), colors=colour, linewidths=1.5, alpha=0.35 if faint else 0.8)
    grippers = LineCollection(forks, colors="0.25", linewidths=0.9, alpha=0.3 if faint else 0.75)
    for lines in (ways, grippers):
        axes.add_collection(lines)
