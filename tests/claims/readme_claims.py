"""README.md and docs/index.md."""

from __future__ import annotations

import re
import tomllib

import pandas as pd
from records import ROOT, Records
from scipy.stats import ttest_1samp
from statements import claim, word
from statsmodels.stats.multitest import multipletests

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.over_seeds import compare_over_seeds
from dgrasp.evaluation.statistics import success_rates
from dgrasp.experiment.choices import PAPERS_SET, training_set
from dgrasp.policy.policies import POLICIES
from dgrasp.report.names import METHODS, task_label
from dgrasp.report.published_sentences import VERDICT_ORDER, every_sentence, kept_tables
from dgrasp.report.tables.findings import compare, slope_pairs
from dgrasp.report.tables.paper import paper_rate
from dgrasp.slopes.config import OptimizerConfig

README, HOME = "README.md", "docs/index.md"
PAPERS_TASKS = ("simple", "clutter", "novel")


def span(rates: list[float]) -> str:
    return f"{sum(rates) / len(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})"


def ours(records: Records, method: str) -> list[str]:
    cells = []
    for task in records.profile.evaluation.tasks:
        cells.append(span([r for (p, of), r in records.rates.items() if of == task and p.startswith(f"{method}_")]))
    return [" | ".join(cells)]


def the_papers(records: Records, method: str) -> list[str]:
    cells = []
    for task in records.profile.evaluation.tasks:
        rates = [paper_rate("tab01", policy, task) for policy in POLICIES if policy.startswith(f"{method}_")]
        known = [rate for rate in rates if rate is not None]
        cells.append(span(known) if known else "-")
    return [" | ".join(cells)]


@claim(README, r"\| lifted \| (.*?) \| \| ---")
def columns_are_the_tasks(records: Records) -> list[str]:
    return [" | ".join(task_label(task) for task in records.profile.evaluation.tasks)]


@claim(README, rf"\| {METHODS['base']} \| (.*?) \| \| ")
def means_and_spans_of_base(records: Records) -> list[str]:
    return ours(records, "base")


@claim(README, rf"\| {METHODS['dgrasp']} \| (.*?) \| \| ")
def means_and_spans_of_dgrasp(records: Records) -> list[str]:
    return ours(records, "dgrasp")


@claim(README, rf"\| \*{METHODS['base']} in the paper\* \| (.*?) \| \| ")
def the_papers_base(records: Records) -> list[str]:
    return the_papers(records, "base")


@claim(README, rf"\| \*{METHODS['dgrasp']} in the paper\* \| (.*?) \| Share")
def the_papers_dgrasp(records: Records) -> list[str]:
    return the_papers(records, "dgrasp")


@claim(README, r"mean over each method's (\w+) policies, .* highest of them\. ([\d or]+) attempts per policy and task")
def policies_and_attempts(records: Records) -> list[str]:
    policies = {policy for policy, _ in records.rates.index if policy.startswith("dgrasp_")}
    n = sorted(set(records.counted.groupby(["policy", "task"])["n"].sum().astype(int)))
    return [str(len(policies)), " or ".join(map(str, n))]


@claim(README, r"task in simulation, (\w+ training seeds?)\.")
def training_seeds(records: Records) -> list[str]:
    n = len(records.seeds)
    return ["one training seed" if n == 1 else f"{n} training seeds"]


@claim(README, r"training seeds?\. (Trained on .*?\.|Training set .*?\.) \[All policies")
def training_set_is_named(records: Records) -> list[str]:
    trained = training_set(records.profile)
    if trained == PAPERS_SET:
        return ["Trained on simple scenes alone, as in the paper (the scenes are ours)."]
    return [f"Training set (not the paper's): {trained}."]


@claim(
    README,
    r"its own Base in (\d+) of (\d+) pairs .*?, and in (\d+) of them beyond .*?-corrected over all (\d+) pairs, "
    r"p < (\d\.\d+)\): (simple .*?)\. For other objects",
)
def pairs_in_which_dgrasp_is_ahead(records: Records) -> list[str]:
    ahead = records.pairs["difference"] > 0
    sure = ahead & (records.pairs["p_holm"] < LEVEL)
    tasks = records.pairs["task"]
    by_task = [f"{task_label(t)} {sure[tasks == t].sum()} of {(tasks == t).sum()}" for t in dict.fromkeys(tasks)]
    n = str(len(ahead))
    later = by_the_seeds_alone(records) + on_later_seeds(records)
    return [str(ahead.sum()), n, str(sure.sum()), n, str(LEVEL), ", ".join(by_task) + later]


