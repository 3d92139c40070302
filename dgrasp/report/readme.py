"""The part of README.md that has numbers: worked out from the published results, written by `make figures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dgrasp.evaluation.chance import LEVEL, with_holm
from dgrasp.evaluation.over_seeds import beside_later_seeds, compare_over_seeds
from dgrasp.experiment.beyond import contrasts, kept_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import PAPERS_SET
from dgrasp.experiment.profiles import Profile
from dgrasp.files import write_text
from dgrasp.policy.policies import POLICIES, policy_spec
from dgrasp.report.figures.results import Results, results
from dgrasp.report.figures.twin import trials_in_the_twin
from dgrasp.report.names import METHODS, number_of_seeds, task_label
from dgrasp.report.published_sentences import counted_verdicts, every_sentence, kept_tables
from dgrasp.report.studio import Studio
from dgrasp.report.tables.findings import compare, gains, how_tested, name_of_test, slope_pairs
from dgrasp.report.tables.paper import paper_rate
from dgrasp.report.tables.printing import as_markdown
from dgrasp.report.tables.success import over_seeds

BEGIN, END = "<!-- results: written by `make figures` -->", "<!-- end of results -->"
COMPARED = ("base", "dgrasp")
PLANNED = (0, 1, 2)  # training seeds of the paper's experiment: REPRODUCING.md, "Test data"
MEASURED = {
    1: "is not measured by one seed",
    2: "is hardly measured by two seeds",
    3: "is measured roughly by three seeds or more",
}


def results_block(studio: Studio) -> str:
    """The answer, the table of both methods, and what it says, between the two marks."""
    found = results(studio)
    table = over_seeds(found.rows).dropna(subset=["n"])
    (training,) = set(found.rows["training"])
    what = _what_it_is(table, len(found.seeds), training)
    pairs = compare(found.trials, slope_pairs(), found.rates)
    lines = [answer(table, pairs), "", as_markdown(by_method(table)), what, "", *_sentences(studio, found, pairs)]
    return "\n".join([BEGIN, *lines, END])


def answer(table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Whether dGrasp lifts more than Base, in a line: mean over policies, task by task.

    table: see `by_method`. pairs: of `compare`; a task counts where a pair is ahead beyond chance and none behind.
    """
    methods = table["policy"].str.partition("_")[0]
    if not set(COMPARED) <= set(methods):
        return f"One method alone was tried: {', '.join(METHODS.get(name, name) for name in dict.fromkeys(methods))}."
    more, sure = gains(pairs), pairs[pairs["p_holm"] < LEVEL]
    ahead, behind = (set(sure.loc[sign * sure["difference"] > 0, "task"]) for sign in (1, -1))
    word = "Yes, on this cell" if not set(more.index) - (ahead - behind) else "On some tasks"
    if not ahead:
        word = "No, less on some tasks" if behind else "Not beyond chance"
    by_task = ", ".join(f"{difference:+.2f} on {task_label(str(task))}" for task, difference in more.items())
    return f"**{word}.** What dGrasp lifts more than Base, as a share of the attempts:\n{by_task}."


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
    trained = number_of_seeds(seeds)
    as_paper = "Trained on simple scenes alone, as in the paper (the scenes are ours)."
    learned = as_paper if training == PAPERS_SET else f"Training set (not the paper's): {training}."
    return (
        f"Share of attempts that lift an object: mean over each method's {policies} policies, and in brackets the\n"
        f"lowest and the highest of them. {' or '.join(n)} attempts per policy and task in simulation, {trained}.\n"
        f"{learned}\n[All policies with intervals](figures/tab01.md)."
    )


def _sentences(studio: Studio, found: Results, pairs: pd.DataFrame) -> list[str]:
    above = pairs["difference"] > 0
    sure = above & (pairs["p_holm"] < LEVEL)
    by_task = [f"{task_label(t)} {some.sum()} of {len(some)}" for t, some in sure.groupby(pairs["task"], sort=False)]
    return [
        f"- dGrasp lifts more than its own Base in {above.sum()} of {len(pairs)} pairs of policy and task, and in "
        f"{sure.sum()} of them\n  beyond chance ({how_tested(found.trials, pairs)}):\n  {', '.join(by_task)}."
        f"{by_the_seeds_alone(found.trials)}{on_later_seeds(found)}{on_such_objects(found.trials)}\n"
        f"  {what_pairs_share(studio.experiment.profile, [one.seed for one in found.seeds])}",
        f"- In the paper dGrasp is ahead in {_paper_ahead('simple')} pairs on simple scenes, {_paper_ahead('clutter')} "
        f"in clutter\n  and {_paper_ahead('novel')} on novel objects.",
        *on_another_hand(contrasts(kept_attempts(profile="panda"))),
        papers_findings(every_sentence(studio.experiment, found.trials, *kept_tables())),
        settings_of_the_climb(found.seeds),
        _in_the_twin(studio),
    ]


def what_pairs_share(profile: Profile, seeds: Sequence[int]) -> str:
    """Why pairs are not independent, what so many seeds say, and which are still to come."""
    tried = [name for name in profile.evaluation.policies if name in POLICIES]
    networks = len({policy_spec(name).model for name in tried})
    missing = [seed for seed in PLANNED if seed not in seeds]
    to_come = f"{'Seeds' if len(missing) > 1 else 'Seed'} {' and '.join(map(str, missing))}"
    to_come += " are not run yet." if len(missing) > 1 else " is not run yet."
    return (
        f"The pairs are not independent: in each seed all policies share {networks} networks.\n"
        f"  How much luck is in a training {MEASURED.get(len(seeds), MEASURED[3])}.{f' {to_come}' if missing else ''}"
    )


