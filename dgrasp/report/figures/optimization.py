"""Figures 1, 4, 5 and 6, and convergence over many scenes: candidates that climb; nobody chooses what is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.cell.workspace import BOARD_CENTRE_XY
from dgrasp.policy.policies import policy_spec
from dgrasp.report.figures import plots
from dgrasp.report.figures.climbs import CONTRAST, Climb, arrivals, convergence, progress_by_scene, record_climbs, shown
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.pictures import picture, picture_from
from dgrasp.report.figures.results import results
from dgrasp.report.names import method_of, policy_label, task_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.sim.tasks.paper import task as recipe_of

TASKS = ("simple", "clutter", "novel")
CONVERGING = ("simple", "novel")  # of Figures 4 and 6, in which the paper sees a more stable convergence
BASELINE = "base_quat_seq"  # the third policy of the paper's Figure 6
MIDDLE, AFAR = (0.05, 0.0, 1.12), (2.3, math.radians(-62), math.radians(62))  # of Figure 1: arm, table and board


def central_scene(studio: Studio, name: str) -> int:
    """Which of the first test scenes of a task has its objects nearest to the board's middle, on the mean.

    There most of the starts are within reach. Nothing that a policy did enters the choice.
    """
    experiment = studio.experiment
    recipe, seed = recipe_of(name, experiment.profile.cell.description), experiment.seed

    def off(index: int) -> float:
        places = [o.T_world_object[:2, 3] for o in recipe.scene(split="test", index=index, seed=seed).objects]
        return float(np.linalg.norm(np.array(places) - BOARD_CENTRE_XY, axis=1).mean())

    return studio.once(f"central scene, {name}", lambda: min(range(studio.size.candidates), key=off))


def climbs(studio: Studio, task: str) -> dict[str, Climb]:
    """The central scene of a task, climbed by both policies of `CONTRAST` from the same random starts."""
    return _climbs(studio, task, shown(CONTRAST, studio.experiment.profile.evaluation.policies))


def best_climbs(studio: Studio, task: str) -> dict[str, Climb]:
    """The same, by the policy of each method that lifts most on the task in our Table 1."""
    rates = results(studio).rates
    rates = rates[rates["task"] == task].set_index("policy")["successes"]
    found = [rates[[p.startswith(method) for p in rates.index]] for method in ("base", "dgrasp")]
    return _climbs(studio, task, [str(each.idxmax()) for each in found if len(each)])


def _climbs(studio: Studio, task: str, policies: Sequence[str]) -> dict[str, Climb]:
    def record() -> dict[str, Climb]:
        scene = central_scene(studio, task)
        found = record_climbs(studio.experiment, policies, task, [scene], n_starts=studio.size.starts)
        return {name: each[0] for name, each in found.items()}

    return studio.once(f"climbs, {task}, {', '.join(policies)}", record)


def background(studio: Studio, task: str) -> Views:
    """The picture behind the climbs of a task."""

    def render() -> Views:
        scene = next(iter(climbs(studio, task).values())).scene
        assert scene is not None
        return picture(studio.experiment.profile.cell, scene, studio.size.width, studio.size.finer)

    return studio.once(f"background, {task}", render)


def many_climbs(studio: Studio, task: str) -> dict[str, list[Climb]]:
    """Validation scenes of a task, climbed by all policies that move and turn at once (by all, if none does)."""

    def record() -> dict[str, list[Climb]]:
        policies = studio.experiment.profile.evaluation.policies
        compared = [p for p in policies if policy_spec(p).schedule == "sync"] or list(policies)
        scenes = range(studio.size.scenes)
        return record_climbs(studio.experiment, compared, task, scenes, "validation", n_starts=starts_each(studio))

    return studio.once(f"many climbs, {task}", record)


def starts_each(studio: Studio) -> int:
    """Random starts of each scene of `many_climbs`."""
    return min(64, studio.size.starts)


def converging(studio: Studio) -> pd.DataFrame:
    """Shares of the candidates of `many_climbs` by `task`, `policy`, `scene` and `step`, on the paper's two tasks."""
    tables = {task: progress_by_scene(many_climbs(studio, task)) for task in CONVERGING}
    return pd.concat(tables, names=["task"]).reset_index(level="task").reset_index(drop=True)


