"""Table 1 and its pictures: rates of all policies, and which novel objects are hard."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.over_seeds import pool_seeds, rates_by_seed
from dgrasp.evaluation.rows import SAME_EVERYWHERE
from dgrasp.experiment.choices import training_set
from dgrasp.experiment.seeds import all_seeds, trials_of
from dgrasp.report.figures.climbs import CONTRAST, shown
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.plots import plot_by_object, plot_rates
from dgrasp.report.names import policy_label, seeds_label, task_label, training_label
from dgrasp.report.outputs import Drawn
from dgrasp.report.studio import Studio
from dgrasp.report.tables import findings
from dgrasp.report.tables.printing import span
from dgrasp.report.tables.success import over_seeds, printable, table_1, what_is_behind, with_labels
from dgrasp.sim.objects import ycb

SINGLE_OBJECTS = ("novel", "unseen")  # tasks whose scenes hold one object of a known name


@dataclass(frozen=True, eq=False)
class Results:
    """Attempts of all training seeds, their rates (seeds together), and the rows of Table 1."""

    seeds: list  # type: ignore[type-arg]  # of Experiment
    trials: pd.DataFrame
    rates: pd.DataFrame
    rows: pd.DataFrame

    @property
    def models(self) -> str:
        """How the YCB objects of the attempts looked."""
        return "; ".join(sorted(set(self.trials["models"]) - SAME_EVERYWHERE)) or "none"


def results(studio: Studio) -> Results:
    """The attempts behind Table 1, counted."""

    def count() -> Results:
        experiment = studio.experiment
        seeds = list(all_seeds(experiment))
        trials, settings = trials_of(seeds), experiment.profile.evaluation
        by_seed = rates_by_seed(trials, settings)
        rates = pool_seeds(by_seed, settings.confidence)
        return Results(seeds, trials, rates, table_1(by_seed, training_set(experiment.profile)))

    return studio.once("results", count)


def draw_tab01(studio: Studio) -> Drawn:
    """All rows as data; as it is read, one line per policy."""
    found, settings = results(studio), studio.experiment.profile.evaluation
    printed = printable(found.rows, list(settings.tasks))
    return _drawn(studio, None, found.rows, printed=with_labels(printed), rows=over_seeds(found.rows))


def draw_rates(studio: Studio) -> Drawn:
    """Dots with intervals for ours, diamonds for the paper's: one panel for each task."""
    found, tasks = results(studio), list(studio.experiment.profile.evaluation.tasks)
    table = over_seeds(found.rows).dropna(subset=["n"])
    policies = table["policy"].nunique()
    figure, axes = plt.subplots(1, len(tasks), figsize=(3.0 + 2.0 * len(tasks), 1.15 + 0.26 * policies), sharey=True,
                                squeeze=False)  # fmt: skip
    plot_rates(axes[0], table, tasks)
    letter_panels(axes[0])
    return _drawn(studio, figure, table)


def draw_by_object(studio: Studio) -> Drawn:
    """Rates on single novel and unseen objects, one policy of each method, the hardest object on top."""
    found, settings = results(studio), studio.experiment.profile.evaluation
    policies = shown(CONTRAST, settings.policies)
    tasks = [task for task in SINGLE_OBJECTS if task in settings.tasks] or SINGLE_OBJECTS[:1]
    tables = {task: findings.by_object(found.trials, policies, settings.confidence, task) for task in tasks}
    figure, axes = plt.subplots(1, len(tasks), figsize=(1.0 + 5.4 * len(tasks), 3.6), squeeze=False)
    for ax, (task, table) in zip(axes[0], tables.items(), strict=True):
        plot_by_object(ax, table)
        ax.set_title(task_label(task), loc="left")
    letter_panels(axes[0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    table = pd.concat([table.assign(task=task) for task, table in tables.items()], ignore_index=True)
    return _drawn(studio, figure, table, rows=table)


def _drawn(
    studio: Studio,
    figure: plt.Figure | None,
    data: pd.DataFrame,
    printed: pd.DataFrame | None = None,
    rows: pd.DataFrame | None = None,
) -> Drawn:
    found, settings = results(studio), studio.experiment.profile.evaluation
    runs = studio.experiment.used() | {f"evaluation, seed {one.seed}": one.evaluation() for one in found.seeds}
    counted = data if rows is None else rows
    facts = {
        "behind": what_is_behind(found.rows),
        "counted": what_is_behind(found.rows, spread=False),
        "drawn": " and ".join(policy_label(name) for name in shown(CONTRAST, settings.policies)),
        "training": training_label(training_set(studio.experiment.profile)),
        "seeds": seeds_label(one.seed for one in found.seeds),
        "looks": ycb.described(found.models),
        "n": span(counted["n"].dropna()),
    }
    facts |= {"confidence": f"{100 * settings.confidence:g} %", "policies": studio.once("pairs", lambda: _pairs(found))}
    about = {"repetitions": settings.repetitions, "confidence": settings.confidence}
    return Drawn(figure, data, runs, facts, printed, about=about, ycb_appearance=found.models)


def _pairs(found: Results) -> str:
    """In how many of how many pairs dGrasp is above its own Base."""
    table = findings.compare(found.trials, findings.slope_pairs(), found.rates)
    if not len(table):
        return "no pair of a dGrasp and a Base policy was tried"
    above = table["difference"] > 0
    sure = above & (table["p_holm"] < LEVEL)
    return (
        f"dGrasp is above its own Base in {above.sum()} of {len(table)} pairs of policy and task, "
        f"in {sure.sum()} of them beyond chance ({findings.how_tested(found.trials, table)})"
    )
