"""What the profile `paper` would need: its own numbers times measured pieces, and it fits a card of 20 GB."""

import pytest

from dgrasp.experiment.needs import GIB, MIB, Card, caches, needs, planned, walked
from dgrasp.experiment.profiles import load_profile

PIECE = {"cpu_seconds": 1.0, "resident_mib": 100.0, "peak_mib": 1000.0, "flop": 3.6e12}
PIECES = dict.fromkeys(("demonstrations", "Phi", "Psi", "encoding", "plans", "attempts"), PIECE)


@pytest.fixture
def paper():
    return load_profile("paper")


def test_plans_are_counted_as_the_paper_makes_them(paper):
    counts = planned(paper)
    assert counts["studies"] == 12 * 100 * 10 * 5, "Sec. 4.2: 100 trials of 10 scenes x 5 attempts"
    assert counts["attempts"] == 12 * 5 * (50 + 50 + 50 + 50)


def test_hours_are_operations_over_the_card_s_rate(paper):
    found = {need.stage: need for need in needs(paper, PIECES, Card(flops=1e12))}
    assert found["Phi"].hours == pytest.approx(500_000 * 3.6e12 / 1e12 / 3600)
    plan = (paper.optimizer.steps + paper.evaluation.views) * 3.6  # seconds
    assert found["studies"].hours == pytest.approx(60_000 * plan / 3600)
    assert found["studies"].simulation == pytest.approx(60_000 * 1.0 / paper.runtime.workers / 3600)


def test_memory_is_that_of_the_processes_and_of_what_they_keep(paper):
    found = {need.stage: need for need in needs(paper, PIECES, Card(context=0.0, slack=1.0))}
    assert found["Phi"].memory == pytest.approx(1100 * MIB)
    assert found["Psi"].memory == pytest.approx(1100 * MIB + caches(paper))
    assert found["attempts"].memory > paper.runtime.workers * 1100 * MIB


def test_caches_hold_no_more_than_there_is(paper):
    full = paper.value.model_copy(update={"cache_gib": 1e6})
    views = (512 * 5 + paper.value.validation_scenes) * paper.data.policy_views
    each = 4 * (320 * 240 * paper.nerf.field.hidden + 3 * 640 * 480)
    assert caches(paper.model_copy(update={"value": full})) == views * each
    assert caches(paper) <= 2 * paper.value.cache_gib * GIB


def test_every_stage_of_the_paper_profile_fits_a_card_of_20_gb(paper):
    """As measured, with all four trainings in one pass, their caches, and all workers of the plans on the card."""
    stated = walked()
    assert stated["pieces"].keys() == PIECES.keys() and stated["profile"] == paper.name
    over = {n.stage: n.memory / GIB for n in needs(paper, stated["pieces"]) if n.memory > Card().memory}
    assert not over