def by_the_seeds_alone(records: Records) -> str:
    """Student's t of the seeds' mean differences, by hand."""
    if len(records.seeds) < 2:
        return ""
    p, ahead = [], []
    for first, second in slope_pairs():
        both = records.trials[records.trials["policy"].isin([first, second])]
        for _, of_task in both.groupby("task", sort=False):
            rates = of_task.groupby(["seed", "policy"])["success"].sum().unstack()
            if not {first, second} <= set(rates):
                continue
            each = rates[first] - rates[second]
            p.append(1.0 if each.nunique() == 1 else ttest_1samp(each, 0.0).pvalue)
            ahead.append(each.mean() > 0)
    if not p:
        return ""
    corrected = multipletests(p, method="holm")[1]
    before, after = (sum(a and x < LEVEL for a, x in zip(ahead, some, strict=True)) for some in (p, corrected))
    count = f"{after} of {len(p)} ({before} before Holm's correction)"
    by = f"Student's t of the {len(records.seeds)} seeds' differences alone"
    return f". That bootstrap finds too much with few seeds. By {by}: {count}"


def on_later_seeds(records: Records) -> str:
    trials = records.trials
    first, *later = sorted(set(trials["seed"]))
    if not later:
        return ""
    counted = trials[trials["seed"].isin(later)]
    if len(later) == 1:
        table, test = compare(counted, slope_pairs(), success_rates(counted, records.profile.evaluation)), "permutation"
    else:
        table, test = compare_over_seeds(counted, slope_pairs()), "bootstrap"
    sure = int(((table["difference"] > 0) & (table["p_holm"] < LEVEL)).sum())
    named = f"seed{'s' * (len(later) > 1)} {', '.join(map(str, later))}"
    by = {"permutation": "permutation test by scene", "bootstrap": "bootstrap of training seeds and scenes"}[test]
    interim = ", an interim look" if len({first, *later} & {0, 1, 2}) < 3 else ""
    count = f"{sure} of {len(table)} ({by}{interim})"
    return f". On training {named} alone, which ran after the table of seed {first} was seen: {count}"


@claim(
    README,
    r"objects count as drawn, too\): (\d+) of (\d+) on single objects \((\d+) before Holm's correction; with (\d+) "
    r"objects a task no corrected p is below (\S+)\)\.",
)
def pairs_that_hold_for_other_objects(records: Records) -> list[str]:
    table = compare_over_seeds(records.trials, slope_pairs(), objects=True)
    ahead = table["difference"] > 0
    counts = [sum(ahead & (table[p] < LEVEL)) for p in ("p_holm", "p")]
    objects = records.trials.loc[records.trials["task"] == "novel", "objects"].nunique()
    least = 2 * len(table) / 2**objects  # all differences of one sign, and Holm's first factor
    return [str(counts[0]), str(len(table)), str(counts[1]), str(objects), f"{least:.3f}"]


@claim(README, r"notebooks/executed/05_simulated_grasping.ipynb\)\): agrees [^.]*\. - (.*?) - In a harder simulation")
def settings_of_the_climb(records: Records) -> list[str]:
    """That both methods climb alike is said only where each published study, of every seed, kept the same settings."""
    studies, tasks = records.studies, records.profile.validation.tasks
    if studies["settings"].nunique() > 1 or not studies["untuned"].all():
        changed = studies.loc[~studies["untuned"], "policy"].str.partition("_")[0].value_counts()
        by = ", ".join(f"{METHODS[m]} {changed.get(m, 0)}" for m in ("base", "dgrasp"))
        return [
            f"Hyperparameter tuning changed the optimizer settings in {changed.sum()} of {len(studies)} studies "
            f"({by}): there, methods differ in more than the second loss."
        ]
    low, high = studies["success"].min(), studies["success"].max()
    return [
        "Both methods climb with the same optimizer settings: hyperparameter tuning changed nothing in any of "
        f"{len(studies)} studies. It is done on the task {', '.join(tasks)}, where {low:.2f} to {high:.2f} of "
        "attempts succeed without it."
    ]


@claim(README, r"dGrasp is ahead in (\d of \d) pairs on simple scenes, (\d of \d) in clutter and (\d of \d) on novel")
def pairs_in_which_the_papers_dgrasp_is_ahead(records: Records) -> list[str]:
    kinds = [name.partition("_")[2] for name in POLICIES if name.startswith("dgrasp")]
    said = []
    for task in PAPERS_TASKS:
        both = [(paper_rate("tab01", f"dgrasp_{k}", task), paper_rate("tab01", f"base_{k}", task)) for k in kinds]
        said.append(f"{sum(a > b for a, b in both)} of {len(both)}")
    return said


@claim(
    README,
    r"dGrasp lifts in (\d+ of \d+) trials and Base in (\d+ of \d+), with (\d+) everyday objects\.",
)
def lifted_in_the_twin(records: Records) -> list[str]:
    success = records.twin["success"].groupby(records.twin["policy"].str.partition("_")[0])
    lifted = [f"{success.sum()[method]} of {success.size()[method]}" for method in ("dgrasp", "base")]
    return [*lifted, str(records.twin["object"].nunique())]


