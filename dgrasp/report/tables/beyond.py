"""Tables of the experiment beyond the paper, as people read them."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.statistics import with_rates
from dgrasp.report.names import policy_label, task_label

# What was hoped for, set down before the first run; no rate of anybody's.
GOALS = {"simple": 0.996, "clutter": 0.96, "novel": 0.96, "unseen": 0.93, "twin": 0.85, "twin_10mm_2deg": 0.75}
GOAL_AUC = 0.80  # of the value as a forecast, on novel objects and in the twin


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


def beside_goals(rows: pd.DataFrame) -> pd.DataFrame:
    """Each task's goal beside what each policy reached, all seeds together. rows: of the table `beyond`."""
    reached = pooled(rows).pivot_table(index="task", columns="policy", values="rate", sort=False)
    table = reached.rename(columns={name: policy_label(name) for name in reached})
    table.insert(0, "goal", [GOALS[task] for task in table.index])
    best = reached.max(axis=1)
    met = ["yes" if best[task] >= GOALS[task] else "no" for task in table.index]
    return table.assign(reached=met).rename(index=task_label)
