"""What counts as beyond chance: the level of every test, and Holm's correction for the tests of one table."""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05  # of a test; not in the paper, which tests nothing


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `p_holm`: its column `p`, corrected for all of its rows together (Holm 1979)."""
    return table.assign(p_holm=multipletests(table["p"], method="holm")[1]) if len(table) else table
