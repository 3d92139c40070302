"""Ablations as rows: `figures/ablations.json`, and the paired differences of arms."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dgrasp.evaluation.arms import ArmRecipe, probe_of, training_of, trials_of_arm
from dgrasp.evaluation.over_seeds import compare_over_seeds
from dgrasp.evaluation.statistics import with_rates
from dgrasp.experiment.ablations.stage import Result
from dgrasp.experiment.ablations.verdicts import of_one
from dgrasp.experiment.questions import Question, questions

CONFIDENCE = 0.95  # of the intervals
COLUMNS = (
    *("question", "arm", "task", "successes", "n", "rate", "low", "high", "seed", "minutes"),
    *("steps", "cosine_translation", "cosine_rotation", "arrived", "starts"),
)
COMPARED = (
    *("question", "arm", "against", "task", "expects", "seeds", "scenes", "difference", "low", "high", "p", "p_holm"),
    "verdict",
)


def arm_rates(result: Result) -> pd.DataFrame:
    """One row per task: successes of n attempts that were allowed, rate, Wilson interval."""
    recipe = result.run.recipe
    assert isinstance(recipe, ArmRecipe)
    won = trials_of_arm(result.run).groupby("task")["success"].sum()
    rows = [
        {"task": task, "successes": int(won.get(task, 0)), "n": budget.scenes * budget.attempts}
        for task, budget in recipe.tasks.items()
    ]
    return with_rates(pd.DataFrame(rows), CONFIDENCE)


def ablation_rows(results: Sequence[Result]) -> pd.DataFrame:
    """One row per arm, task and training seed, in `COLUMNS`; empty where nothing has been tried.

    minutes, steps: of the readout's training (see `dgrasp.evaluation.arms.Trained`). cosine_translation,
    cosine_rotation, arrived, starts: see `dgrasp.evaluation.arms.probe_of`.
    """
    parts = []
    for result in results:
        trained, probed = training_of(result.run), probe_of(result.run)
        about = {"question": result.question, "arm": result.arm, "seed": result.run.seed, **vars(trained), **probed}
        parts.append(arm_rates(result).assign(**about))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return table[list(COLUMNS)]


def ablation_differences(results: Sequence[Result]) -> pd.DataFrame:
    """Each question's comparisons, task by task, in `COMPARED`: arms on the same scenes and starts, of all seeds.

    low, high, p: 95 % interval of the difference and its test, see `compare_over_seeds`. p_holm: corrected for the
    rows of a question. verdict: `dgrasp.experiment.ablations.verdicts.of_one`. Comparisons with an arm that has not
    been tried are left out.
    """
    rows = []
    for name in dict.fromkeys(r.question for r in results):
        question = questions()[name]
        tried = [trials_of_arm(r.run).assign(policy=r.arm) for r in results if r.question == name]
        trials = pd.concat(tried, ignore_index=True)
        rows += _compared(name, question, trials)
    return pd.DataFrame(rows, columns=list(COMPARED))


def _compared(name: str, question: Question, trials: pd.DataFrame) -> list[dict[str, object]]:
    arms = set(trials["policy"])
    wanted = {(c.arm, c.against): c for c in question.comparisons if {c.arm, c.against} <= arms}
    if not wanted:
        return []
    table = compare_over_seeds(trials, list(wanted)).rename(columns={"first": "arm", "second": "against"})
    rows = []
    for row in table.to_dict("records"):
        told = row | {"question": name, "expects": wanted[row["arm"], row["against"]].expects}
        rows.append({key: value for key, value in (told | {"verdict": of_one(told)}).items() if key in COMPARED})
    return rows
