"""Several training seeds: known answers of the pooled rates and of the hierarchical bootstrap."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, ttest_1samp

from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.over_seeds import (
    beside_later_seeds,
    compare_over_seeds,
    hierarchical_bootstrap,
    pool_seeds,
    rates_by_seed,
    scene_differences,
)
from dgrasp.evaluation.statistics import paired_comparison
from dgrasp.report.tables.findings import compare

PAIR = [("new", "old")]


def trials(gains, scenes=40, objects=1):
    """One attempt a scene; `old` lifts every second one, `new` that share of the rest too.

    gains: the shares, one per seed, or per seed and object.
    """
    rng, rows = np.random.default_rng(1), []
    for seed, gain in enumerate(gains):
        for scene in range(scenes):
            thing = scene % objects
            more = rng.uniform() < np.broadcast_to(gain, objects)[thing]
            for policy, success in (("new", scene % 2 == 0 or more), ("old", scene % 2 == 0)):
                rows.append(
                    {
                        "policy": policy, "task": "novel", "split": "test", "scene": scene, "repetition": 0,
                        "attempt": 0, "seed": seed, "success": bool(success), "objects": f"object {thing}",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_rates_are_of_each_seed_and_of_all():
    config = EvaluationConfig(tasks={"novel": {"scenes": 40, "attempts": 1}}, repetitions=1)
    each = rates_by_seed(trials([0.0, 1.0, 1.0]), config)
    assert each[each["policy"] == "new"]["rate"].tolist() == [0.5, 1.0, 1.0] and set(each["n"]) == {40}
    pooled = pool_seeds(each).set_index("policy").loc["new"]
    assert (pooled["successes"], pooled["n"], pooled["seeds"]) == (100, 120, 3)
    assert (pooled["least"], pooled["most"]) == (0.5, 1.0) and pooled["spread"] == pytest.approx(
        np.std([0.5, 1, 1], ddof=1)
    )
    one = pool_seeds(rates_by_seed(trials([0.5]), config))
    assert one["spread"].isna().all() and set(one["seeds"]) == {1}


def test_one_seed_is_a_bootstrap_of_its_scenes():
    """Known answer: scipy's, on the same differences."""
    scenes = scene_differences(trials([0.6], scenes=120), "new", "old")
    ours = np.quantile(hierarchical_bootstrap(scenes), [0.025, 0.975])
    known = bootstrap((scenes["difference"].to_numpy(float),), np.mean, method="percentile", rng=0).confidence_interval
    np.testing.assert_allclose(ours, known, atol=0.012)


def test_seeds_that_disagree_widen_the_interval_and_seeds_that_agree_do_not():
    alike, unlike = (compare_over_seeds(trials(g, 200), PAIR).iloc[0] for g in ([0.5] * 3, [0.0, 0.5, 1.0]))
    assert alike["difference"] == pytest.approx(unlike["difference"], abs=0.05)
    assert unlike["high"] - unlike["low"] > 2 * (alike["high"] - alike["low"])
    assert (unlike["least"], unlike["most"], unlike["seeds"], unlike["scenes"]) == (0.0, 0.5, 3, 600)
    assert alike["p"] < 0.001 < unlike["p"]


def test_no_difference_is_not_found():
    row = compare_over_seeds(trials([0.0] * 3), PAIR).iloc[0]
    assert (row["difference"], row["p"], row["p_holm"]) == (0.0, 1.0, 1.0)


def test_by_object_the_finding_rests_on_the_objects():
    """All gain comes from one object of four: sure for these scenes, not for such objects."""
    records = trials([[1.0, 0.0, 0.0, 0.0]] * 3, scenes=200, objects=4)
    records.loc[(records["policy"] == "old") & (records["objects"] == "object 0"), "success"] = False
    by_scene, by_object = (compare_over_seeds(records, PAIR, objects=o).iloc[0] for o in (False, True))
    assert by_scene["p"] < 0.001 and by_object["p"] > 0.05
    assert by_object["low"] == 0 < by_scene["low"]


def test_tasks_of_several_objects_are_not_compared_by_object():
    records = trials([0.5] * 2).assign(objects="box 1, box 2")
    assert len(compare_over_seeds(records, PAIR)) == 1 and len(compare_over_seeds(records, PAIR, objects=True)) == 0


def test_samples_of_few_seeds_scatter_as_the_seeds_do():
    """Known answer: with equal differences within a seed, the standard error is that of the seeds' mean (n - 1)."""
    gains = [0.0, 0.25, 1.0]
    rows = [{"seed": s, "difference": g, "attempts": 1, "object": "box"} for s, g in enumerate(gains) for _ in range(5)]
    drawn = hierarchical_bootstrap(pd.DataFrame(rows), resamples=40_000)
    assert drawn.mean() == pytest.approx(np.mean(gains), abs=0.01)
    assert drawn.std() == pytest.approx(np.std(gains, ddof=1) / np.sqrt(3), rel=0.02)


