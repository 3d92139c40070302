"""Attempts: every one is recorded, also the one that has no grasp."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.attempt import Episode, Observer, attempts_in
from dgrasp.evaluation.config import EvaluationConfig, TaskBudget
from dgrasp.evaluation.statistics import success_rates
from dgrasp.evaluation.table import read_trials
from dgrasp.policy.policies import NoGraspError
from dgrasp.sim.cell import Cell

EPISODE = Episode("base_6d_seq", "simple", "test", 0, 0)
OBSERVER = Observer(views=2, width=32, height=24)


class Hesitant:
    """Finds no grasp at first, and then one in the air."""

    def __init__(self) -> None:
        self.plans = 0

    def plan(self, views, generator):
        self.plans += 1
        if self.plans == 1:
            raise NoGraspError("none of the 8 candidates approaches from above")
        T = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        T[:3, 3] = torch.tensor([0.2, 0.0, 1.06])
        return SimpleNamespace(T_world_tcp=T, value=0.5)


def test_an_attempt_without_a_grasp_is_a_recorded_failure(tmp_path: Path) -> None:
    with Cell() as cell:
        first, second = attempts_in(cell, Hesitant(), EPISODE, 2, OBSERVER, seed=0)
    assert (first.outcome, first.success, first.attempt) == ("no grasp", False, 0)
    assert first.reason == "none of the 8 candidates approaches from above" and first.x is None
    assert second.outcome in set(map(str, Outcome)) and second.z is not None

    pd.DataFrame([asdict(first), asdict(second)]).to_csv(tmp_path / "trials.csv", index=False)
    trials = read_trials(SimpleNamespace(path=tmp_path, summary={}))
    assert trials["x"].dtype == np.float64 and trials["x"].isna().tolist() == [True, False]
    assert trials["object"].tolist() == ["", ""], "no object is a word, not a missing number"
    budget = EvaluationConfig(tasks={"simple": TaskBudget(scenes=1, attempts=2)}, repetitions=1)
    assert success_rates(trials, budget)["n"].tolist() == [2]