@claim(README, r"\*\*(\w[^*]*)\.\*\* What dGrasp lifts more than Base, .*?: (\S+ on simple, .*?)\. \|")
def what_dgrasp_lifts_more(records: Records) -> list[str]:
    policies = records.rates.reset_index(name="rate")
    methods = policies.groupby([policies["policy"].str.partition("_")[0], "task"], sort=False)["rate"].mean()
    more = {task: methods["dgrasp"][task] - methods["base"][task] for task in records.profile.evaluation.tasks}
    up = [difference > 0 for difference in more.values()]
    word = "Yes, on this cell" if all(up) else "On some tasks" if any(up) else "No, not on this cell"
    return [word, ", ".join(f"{difference:+.2f} on {task_label(task)}" for task, difference in more.items())]


@claim(
    README, r"in each seed all policies share (\d+) networks\. How much luck is in a training is (.*?)\. - In the paper"
)
def networks_that_policies_share(records: Records) -> list[str]:
    models = {POLICIES[policy].model for policy in set(records.trials["policy"]) & set(POLICIES)}
    known = ("not measured by one seed", "hardly measured by two seeds", "measured roughly by three seeds or more")
    missing = sorted({0, 1, 2} - set(records.seeds))
    is_not = "is not" if len(missing) == 1 else "are not"
    to_come = f". Seed{'s' * (len(missing) > 1)} {' and '.join(map(str, missing))} {is_not} run yet" if missing else ""
    return [str(len(models)), known[min(len(records.seeds), 3) - 1] + to_come]


@claim(README, r"\(a Panda\) (.*?): ahead beyond chance in (\d of \d) tasks, differences (\S+ to \S+)\. ")
def on_the_panda(records: Records) -> list[str]:
    found = records.panda
    ahead = int(((found["p_holm"] < LEVEL) & (found["difference"] > 0)).sum())
    low, high = found["difference"].min(), found["difference"].max()
    (seeds,) = set(found["seeds"])
    trained = "one training seed" if seeds == 1 else f"{seeds} training seeds"
    said = "the effect is there, too" if ahead else f"no difference that {trained} can tell, and we do not know why"
    return [said, f"{ahead} of {len(found)}", f"{low:+.2f} to {high:+.2f}"]


@claim(README, r"The paper states (\d+) findings\. .*?05_simulated_grasping.ipynb\)\): (agrees .*?)\. - ")
def findings_of_the_paper(records: Records) -> list[str]:
    every = every_sentence(records.experiment, records.trials, *kept_tables())["verdict"].value_counts()
    return [str(every.sum()), ", ".join(f"{v} {every[v]}" for v in VERDICT_ORDER if v in every)]


@claim(
    README,
    r"pushed by (\d+) cm meanwhile, ([\d.]+) % are lifted, and ([\d.]+) % by a plan executed blindly",
)
def lifted_in_closed_loop(records: Records) -> list[str]:
    rates = records.figure("closed_loop").query("disturbance == 'push (cm)' and size == 5")
    sums = rates.groupby("loop")[["successes", "n"]].sum().reindex(["closed", "open"])
    return ["5", *(f"{100 * sums.successes[loop] / sums.n[loop]:.1f}" for loop in ("closed", "open"))]


@claim(README, r"by a rule: of the first (\w+) test scenes")
def scenes_of_which_the_animation_shows_one(records: Records) -> list[str]:
    return [word(records.studio.size.candidates)]


@claim(README, r"\*simple\* is (\w+) upright prisms")
def prisms_of_a_simple_scene(records: Records) -> list[str]:
    scenes = records.figure("fig03")
    (n,) = set(scenes.loc[scenes["task"] == "simple", "objects"].str.count(",") + 1)
    return [word(n)]


@claim(HOME, r"\*simple\* is (\w+) upright prisms")
def prisms_of_a_simple_scene_at_home(records: Records) -> list[str]:
    return prisms_of_a_simple_scene(records)


@claim(README, r"so many start; (\w+) policies, Figures 1")
def policies_of_notebook_4(records: Records) -> list[str]:
    return [word(records.trials["policy"].nunique())]


@claim(README, r"brings torch and (\w+) small packages")
def packages_of_the_slopes(records: Records) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    return [word(len(names - {"torch"}))]


@claim(README, r"The climb's default reach is about (\d+) cm along each axis")
def reach_of_the_default_climb(records: Records) -> list[str]:
    d = OptimizerConfig()
    return [f"{100 * sum(d.translation_rate * d.translation_decay**k for k in range(d.steps)):.0f}"]


@claim(HOME, r"Each stands for (\w+) policies")
def policies_of_a_method(records: Records) -> list[str]:
    policies = pd.Series(sorted(set(records.trials["policy"])))
    (n,) = set(policies.groupby(policies.str.partition("_")[0]).size())
    return [word(n)]


@claim(HOME, r"let (\d+) candidates climb it")
def candidates_of_the_page_to_play_with(records: Records) -> list[str]:
    source = (ROOT / "dgrasp/report/play/source/explorer.js").read_text(encoding="utf-8")
    return re.findall(r"const CANDIDATES = (\d+);", source)
