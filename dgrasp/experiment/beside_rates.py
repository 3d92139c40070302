"""What stands beside the rates of the experiment beyond the paper: objects one by one, whole piles, forecasts."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.forecast import auc
from dgrasp.evaluation.statistics import with_rates


def of_objects(attempts: pd.DataFrame) -> pd.DataFrame:
    """Rows (policy, task, object, successes, n, rate, low, high) of tasks that present one object at a time.

    attempts: rows with `policy`, `task`, `object` (the one presented) and `success`.
    """
    return rates_of(attempts, "object")


def of_piles(trials: pd.DataFrame) -> pd.DataFrame:
    """Rows (policy, task, successes, n, rate, low, high): scenes of several objects in which all of them were lifted.

    trials: rows as the evaluation has them; every object has its attempt, so that one failure leaves a pile.
    """
    scenes = ["policy", "task", "split", "scene", "repetition"]
    several = trials[trials["task"].isin(trials.loc[trials["objects"].str.contains(", "), "task"])]
    first = several[several["attempt"] == 0].set_index(scenes)["objects"].str.count(", ") + 1
    lifted = several.groupby(scenes)["success"].sum()
    return rates_of((lifted.reindex(first.index) == first).rename("success").reset_index())


def of_forecasts(attempts: pd.DataFrame) -> pd.DataFrame:
    """Rows (policy, task, n, successes, auc): how well values forecast success; n: attempts with a plan.

    attempts: rows with `policy`, `task`, `value` and `success`. auc: empty where all ended alike.
    """
    planned = attempts[attempts["value"].notna()]
    groups = planned.groupby(["policy", "task"], sort=False)
    return pd.DataFrame(
        [
            {"policy": policy, "task": task, "n": len(some), "successes": int(some["success"].sum()), "auc": auc(some)}
            for (policy, task), some in groups
        ]
    )


def presented(trials: pd.DataFrame) -> pd.DataFrame:
    """Of an evaluation's trials those of tasks with one object at a time; `object` names it, lifted or not."""
    several = trials.loc[trials["objects"].str.contains(", "), "task"].unique()
    return trials[~trials["task"].isin(several)].assign(object=lambda alone: alone["objects"])


def rates_of(attempts: pd.DataFrame, *further: str) -> pd.DataFrame:
    """Rows (policy, task, successes, n, rate, low, high), told apart by further columns, too."""
    grouped = attempts.groupby(["policy", "task", *further], sort=False)["success"]
    table = grouped.agg(successes="sum", n="count").reset_index().astype({"successes": int})
    return with_rates(table, confidence=0.95)