def draw_fig01(studio: Studio) -> Drawn:
    """Left, a demonstration and the cell; right, where candidates of both methods end in three tasks."""
    found = {task: climbs(studio, task) for task in TASKS}
    methods = list(found["simple"])
    figure = plt.figure(figsize=(11.0, 2.55 * len(methods)))
    grid = figure.add_gridspec(len(methods), 4, width_ratios=(1.25, 1, 1, 1))
    axes = [figure.add_subplot(grid[:, 0])]
    demo = studio.held_out[0]
    cell = picture_from(studio.experiment.profile.cell, demo.state, *_from_afar(studio), studio.size.finer)
    way, hand = np.asarray(demo.Ts_world_tcp), demo.state.model.hand
    plots.plot_demonstration(axes[0], cell, way, hand=hand, title="grasp demonstration")
    for row, policy in enumerate(methods):
        for column, task in enumerate(TASKS):
            ax = figure.add_subplot(grid[row, 1 + column])
            title = f"{method_of(policy)}, {task_label(task)}"
            plots.plot_ends(
                ax, background(studio, task), found[task][policy], policy, shown=studio.size.shown, title=title
            )
            ax.xaxis.label.set_fontsize(6.5)
            axes.append(ax)
    letter_panels(axes)
    data = pd.concat(
        [c.table(p, t, studio.size.shown).query("step == step.max()") for t in TASKS for p, c in found[t].items()]
    )
    return Drawn(figure, data, studio.experiment.used(), _facts(studio, "simple", found["simple"]))


def draw_fig04(studio: Studio) -> Drawn:
    """Paths on a simple scene, and how candidates converge over many scenes."""
    found, many = climbs(studio, "simple"), many_climbs(studio, "simple")
    figure, axes = _panels(studio, "simple", found, more=1)
    plots.plot_convergence(axes[-1], convergence(progress_by_scene(many)), "near_grasp")
    axes[-1].set_title("near a valid grasp")
    axes[-1].legend(loc="upper left", fontsize=6.5, handlelength=3)
    letter_panels(axes)
    ends = arrivals(many).set_index("policy")["near_grasp"]
    scenes = len(next(iter(many.values())))
    each = starts_each(studio)
    facts = _facts(studio, "simple", found) | {"scenes": scenes, "each": each, **_by_method(ends, "near")}
    return Drawn(figure, _paths(studio, found, "simple"), studio.experiment.used(), facts)


def draw_fig05(studio: Studio) -> Drawn:
    """Paths on a cluttered scene."""
    return _paths_figure(studio, "clutter", climbs(studio, "clutter"))


def draw_fig06(studio: Studio) -> Drawn:
    """Paths round a novel object, of the policies that lift most of them."""
    found = best_climbs(studio, "novel")
    drawn = _paths_figure(studio, "novel", found)
    return replace(drawn, facts={**drawn.facts, "policies": best_and_left_out(list(found))})


def best_and_left_out(policies: Sequence[str]) -> str:
    """The policies of our Figure 6; the paper's has its baseline beside the best of each method."""
    named = " and ".join(policy_label(policy) for policy in policies)
    return named if BASELINE in policies else f"{named}; the paper's baseline, {policy_label(BASELINE)}, is left out"


