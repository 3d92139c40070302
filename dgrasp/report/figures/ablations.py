"""The ablations as pictures: rates of arms with their intervals, question by question."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from statsmodels.stats.proportion import proportion_confint

from dgrasp.evaluation.arms import ArmRecipe, trials_of_arm
from dgrasp.evaluation.over_seeds import tested_by
from dgrasp.evaluation.rows import SAME_EVERYWHERE
from dgrasp.experiment.ablations.kept import results
from dgrasp.experiment.ablations.rows import ablation_differences, ablation_rows
from dgrasp.experiment.ablations.stage import Ablations, Result
from dgrasp.experiment.choices import training_set
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.experiment.questions import questions
from dgrasp.experiment.seeds import all_seeds
from dgrasp.report.names import arm_label, seeds_label, task_label, training_label
from dgrasp.report.outputs import NO_OBJECTS, Drawn
from dgrasp.report.studio import Studio
from dgrasp.report.tables.printing import span

TASK_COLOURS = {"simple": "#228833", "clutter": "#AA3377", "novel": "#CCBB44"}  # colour-blind safe; no method's
OTHER = "#66CCEE"
EXPECTED = {"higher": "higher", "lower": "lower", "same": "no difference", "nothing": "does not say"}
NOT_RUN = "No arm has been tried yet (dgrasp ablations): there are no numbers to show."


def plot_ablations(rows: pd.DataFrame, columns: int = 3) -> Figure:
    """A panel for each question: success of each arm with its 95 % interval (Wilson), tasks side by side.

    rows: of `dgrasp.experiment.ablations.rows.ablation_rows`. Without any the figure says so, and shows nothing.
    """
    names = list(dict.fromkeys(rows["question"]))
    if not names:
        return saying(NOT_RUN)
    across = min(columns, len(names))
    down = math.ceil(len(names) / across)
    size = (4.2 * across, 2.3 * down + 0.3)
    figure, axes = plt.subplots(down, across, figsize=size, sharex=True, squeeze=False, layout="constrained")
    for ax, name in zip(axes.flat, names, strict=False):
        plot_question(ax, rows[rows["question"] == name])
        ax.set_title(textwrap.fill(questions()[name].asks, 44), fontsize=8, fontweight="normal")
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(len(names) - across, 0) : len(names)]:  # the lowest of each column
        ax.set_xlabel("success rate")
        ax.tick_params(labelbottom=True)
    shown = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown), frameon=False)
    return figure


def plot_question(axes: Axes, rows: pd.DataFrame) -> None:
    """The arms of one question, the first on top; trials of several training seeds are counted together."""
    counts = rows.groupby(["arm", "task"], sort=False)[["successes", "n"]].sum().reset_index()
    arms, tasks = list(dict.fromkeys(counts["arm"])), list(dict.fromkeys(counts["task"]))
    for k, task in enumerate(tasks):
        of_task = counts[counts["task"] == task]
        low, high = proportion_confint(of_task["successes"], of_task["n"], method="wilson")
        rate = of_task["successes"] / of_task["n"]
        y = [arms.index(arm) + 0.16 * (k - (len(tasks) - 1) / 2) for arm in of_task["arm"]]
        colour = TASK_COLOURS.get(task, OTHER)
        axes.errorbar(
            rate, y, xerr=[rate - low, high - rate], fmt="o", ms=3.5, lw=1, color=colour, label=task_label(task)
        )
    axes.set(yticks=range(len(arms)), yticklabels=[arm_label(arm) for arm in arms], xlim=(0, 1))
    axes.set_ylim(len(arms) - 0.5, -0.5)


def saying(text: str) -> Figure:
    """A figure that is but a sentence."""
    figure, ax = plt.subplots(figsize=(7, 1.2))
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def tried(studio: Studio) -> list[Result]:
    """Arms that have been trained and tried; a profile for trying out does so now."""

    def collect() -> list[Result]:
        if studio.experiment.profile.name not in PUBLISHABLE:
            list(Ablations(studio.experiment).run())
        return known(studio)

    return studio.once("ablations", collect)


def known(studio: Studio) -> list[Result]:
    """Arms that have been tried, of all training seeds; nothing is tried now."""
    return comparable([result for one in all_seeds(studio.experiment) for result in results(one)])


def comparable(found: Sequence[Result]) -> list[Result]:
    """Those of questions of which the same seed has two arms or more: one alone says nothing."""
    arms = Counter((question, seed) for question, seed, _ in {(*_asked(result), result.arm) for result in found})
    return [result for result in found if arms[_asked(result)] > 1]


def _asked(result: Result) -> tuple[str, int]:
    return result.question, result.run.seed


def draw_ablation_rates(studio: Studio) -> Drawn:
    """A panel for each question."""
    rows = ablation_rows(tried(studio))
    return _drawn(studio, plot_ablations(rows), rows)


def draw_ablations(studio: Studio) -> Drawn:
    """One row for each arm and task."""
    rows = ablation_rows(tried(studio))
    return _drawn(studio, None, rows, printed(rows))


def draw_ablation_differences(studio: Studio) -> Drawn:
    """One row for each pair of arms and task."""
    differences = ablation_differences(tried(studio))
    return _drawn(studio, None, differences, printed(differences))


def tried_so_far(arms: Sequence[Result]) -> str:
    """How much stands behind the numbers."""
    rows = ablation_rows(arms)
    distinct = len({(result.question, result.arm) for result in arms})  # whatever the number of seeds
    asked = f"{distinct} arms of {rows['question'].nunique()} questions have been tried"
    return f"{asked}, {span(rows['n'])} attempts each on a task, {seeds_label(sorted(set(rows['seed'])))}."


def probed_on(arms: Sequence[Result]) -> str:
    """Where arrivals are counted."""
    asked = {(r.probe_scenes, r.probe_task) for r in (arm.run.recipe for arm in arms) if isinstance(r, ArmRecipe)}
    return " or ".join(f"{scenes} scenes, task {task_label(task)}" for scenes, task in sorted(asked)) or "no scene"


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """As it is read: names in words, and small counts as counts."""
    if not len(table):
        return pd.DataFrame({"": [NOT_RUN]})
    labels = dict.fromkeys(("arm", "against"), arm_label) | {"task": task_label, "expects": EXPECTED.__getitem__}
    said = table.assign(**{name: table[name].map(label) for name, label in labels.items() if name in table})
    if "arrived" in said:
        said["arrived"] = [f"{row.arrived} of {row.starts}" for row in table.itertuples()]
        said = said.drop(columns="starts")
    return (
        said.rename(columns={"expects": "the paper"}).rename(columns=lambda name: str(name).replace("_", " ")).round(3)
    )


def _drawn(studio: Studio, figure: Figure | None, data: pd.DataFrame, printed: pd.DataFrame | None = None) -> Drawn:
    arms = tried(studio)
    runs = {f"{r.question}, {r.arm}, seed {r.run.seed}": r.run for r in arms}
    models = {model for r in arms for model in trials_of_arm(r.run)["models"]}
    looks = "; ".join(sorted(models - SAME_EVERYWHERE)) or NO_OBJECTS
    about = {"settings": studio.experiment.profile.ablations.model_dump(mode="json")}
    learned = training_label(training_set(studio.experiment.profile))
    facts = {"arms": f"{tried_so_far(arms)} Arms are trained on {learned}." if arms else NOT_RUN}
    seeds = len({r.run.seed for r in arms})
    drawn = "training seeds and scenes" if seeds > 1 else "scenes"
    facts |= {"test": tested_by(max(seeds, 1)), "drawn": drawn, "probed": probed_on(arms)}
    return Drawn(figure, data, runs, facts, printed, about=about, ycb_appearance=looks)
