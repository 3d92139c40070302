"""Statements of notebook 05 from records whose answers are known."""

import math

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.statistics import success_rates
from dgrasp.report.figures import plots
from dgrasp.report.tables import findings

LOW, HIGH = (-0.3, -0.3, 0.9), (0.3, 0.3, 1.3)
CONFIG = EvaluationConfig(
    tasks={"simple": {"scenes": 20, "attempts": 1}}, repetitions=1, policies=("dgrasp_quat_seq", "base_quat_seq")
)


def trials(**outcomes):
    """One scene of one object per letter: s succeeded, m missed, c missed in a corner, n had no candidate."""
    rows = []
    for policy, letters in outcomes.items():
        for i, letter in enumerate(letters):
            outcome = {"s": "success", "n": "no grasp"}.get(letter, "missed")
            p = {"c": (0.3, 0.299, 0.9), "n": (math.nan,) * 3}.get(letter, (0.1, 0.1, 1.0))
            row = {
                "policy": policy,
                "task": "simple",
                "split": "test",
                "scene": i,
                "repetition": 0,
                "attempt": 0,
                "seed": 0,
            }
            row |= dict(zip("xyz", p, strict=True))
            rows.append(row | {"outcome": outcome, "success": letter == "s", "objects": ("pear", "drill")[i % 2]})
    return pd.DataFrame(rows)


def compared(**outcomes):
    records = trials(**outcomes)
    return findings.compare(records, findings.slope_pairs(), success_rates(records, CONFIG))


def test_a_clear_difference_is_found_and_named():
    table = compared(dgrasp_quat_seq="s" * 20, base_quat_seq="s" * 4 + "m" * 16)
    assert len(table) == 1, "pairs without trials are left out"
    row = table.iloc[0]
    assert (row["first"], row["difference"], row["only_first"], row["only_second"]) == ("dgrasp_quat_seq", 0.8, 16, 0)
    assert row["no_overlap"] and row["p"] < 0.001
    assert findings.verdicts(table)["simple"].startswith("higher in 1, lower in 0, of 1 (differences +0.80 to +0.80")


def test_chance_is_not_called_a_difference():
    table = compared(dgrasp_quat_seq="s" * 11 + "m" * 9, base_quat_seq="s" * 10 + "m" * 10)
    assert not table.iloc[0]["no_overlap"]
    assert findings.verdicts(table)["simple"].startswith("no pair differs beyond chance")


def test_a_worse_dgrasp_is_reported_as_plainly():
    table = compared(dgrasp_quat_seq="s" * 4 + "m" * 16, base_quat_seq="s" * 20)
    assert "higher in 0, lower in 1, of 1" in findings.verdicts(table)["simple"]


def test_holm_corrects_for_all_rows_together():
    records = trials(
        dgrasp_quat_seq="s" * 6 + "m" * 14, base_quat_seq="m" * 20, dgrasp_quat_sync="m" * 20, base_quat_sync="m" * 20
    )
    table = findings.compare(records, findings.slope_pairs(), success_rates(records, CONFIG))
    assert table["p_holm"].tolist() == [pytest.approx(2 * table["p"][0]), 1.0]


@pytest.mark.parametrize(("third", "sure"), [("s" * 12 + "m" * 8, True), ("m" * 20, False)])
def test_with_several_training_seeds_the_test_counts_seeds_too(third, sure):
    """Two seeds far ahead and one far behind are no finding, however many scenes there are."""
    ahead = {"dgrasp_quat_seq": "s" * 12 + "m" * 8, "base_quat_seq": "s" * 4 + "m" * 16}
    seeds = [trials(**ahead), trials(**ahead), trials(**ahead | {"dgrasp_quat_seq": third})]
    records = pd.concat([part.assign(seed=seed) for seed, part in enumerate(seeds)], ignore_index=True)
    row = findings.compare(records, findings.slope_pairs(), success_rates(records, CONFIG)).iloc[0]
    assert (row["p"] < 0.05) == sure
    assert findings.name_of_test(records) == "bootstrap of training seeds and scenes"
    assert findings.name_of_test(seeds[0]) == "permutation test by scene"


def test_with_several_seeds_pairs_are_counted_and_scenes_are_not_swapped(monkeypatch):
    part = trials(dgrasp_quat_seq="sssm", base_quat_seq="smms")
    other = part.drop(part[(part["policy"] == "base_quat_seq") & (part["scene"] == 0)].index).assign(seed=1)
    records = pd.concat([part.assign(seed=0), other], ignore_index=True)
    monkeypatch.setattr("dgrasp.evaluation.statistics.permutation_test", lambda *all, **options: pytest.fail("swapped"))
    row = findings.compare(records, findings.slope_pairs(), success_rates(records, CONFIG)).iloc[0]
    assert (row["only_first"], row["only_second"]) == (5, 2), "an attempt that was not made has failed"


