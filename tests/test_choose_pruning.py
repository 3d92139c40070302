"""One climb of everything tells what every schedule of dropping would have chosen: the benchmark that chose ours."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from dgrasp import OptimizerConfig, optimize_poses
from dgrasp.experiment.profiles import load_profile
from dgrasp.poses import uniform_poses

LOW, HIGH = torch.tensor([-0.3, -0.3, 0.0]), torch.tensor([0.3, 0.3, 0.3])
CONFIG = OptimizerConfig(steps=6, translation_rate=0.03, rotation_rate=0.2, n_starts=64)
PAIRS = {"pruning": ((0, 40), (2, 12), (4, 3)), "pruning_first": ((3, 20),)}


@pytest.fixture(scope="module")
def choose(root):
    spec = importlib.util.spec_from_file_location("choose_pruning", root / "benchmarks" / "choose_pruning.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def value(T: torch.Tensor) -> torch.Tensor:
    """Many summits, so that early scores mislead."""
    return torch.sin(25 * T[:, :3, 3]).sum(-1) + T[:, 0, 0] * torch.cos(9 * T[:, 1, 3])


@pytest.mark.parametrize("schedule", ["seq", "sync"])
@pytest.mark.parametrize("first", [None, PAIRS["pruning_first"]])
def test_what_would_have_been_chosen_is_what_the_climb_chooses(choose, schedule, first):
    starts = uniform_poses(64, LOW, HIGH, torch.Generator().manual_seed(3))
    dropping = {"pruning": PAIRS["pruning"], "pruning_first": first}
    everything, dropped = (
        optimize_poses(value, starts, CONFIG.model_copy(update=how), schedule=schedule, bounds=(LOW, HIGH), record=True)
        for how in ({}, dropping)
    )
    rank = choose.chosen(everything, choose.Dropping(1, *dropping.values()), CONFIG, schedule)
    assert everything.start[rank] == dropped.start[0]
    keep = choose.kept_by_step(choose.Dropping(1, *dropping.values()), CONFIG, schedule)
    assert set(choose.survivors(everything.path_scores, keep).tolist()) == set(dropped.start.tolist())
    climbing = int((~torch.isnan(dropped.path_scores[:-1])).sum())
    assert choose.slopes_asked(keep, 64, len(dropped.path_scores) - 1) == climbing


def test_the_log_says_how_many_slopes_a_plan_asks_for(choose, root):
    config, log = load_profile("laptop").optimizer, (root / "EXPERIMENT_LOG.md").read_text(encoding="utf-8")
    dropping = choose.Dropping(1, config.pruning, config.pruning_first)
    for phases, schedule in ((1, "sync"), (2, "seq")):
        keep = choose.kept_by_step(dropping, config, schedule)
        asked = choose.slopes_asked(keep, config.n_starts, phases * config.steps)
        assert f"{asked:,}" in log and f"{phases * config.steps * config.n_starts:,}" in log
