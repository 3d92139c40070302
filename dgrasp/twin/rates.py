"""Rates of a sweep over calibration errors; apart from what makes it, which no statistic changes."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.statistics import with_rates
from dgrasp.twin.sweep import ROTATION, TRANSLATION


def sweep_rates(attempts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, kind, error, successes, n, rate, low, high) with Wilson intervals.

    The point without any error belongs to both curves.
    """
    zero = attempts[(attempts["kind"] == TRANSLATION) & (attempts["error"] == 0)]
    rows = pd.concat([attempts, zero.assign(kind=ROTATION)]).groupby(["policy", "kind", "error"], sort=False)["success"]
    table = rows.agg(successes="sum", n="count").reset_index().astype({"successes": int})
    return with_rates(table, confidence).sort_values(
        ["kind", "policy", "error"], ascending=[False, True, True], ignore_index=True
    )
