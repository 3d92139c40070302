"""Bayesian tuning of the pose optimizer (Sec. 3.3): one study per policy, success measured by whoever calls.

A trial proposes an `OptimizerConfig`; the caller's function yields the success of one grasp attempt after the other;
trials that fall behind the median of the others are pruned. Nothing here knows how an attempt is made.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from dgrasp.evaluation.config import TuningConfig
from dgrasp.processes import end_with_parent
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.streams import seed_sequence

Attempts = Callable[[OptimizerConfig], Iterable[bool]]
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Tuned:
    """The best optimizer of a study with its success rate, and how many trials led to it."""

    config: OptimizerConfig
    success: float
    trials: int
    pruned: int


def tune(
    attempts: Attempts,
    base: OptimizerConfig,
    config: TuningConfig,
    *,
    storage: Path | str,
    name: str,
    seed: int = 0,
    workers: int = 1,
) -> Tuned:
    """Find learning rates, decays and steps with the highest success; goes on where the study in `storage` stopped.

    The first trial is `base` itself. With one worker, an interrupted and resumed study makes the same trials as an
    undisturbed one; several workers share the trials in an order that depends on their speed.

    Args:
        attempts: yields successes of grasp attempts under a configuration; equal configurations must give equal
            attempts. Picklable if `workers` is more than 1.
        base: everything that is not tuned.
        storage: a file for Optuna's journal, or the URL of any database Optuna supports ("sqlite:///...").
        name: of the study, such as the policy's.
    """
    _bury_dead_trials(_study(storage, name, config))
    if workers == 1:
        _work(attempts, base, config, storage, name, seed)
    else:
        context = multiprocessing.get_context("spawn")
        arguments = (attempts, base, config, storage, name, seed)
        processes = [context.Process(target=_work_beside, args=arguments) for _ in range(workers)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        failed = [p.exitcode for p in processes if p.exitcode]
        if failed:
            raise RuntimeError(f"tuning {name!r}: {len(failed)} of {workers} processes failed with exit codes {failed}")
    return best(base, config, storage=storage, name=name)


def best(base: OptimizerConfig, config: TuningConfig, *, storage: Path | str, name: str) -> Tuned:
    """The best complete trial so far. Between equal successes the earliest wins."""
    study = _study(storage, name, config)
    return Tuned(
        config=_with(base, study.best_trial.params),
        success=float(study.best_value),
        trials=_count(study, *FINISHED),
        pruned=_count(study, TrialState.PRUNED),
    )


def run_off(
    attempts: Attempts, base: OptimizerConfig, config: TuningConfig, *, storage: Path | str, name: str
) -> Tuned:
    """The untuned settings and the study's best trials meet once more, on other attempts; the best of these wins.

    Among many trials that few attempts judge, the best is partly the luckiest (not in the paper). Results are kept in
    the study, so that a run-off that was interrupted goes on. Between equals the earlier trial wins: the untuned one.
    """
    study = _study(storage, name, config)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    first, *others = sorted(complete, key=lambda trial: trial.number)
    others.sort(key=lambda trial: (-float(trial.value or 0.0), trial.number))
    results: dict[int, float] = {}
    for trial in (first, *others[: config.finalists]):
        kept = f"final {trial.number}"
        if kept not in study.user_attrs:
            successes = [bool(s) for s in attempts(_with(base, trial.params))]
            if not successes:
                raise ValueError("attempts: yielded no grasp attempt, so there is no success to compare")
            study.set_user_attr(kept, [sum(successes), len(successes)])
        won, made = study.user_attrs[kept]
        results[trial.number] = won / made
    winner = max(results, key=lambda number: (results[number], -number))
    parameters = next(trial.params for trial in complete if trial.number == winner)
    found = best(base, config, storage=storage, name=name)
    return replace(found, config=_with(base, parameters), success=results[winner])


def _work_beside(*arguments: Any) -> None:
    """What each process does: whoever resumes a killed study must be the only one to write it."""
    end_with_parent()
    _work(*arguments)


def _work(
    attempts: Attempts, base: OptimizerConfig, config: TuningConfig, storage: Path | str, name: str, seed: int
) -> None:
    """Make trials until the study has enough finished ones."""
    study = _study(storage, name, config)
    progress = tqdm(total=config.trials, desc=f"tuning {name}", unit="trial", initial=_count(study, *FINISHED))
    while sum(counts := (_count(study, *FINISHED), _count(study, TrialState.RUNNING))) < config.trials:
        # A sampler of its own for every trial, addressed by the trials before it: a stop loses no state.
        stream = seed_sequence(seed, "tuning", name, *counts)
        study.sampler = optuna.samplers.TPESampler(
            seed=int(stream.generate_state(1)[0]),
            n_startup_trials=config.startup_trials,
            multivariate=True,
            constant_liar=True,
        )
        if sum(counts) == 0 and not _count(study, TrialState.WAITING):
            study.enqueue_trial(_parameters(base, config))
        _one_trial(study, attempts, base, config)
        progress.update(_count(study, *FINISHED) - progress.n)
    progress.close()


def _one_trial(study: optuna.Study, attempts: Attempts, base: OptimizerConfig, config: TuningConfig) -> None:
    trial = study.ask()
    trial.set_user_attr("process", _process())
    successes: list[bool] = []
    for success in attempts(_with(base, _suggest(trial, config))):
        successes.append(bool(success))
        trial.report(sum(successes) / len(successes), step=len(successes))
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    if not successes:
        raise ValueError("attempts: yielded no grasp attempt, so there is no success to maximise")
    study.tell(trial, sum(successes) / len(successes))


def _suggest(trial: optuna.Trial, config: TuningConfig) -> dict[str, float]:
    return {
        "steps": trial.suggest_int("steps", *config.steps),
        "translation_rate": trial.suggest_float("translation_rate", *config.translation_rate, log=True),
        "rotation_rate": trial.suggest_float("rotation_rate", *config.rotation_rate, log=True),
        "translation_decay": trial.suggest_float("translation_decay", *config.decay),
        "rotation_decay": trial.suggest_float("rotation_decay", *config.decay),
    }


def _parameters(base: OptimizerConfig, config: TuningConfig) -> dict[str, float]:
    """The untuned settings, moved into the ranges of the search where they lie outside."""
    ranges = {
        "steps": config.steps,
        "translation_rate": config.translation_rate,
        "rotation_rate": config.rotation_rate,
        "translation_decay": config.decay,
        "rotation_decay": config.decay,
    }
    return {name: min(max(getattr(base, name), low), high) for name, (low, high) in ranges.items()}


def _with(base: OptimizerConfig, parameters: dict[str, float]) -> OptimizerConfig:
    return OptimizerConfig.model_validate({**base.model_dump(), **parameters})


def _study(storage: Path | str, name: str, config: TuningConfig) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(config.startup_trials, config.pruning_warmup)
    return optuna.create_study(
        storage=_storage(storage), study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
    )


def _storage(storage: Path | str) -> BaseStorage:
    if isinstance(storage, str) and "://" in storage:
        return get_storage(storage)
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(storage)))


def _count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def _process() -> str:
    return f"{platform.node()}:{os.getpid()}"


def _bury_dead_trials(study: optuna.Study) -> None:
    """Trials of killed processes of this machine count as failed, so that their place in the study is made again."""
    for trial in study.trials:
        if trial.state == TrialState.RUNNING and _is_dead(trial):
            study.tell(trial.number, state=TrialState.FAIL)


def _is_dead(trial: FrozenTrial) -> bool:
    node, _, pid = trial.user_attrs.get("process", f"{platform.node()}:0").rpartition(":")
    if node != platform.node():
        return False
    if int(pid) in (0, os.getpid()):
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
