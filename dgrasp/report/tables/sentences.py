"""Every sentence of the paper's Sec. 5 that states a finding, and what our numbers say to it, in a word (`verdict`).

Trials: beyond chance by the test of `findings.compare`, corrected (Holm) once for all pairs of the sentence on all of
its tasks, at 5 %. Where it names no task, these are the paper's three: our own task `unseen` is in no sentence. Rows
of the ablations: `row_verdicts`. Convergence, which is no trial's: `stability`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from dgrasp.evaluation.chance import LEVEL, with_holm
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.statistics import success_rates
from dgrasp.evaluation.verdict import (
    AGREES,
    DISAGREES,
    IN_PART,
    NOT_TESTED,
    UNKNOWN,
    Verdict,
    contradicted,
    counted,
    directed,
    span,
)
from dgrasp.experiment.variants import PAPERS_TASKS, REPORTED
from dgrasp.files import parse_yaml
from dgrasp.report.names import object_label
from dgrasp.report.tables import findings
from dgrasp.report.tables.findings import ABOVE, Pairs, compare
from dgrasp.report.tables.row_verdicts import of_row
from dgrasp.report.tables.stability import more_arrive

NOT_REPORTED = "the predecessor's configuration was not run here"
FIRST = "base_quat_seq"  # the paper's baseline
CORNERS = 0.05  # share of grasps that counts as "often"; not in the paper
RELIABLE = 0.8  # rate that counts as "reliably"; not in the paper
EASY = ("tennis_ball", "banana", "pear")


@dataclass(frozen=True)
class Records:
    """Trials of all seeds, and how many attempts were allowed; bounds: corners of the workspace, low and high, metres.

    climbs: shares of candidates by policy, task, scene and step, see `stability`; None where they are not at hand.
    """

    trials: pd.DataFrame
    settings: EvaluationConfig
    bounds: Sequence[Sequence[float]]
    climbs: pd.DataFrame | None = None

    @cached_property
    def rates(self) -> pd.DataFrame:
        """All seeds together, of the attempts that were allowed, as in Table 1."""
        return success_rates(self.trials, self.settings)

    def policies(self, task: str, method: str = "") -> list[str]:
        """Policies of a method that were tried on a task, base_reported not among them."""
        names = self.rates.loc[self.rates["task"] == task, "policy"]
        return [name for name in names if name.startswith(method) and name != REPORTED]

    def pairs(self, pairs: Pairs, tasks: Sequence[str]) -> pd.DataFrame:
        """`compare` of the pairs on some tasks, corrected once for all of these."""
        here, rated = (table["task"].isin(tasks) for table in (self.trials, self.rates))
        return compare(self.trials[here], pairs, self.rates[rated])

    @property
    def shared(self) -> Records | None:
        """What was tried of the training seeds and repetitions that base_reported has; None if it was not run."""
        theirs = self.trials[self.trials["policy"] == REPORTED]
        if not len(theirs):
            return None
        same = self.trials["seed"].isin(theirs["seed"]) & self.trials["repetition"].isin(theirs["repetition"])
        settings = self.settings.model_copy(update={"repetitions": theirs["repetition"].nunique()})
        return Records(self.trials[same], settings, self.bounds)


def sentences(
    trials: pd.DataFrame,
    settings: EvaluationConfig,
    bounds: Sequence[Sequence[float]],
    reported: pd.DataFrame | None = None,
    differences: pd.DataFrame | None = None,
    climbs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per sentence: `section`, `sentence`, `verdict`, `ours` (numbers, or why it is not tested).

    trials: of all training seeds. settings: how many attempts were allowed. reported: trials of the predecessor's
    configuration on the same scenes, under the policy "base_reported" (`dgrasp.experiment.variants`); of the seeds and
    repetitions that it has, ours are compared with it.
    differences: of the ablations' arms that are published (`ablation_differences`). climbs: what
    `figures/convergence.csv` holds. Sentences that ask for what is not given are not tested, and say so.
    """
    if reported is not None:
        trials = pd.concat([trials, reported], ignore_index=True)
    records, rows = Records(trials, settings, bounds, climbs), []
    for entry in paper_sentences():
        if "check" in entry:
            found = CHECKS[entry["check"]](records)
        elif "row" in entry:
            found = of_row(entry, differences)
        else:
            found = Verdict(NOT_TESTED, entry["why"])
        rows.append({"section": entry["section"], "sentence": entry["text"], **found._asdict()})
    return pd.DataFrame(rows)


