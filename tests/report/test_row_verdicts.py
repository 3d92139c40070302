"""Sentences that rows of the ablations test, and "more stable convergence": rules against tables of known answers."""

import numpy as np
import pandas as pd
import pytest

from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.experiment.ablations.verdicts import SIGNS, SMALL, of_one
from dgrasp.experiment.questions import questions
from dgrasp.report.tables.row_verdicts import of_row
from dgrasp.report.tables.sentences import CHECKS, Records, paper_sentences
from dgrasp.report.tables.stability import end_differences, more_arrive

POSES = {"row": "poses", "tasks": ["novel"], "method": "dgrasp"}  # fewer poses: lower, says the paper
BATCH = {"row": "batch", "tasks": ["novel"]}  # a larger batch: higher
PRIMARY = {"row": "batch", "less": ["images", "starts"], "tasks": ["novel"]}


def published(question, difference, p=0.01, width=0.03, task="novel"):
    """Rows of `ablation_differences` for all comparisons of a question."""
    return pd.DataFrame(
        {
            "question": question, "arm": c.arm, "against": c.against, "task": task, "expects": c.expects,
            "difference": d, "low": d - width, "high": d + width, "p_holm": p, "seeds": 3,
        }
        for c, d in zip(questions()[question].comparisons, np.broadcast_to(difference, 2), strict=True)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "p", "width", "found"),
    [
        (-0.2, 0.01, 0.05, "agrees"),
        (+0.2, 0.01, 0.05, "disagrees"),
        (-0.06, 0.2, 0.06, "cannot be told"),
        (-0.01, 0.9, 0.03, "disagrees"),  # nothing is there, and the interval shows it
        (-0.01, 0.9, 0.05, "cannot be told"),
    ],
)
def test_a_difference_that_the_paper_states(difference, p, width, found):
    rows = published("poses", difference, p, width)
    told = of_row(POSES, rows)
    assert told.verdict == found
    assert of_one(rows[rows["arm"] == "dgrasp_64"].iloc[0]) == found, "notebook 7 has the same word for the row alone"
    assert told.ours.startswith('row "poses": dGrasp 64 against dGrasp 512, novel objects: ')
    assert "base" not in told.ours, "the sentence is about dGrasp"


def test_one_arm_of_two_is_a_part():
    assert of_row(BATCH, published("batch", 0.2)).verdict == "agrees"
    half = published("batch", 0.2).assign(p_holm=[0.01, 0.4])
    assert of_row(BATCH, half).verdict == "agrees in part"


def test_a_row_is_not_tested_until_it_is_published():
    for nothing in (None, pd.DataFrame(), published("poses", 0.1), published("batch", 0.2, task="clutter")):
        told = of_row(BATCH, nothing)
        assert told == ("not tested", 'row not run yet: "batch" of the ablations')
    half = published("batch", 0.2).head(1)
    assert of_row(BATCH, half).verdict == "not tested", "one of the two comparisons is missing"


@pytest.mark.parametrize(
    ("batch", "others", "found"),
    [
        ((0.2, 0.01), (0.0, 0.9), "agrees"),
        ((0.2, 0.01), (0.2, 0.01), "agrees in part"),
        ((0.02, 0.9), (0.2, 0.01), "disagrees"),
        ((0.0, 0.9), (0.0, 0.9), "disagrees"),
        ((0.04, 0.9), (0.0, 0.9), "cannot be told"),
    ],
)
def test_a_primary_cause_helps_where_the_others_do_not(batch, others, found):
    rows = [published(name, *(batch if name == "batch" else others)) for name in ("batch", "images", "starts")]
    assert of_row(PRIMARY, pd.concat(rows)).verdict == found
    assert of_row(PRIMARY, rows[0]) == ("not tested", 'row not run yet: "images", "starts" of the ablations')


def test_every_sentence_of_a_row_asks_for_differences_with_a_direction():
    for entry in (entry for entry in paper_sentences() if "row" in entry):
        for name in (entry["row"], *entry.get("less", ())):
            method = entry.get("method", "")
            signs = [c.expects in SIGNS for c in questions()[name].comparisons if c.arm.startswith(method)]
            assert signs and all(signs)
            assert set(entry["tasks"]) <= {"clutter", "novel"}, "tasks on which arms are tried"
    assert 0 < SMALL < 0.1


# ---- Convergence ----

SYNC = [("dgrasp_quat_sync", "base_quat_sync"), ("dgrasp_6d_sync", "base_6d_sync")]


def climbs(ends, task="simple", share="near_grasp"):
    """Shares at the last of two steps, by policy and scene."""
    rows = [
        {"task": task, "policy": policy, "scene": scene, "step": step, share: step * end, "in_corner": 0.25 * step}
        for policy, each in ends.items()
        for scene, end in enumerate(each)
        for step in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_more_arrive_in_every_scene():
    base = np.linspace(0.1, 0.2, 8)
    ends = {"base_quat_sync": base, "dgrasp_quat_sync": base + 0.1, "base_6d_sync": base, "dgrasp_6d_sync": base + 0.2}
    told = more_arrive(climbs(ends), "simple", SYNC)
    assert told.verdict == "agrees"
    assert told.ours.startswith("+0.10 to +0.20, 2 of 2 pairs beyond chance (share that ends near a valid grasp, 8")
    assert (
        "dGrasp (quaternion, synchronous) less Base (quaternion, synchronous) +0.100 (corrected p 0.016)" in told.ours
    )
    assert told.ours.endswith("at most 25.0% of dGrasp's end in a corner; at most 25.0% of Base's end in a corner")
    table = end_differences(climbs(ends), "simple", SYNC)
    assert table["p"].tolist() == pytest.approx([2 / 256] * 2), "all swaps of eight scenes"
    assert table["p_holm"].tolist() == pytest.approx([4 / 256] * 2)
    turned = [pair[::-1] for pair in SYNC]
    assert more_arrive(climbs(ends), "simple", turned).verdict == "disagrees"


def test_arrivals_that_differ_by_chance_cannot_be_told():
    ends = {"base_quat_sync": [0.1, 0.3, 0.2, 0.4], "dgrasp_quat_sync": [0.3, 0.1, 0.4, 0.2]}
    assert more_arrive(climbs(ends), "simple", SYNC).verdict == "cannot be told"
    assert more_arrive(climbs({"base_quat_sync": [0.1] * 8}), "simple", SYNC).verdict == "not tested", "no pair"


def test_scenes_without_a_valid_grasp_are_left_out():
    ends = {"base_quat_sync": [0.1, np.nan, 0.2], "dgrasp_quat_sync": [0.2, np.nan, 0.3]}
    assert end_differences(climbs(ends), "simple", SYNC)["scenes"].tolist() == [2]


def test_convergence_is_a_sentence_of_two_tasks_and_needs_the_climbs():
    ends = {"base_quat_sync": [0.1] * 8, "dgrasp_quat_sync": [0.3] * 8}
    both = pd.concat([climbs(ends), climbs(ends, "novel", "at_object")])
    for check in ("stable_convergence_simple", "stable_convergence_novel"):
        assert CHECKS[check](Records(pd.DataFrame(), EvaluationConfig(), (), both)).verdict == "agrees"
        assert CHECKS[check](Records(pd.DataFrame(), EvaluationConfig(), ())).verdict == "not tested"
