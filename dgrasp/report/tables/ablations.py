"""What the ablations answer, in sentences that are worked out from their differences."""

from __future__ import annotations

import pandas as pd

from dgrasp.experiment.ablations.rows import NO_DIFFERENCE, NOT_CONTRADICTED
from dgrasp.experiment.questions import questions


def answers(differences: pd.DataFrame) -> list[str]:
    """One sentence for each question, from the rows of `ablation_differences`."""
    return [f"{questions()[name].asks} {_said(rows)}" for name, rows in differences.groupby("question", sort=False)]


def _said(rows: pd.DataFrame) -> str:
    """All rows of a question: those that differ beyond chance one by one, the others by their range."""
    open_ones = rows["verdict"].isin([NOT_CONTRADICTED, NO_DIFFERENCE])
    sure, rest = rows[~open_ones], rows[open_ones]
    parts = [
        f"{r.task}: {r.arm} {r.difference:+.2f} [{r.low:+.2f}, {r.high:+.2f}] against {r.against}, {r.verdict}"
        for r in sure.itertuples()
    ]
    if len(rest):
        low, high = rest["difference"].min(), rest["difference"].max()
        found = f"{len(rest)} of {len(rows)} comparisons show no difference beyond chance"
        verdicts = ", ".join(dict.fromkeys(rest["verdict"]))
        parts.append(f"{found} ({low:+.2f} to {high:+.2f}): {verdicts}")
    return "; ".join(parts) + "."
