"""Does the value forecast success? The area under the curve of hits against false alarms. Not in the paper."""

from __future__ import annotations

import pandas as pd

from dgrasp.policy.diagnostics import ranking_auc


def auc(attempts: pd.DataFrame) -> float:
    """Probability that a success had a higher value than a failure (ties count half); NaN where one kind is missing.

    attempts: rows with `value` and `success`; those without a plan have no value and are left out.
    """
    known = attempts[attempts["value"].notna()]
    return ranking_auc(known["value"].to_numpy(), known["success"].to_numpy(dtype=bool))
