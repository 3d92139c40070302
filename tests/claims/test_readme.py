"""The README's statements in numbers, each against what the published results say.

Every test reads the number out of the sentence: change a digit there, or a result, and it fails.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest

from dgrasp.evaluation.statistics import success_rates
from dgrasp.evaluation.table import read_trials
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import POLICIES
from dgrasp.report.tables.findings import compare, slope_pairs
from dgrasp.report.tables.paper import paper_rate
from dgrasp.twin.sweep import read_sweep
from dgrasp.twin.trials import read_twin_trials

ROOT = Path(__file__).parents[2]
GOALS = {"simple": 0.98, "clutter": 0.90, "novel": 0.90}
DGRASP = [name for name in POLICIES if name.startswith("dgrasp")]


def said(pattern: str) -> tuple[str, ...]:
    """The groups of the one place in the README that matches; line breaks count as spaces."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    found = [match.groups() for match in re.finditer(pattern, text)]
    assert len(found) == 1, f"{len(found)} places match {pattern!r}"
    return found[0]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return Experiment.open("published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def rates(experiment):
    return success_rates(read_trials(experiment.evaluation()), experiment.profile.evaluation)


@pytest.fixture(scope="module")
def pairs(experiment, rates):
    return compare(read_trials(experiment.evaluation()), slope_pairs(), rates)


def rate(rates, policy, task):
    (found,) = rates[(rates["policy"] == policy) & (rates["task"] == task)]["rate"]
    return found


def test_dgrasp_is_above_its_base_in_all_twelve_pairs(pairs):
    (bound,) = said(r"in each of the twelve pairs of policies .*? Holm-corrected, p < ([\d.]+)\)")
    assert len(pairs) == 12 and (pairs["difference"] > 0).all() and pairs["apart"].all()
    assert (pairs["p_holm"] < float(bound)).all()


def test_what_the_paper_found(pairs):
    """Its dGrasp above Base on simple scenes and, but for one pair, in clutter; below it on novel objects."""
    said(
        r"what the paper found on simple scenes and, but for one pair, in clutter\. On novel objects it is the opposite"
    )
    above = {
        task: sum(paper_rate("tab01", a, task) > paper_rate("tab01", b, task) for a, b in slope_pairs()[:4])
        for task in GOALS
    }
    assert above == {"simple": 4, "clutter": 3, "novel": 0}


def test_the_goals_and_by_how_much_they_are_missed(rates):
    goals = said(r"goals were ([\d.]+), ([\d.]+) and ([\d.]+):")
    assert tuple(map(float, goals)) == tuple(GOALS.values())
    best, last = {}, {}
    for task, goal in GOALS.items():
        ours = [rate(rates, name, task) for name in DGRASP]
        best[task], last[task] = goal - max(ours), goal - min(ours)
    assert last["simple"] <= 0
    numbers = said(r"missed by ([\d.]+) and ([\d.]+) by the best policy, and by ([\d.]+) and ([\d.]+) by the last")
    got = (best["clutter"], best["novel"], last["clutter"], last["novel"])
    assert tuple(map(float, numbers)) == tuple(round(x, 2) for x in got)


def test_the_new_scenes(rates):
    (kept,) = (ROOT / "figures" / "replications").rglob("scenes-11.json")
    rows = pd.DataFrame(json.loads(kept.read_text())["rows"])
    names = ("dgrasp_quat_sync", "base_quat_sync")
    numbers = said(
        r"dgrasp_quat_sync and base_quat_sync reach ([\d.]+) and ([\d.]+) \(simple\), ([\d.]+) and ([\d.]+) "
        r"\(clutter\), ([\d.]+) and ([\d.]+) \(novel\): all six agree"
    )
    column = next(c for c in rows.columns if c.startswith("rate_"))
    table = rows.set_index(["policy", "task"])[column]
    assert tuple(map(float, numbers)) == tuple(round(table[name, task], 3) for task in GOALS for name in names)
    assert len(rows) == 6 and rows["agrees"].all()


def test_the_twin(experiment):
    lifted = {"dgrasp": 0, "base": 0}
    trials = dict.fromkeys(lifted, 0)
    for policy, log in read_twin_trials(experiment.twin_trials()).items():
        method = policy.split("_")[0]
        lifted[method] += int(log.judged["success"].sum())
        trials[method] += len(log.judged)
    numbers = said(
        r"dGrasp lifts (\d+) of (\d+) and Base (\d+); the paper's own real-robot rates are (\d\.\d+) and (\d\.\d+)"
    )
    assert tuple(map(int, numbers[:3])) == (lifted["dgrasp"], trials["dgrasp"], lifted["base"])
    assert trials["dgrasp"] == trials["base"]
    means = [_paper_on_the_robot(method) for method in ("dgrasp", "base")]
    assert tuple(map(float, numbers[3:])) == tuple(round(mean, 2) for mean in means)


def _paper_on_the_robot(method):
    """The paper's mean over a method's four policies, Table 2."""
    return fmean(paper_rate("tab02", name, "real") for name in POLICIES if name.startswith(method))


def test_the_twin_without_calibration_error(experiment):
    attempts = read_sweep(experiment.calibration_sweep())
    zero = attempts[(attempts["error"] == 0) & (attempts["policy"] == "dgrasp_quat_sync")]
    numbers = said(r"without hand-eye error dgrasp_quat_sync lifts (\d+) of (\d+) on the textured bench")
    assert tuple(map(int, numbers)) == (int(zero["success"].sum()), len(zero))