@cache
def paper_sentences() -> tuple[Mapping[str, Any], ...]:
    """The list of `sentences.yaml`."""
    source = files("dgrasp.report.tables").joinpath("sentences.yaml")
    return tuple(parse_yaml(source.read_bytes(), source.name)["sentences"])


def _slopes(tasks: Sequence[str], sign: int) -> Callable[[Records], Verdict]:
    """dGrasp above (+1) or below (-1) its Base on the tasks."""
    return lambda records: directed(records.pairs(findings.slope_pairs(), tasks), sign)


def _first(task: str, sign: int) -> Callable[[Records], Verdict]:
    """The other Base policies above or below the paper's baseline; on clutter the dGrasp policies as well."""

    def check(records: Records) -> Verdict:
        names = records.policies(task, "" if sign > 0 else "base")
        return directed(records.pairs([(name, FIRST) for name in names if name != FIRST], [task]), sign)

    return check


def _reported(task: str, method: str, sign: int) -> Callable[[Records], Verdict]:
    """base_reported above or below policies; the paper's rate of it is not ours to compare with."""

    def check(records: Records) -> Verdict:
        table = _against_reported(records, [task], method)
        return Verdict(NOT_TESTED, NOT_REPORTED) if table is None else directed(table, sign)

    return check


def _above_all_base(task: str) -> Callable[[Records], Verdict]:
    """dGrasp above its Base and above base_reported; where the latter was not run, half of the sentence is open."""

    def check(records: Records) -> Verdict:
        slopes, theirs = records.pairs(findings.slope_pairs(), [task]), _against_reported(records, [task], "dgrasp")
        if theirs is None:
            found = directed(slopes, +1)
            verdict = IN_PART if found.verdict == AGREES else found.verdict
            return Verdict(verdict, f"{found.ours}; {NOT_REPORTED}")
        if len(theirs):
            theirs = theirs.assign(difference=-theirs["difference"])
        return directed(with_holm(pd.concat([slopes, theirs], ignore_index=True)), +1)

    return check


def _comparable(records: Records) -> Verdict:
    """No dGrasp policy below base_reported beyond chance, on any of the paper's tasks; which proves none equal."""
    table = _against_reported(records, PAPERS_TASKS, "dgrasp")
    if table is None or not len(table):
        return Verdict(NOT_TESTED, NOT_REPORTED)
    table["difference"] *= -1  # dGrasp's less base_reported's
    below = int(((table["p_holm"] < LEVEL) & (table["difference"] < 0)).sum())
    return Verdict(contradicted(below, len(table)), span(table))


def _against_reported(records: Records, tasks: Sequence[str], method: str) -> pd.DataFrame | None:
    """base_reported against a method's policies, on the training seeds that it has; None if it was not run."""
    if (shared := records.shared) is None:
        return None
    names = dict.fromkeys(name for task in tasks for name in shared.policies(task, method))
    return shared.pairs([(REPORTED, name) for name in names], tasks)


def _sync(records: Records) -> Verdict:
    """No dGrasp policy better with both parts at once, beyond chance; one that is worse does not contradict."""
    pairs = [(a, b) for a, b in findings.schedule_pairs() if a.startswith("dgrasp")]
    table = records.pairs(pairs, PAPERS_TASKS)
    if not len(table):
        return Verdict(NOT_TESTED, "no such pair was run")
    better = int(((table["p_holm"] < LEVEL) & (table["difference"] > 0)).sum())
    return Verdict(contradicted(better, len(table)), span(table))


def _trends(records: Records) -> Verdict:
    """Neither the representation nor the schedule makes a difference: corrected once for both, told one by one."""
    kinds = {
        "6D less quaternions": findings.representation_pairs(),
        "at once less one after the other": findings.schedule_pairs(),
    }
    table = records.pairs([pair for pairs in kinds.values() for pair in pairs], PAPERS_TASKS)
    if not len(table):
        return Verdict(NOT_TESTED, "no such pair was run")
    compared = list(zip(table["first"], table["second"], strict=True))
    told = [(kind, table[[pair in pairs for pair in compared]]) for kind, pairs in kinds.items()]
    numbers = "; ".join(f"{kind}: {span(rows)}" for kind, rows in told if len(rows))
    return Verdict(contradicted(int((table["p_holm"] < LEVEL).sum()), len(table)), numbers)


