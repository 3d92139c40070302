import numpy as np
import pandas as pd
import pytest

from dgrasp.evaluation import table as stage
from dgrasp.evaluation.config import EvaluationConfig, ValidationConfig
from dgrasp.evaluation.statistics import paired_comparison, success_rates, with_rates


def trials(**outcomes):
    """One scene per letter: s succeeded, f failed."""
    rows = [
        {
            "policy": p,
            "task": "simple",
            "split": "test",
            "scene": i,
            "repetition": 0,
            "attempt": 0,
            "seed": 0,
            "success": c == "s",
        }
        for p, letters in outcomes.items()
        for i, c in enumerate(letters)
    ]
    return pd.DataFrame(rows)


def budget(scenes):
    return EvaluationConfig(tasks={"simple": {"scenes": scenes, "attempts": 1}}, repetitions=1)


def test_rates_count_and_intervals_are_wilson():
    """Known answer: 8 of 10 at 95 % is [0.490, 0.943] (Wilson 1927)."""
    table = success_rates(trials(a="ssssssssff"), budget(10))
    row = table.iloc[0]
    assert (row["successes"], row["n"], row["rate"]) == (8, 10, 0.8)
    assert (row["low"], row["high"]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_intervals_stay_inside_zero_and_one():
    table = success_rates(trials(a="ffff", b="ssss"), budget(4)).set_index("policy")
    assert table.loc["a", "low"] == pytest.approx(0, abs=1e-12) and table.loc["a", "high"] < 1
    assert table.loc["b", "high"] == pytest.approx(1, abs=1e-12) and table.loc["b", "low"] > 0


def test_attempts_that_could_not_be_made_count_as_failed():
    assert success_rates(trials(a="ss"), budget(4)).iloc[0]["rate"] == 0.5
    assert paired_comparison(trials(a="ss", b="s"), "a", "b", "simple")["only_policy"] == 1


def test_paired_comparison_is_the_exact_mcnemar_test():
    """Six discordant pairs, all in favour of a: p = 2 / 2^6."""
    result = paired_comparison(trials(a="ssssssss", b="ffffffss"), "a", "b", "simple")
    both_p = dict.fromkeys(("p", "p_scenes"), pytest.approx(2 / 64))  # one attempt per scene: the tests are one
    assert result == {"n": 8, "only_policy": 6, "only_control": 0, "difference": 0.75, **both_p}


def test_attempts_of_one_scene_are_no_independent_evidence():
    """Five discordant attempts in each of two scenes: by attempts p = 2 / 2^10, by scenes only 2 / 2^2."""
    both = pd.concat([trials(a="ss", b="ff").assign(attempt=attempt) for attempt in range(5)])
    result = paired_comparison(both, "a", "b", "simple")
    assert (result["p"], result["p_scenes"]) == (pytest.approx(2 / 1024), pytest.approx(2 / 4))


def test_one_scene_is_no_evidence():
    assert paired_comparison(trials(a="s", b="f"), "a", "b", "simple")["p_scenes"] == 1


def test_scene_level_p_is_the_same_at_every_call():
    """So many scenes that swaps are drawn, and not counted out."""
    both = trials(a="ssf" * 10, b="sff" * 10)
    first, second = (paired_comparison(both, "a", "b", "simple")["p_scenes"] for _ in range(2))
    assert first == second and 0 < first < 0.01


def test_repetitions_have_scenes_of_their_own():
    """The same scene twice would count one attempt twice: plans hardly depend on their starts."""
    config = EvaluationConfig(
        tasks={"simple": {"scenes": 3, "attempts": 5}}, repetitions=2, policies=("base_quat_seq", "base_quat_sync")
    )
    asked = [(e.policy, e.scene, e.repetition) for e in stage._episodes(config)]
    first, second = ([place[1:] for place in asked if place[0] == policy] for policy in config.policies)
    assert first == second == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]


def test_tuning_takes_known_tasks():
    with pytest.raises(ValueError, match="cluter"):
        ValidationConfig(tasks=("cluter",))


def test_equal_policies_differ_by_nothing():
    result = paired_comparison(trials(a="sfsf", b="sfsf"), "a", "b", "simple")
    assert result["difference"] == 0 and result["p"] == 1


def test_missing_policy_is_named():
    with pytest.raises(ValueError, match="nobody"):
        paired_comparison(trials(a="s"), "nobody", "a", "simple")


def test_unknown_tasks_and_policies_are_refused_by_name():
    with pytest.raises(ValueError, match="cluter"):
        EvaluationConfig(tasks={"cluter": {"scenes": 1, "attempts": 1}})
    with pytest.raises(ValueError, match="dgrasp_5d_seq"):
        EvaluationConfig(policies=("dgrasp_5d_seq",))


@pytest.mark.parametrize("confidence", [95, 0, 1, -0.95, 1.5, 100.0, float("nan"), "0.95", None, True])
def test_a_level_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match=r"confidence: expected a share between 0 and 1, such as 0\.95, got") as caught:
        with_rates(pd.DataFrame({"successes": [1], "n": [3]}), confidence)
    assert str(caught.value).endswith("is it in percent?") is (confidence in (95, 1.5))


def test_a_higher_level_has_a_wider_interval():
    table = pd.DataFrame({"successes": [1], "n": [3]})
    widths = [with_rates(table, level).eval("high - low")[0] for level in (0.01, np.float32(0.5), np.float64(0.99))]
    assert widths == sorted(widths) and widths[0] > 0


def test_an_interval_holds_its_rate_to_the_last_digit():
    table = with_rates(pd.DataFrame({"successes": [0, 3, 0], "n": [3, 3, 250]}), 0.95)
    assert (table["low"] <= table["rate"]).all() and (table["rate"] <= table["high"]).all()