def draw_convergence(studio: Studio) -> Drawn:
    """Shares of candidates near a grasp, at an object and in a corner, step by step, over validation scenes."""
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.2))
    panels = (("simple", "near_grasp", "near a valid grasp"), ("novel", "at_object", "at the object"),
              ("novel", "in_corner", "in a corner"))  # fmt: skip
    data = converging(studio)
    for ax, (task, share, title) in zip(axes, panels, strict=True):
        plots.plot_convergence(ax, convergence(data[data["task"] == task]), share)
        ax.set_title(f"{task_label(task)}: {title}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, handlelength=3)
    letter_panels(axes)
    near = arrivals(many_climbs(studio, "simple")).set_index("policy")["near_grasp"]
    there = arrivals(many_climbs(studio, "novel")).set_index("policy")["at_object"]
    facts = {"scenes": studio.size.scenes, "starts": starts_each(studio), **_by_method(near, "near")}
    return Drawn(figure, data, studio.experiment.used(), facts | _by_method(there, "there"))


def _paths_figure(studio: Studio, task: str, found: dict[str, Climb]) -> Drawn:
    figure, axes = _panels(studio, task, found)
    letter_panels(axes)
    return Drawn(figure, _paths(studio, found, task), studio.experiment.used(), _facts(studio, task, found))


def _panels(studio: Studio, task: str, found: dict[str, Climb], more: int = 0) -> tuple[Figure, list[Axes]]:
    count = len(found) + more
    figure, axes = plt.subplots(1, count, figsize=(3.9 * count, 3.55), squeeze=False)
    for ax, (policy, climb) in zip(axes[0], found.items(), strict=False):
        plots.plot_climb(ax, background(studio, task), climb, policy, shown=studio.size.shown)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, fontsize=7.5, handlelength=2.4)
    return figure, list(axes[0])


def _legend() -> list[Line2D]:
    dark, bright = plots.PROGRESS(0.0), plots.PROGRESS(1.0)
    lines = [
        Line2D([], [], color=dark, lw=1.3, label="path: first steps"),
        Line2D([], [], color=bright, lw=1.3, label="path: last steps"),
        Line2D([], [], color="0.35", alpha=0.6, lw=0.8, label="final poses"),
        Line2D([], [], color="0.1", lw=2.6, label="chosen grasp (in colour)"),
        Line2D([], [], color="0.25", lw=0.9, ls=(0, (4, 3)), label="reach of a climb"),
    ]
    return lines


def _paths(studio: Studio, found: dict[str, Climb], task: str) -> pd.DataFrame:
    return pd.concat([climb.table(policy, task, studio.size.shown) for policy, climb in found.items()])


def _facts(studio: Studio, task: str, found: dict[str, Climb]) -> dict[str, object]:
    """What captions say of a task's climbs."""
    first = next(iter(found.values()))
    shares = pd.Series({policy: climb.share("at_object") for policy, climb in found.items()})
    facts: dict[str, object] = {"scene": central_scene(studio, task), "of": studio.size.candidates}
    facts |= {"starts": first.paths.shape[1], "shown": studio.size.shown, "begin": f"{first.share('at_object', 0):.0%}"}
    reach = sorted({f"{100 * climb.reach:.0f}" for climb in found.values()})
    policies = " and ".join(policy_label(policy) for policy in found)
    return facts | {"reach": " and ".join(reach), "policies": policies, **_by_method(shares, "at")}


def _by_method(shares: pd.Series, name: str) -> dict[str, str]:
    """`base_<name>` and `dgrasp_<name>`: the span of a share over a method's policies, in percent."""
    facts = {}
    for method in ("base", "dgrasp"):
        some = shares[[policy.startswith(method) for policy in shares.index]].dropna()
        low, high = (f"{some.min():.0%}", f"{some.max():.0%}") if len(some) else ("unknown", "unknown")
        facts[f"{method}_{name}"] = low if low == high else f"{low} to {high}"
    return facts


def _from_afar(studio: Studio) -> tuple[np.ndarray, Intrinsics]:
    """A camera that sees the whole cell, and its intrinsics."""
    T_world_cam = view_from_sphere(torch.tensor(MIDDLE, dtype=torch.float64), *AFAR).numpy()
    width, height = studio.size.width, round(1.25 * studio.size.width)
    return T_world_cam, Intrinsics(width, height, 1.55 * width, 1.55 * width, width / 2, height / 2)
