"""Does the value forecast success? The area under the curve of hits against false alarms. Not in the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata


def auc(attempts: pd.DataFrame) -> float:
    """Probability that a success had a higher value than a failure (ties count half); NaN where one kind is missing.

    attempts: rows with `value` and `success`; those without a plan have no value and are left out.
    """
    known = attempts[attempts["value"].notna()]
    success = known["success"].to_numpy(dtype=bool)
    hits, misses = int(success.sum()), int((~success).sum())
    if not hits or not misses:
        return float("nan")
    ranks = np.asarray(rankdata(known["value"]))
    return float((ranks[success].sum() - hits * (hits + 1) / 2) / (hits * misses))
