"""What rows of the ablations say to the paper, in a word: one rule for a row alone and for all rows of a sentence.

- A row differs beyond chance where its p, corrected (Holm) for all rows of its question, is below 5 %. That correction
  is not loosened for a sentence which is about some of them.
- A row shows that nothing is there where its whole interval lies below `SMALL` in the direction that the paper states,
  and counts several training seeds: with one, it says nothing of how far another training may be.
- The paper states a difference. All rows as it says: "agrees"; some: "agrees in part". One the other way, or nothing
  there in all of them: "disagrees". Else "cannot be told".
- The paper found no difference: "disagrees" and which, or "not contradicted", which proves none.
- The paper says nothing: the difference itself, or that none is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.verdict import DISAGREES, NOT_CONTRADICTED, UNKNOWN, counted

SMALL = 0.05  # of a success rate: a difference below it explains nothing; not in the paper
SIGNS = {"higher": 1, "lower": -1}
NO_DIFFERENCE = "no difference shown; the paper does not say"


def of_difference(rows: pd.DataFrame) -> str:
    """What rows say to a difference that the paper states: `expects` (higher or lower), `seeds`, `difference`, `low`,
    `high`, `p_holm`.
    """
    sign = rows["expects"].map(SIGNS)
    sure = sign * rows["difference"].where(rows["p_holm"] < LEVEL, 0.0)
    most = rows["high"].where(sign > 0, -rows["low"])  # that the interval allows, as the paper states it
    word = counted(int((sure > 0).sum()), int((sure < 0).sum()), len(rows))
    return DISAGREES if word == UNKNOWN and ((most < SMALL) & (rows["seeds"] > 1)).all() else word


def of_one(row: Mapping[str, Any]) -> str:
    """What one row says, whatever the paper expects: see `of_difference`, and `Comparison.expects`."""
    if row["expects"] in SIGNS:
        return of_difference(pd.DataFrame([row]))
    silent = row["expects"] == "nothing"
    if row["p_holm"] >= LEVEL:
        return NO_DIFFERENCE if silent else NOT_CONTRADICTED
    found = "higher" if row["difference"] > 0 else "lower"
    return f"{found}; the paper does not say" if silent else f"{DISAGREES} ({found})"
