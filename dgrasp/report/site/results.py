"""Tables of results as Markdown, and sentences worked out from the trials; nothing is written down by hand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.over_seeds import pool_seeds, rates_by_seed
from dgrasp.evaluation.verdict import NOT_TESTED
from dgrasp.experiment import replication
from dgrasp.experiment.beyond import contrasts, kept_attempts, kept_table
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import training_set
from dgrasp.experiment.questions import questions
from dgrasp.experiment.seeds import all_seeds, trials_of, twin_logs_of
from dgrasp.experiment.variants import REPORTED
from dgrasp.files import read_json
from dgrasp.report.answers import beside_the_papers, beyond_answer
from dgrasp.report.names import seeds_label, task_label
from dgrasp.report.play.supply import policy_title
from dgrasp.report.published_sentences import counted_verdicts, every_sentence, kept_differences, kept_tables
from dgrasp.report.readme import answer, by_method, on_another_hand
from dgrasp.report.site.markdown import table
from dgrasp.report.tables import findings
from dgrasp.report.tables.ablations import answers
from dgrasp.report.tables.beyond import as_read
from dgrasp.report.tables.success import over_seeds, printable, printable_2, table_1, table_2, what_is_behind

PREDECESSOR = "predecessor, three views"
LEGEND = (
    "Share of attempts that lift an object: mean over each method's policies, and in brackets the lowest and the "
    "highest of them."
)


class Results:
    """What an experiment's trials say, as Markdown."""

    def __init__(self, experiment: Experiment, figures: Path) -> None:
        """figures: folder of the experiment's figures and tables."""
        self.experiment, self.figures = experiment, figures
        self.settings = experiment.profile.evaluation
        self.seeds = all_seeds(experiment)
        self.trials = trials_of(self.seeds)
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
            "replications": self.replications(),
        }

    def headline(self) -> str:
        """The answer and both methods by task, as README has them, a sentence for each task, and the other hand's."""
        tasks = [task for task in self.settings.tasks if task in self._verdicts]
        said = [f"- {task_label(task).capitalize()}: {self._verdicts[task]}." for task in tasks]
        rows, other = over_seeds(self.rows).dropna(subset=["n"]), contrasts(kept_attempts(self.figures, "panda"))
        lines = [answer(rows, self._compared), "", table(by_method(rows)), LEGEND, "", *said, *on_another_hand(other)]
        return "\n".join(lines) + "\n"

    @cached_property
    def _compared(self) -> pd.DataFrame:
        return findings.compare(self.trials, findings.slope_pairs(), self.rates)

    @cached_property
    def _verdicts(self) -> dict[str, str]:
        return {task: _in_words(group) for task, group in self._compared.groupby("task", sort=False)}

    def table_1(self) -> str:
        """Table 1, whole. The number of attempts stands above it, where it is the same everywhere."""
        shown, attempts = printable(self.rows, list(self.settings.tasks)), ""
        if len(counts := over_seeds(self.rows)["n"].dropna().astype(int).unique()) == 1:
            shown, attempts = shown.replace(rf" of {counts[0]}\b", "", regex=True), f"; {counts[0]} attempts each"
        shown = shown.replace(r"(\[[\d.]+), ", "\\1,\N{NO-BREAK SPACE}", regex=True)  # an interval stays in one line
        shown["policy"] = [_policy(name) for name in shown["policy"]]
        shown.columns = [_heading(column) for column in shown.columns]
        return f"{what_is_behind(self.rows)}{attempts}.\n\n{table(shown)}"

    def table_2(self) -> str:
        """Table 2: the twin's trials, the empty column of hardware, and the paper's rates."""
        own, *others = [[log.path for log in logs.values()] for logs in twin_logs_of(self.seeds)]
        shown = printable_2(table_2(own, other_seeds=others))
        shown["policy"] = [_policy(name) for name in shown["policy"]]
        named = shown.rename(columns={"twin": "digital twin", "hardware": "real robot"})
        return f"Twin: networks of {seeds_label(one.seed for one in self.seeds)}.\n\n{table(named)}"

    def sentences(self) -> str:
        """Every sentence of the paper's Sec. 5 that states a finding, our verdict; those tested come first."""
        every = every_sentence(self.experiment, self.trials, *kept_tables(self.figures))
        shown = every.rename(columns={"section": "Sec.", "sentence": "the paper", "ours": "our numbers"})
        left = shown["verdict"] == NOT_TESTED
        tested = shown[~left].assign(verdict=[f"{verdict} *" for verdict in shown["verdict"][~left]])
        others = shown[left].drop(columns="verdict").rename(columns={"our numbers": "why not tested"})
        return f"{len(every)} sentences; verdicts: {counted_verdicts(every)}.\n\n{table(tested)}\n{table(others)}"

    def replications(self) -> str:
        """What was repeated of the experiment, and kept beside it."""
        kept = replication.kept(self.experiment)
        said = [f"- **{_replication(name)}**: {stated['said']}." for name, stated in kept.items()]
        return "\n".join(said or ["No repetition is published yet."]) + "\n"


def ablations(figures: Path) -> str:
    """What the ablations answer, question by question, from the table in `figures`; or that none has been tried."""
    differences = kept_differences(figures)
    if not len(differences):
        return f"None of the {len(questions())} questions has been tried for these results yet.\n"
    return "".join(f"- {said}\n" for said in answers(differences))


def questions_tried(figures: Path) -> set[str]:
    """The questions of the ablations whose rows are in `figures`."""
    return {str(row["question"]) for row in read_json(figures / "ablation_differences.json")}


def beyond(figures: Path) -> str:
    """Rates of the experiment beyond the paper, from the tables in `figures`; or that it has not been run."""
    rows = pd.DataFrame(kept_table("beyond", figures))
    if not len(rows):
        return f"{beyond_answer(rows, rows)}\n"
    papers = pd.DataFrame(read_json(figures / "tab01.json")).dropna(subset="rate")
    answers = (beside_the_papers(rows, papers), beyond_answer(rows, contrasts(kept_attempts(figures))))
    said = f"{' '.join(answers)}\n\n{table(as_read(rows))}"
    piles = pd.DataFrame(kept_table("beyond_piles", figures))
    return said if not len(piles) else f"{said}\nScenes of which every object was lifted:\n\n{table(as_read(piles))}"


def _in_words(pairs: pd.DataFrame) -> str:
    """What the pairs of one task say, in a sentence."""
    sure = pairs[pairs["p_holm"] < LEVEL]
    up, down, n = int((sure["difference"] > 0).sum()), int((sure["difference"] < 0).sum()), len(pairs)
    if not up + down:
        return f"no difference between dGrasp and its Base is beyond chance, in {n} pairs of policies"
    ahead = f"beyond chance, dGrasp lifts more than its Base in {up} of {n} pairs of policies"
    behind = f" and less in {down}" if down else ""
    low, high = pairs["difference"].min(), pairs["difference"].max()
    return f"{ahead}{behind}; the differences of all pairs are {low:+.2f} to {high:+.2f}"


def _replication(name: str) -> str:
    """What was done again, by the name under which it is kept."""
    what, _, number = name.rpartition("-")
    return f"Other scenes (seed {number})" if what == "scenes" else name.replace("-", " ").capitalize()


def _policy(name: str) -> str:
    return PREDECESSOR if name == REPORTED else policy_title(name)


def _heading(column: str) -> str:
    task, bracket, rest = column.partition(" (")
    return f"{task_label(task)}{bracket}{rest}"
