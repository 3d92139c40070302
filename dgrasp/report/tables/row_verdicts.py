"""Sentences of the paper that a row of the ablations tests: explanations, and choices that are said to be better.

Compared are the arms of the sentence's question, on the tasks and with the method that the sentence is about, as in
`figures/ablation_differences.json`: paired by scene, with a 95 % interval, and p corrected (Holm) for all rows of the
question. The rules: `dgrasp.experiment.ablations.verdicts`. A sentence whose arms are not published is "not tested".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dgrasp.evaluation.verdict import AGREES, DISAGREES, IN_PART, NOT_TESTED, UNKNOWN, Verdict
from dgrasp.experiment.ablations.verdicts import SIGNS, of_difference
from dgrasp.experiment.questions import Comparison, questions
from dgrasp.report.names import arm_label, task_label


def of_row(entry: Mapping[str, Any], differences: pd.DataFrame | None) -> Verdict:
    """What the published rows say to a sentence.

    entry: of `sentences.yaml`: `row`, the question; `tasks`; `method`, whose arms count (default: all); `less`,
    questions that must not help where that one does. differences: of
    `dgrasp.experiment.ablations.rows.ablation_differences`; None and empty: nothing is published.
    """
    names = [entry["row"], *entry.get("less", ())]
    found = {name: _rows(name, entry["tasks"], entry.get("method", ""), differences) for name in names}
    missing = [_quoted(name) for name in names if found[name] is None]
    if missing:
        return Verdict(NOT_TESTED, f"row not run yet: {', '.join(missing)} of the ablations")
    told = "; ".join(f"row {_quoted(name)}: {_told(rows)}" for name, rows in found.items() if rows is not None)
    main, *others = (of_difference(rows) for rows in found.values() if rows is not None)
    return Verdict(_primary(main, others) if others else main, told)


def _quoted(name: str) -> str:
    return f'"{name.replace("_", " ")}"'


def _primary(main: str, others: Sequence[str]) -> str:
    """Of a cause that is said to matter, and others that are said to matter less."""
    helps, other = main in (AGREES, IN_PART), any(word in (AGREES, IN_PART) for word in others)
    if helps:
        return IN_PART if other else main
    return DISAGREES if other or main == DISAGREES else UNKNOWN


def _rows(name: str, tasks: Sequence[str], method: str, differences: pd.DataFrame | None) -> pd.DataFrame | None:
    """The directed comparisons of a question; None where one of them is not published."""
    wanted = [c for c in questions()[name].comparisons if c.expects in SIGNS and c.arm.startswith(method)]
    rows = [_row(name, c, task, differences) for task in tasks for c in wanted]
    return None if any(row is None for row in rows) else pd.DataFrame(rows)


def _row(name: str, comparison: Comparison, task: str, differences: pd.DataFrame | None) -> dict[str, Any] | None:
    if differences is None or not len(differences):
        return None
    same = differences["question"].eq(name) & differences["task"].eq(task)
    same &= differences["arm"].eq(comparison.arm) & differences["against"].eq(comparison.against)
    found = differences[same].to_dict("records")
    return {str(k): v for k, v in found[0].items()} | {"expects": comparison.expects} if found else None


def _told(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{arm_label(r.arm)} against {arm_label(r.against)}, {task_label(r.task)}: {r.difference:+.3f} "
        f"[{r.low:+.3f}, {r.high:+.3f}], corrected p {r.p_holm:.2f}"
        for r in rows.itertuples()
    )
