"""Success rates with Wilson intervals, and paired comparisons of policies on the same scenes."""

from __future__ import annotations

import numbers
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest, permutation_test
from statsmodels.stats.proportion import proportion_confint

from dgrasp.evaluation.config import EvaluationConfig

PAIRED_BY = ["seed", "task", "split", "scene", "repetition", "attempt"]


def success_rates(trials: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """One row per policy and task: successes, n, rate and Wilson interval.

    `n` counts the attempts allowed, as the paper does. An attempt that could not be made, because the scene was empty
    before (objects pushed off the table), counts as failed. Trials of several training seeds are counted together.
    """
    groups = trials.groupby(["policy", "task"], sort=False)
    table = groups["success"].agg(successes="sum").astype(int).reset_index()
    budgets = {name: b.scenes * b.attempts * config.repetitions for name, b in config.tasks.items()}
    table["n"] = table["task"].map(budgets) * groups["seed"].nunique().to_numpy()
    return with_rates(table, config.confidence)


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless it is a share of intervals that hold their rate: above 0 and below 1."""
    number = isinstance(confidence, numbers.Real) and not isinstance(confidence, bool)
    if not (number and 0 < confidence < 1):
        percent = "; is it in percent?" if number and 1 < confidence < 100 else ""
        raise ValueError(f"confidence: expected a share between 0 and 1, such as 0.95, got {confidence!r}{percent}")


def with_rates(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """`successes` of `n` with their rate and Wilson interval (columns rate, low, high).

    confidence: level of the interval, above 0 and below 1. Raises ValueError for another one.
    """
    check_confidence(confidence)
    low, high = proportion_confint(table["successes"], table["n"], alpha=1 - confidence, method="wilson")
    rate = table["successes"] / table["n"]
    # the interval of no success begins at 5e-17 instead of 0
    return table.assign(rate=rate, low=np.minimum(low, rate), high=np.maximum(high, rate))


def paired_comparison(trials: pd.DataFrame, policy: str, control: str, task: str) -> dict[str, float]:
    """Paired tests over the scenes, repetitions and attempts of either policy; an attempt not made has failed.

    Returns the two discordant counts, the difference of the rates and two two-sided p-values: `p` of the exact McNemar
    test, a guide only where a scene has several attempts, since these depend on each other; and `p_scenes`, which
    swaps the policies' names scene by scene (permutation test of successes per scene) and holds for either.
    """
    wide = trials[trials["task"] == task].pivot_table(
        index=PAIRED_BY, columns="policy", values="success", aggfunc="first"
    )
    for name in (policy, control):
        if name not in wide:
            raise ValueError(f"no trials of policy {name!r} on task {task!r}; policies: {', '.join(wide.columns)}")
    both = wide[[policy, control]].dropna(how="all").fillna(False).astype(bool)  # not made: failed, see `success_rates`
    counts = mcnemar(both[policy], both[control])
    scenes = both.groupby(level=["seed", "scene", "repetition"]).sum()
    return {
        "n": len(both),
        "only_policy": counts.only_first,
        "only_control": counts.only_second,
        "difference": (counts.only_first - counts.only_second) / max(len(both), 1),
        "p": counts.p,
        "p_scenes": _swapped_scenes(scenes[policy], scenes[control]),
    }


def _swapped_scenes(first: pd.Series, second: pd.Series) -> float:
    """Two-sided p-value of equal successes per scene: exact for few scenes, else from 9,999 random swaps."""
    if len(first) < 2:
        return 1.0  # one scene: swapped or not, the difference is as large

    def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.sum(a - b, axis=axis))

    sides = (first.to_numpy(float), second.to_numpy(float))
    return float(permutation_test(sides, difference, permutation_type="samples", rng=0).pvalue)


class McNemar(NamedTuple):
    """Discordant pairs, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: pd.Series, second: pd.Series) -> McNemar:
    """The exact McNemar test of paired successes (boolean, row by row); without discordant pairs p is 1."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return McNemar(only_first, only_second, float(binomtest(only_first, discordant).pvalue) if discordant else 1.0)