def _heights(records: Records) -> Verdict:
    above = findings.heights(records.trials).dropna(subset=["low", "high"])
    if not len(above):
        return Verdict(NOT_TESTED, "no such scenes")
    higher, lower = int((above["low"] > ABOVE).sum()), int((above["high"] < -ABOVE).sum())
    told = f"medians of {above['median'].min():+.1f} to {above['median'].max():+.1f} mm above Base's"
    if (above["low"] > -ABOVE).all() and (above["high"] < ABOVE).all():
        return Verdict(DISAGREES, f"{told}, all intervals within {ABOVE:g} mm of none")
    return Verdict(counted(higher, lower, len(above)), told)


def _corners(records: Records) -> Verdict:
    if not records.policies("novel", "base"):
        return Verdict(NOT_TESTED, "no such trials")
    ours = records.trials[records.trials["policy"] != REPORTED]
    here = ours[(ours["task"] == "novel") & ours["policy"].str.startswith("base")].dropna(subset=["x", "y", "z"])
    share = findings.failures(ours, records.bounds)["planned in a corner"].get(("Base", "novel"), float("nan"))
    low, high = proportion_confint(round(share * len(here)), len(here), method="wilson")
    verdict = AGREES if low > CORNERS else DISAGREES if high < CORNERS else UNKNOWN
    return Verdict(verdict, f"{share:.1%} of Base's grasps were planned in a corner")


def _easy(records: Records) -> Verdict:
    novel = records.trials[(records.trials["task"] == "novel") & (records.trials["policy"] != REPORTED)]
    easy = novel["objects"].isin(EASY)
    if not easy.any() or easy.all():
        return Verdict(NOT_TESTED, "no trials of these objects and of others")
    by_policy = novel.groupby(["objects", "policy"])["success"].mean()
    reliable = (by_policy >= RELIABLE).groupby("objects").mean() > 0.5  # by most policies
    others = reliable[~reliable.index.isin(EASY)]
    three = reliable[reliable.index.isin(EASY)]
    verdict = AGREES if three.all() and not others.any() else DISAGREES if others.all() else IN_PART
    told = (
        f"lifted in {RELIABLE:.0%} of attempts or more by most policies (our reading of reliably): {{}} of the three "
        "that the paper names, {} of {} others ({})"
    )
    listed = ", ".join(object_label(name) for name in others[others].index) or "none"
    return Verdict(verdict, told.format(int(three.sum()), int(others.sum()), len(others), listed))


def _novel_below_simple(records: Records) -> Verdict:
    wide = records.rates.pivot(index="policy", columns="task", values=["rate", "low", "high"])
    if not {"simple", "novel"} <= set(records.rates["task"]):
        return Verdict(NOT_TESTED, "not both tasks were run")
    lower = int((wide["high", "novel"] < wide["low", "simple"]).sum())
    higher = int((wide["low", "novel"] > wide["high", "simple"]).sum())
    told = f"{lower} of {len(wide)} policies are lower on novel objects than on simple scenes"
    return Verdict(counted(lower, higher, len(wide)), told)


def _arriving(task: str, pairs: Pairs, beside: str = "") -> Callable[[Records], Verdict]:
    """beside: what the paper compares in another way."""

    def check(records: Records) -> Verdict:
        found = more_arrive(records.climbs, task, list(pairs))
        return found if found.verdict == NOT_TESTED else Verdict(found.verdict, f"{found.ours}{beside}")

    return check


CHECKS: Mapping[str, Callable[[Records], Verdict]] = {
    "reported_above_base_simple": _reported("simple", "base", +1),
    "changes_below_first_simple": _first("simple", -1),
    "dgrasp_above_all_base_simple": _above_all_base("simple"),
    "stable_convergence_simple": _arriving(
        "simple", [("dgrasp_quat_sync", "base_quat_sync")], "; the paper draws Base with sequential steps"
    ),
    "reported_below_first_clutter": _reported("clutter", FIRST, -1),
    "changes_above_first_clutter": _first("clutter", +1),
    "dgrasp_above_base_clutter": _slopes(("clutter",), +1),
    "reported_above_all_novel": _reported("novel", "", +1),
    "stable_convergence_novel": _arriving("novel", findings.slope_pairs()),
    "dgrasp_higher_novel": _heights,
    "base_in_corners_novel": _corners,
    "simple_shapes_novel": _easy,
    "no_advantage_of_sync": _sync,
    "dgrasp_above_base_both": _slopes(("simple", "clutter"), +1),
    "novel_below_simple": _novel_below_simple,
    "no_trends": _trends,
    "dgrasp_comparable_to_reported": _comparable,
    "dgrasp_below_base_novel": _slopes(("novel",), -1),
}
