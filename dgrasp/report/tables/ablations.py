"""What the ablations answer, in sentences that are worked out from their differences."""

from __future__ import annotations

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.verdict import DISAGREES
from dgrasp.experiment.ablations.verdicts import SMALL
from dgrasp.experiment.questions import questions
from dgrasp.report.names import arm_label, task_label


def answers(differences: pd.DataFrame) -> list[str]:
    """One sentence for each question, from the rows of `ablation_differences`."""
    return [f"{questions()[name].asks} {_said(rows)}" for name, rows in differences.groupby("question", sort=False)]


def _said(rows: pd.DataFrame) -> str:
    """All rows of a question: those that differ beyond chance one by one, the others by their range."""
    beyond_chance = rows["p_holm"] < LEVEL
    sure, rest = rows[beyond_chance], rows[~beyond_chance]
    said = [
        f"{_where(r.task)}, {arm_label(r.arm)} lifts {abs(r.difference):.2f} {_more(r.difference)} than "
        f"{arm_label(r.against)} (95 % interval of the difference {r.low:+.2f} to {r.high:+.2f}): "
        f"{r.verdict}."
        for r in sure.itertuples()
    ]
    if len(rest):
        low, high = rest["difference"].min(), rest["difference"].max()
        which = "comparisons" if len(rest) == len(rows) else "others"
        nothing = rest[rest["verdict"] == DISAGREES]
        said.append(f"None of the {len(rest)} {which} is beyond chance (differences {low:+.2f} to {high:+.2f}).")
        if len(nothing):
            which = "; ".join(f"{arm_label(r.arm)}, {task_label(r.task)}" for r in nothing.itertuples())
            said.append(f"Intervals that exclude {SMALL:g} in the paper's direction ({DISAGREES}): {which}.")
    return " ".join(said)


def _where(task: str) -> str:
    return f"In {task_label(task)}" if task == "clutter" else f"On {task_label(task)}"


def _more(difference: float) -> str:
    return "more" if difference > 0 else "less"
