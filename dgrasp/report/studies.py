"""Tuning studies as tables, read from the records of their runs."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dgrasp.runs import Run

SEARCHED = ("steps", "translation_rate", "rotation_rate", "translation_decay", "rotation_decay")


def study_trials(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Every finished trial: `policy`, `trial`, `state` (COMPLETE or PRUNED), `success`, and the settings it tried.

    runs: complete tuning runs by policy. `success` of a pruned trial is its rate when it was stopped.
    """
    return pd.DataFrame([row for policy, run in runs.items() for row in _rows(policy, run)])


def study_table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """One row per policy: `trials`, `pruned`, success `untuned` (the first trial) and `best`, and the best settings."""
    trials = study_trials(runs)
    first = trials[trials["trial"] == 0].set_index("policy")["success"]
    rows = {
        policy: {
            "trials": run.summary["trials"],
            "pruned": run.summary["pruned"],
            "untuned": first.get(policy, float("nan")),
            "best": run.summary["success"],
        }
        | {name: run.summary["optimizer"][name] for name in SEARCHED}
        for policy, run in runs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _rows(policy: str, run: Run) -> list[dict[str, object]]:
    run.summary  # noqa: B018 (raises if the run is not complete)
    storage = JournalStorage(JournalFileBackend(str(run.path / "study.journal")))
    study = optuna.load_study(study_name=policy, storage=storage)
    return [
        {"policy": policy, "trial": t.number, "state": t.state.name, "success": _last(t), **t.params}
        for t in study.get_trials(
            deepcopy=False, states=(optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        )
    ]


def _last(trial: optuna.trial.FrozenTrial) -> float:
    if trial.value is not None:
        return trial.value
    return list(trial.intermediate_values.values())[-1] if trial.intermediate_values else float("nan")
