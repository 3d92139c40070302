"""Tables of results as Markdown, and sentences worked out from the trials; nothing is written down by hand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from dgrasp.evaluation.over_seeds import pool_seeds, rates_by_seed
from dgrasp.experiment import replication
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import training_set
from dgrasp.experiment.questions import questions
from dgrasp.experiment.seeds import all_seeds, trials_of
from dgrasp.files import read_json
from dgrasp.report.failures.page import task_title
from dgrasp.report.play.supply import policy_title
from dgrasp.report.site.markdown import table
from dgrasp.report.tables import findings
from dgrasp.report.tables.ablations import answers
from dgrasp.report.tables.sentences import REPORTED, sentences
from dgrasp.report.tables.success import over_seeds, printable, printable_2, table_1, table_1_title, table_2
from dgrasp.twin.trials import read_twin_trials

METHODS = {"base": "Base", "dgrasp": "dGrasp"}
PAPERS_TASKS = ("simple", "clutter", "novel")
PREDECESSOR = "predecessor, three views"
VERDICT_ORDER = ("agrees", "agrees in part", "not contradicted", "disagrees", "cannot be told", "not tested")


class Results:
    """What an experiment's trials say, as Markdown."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.settings = experiment.profile.evaluation
        seeds = all_seeds(experiment)
        self.trials = trials_of(seeds)
        by_seed = rates_by_seed(self.trials, self.settings)
        self.rates = pool_seeds(by_seed, self.settings.confidence)
        self.rows = table_1(by_seed, training_set(experiment.profile))

    def pages(self) -> dict[str, str]:
        """Every piece by name."""
        return {
            "headline": self.headline(),
            "table_1": self.table_1(),
            "table_2": self.table_2(),
            "sentences": self.sentences(),
            "statements": self.statements(),
            "replications": self.replications(),
        }

    def headline(self) -> str:
        """Two methods by three tasks, least and most of each method's policies, and a sentence for each task."""
        compared = over_seeds(self.rows)
        tasks = [task for task in PAPERS_TASKS if task in set(self.rates["task"])]
        lines = []
        for method, title in METHODS.items():
            of_method = compared[compared["policy"].str.startswith(method) & (compared["policy"] != REPORTED)]
            line = {"": title}
            for task in tasks:
                here = of_method[of_method["task"] == task]
                line[task_title(task)] = f"{_span(here['rate'])} ({_span(here['paper'])})"
            lines.append(line)
        said = [
            f"- {task_title(task).capitalize()}: {self._verdicts[task]}." for task in tasks if task in self._verdicts
        ]
        return "\n".join([table(pd.DataFrame(lines)), *said]) + "\n"

    @cached_property
    def _verdicts(self) -> dict[str, str]:
        compared = findings.compare(self.trials, findings.slope_pairs(), self.rates)
        return {task: _in_words(group) for task, group in compared.groupby("task", sort=False)}

    def table_1(self) -> str:
        """Table 1, whole."""
        shown = printable(self.rows, list(self.settings.tasks))
        shown["policy"] = [_policy(name) for name in shown["policy"]]
        shown.columns = [_heading(column) for column in shown.columns]
        return f"{table_1_title(self.rows)}.\n\n{table(shown)}"

    def table_2(self) -> str:
        """Table 2: the twin's trials, the empty column of hardware, and the paper's rates."""
        logs = read_twin_trials(self.experiment.twin_trials())
        shown = printable_2(table_2([log.path for log in logs.values()]))
        shown["policy"] = [_policy(name) for name in shown["policy"]]
        return table(shown.rename(columns={"twin": "digital twin", "hardware": "real robot"}))

    def sentences(self) -> str:
        """Every sentence of the paper's Sec. 5 that states a finding, with our verdict; how many there are of each."""
        reported = replication.kept_trials(self.experiment, "base-reported")
        if reported is not None:
            reported = reported.assign(policy=REPORTED)
        every = sentences(self.trials, self.rates, self.experiment.profile.value.workspace, reported)
        counts = every["verdict"].value_counts()
        counted = ", ".join(f"{counts[v]} {v}" for v in VERDICT_ORDER if v in counts)
        shown = every.rename(columns={"section": "Sec.", "sentence": "the paper", "ours": "our trials"})
        shown["verdict"] = [f"{verdict} *" for verdict in shown["verdict"]]
        return f"{len(every)} sentences: {counted}.\n\n{table(shown)}"

    def statements(self) -> str:
        """The groups of pairs behind some of the sentences, beside the paper's numbers."""
        return table(findings.statements(self.trials, self.rates, self.experiment.profile.value.workspace))

    def replications(self) -> str:
        """What was repeated of the experiment, and kept beside it."""
        kept = replication.kept(self.experiment)
        said = [f"- **{name}**: {stated['said']}." for name, stated in kept.items()]
        return "\n".join(said or ["Nothing was repeated yet."]) + "\n"


def ablations(figures: Path) -> str:
    """What the ablations answer, question by question, from the table in `figures`; or that none has been tried."""
    differences = pd.DataFrame(read_json(figures / "ablation_differences.json"))
    if not len(differences):
        return f"None of the {len(questions())} questions has been tried for these results yet.\n"
    return "".join(f"- {answer}\n" for answer in answers(differences))


def _in_words(pairs: pd.DataFrame) -> str:
    """What the pairs of one task say, in a sentence."""
    sure = pairs[pairs["p_holm"] < findings.LEVEL]
    up, down, n = int((sure["difference"] > 0).sum()), int((sure["difference"] < 0).sum()), len(pairs)
    if not up + down:
        return f"no difference between dGrasp and its Base is beyond chance, in {n} pairs of policies"
    ahead = f"dGrasp lifts more than its Base in {up} of {n} pairs of policies"
    behind = f" and less in {down}" if down else ""
    low, high = pairs["difference"].min(), pairs["difference"].max()
    return f"{ahead}{behind}, beyond chance; differences {low:+.2f} to {high:+.2f}"


def _span(values: pd.Series) -> str:
    known = values.dropna()
    if not len(known):
        return "not run"
    low, high = f"{known.min():.2f}", f"{known.max():.2f}"
    return low if low == high else f"{low} to {high}"


def _policy(name: str) -> str:
    return PREDECESSOR if name == REPORTED else policy_title(name)


def _heading(column: str) -> str:
    task, bracket, rest = column.partition(" (")
    return f"{task_title(task)}{bracket}{rest}"