def test_failures_have_shares_and_corners():
    table = findings.failures(trials(base_quat_seq="ssmc", dgrasp_6d_sync="sssn"), (LOW, HIGH))
    base, dgrasp = table.loc[("Base", "simple")], table.loc[("dGrasp", "simple")]
    assert (base["n"], base["success"], base["missed"], base["planned in a corner"]) == (4, 0.5, 0.5, 0.25)
    assert (dgrasp["no grasp"], dgrasp["planned in a corner"]) == (0.25, 0.0), "what was not executed lies nowhere"


def test_the_hardest_object_comes_first_and_piles_are_no_objects():
    records = trials(base_quat_seq="smsmsm", dgrasp_quat_seq="ssssss")
    records.loc[len(records)] = {**records.iloc[0], "objects": "pear, drill"}
    table = findings.by_object(records, ("base_quat_seq", "dgrasp_quat_seq"), 0.95, task="simple")
    assert table["objects"].tolist() == ["drill", "drill", "pear", "pear"]
    assert table["n"].tolist() == [3, 3, 3, 3] and table["rate"].tolist() == [0.0, 1.0, 1.0, 1.0]
    ax = plt.figure().gca()
    plots.plot_by_object(ax, table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["drill (n = 3)", "pear (n = 3)"]
    assert ax.get_legend_handles_labels()[1] == ["Base (quaternion, sequential)", "dGrasp (quaternion, sequential)"]


def test_intervals_over_scenes_are_wider_where_attempts_of_a_scene_end_alike():
    """Five attempts in each of 20 scenes that all end alike are 20 observations: about sqrt(5) times as wide."""
    config = EvaluationConfig(tasks={"simple": {"scenes": 20, "attempts": 5}}, repetitions=1)
    records = pd.concat([trials(base_quat_seq="sm" * 10).assign(attempt=i) for i in range(5)])
    (row,) = findings.scene_intervals(records, config, success_rates(records, config)).itertuples()
    assert row.low_scenes < row.low < row.rate < row.high < row.high_scenes
    assert row.width_ratio == pytest.approx(5**0.5, rel=0.15)


def test_the_control_is_compared_where_it_is_a_model_of_its_own():
    records = trials(dgrasp_quat_seq="s" * 20, base_quat_seq="m" * 20, control_quat_seq="m" * 20)
    table = findings.compare(records, findings.slope_pairs(), success_rates(records, CONFIG))
    assert table["second"].tolist() == ["base_quat_seq", "control_quat_seq"]


def on_novel(**outcomes):
    return trials(**outcomes).assign(task="novel")


def test_heights_are_compared_on_the_same_untouched_scenes():
    records = on_novel(dgrasp_quat_seq="s" * 9, base_quat_seq="s" * 9)
    above = records["policy"] == "dgrasp_quat_seq"
    records.loc[above, "z"] += [0.004, 0.005, 0.006] * 3
    second = records[above].assign(attempt=1, z=2.0)
    (row,) = findings.heights(pd.concat([records, second])).itertuples()
    assert (row.median, row.n) == (pytest.approx(5.0), 9)
    assert 3.99 < row.low < 5.0 < row.high < 6.01


def test_the_papers_gain_on_the_real_robot_is_worked_out():
    """Four policies each: 0.08 0.08 0.10 0.14 and 0.32 0.30 0.26 0.28."""
    table = findings.paper_real()
    assert table.loc["base"].to_dict() == pytest.approx({"mean": 0.10, "best": 0.14})
    assert table.loc["dgrasp"].to_dict() == pytest.approx({"mean": 0.29, "best": 0.32})
    assert table.loc["ratio"].to_dict() == pytest.approx({"mean": 2.9, "best": 0.32 / 0.14})


def test_attempts_of_a_scene_are_counted_one_by_one():
    """Two scenes, three attempts: all first ones lift, of the second ones half, and the third could not be made."""
    config = EvaluationConfig(tasks={"simple": {"scenes": 2, "attempts": 3}}, repetitions=1)
    first, second = (trials(base_quat_seq=outcomes).assign(attempt=i) for i, outcomes in enumerate(("ss", "sm")))
    table = findings.by_attempt(pd.concat([first, second]), config)
    assert table.loc["simple", "Base"].to_dict() == {1: 1.0, 2: 0.5, 3: 0.0}
    one_attempt = config.model_copy(update={"tasks": {"simple": CONFIG.tasks["simple"]}})
    assert not len(findings.by_attempt(first, one_attempt))