def papers_findings(every: pd.DataFrame) -> str:
    """How many of the paper's findings ours agree with. every: of `sentences`."""
    return (
        f"- The paper states {len(every)} findings. Ours beside them ([one by "
        f"one](notebooks/executed/05_simulated_grasping.ipynb)):\n  {counted_verdicts(every)}."
    )


def on_another_hand(table: pd.DataFrame) -> list[str]:
    """What the experiment found with the Panda. table: of `contrasts`; no line where it has no rows."""
    if not len(table):
        return []
    ahead = int(((table["p_holm"] < LEVEL) & (table["difference"] > 0)).sum())
    low, high = table["difference"].min(), table["difference"].max()
    trained = number_of_seeds(int(table["seeds"].max()))
    why = "the effect is there, too" if ahead else f"no difference that {trained} can tell, and we do not know why"
    return [
        f"- On another arm and hand (a Panda) {why}:\n  ahead beyond chance in {ahead} of {len(table)} tasks, "
        f"differences {low:+.2f} to {high:+.2f}."
    ]


def by_the_seeds_alone(trials: pd.DataFrame) -> str:
    """The count by Student's t of the seeds' differences, the strictest test; nothing for one seed."""
    table = compare_over_seeds(trials, slope_pairs())
    if table["seeds"].max() < 2:
        return ""
    ahead = table["difference"] > 0
    corrected = with_holm(table.assign(p=table["p_seeds"].fillna(1.0)))["p_holm"]
    before, after = int((ahead & (table["p_seeds"] < LEVEL)).sum()), int((ahead & (corrected < LEVEL)).sum())
    return (
        f"\n  That bootstrap finds too much with few seeds. By Student's t of the {table['seeds'].max()} seeds' "
        f"differences alone: {after} of {len(table)}\n  ({before} before Holm's correction)."
    )


def on_later_seeds(found: Results) -> str:
    """The count on the seeds but the first, whose table was seen before they ran; nothing where it is alone."""
    first, *later = (one.seed for one in found.seeds)
    if not later:
        return ""
    table = beside_later_seeds(found.trials, slope_pairs(), first)
    sure = int(((table["difference_later"] > 0) & (table["p_holm_later"] < LEVEL)).sum())
    named = f"seed{'s' * (len(later) > 1)} {', '.join(map(str, later))}"
    interim = ", an interim look" if set(PLANNED) - {first, *later} else ""
    test = name_of_test(found.trials[found.trials["seed"].isin(later)])
    return (
        f"\n  On training {named} alone, which ran after the table of seed {first} was seen: {sure} of {len(table)}\n"
        f"  ({test}{interim})."
    )


def on_such_objects(trials: pd.DataFrame) -> str:
    """The count where objects are drawn, too: what holds for objects like these; nothing without single objects."""
    table = compare_over_seeds(trials, slope_pairs(), objects=True)
    if not len(table):
        return ""
    shown = trials[trials["task"].isin(set(table["task"])) & (trials["attempt"] == 0)]
    fewest = int(shown.groupby("task")["objects"].nunique().min())
    ahead = table["difference"] > 0
    before, after = (int((ahead & (table[p] < LEVEL)).sum()) for p in ("p", "p_holm"))
    return (
        f"\n  For other objects of the kind (objects count as drawn, too): {after} of {len(table)} on single objects\n"
        f"  ({before} before Holm's correction; with {fewest} objects a task no corrected p is below "
        f"{2 ** (1 - fewest) * len(table):.3f})."
    )


def settings_of_the_climb(seeds: Sequence[Experiment]) -> str:
    """Whether the studies of all seeds left both methods with the same settings of the climb."""
    studies = [(policy, run.summary) for one in seeds for policy, run in one.tuning().items()]
    changed = [policy for policy, said in studies if not said["untuned"]]
    if changed:
        by = [f"{METHODS[m]} {sum(policy.startswith(f'{m}_') for policy in changed)}" for m in COMPARED]
        return (
            f"- Hyperparameter tuning changed the optimizer settings in {len(changed)} of {len(studies)} studies "
            f"({', '.join(by)}):\n  there, methods differ in more than the second loss."
        )
    lifted = [said["success"] for _, said in studies]
    tasks = ", ".join(task_label(task) for task in seeds[0].profile.validation.tasks)
    return (
        f"- Both methods climb with the same optimizer settings: hyperparameter tuning changed nothing in any of\n"
        f"  {len(studies)} studies. It is done on the task {tasks}, where {min(lifted):.2f} to {max(lifted):.2f} of "
        "attempts succeed without it."
    )


def _paper_ahead(task: str) -> str:
    pairs = [pair for pair in slope_pairs() if set(pair) <= set(POLICIES)]
    ahead = [(paper_rate("tab01", a, task) or 0) > (paper_rate("tab01", b, task) or 0) for a, b in pairs]
    return f"{sum(ahead)} of {len(ahead)}"


def _in_the_twin(studio: Studio) -> str:
    judged = trials_in_the_twin(studio)
    judged = judged[judged["policy"].str.startswith(COMPARED)]
    by_method = judged.groupby(judged["policy"].str.partition("_")[0])["success"]
    lifted, tried = by_method.sum(), by_method.size()
    return (
        "- In a harder simulation, the *digital twin* (other light, textures, and cameras that are a little off, all\n"
        f"  by our guess), dGrasp lifts in {lifted['dgrasp']} of {tried['dgrasp']} trials and Base in {lifted['base']} "
        f"of {tried['base']}, with {judged['object'].nunique()} everyday\n  objects. No real robot was used, "
        "and what one would do is not known."
    )
