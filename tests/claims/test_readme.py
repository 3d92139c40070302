"""The README's statements in numbers, each against what the published results say.

Every test reads the number out of the page and counts it anew: change a digit there, or a result, and it fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dgrasp.evaluation.over_seeds import rates_by_seed
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import PAPERS_SET, training_set
from dgrasp.experiment.seeds import all_seeds, trials_of
from dgrasp.policy.policies import POLICIES
from dgrasp.report.names import METHODS, task_label
from dgrasp.report.readme import BEGIN, END, results_block, write_results
from dgrasp.report.studio import Studio
from dgrasp.report.tables.findings import compare, slope_pairs
from dgrasp.report.tables.paper import paper_rate
from dgrasp.twin.trials import read_twin_trials

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAPERS_TASKS = ("simple", "clutter", "novel")


def said(pattern: str) -> tuple[str, ...]:
    """The groups of the one place in the README that matches; line breaks count as spaces."""
    text = " ".join(README.read_text(encoding="utf-8").split())
    found = [match.groups() for match in re.finditer(pattern, text)]
    assert len(found) == 1, f"{len(found)} places match {pattern!r}"
    return found[0]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def trials(experiment):
    return trials_of(all_seeds(experiment))


@pytest.fixture(scope="module")
def rates(experiment, trials):
    """Policy and task -> rate, all seeds counted together."""
    counted = rates_by_seed(trials, experiment.profile.evaluation)
    sums = counted.groupby(["policy", "task"])[["successes", "n"]].sum()
    return sums["successes"] / sums["n"]


@pytest.mark.parametrize("method", ["base", "dgrasp"])
def test_the_table_has_both_methods_means_and_spans(experiment, rates, method):
    (row,) = said(rf"\| {METHODS[method]} (\| [^*]*? \|) (?:\| dGrasp|\| \*Base)")
    cells = re.findall(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", row)
    tasks = list(experiment.profile.evaluation.tasks)
    assert len(cells) == len(tasks)
    for task, cell in zip(tasks, cells, strict=True):
        ours = [rate for (policy, of), rate in rates.items() if of == task and policy.startswith(f"{method}_")]
        assert cell == tuple(f"{x:.2f}" for x in (sum(ours) / len(ours), min(ours), max(ours)))


@pytest.mark.parametrize("method", ["base", "dgrasp"])
def test_the_papers_means_stand_below(method):
    (row,) = said(rf"\| \*{METHODS[method]} in the paper\* (\|[^*]*?) (?:\| \*dGrasp|Share of attempts)")
    means = re.findall(r"([\d.]+) \(", row)[: len(PAPERS_TASKS)]
    for task, mean in zip(PAPERS_TASKS, means, strict=True):
        paper = [paper_rate("tab01", policy, task) for policy in POLICIES if policy.startswith(method)]
        assert mean == f"{sum(paper) / len(paper):.2f}"


def test_columns_are_the_tasks_and_attempts_are_those_of_a_policy_and_task(experiment, trials):
    (header,) = said(r"\| lifted (\|.*?) \| ---")
    tasks = [task_label(task) for task in experiment.profile.evaluation.tasks]
    assert [cell.strip() for cell in header.strip("| ").split("|")] == tasks
    (n,) = said(r"the highest of them\. ([\d or]+) attempts per policy and task")
    config = experiment.profile.evaluation
    seeds = trials["seed"].nunique()
    budgets = {b.scenes * b.attempts * config.repetitions * seeds for b in config.tasks.values()}
    assert [int(x) for x in n.split(" or ")] == sorted(budgets)


def test_the_training_set_is_named(experiment):
    trained = training_set(experiment.profile)
    said(
        r"(The training set is the paper's\.)"
        if trained == PAPERS_SET
        else rf"not the paper's\): ({re.escape(trained)})\."
    )


def test_in_how_many_pairs_dgrasp_is_ahead(experiment, trials, rates):
    above, pairs, sure = map(int, said(r"its own Base in (\d+) of (\d+) pairs .*?, and in (\d+) of them beyond chance"))
    assert pairs == len(_pairs(rates)) > 0
    assert above == sum(rates[a, task] > rates[b, task] for (a, b), task in _pairs(rates))
    table = rates.rename("rate").reset_index().assign(low=0.0, high=1.0)
    tested = compare(trials, slope_pairs(), table)
    assert sure == int(((tested["p_holm"] < 0.05) & (tested["difference"] > 0)).sum())


def _pairs(rates):
    tasks = list(dict.fromkeys(task for _, task in rates.index))
    return [((a, b), task) for a, b in slope_pairs() for task in tasks if (a, task) in rates and (b, task) in rates]


def test_in_how_many_pairs_the_paper_s_dgrasp_is_ahead():
    numbers = said(r"dGrasp is ahead in (\d) of 4 pairs on simple scenes, (\d) of 4 in clutter and (\d) of 4 on novel")
    kinds = [name.partition("_")[2] for name in POLICIES if name.startswith("dgrasp")]
    for task, number in zip(PAPERS_TASKS, numbers, strict=True):
        ahead = [paper_rate("tab01", f"dgrasp_{k}", task) > paper_rate("tab01", f"base_{k}", task) for k in kinds]
        assert int(number) == sum(ahead)


def test_the_twin(experiment):
    numbers = said(r"dGrasp lifts (\d+) of (\d+) everyday objects and Base (\d+) of (\d+)")
    lifted, trials = {"dgrasp": 0, "base": 0}, {"dgrasp": 0, "base": 0}
    for policy, log in read_twin_trials(experiment.twin_trials()).items():
        lifted[policy.split("_")[0]] += int(log.judged["success"].sum())
        trials[policy.split("_")[0]] += len(log.judged)
    assert tuple(map(int, numbers)) == (lifted["dgrasp"], trials["dgrasp"], lifted["base"], trials["base"])


def test_make_figures_would_write_what_stands_there(experiment, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write_results(page, results_block(Studio(experiment)))
    assert page.read_text(encoding="utf-8") == README.read_text(encoding="utf-8")
    write_results(page, f"{BEGIN}\nother\n{END}")
    assert "\nother\n" in page.read_text(encoding="utf-8")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place for results"):
        write_results(page, "")


def test_the_six_lines_plan_a_grasp(monkeypatch, tmp_path, capsys):
    (code,) = re.findall(r"## Plan a grasp\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert found["plan"].T_world_tcp.shape == (4, 4) and f"{found['plan'].value}" in capsys.readouterr().out


def test_lines_are_short_and_the_animation_is_light():
    assert max(len(line) for line in README.read_text(encoding="utf-8").splitlines()) < 120
    assert (ROOT / "figures" / "climb.gif").stat().st_size < 2 * 2**20
