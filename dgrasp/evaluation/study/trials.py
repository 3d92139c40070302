"""Tuning studies as tables, read from the records of their runs."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
import pandas as pd

from dgrasp.evaluation.study import JOURNAL
from dgrasp.evaluation.study.storage import open_journal
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run

SEARCHED = ("steps", "translation_rate", "rotation_rate", "translation_decay", "rotation_decay")


def study_trials(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Every finished trial: `policy`, `trial`, `state` (COMPLETE or PRUNED), `success`, and the settings it tried.

    runs: complete tuning runs by policy. Trials are counted from 0, the untuned settings, without those that were
    interrupted and made again. `success` of a pruned trial is its rate when it was stopped.
    """
    return pd.DataFrame([row for policy, run in runs.items() for row in _rows(policy, run)])


def study_table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """One row per policy: `trials`, `pruned`, success `untuned` (the first trial) and `best` in the study, settings.

    Of a study with a final comparison, `untuned again` and `chosen` are the successes in it, on other scenes, and the
    settings are those chosen there. Raises RunError for a run that is not complete.
    """
    trials = study_trials(runs)
    first = trials[trials["trial"] == 0].set_index("policy")["success"]
    best = trials[trials["state"] == "COMPLETE"].groupby("policy")["success"].max()
    rows = {
        policy: {
            "trials": run.summary["trials"],
            "pruned": run.summary["pruned"],
            "untuned": first.get(policy, float("nan")),
            "best": best.get(policy, float("nan")),
        }
        | _run_off(policy, run)
        | {name: run.summary["optimizer"][name] for name in SEARCHED}
        for policy, run in runs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _rows(policy: str, run: Run) -> list[dict[str, object]]:
    return [
        {"policy": policy, "trial": i, "state": t.state.name, "success": _last(t), **t.params}
        for i, t in enumerate(_finished(_study(policy, run)))
    ]


def _study(policy: str, run: Run) -> optuna.Study:
    run.check()
    path = run.path / JOURNAL
    try:
        return optuna.load_study(study_name=policy, storage=open_journal(path))
    except KeyError as error:
        raise DamagedFileError(f"{path}: holds no study of {policy!r}; delete its folder and run again") from error


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    finished = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return sorted(study.get_trials(deepcopy=False, states=finished), key=lambda trial: trial.number)


def _run_off(policy: str, run: Run) -> dict[str, float]:
    """Success of the untuned and of the chosen settings in the final comparison; nothing where there was none."""
    study = _study(policy, run)
    first = next(t for t in _finished(study) if t.state is optuna.trial.TrialState.COMPLETE)
    if (met := study.user_attrs.get(f"final {first.number}")) is None:
        return {}
    won, made = met
    return {"untuned again": won / made, "chosen": run.summary["success"]}


def _last(trial: optuna.trial.FrozenTrial) -> float:
    if trial.value is not None:
        return trial.value
    return list(trial.intermediate_values.values())[-1] if trial.intermediate_values else float("nan")
