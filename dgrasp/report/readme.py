"""The part of README.md that has numbers: worked out from the published results, written by `make figures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.over_seeds import beside_later_seeds
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import PAPERS_SET
from dgrasp.files import write_text
from dgrasp.policy.policies import POLICIES
from dgrasp.report.figures.results import Results, results
from dgrasp.report.figures.twin import twin_logs
from dgrasp.report.names import METHODS, task_label
from dgrasp.report.studio import Studio
from dgrasp.report.tables.findings import compare, how_tested, slope_pairs
from dgrasp.report.tables.paper import paper_rate
from dgrasp.report.tables.printing import as_markdown
from dgrasp.report.tables.success import over_seeds

BEGIN, END = "<!-- results: written by `make figures` -->", "<!-- end of results -->"
COMPARED = ("base", "dgrasp")


def results_block(studio: Studio) -> str:
    """The table of both methods and what it says, between the two marks."""
    found = results(studio)
    table = over_seeds(found.rows).dropna(subset=["n"])
    (training,) = set(found.rows["training"])
    what = _what_it_is(table, len(found.seeds), training)
    lines = [as_markdown(by_method(table)), what, "", *_sentences(studio, found)]
    return "\n".join([BEGIN, *lines, END])


def write_results(page: Path, block: str) -> None:
    """Put the block in the place of the one in a page; raises ValueError where the page has no marks."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page}: no place for results; it needs the lines {BEGIN!r} and {END!r}")
    write_text(page, before + block + after)


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Per method and task the mean over policies, and in brackets the lowest and the highest; below, the paper's.

    table: of `dgrasp.report.tables.success.over_seeds`, without empty rows.
    """
    tasks, lines = list(dict.fromkeys(table["task"])), []
    for kind, name in (("rate", "{}"), ("paper", "*{} in the paper*")):
        for method in COMPARED:
            rows = table[[policy.startswith(f"{method}_") for policy in table["policy"]]]
            cells = {task_label(t): _span(rows[rows["task"] == t][kind]) for t in tasks}
            lines.append({"lifted": name.format(METHODS[method]), **cells})
    return pd.DataFrame(lines)


def _span(rates: pd.Series) -> str:
    if rates.isna().all():
        return "-"
    return f"{rates.mean():.2f} ({rates.min():.2f} to {rates.max():.2f})"


def _what_it_is(table: pd.DataFrame, seeds: int, training: str) -> str:
    policies = sum(policy.startswith("dgrasp_") for policy in set(table["policy"]))
    n = sorted({f"{count:.0f}" for count in table["n"]})
    trained = "one training seed" if seeds == 1 else f"{seeds} training seeds"
    as_paper = "Trained on simple scenes alone, as in the paper (the scenes are ours)."
    learned = as_paper if training == PAPERS_SET else f"Training set (not the paper's): {training}."
    return (
        f"Share of attempts that lift an object: mean over each method's {policies} policies, and in brackets the\n"
        f"lowest and the highest of them. {' or '.join(n)} attempts per policy and task in simulation, {trained}.\n"
        f"{learned}\n[All policies with intervals](figures/tab01.md)."
    )


def _sentences(studio: Studio, found: Results) -> list[str]:
    pairs = compare(found.trials, slope_pairs(), found.rates)
    above = pairs["difference"] > 0
    sure = above & (pairs["p_holm"] < LEVEL)
    by_task = [f"{task_label(t)} {some.sum()} of {len(some)}" for t, some in sure.groupby(pairs["task"], sort=False)]
    lines = [
        f"- dGrasp lifts more than its own Base in {above.sum()} of {len(pairs)} pairs of policy and task, and in "
        f"{sure.sum()} of them\n  beyond chance ({how_tested(found.trials, pairs)}):\n  {', '.join(by_task)}."
        f"{on_later_seeds(found)}",
        f"- In the paper dGrasp is ahead in {_paper_ahead('simple')} pairs on simple scenes, {_paper_ahead('clutter')} "
        f"in clutter\n  and {_paper_ahead('novel')} on novel objects.",
    ]
    lifted = {method: _twin(studio, method) for method in COMPARED}
    return [
        *lines,
        settings_of_the_climb(found.seeds),
        f"- In a digital twin of the paper's real cell, which no network has seen, dGrasp lifts {lifted['dgrasp']}\n"
        f"  everyday objects and Base {lifted['base']}. No real robot was used.",
    ]


def on_later_seeds(found: Results) -> str:
    """The count on the seeds but the first, whose table was seen before they ran; nothing where it is alone."""
    first, *later = (one.seed for one in found.seeds)
    if not later:
        return ""
    table = beside_later_seeds(found.trials, slope_pairs(), first)
    sure = int(((table["difference_later"] > 0) & (table["p_holm_later"] < LEVEL)).sum())
    named = f"seed{'s' * (len(later) > 1)} {', '.join(map(str, later))}"
    return f"\n  On training {named} alone, which ran after the table of seed {first} was seen: {sure} of {len(table)}."


def settings_of_the_climb(seeds: Sequence[Experiment]) -> str:
    """Whether the studies of all seeds left both methods with the same settings of the climb."""
    studies = [(policy, run.summary) for one in seeds for policy, run in one.tuning().items()]
    changed = [policy for policy, said in studies if not said["untuned"]]
    if changed:
        by = [f"{METHODS[m]} {sum(policy.startswith(f'{m}_') for policy in changed)}" for m in COMPARED]
        return (
            f"- {len(changed)} of {len(studies)} studies changed the settings of the climb ({', '.join(by)}): there,\n"
            "  methods differ in more than the second loss."
        )
    lifted = [said["success"] for _, said in studies]
    tasks = ", ".join(task_label(task) for task in seeds[0].profile.validation.tasks)
    return (
        f"- Both methods climb with the same settings, so that only the second loss differs: each of {len(studies)} "
        f"studies\n  kept the untuned ones. Studies see the task {tasks}, where {min(lifted):.2f} to {max(lifted):.2f} "
        "of attempts lift\n  an object and little can be gained."
    )


def _paper_ahead(task: str) -> str:
    pairs = [pair for pair in slope_pairs() if set(pair) <= set(POLICIES)]
    ahead = [(paper_rate("tab01", a, task) or 0) > (paper_rate("tab01", b, task) or 0) for a, b in pairs]
    return f"{sum(ahead)} of {len(ahead)}"


def _twin(studio: Studio, method: str) -> str:
    judged = [log.judged for policy, log in twin_logs(studio).items() if policy.startswith(f"{method}_")]
    return f"{sum(int(j['success'].sum()) for j in judged)} of {sum(len(j) for j in judged)}"
