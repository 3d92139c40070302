"""Tables of the experiment beyond the paper, as people read them."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.statistics import with_rates
from dgrasp.report.names import policy_label, task_label


def pooled(rows: pd.DataFrame, along: str = "task") -> pd.DataFrame:
    """The rows of all training seeds together: `successes` of `n` by policy and what `along` names, with intervals.

    Attempts count as independent, also of the seed.
    """
    keys = list(dict.fromkeys(["policy", *(["task"] if "task" in rows else []), along]))
    sums = rows.groupby(keys, sort=False)[["successes", "n"]].sum().reset_index()
    return with_rates(sums, confidence=0.95)


def as_read(rows: pd.DataFrame, along: str = "task") -> pd.DataFrame:
    """A table that people read: a line for each task, a column for each policy, rates with intervals and counts."""
    cells = [
        f"{row.rate:.2f} [{row.low:.2f}, {row.high:.2f}] ({row.successes}/{row.n})"
        for row in rows.itertuples(index=False)
    ]
    named = rows.assign(cell=cells, policy=[policy_label(str(p)) for p in rows["policy"]])
    named[along] = named[along].map(task_label)
    keys = [key for key in (along, "seed") if key == along or named["seed"].nunique() > 1]
    return named.pivot_table(index=keys, columns="policy", values="cell", aggfunc="first", sort=False).reset_index()
