"""What the ablations answer, in sentences that are worked out from their differences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.verdict import DISAGREES
from dgrasp.experiment.ablations.verdicts import SMALL
from dgrasp.experiment.questions import questions
from dgrasp.report.names import arm_label, number_of_seeds, task_label


def answers(differences: pd.DataFrame) -> list[str]:
    """One sentence for each question, from the rows of `ablation_differences`."""
    return [f"{questions()[name].asks} {_said(rows)}" for name, rows in differences.groupby("question", sort=False)]


def second_order_answer(differences: pd.DataFrame) -> str:
    """Whether second order is shown to be needed: of the first-order rivals, which are behind dGrasp beyond chance.

    Empty where none of them has been tried.
    """
    rows = differences[differences["question"].eq("second_order") & differences["arm"].eq("dgrasp")]
    rivals = rows[rows["against"] != "base"]
    if not len(rivals):
        return ""
    ahead = rivals[(rivals["p_holm"] < LEVEL) & (rivals["difference"] > 0)]
    untold = [name for name in dict.fromkeys(rivals["against"]) if name not in set(ahead["against"])]
    trained = number_of_seeds(int(rows["seeds"].max()))
    beaten = "; ".join(f"{arm_label(name)} on {_tasks(some)}" for name, some in ahead.groupby("against", sort=False))
    if untold:
        word = f"Not shown to be needed: {', '.join(map(arm_label, untold))}, without it, is not told apart from it"
    else:
        word = "It is ahead of all first-order rivals on some task"
    return f"{word}. Behind it beyond chance: {beaten or 'none'} ({trained})."


def _tasks(rows: pd.DataFrame) -> str:
    return " and ".join(f"{task_label(r.task)} ({r.difference:+.2f})" for r in rows.itertuples())


def _said(rows: pd.DataFrame) -> str:
    """All rows of a question: those that differ beyond chance one by one, then the others by name."""
    beyond_chance = rows["p_holm"] < LEVEL
    sure, rest = rows[beyond_chance], rows[~beyond_chance]
    said = [
        f"{_where(r.task)}, {arm_label(r.arm)} lifts {abs(r.difference):.2f} {_more(r.difference)} than "
        f"{arm_label(r.against)} (95 % interval of the difference {r.low:+.2f} to {r.high:+.2f}){_to_the_paper(r)}."
        for r in sure.itertuples()
    ]
    if len(rest):
        each = [
            f"{arm_label(arm)} and {arm_label(against)}, {_tasks(some)}"
            for (arm, against), some in rest.groupby(["arm", "against"], sort=False)
        ]
        nothing = rest[rest["verdict"] == DISAGREES]
        said.append(f"Not told apart: {'; '.join(each)}.")
        if len(nothing):
            which = "; ".join(f"{arm_label(r.arm)}, {task_label(r.task)}" for r in nothing.itertuples())
            said.append(f"Intervals that exclude {SMALL:g} in the paper's direction ({DISAGREES}): {which}.")
    return " ".join(said)


def _to_the_paper(row: Any) -> str:
    return "" if row.expects == "nothing" else f": {row.verdict}"


def _where(task: str) -> str:
    return f"In {task_label(task)}" if task == "clutter" else f"On {task_label(task)}"


def _more(difference: float) -> str:
    return "more" if difference > 0 else "less"