def test_by_object_p_is_never_below_that_of_swapped_names():
    """Known answer: all of nine objects gain, of 2^9 swaps two are as far out; a bootstrap alone would say 0.0004."""
    records = trials([0.8], scenes=180, objects=9)
    assert compare_over_seeds(records, PAIR, objects=True).iloc[0]["p"] == pytest.approx(2 / 2**9)


def test_seeds_have_a_test_of_their_own():
    rows = [compare_over_seeds(trials(g, 100), PAIR).iloc[0] for g in ([0.5], [0.5, 0.5, 0.5], [0.1, 0.5, 1.0])]
    assert np.isnan(rows[0]["p_seeds"]) and rows[1]["p_seeds"] < 0.02 < rows[2]["p_seeds"]


def test_the_later_seeds_stand_beside_all_of_them():
    """Seed 0 alone gains: beyond chance by its scenes, and gone where it is left out."""
    records = trials([0.9, 0.0, 0.0], 60)
    pairs = iter(PAIR)
    (row,) = beside_later_seeds(records, pairs, 0).to_dict("records")
    assert (row["seeds"], row["seeds_later"]) == (3, 2)
    assert row["difference"] > 0.1 and (row["difference_later"], row["p_later"]) == (0.0, 1.0)
    alone = compare_over_seeds(records[records["seed"] != 0], PAIR).iloc[0]
    assert row["high_later"] == alone["high"] and row["p"] == compare_over_seeds(records, PAIR).iloc[0]["p"]


def test_later_seeds_are_corrected_for_their_own_rows():
    """Of two tasks one was tried on the first seed alone."""
    records = pd.concat([trials([0.5] * 3), trials([0.5]).assign(task="clutter")], ignore_index=True)
    table = beside_later_seeds(records, PAIR, 0).set_index("task")
    assert table.loc["novel", "p_holm"] == 2 * table.loc["novel", "p"]
    assert table.loc["novel", "p_holm_later"] == table.loc["novel", "p_later"] < 0.01
    assert np.isnan(table.loc["clutter", "p_later"])


def test_without_a_later_seed_there_is_nothing_to_compare():
    table = beside_later_seeds(trials([0.5]), PAIR, 0)
    assert not len(table) and {"p_holm", "p_holm_later", "difference_later"} <= set(table.columns)


@pytest.mark.parametrize("seeds", [2, 3])
def test_where_few_seeds_scatter_much_the_bootstrap_is_liberal_and_student_s_t_is_not(seeds):
    """What the docstrings warn of: no difference, seeds alone scatter, and how often either test finds one at 5 %."""
    rng, found = np.random.default_rng(0), []
    for each in rng.normal(size=(400, seeds)):
        rows = pd.DataFrame({"seed": range(seeds), "difference": each, "attempts": 1, "object": "box"})
        low, high = np.quantile(hierarchical_bootstrap(rows, resamples=999), [0.025, 0.975])
        found.append((low > 0 or high < 0, ttest_1samp(each, 0.0).pvalue < 0.05))
    bootstrapped, student = np.mean(found, axis=0)
    assert bootstrapped > 0.08 > student


def test_a_policy_that_a_seed_lacks_has_not_failed_there():
    """`new` lifts all and `old` half; a second seed has `new` alone, and says nothing of the difference."""
    records = trials([1.0, 1.0])
    some = records[(records["seed"] == 0) | (records["policy"] == "new")]
    row, whole = (compare_over_seeds(part, PAIR).iloc[0] for part in (some, records[records["seed"] == 0]))
    assert row["seeds"] == 1 and row["difference"] == 0.5
    pd.testing.assert_series_equal(row, whole)
    assert not len(compare_over_seeds(some[some["seed"] == 1], PAIR))


def test_one_seed_is_tested_by_its_scenes_swapped():
    """Alone, as the only later one, and in a table of findings: one test for one seed."""
    records = trials([0.5, 0.2], 60)
    (row,) = beside_later_seeds(records, PAIR, 0).to_dict("records")
    alone = paired_comparison(records[records["seed"] == 1], "new", "old", "novel")
    assert row["p_later"] == row["p_holm_later"] == alone["p_scenes"]
    here = records[records["seed"] == 1]
    rates = rates_by_seed(here, EvaluationConfig(tasks={"novel": {"scenes": 60, "attempts": 1}}, repetitions=1))
    assert compare_over_seeds(here, PAIR)["p"].tolist() == compare(here, PAIR, rates)["p"].tolist()
    assert compare(here, PAIR, rates).loc[0, "p"] == alone["p_scenes"]
