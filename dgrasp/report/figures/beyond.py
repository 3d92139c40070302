"""The experiment beyond the paper as pictures: its rates beside the paper's experiment, its objects, its factors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.plots import plot_by_object, plot_dots, policy_colour
from dgrasp.report.names import task_label
from dgrasp.report.outputs import PAPER_COLOUR
from dgrasp.twin.factors import ALL, NONE

FACTORS = {NONE: "none of them", ALL: "all together"}


def plot_beyond(
    rows: pd.DataFrame, papers: pd.DataFrame | None = None, label: str = "trained as in the paper"
) -> Figure:
    """A line for each task: dots with intervals, and diamonds for the same policies in the paper's experiment, if any.

    rows: of `figures/beyond.json`, seeds pooled or one. papers: the same of the paper's experiment (policy, task,
    rate). label: what the legend says of the diamonds. Raises ValueError where a policy has several rows of a task.
    """
    papers = pd.DataFrame(columns=["policy", "task", "rate"]) if papers is None else papers
    for table in (rows, papers):
        if (twice := table.duplicated(["policy", "task"])).any():
            policy, task = table.loc[twice, ["policy", "task"]].iloc[0]
            raise ValueError(f"{policy} has several rows of {task}; pool the seeds first (`tables.beyond.pooled`)")
    tasks = list(dict.fromkeys(rows["task"]))
    figure, ax = plt.subplots(figsize=(6.4, 0.9 + 0.42 * len(tasks)))
    for policy, aside in plot_dots(ax, _in_order(rows), "task", tasks).items():
        theirs = papers[(papers["policy"] == policy) & papers["task"].isin(tasks)]
        at = np.array([tasks.index(task) for task in theirs["task"]]) + aside
        ax.plot(theirs["rate"], at, ls="", marker="D", ms=4, mfc="white", mec=policy_colour(policy), mew=1.0)
    if len(papers):
        ax.plot([], [], ls="", marker="D", ms=4, mfc="white", mec=PAPER_COLOUR, label=label)
    _lines(ax, [task_label(task) for task in tasks])
    ax.set(xlim=(-0.02, 1.02), xlabel="grasp success rate")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def plot_beyond_objects(rows: pd.DataFrame) -> Figure:
    """A panel for each task that presents one object at a time, the hardest on top. rows: `beyond_objects.json`."""
    tasks = list(dict.fromkeys(rows["task"]))
    lines = -(-len(tasks) // 2)
    figure, axes = plt.subplots(lines, 2, figsize=(9.0, 0.6 + 3.4 * lines), squeeze=False)
    for ax, task in zip(axes.flat, tasks, strict=False):
        of = _in_order(rows[rows["task"] == task]).rename(columns={"object": "objects"})
        order = of.groupby("objects")["rate"].mean().sort_values(kind="stable").index
        plot_by_object(ax, of.set_index("objects").loc[order].reset_index())
        ax.set_title(task_label(task), loc="left")
    for ax in axes.flat[len(tasks) :]:
        ax.set_axis_off()
    letter_panels(axes.flat[: len(tasks)])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def plot_factors(rows: pd.DataFrame) -> Figure:
    """A line for each factor of the twin, the most harmful on top. rows: of `figures/factors.json`."""
    factors = list(rows.groupby("factor")["rate"].mean().sort_values(kind="stable").index)
    figure, ax = plt.subplots(figsize=(6.0, 0.9 + 0.3 * len(factors)))
    plot_dots(ax, _in_order(rows), "factor", factors)
    _lines(ax, [FACTORS.get(name, name) for name in factors])
    ax.set(xlim=(-0.02, 1.02), xlabel="grasp success rate in the twin")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Base first, in every panel."""
    return rows.sort_values("policy", kind="stable")


def _lines(ax: Axes, names: list[str]) -> None:
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.grid(axis="y", color="0.92", lw=0.8)
