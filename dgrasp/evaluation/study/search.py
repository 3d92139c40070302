"""Bayesian tuning of the pose optimizer (Sec. 3.3): one study per policy, success measured by whoever calls.

A trial proposes an `OptimizerConfig`; the caller's function yields the success of one grasp attempt after the other;
trials that fall behind (the median of the others, or the untuned settings on the same attempts) are pruned. Nothing
here knows how an attempt is made.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from dgrasp.evaluation.config import TuningConfig
from dgrasp.evaluation.study.paired import UNTUNED, PairedPruner, chance, duel, until_hopeless
from dgrasp.evaluation.study.storage import POLL, Place, StudyError, place
from dgrasp.processes import end_with_parent
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.streams import seed_sequence

Attempts = Callable[[OptimizerConfig], Iterable[bool]]
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Tuned:
    """The best optimizer of a study with its success rate, and how many trials led to it.

    untuned: whether it is the untuned one, which nothing has beaten.
    """

    config: OptimizerConfig
    success: float
    trials: int
    pruned: int
    untuned: bool = False


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

    The first trial is `base` itself. The study ends with `config.trials` finished ones, whoever made them: who is fast
    waits for the slow, and trials of the dead are made again, whichever host they ran on. With one worker, an
    interrupted and resumed study makes the same trials as an undisturbed one; several workers share the trials in an
    order that depends on their speed. Raises StudyError, DamagedFileError for a journal that is none.

    Args:
        attempts: yields successes of grasp attempts under a configuration; equal configurations must give equal
            attempts. Picklable if `workers` is more than 1.
        base: everything that is not tuned.
        storage: a file for Optuna's journal, or the URL of any database Optuna supports ("sqlite:///...").
        name: of the study, such as the policy's.
    """
    at = place(storage)
    at.settle(_study(at, name, config))
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
    tuned = best(base, config, storage=storage, name=name)
    if tuned.trials < config.trials:
        raise StudyError(f"tuning {name!r}: {tuned.trials} trials are finished, {config.trials} were asked; run again")
    return tuned


def best(base: OptimizerConfig, config: TuningConfig, *, storage: Path | str, name: str) -> Tuned:
    """The best complete trial so far. Between equal successes the earliest wins."""
    study = _study(place(storage), name, config)
    _check_begun(study)
    return Tuned(
        config=_with(base, study.best_trial.params),
        success=float(study.best_value),
        trials=_count(study, *FINISHED),
        pruned=_count(study, TrialState.PRUNED),
        untuned=study.best_trial.params == _parameters(base, config),
    )


def run_off(
    attempts: Attempts, base: OptimizerConfig, config: TuningConfig, *, storage: Path | str, name: str
) -> Tuned:
    """The untuned settings and the study's best trials meet once more, on other attempts; the best of these wins.

    Among many trials that few attempts judge, the best is partly the luckiest (not in the paper). Results are kept in
    the study, so that a final comparison that was interrupted goes on. Between equals the earlier trial wins: the
    untuned one. With `config.evidence` the untuned settings stay unless a trial is better by that much evidence, and a
    trial that cannot get there any more is stopped.
    """
    study = _study(place(storage), name, config)
    _check_begun(study)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    first, *others = sorted(complete, key=lambda trial: trial.number)
    others.sort(key=lambda trial: (-float(trial.value or 0.0), trial.number))
    finals = _Finals(study, attempts, base, config, first)
    results = {trial.number: finals.success(trial) for trial in (first, *others[: config.finalists])}
    entitled = {number: rate for number, rate in results.items() if finals.is_entitled(number)}
    winner = max(entitled, key=lambda number: (entitled[number], -number))
    parameters = next(trial.params for trial in complete if trial.number == winner)
    found = best(base, config, storage=storage, name=name)
    return replace(found, config=_with(base, parameters), success=results[winner], untuned=winner == first.number)


@dataclass(frozen=True)
class _Finals:
    """Attempts of the final comparison, each trial's kept in the study."""

    study: optuna.Study
    attempts: Attempts
    base: OptimizerConfig
    config: TuningConfig
    first: FrozenTrial  # of the untuned settings

    def success(self, trial: FrozenTrial) -> float:
        """Success rate of a trial's settings, from the attempts that were made before or are made now."""
        kept = f"final {trial.number}"
        if kept not in self.study.user_attrs:
            successes = self._made(trial)
            if not successes:
                raise ValueError("attempts: yielded no grasp attempt, so there is no success to compare")
            self.study.set_user_attr(_each(trial.number), "".join(str(int(s)) for s in successes))
            self.study.set_user_attr(kept, [sum(successes), len(successes)])
        won, made = self.study.user_attrs[kept]
        return won / made

    def is_entitled(self, number: int) -> bool:
        """Whether a trial may replace the untuned settings."""
        if self.config.evidence is None or number == self.first.number:
            return True
        return chance(*duel(self._outcomes(number), self._outcomes(self.first.number))) <= self._allowed

    def _made(self, trial: FrozenTrial) -> list[bool]:
        successes = (bool(s) for s in self.attempts(_with(self.base, trial.params)))
        if self.config.evidence is None or trial.number == self.first.number:
            return list(successes)
        return list(until_hopeless(successes, self._outcomes(self.first.number), self._allowed))

    @property
    def _allowed(self) -> float:
        """Chance that one of the finalists may owe its success to: they share the evidence that is asked."""
        assert self.config.evidence is not None
        return self.config.evidence / max(1, self.config.finalists)

    def _outcomes(self, number: int) -> list[bool]:
        return [c == "1" for c in self.study.user_attrs.get(_each(number), "")]


def _each(number: int) -> str:
    """Attribute of a study with the outcome of each attempt of a trial in the final comparison."""
    return f"final {number} outcomes"


def _work_beside(*arguments: Any) -> None:
    """What each process does: whoever resumes a killed study must be the only one to write it."""
    end_with_parent()
    _work(*arguments)


def _work(
    attempts: Attempts, base: OptimizerConfig, config: TuningConfig, storage: Path | str, name: str, seed: int
) -> None:
    """Make trials until the study has enough finished ones, and wait for those that others make."""
    at = place(storage)
    study = _study(at, name, config)
    search = _Search(at, study, attempts, base, config, seed)
    progress = tqdm(total=config.trials, desc=f"tuning {name}", unit="trial", initial=_count(study, *FINISHED))
    said = False
    while (finished := _count(study, *FINISHED)) < config.trials:
        at.bury(study)
        running = _count(study, TrialState.RUNNING)
        if finished + running < config.trials:
            search.make_one(finished, running)
        else:
            if not said:
                progress.write(f"tuning {name}: waits for {running} trial(s) that others make", file=sys.stderr)
            said = True
            time.sleep(POLL)
        progress.update(_count(study, *FINISHED) - progress.n)
    progress.close()


@dataclass(frozen=True)
class _Search:
    """One maker's part in a study."""

    at: Place
    study: optuna.Study
    attempts: Attempts
    base: OptimizerConfig
    config: TuningConfig
    seed: int

    def make_one(self, finished: int, running: int) -> None:
        """Make a trial, unless others turn out to make enough. Of an interrupted one its place is made again."""
        study = self.study
        # A sampler of its own for every trial, addressed by the trials before it: a stop loses no state.
        stream = seed_sequence(self.seed, "tuning", study.study_name, finished, running)
        study.sampler = optuna.samplers.TPESampler(
            seed=int(stream.generate_state(1)[0]),
            n_startup_trials=self.config.startup_trials,
            multivariate=True,
            constant_liar=True,
        )
        if not any(map(self._is_untuned, self._living())):
            study.enqueue_trial(_parameters(self.base, self.config), user_attrs={UNTUNED: True})
        with self.at.making(study) as trial:
            try:
                self._make(trial) if self._is_needed(trial) else self._drop(trial)
            except UpdateFinishedTrialError:
                pass  # we slept and were taken for dead: others make it again
            except BaseException:
                with suppress(Exception):  # a full disk, for one, which is what will be raised
                    self._drop(trial)
                raise

    def _make(self, trial: optuna.Trial) -> None:
        trial.set_user_attr("process", f"{platform.node()}:{os.getpid()}")
        successes: list[bool] = []
        for success in self.attempts(_with(self.base, _suggest(trial, self.config))):
            successes.append(bool(success))
            trial.report(sum(successes) / len(successes), step=len(successes))
            if trial.should_prune():
                self.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
                return
        if not successes:
            raise ValueError("attempts: yielded no grasp attempt, so there is no success to maximise")
        self.study.tell(trial, sum(successes) / len(successes), skip_if_finished=True)

    def _drop(self, trial: optuna.Trial) -> None:
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _is_needed(self, trial: optuna.Trial) -> bool:
        """Whether those before it, by number, are fewer than asked, and none is the same untuned settings.

        Numbers are given one at a time, so that makers who begin at the same moment agree.
        """
        before = [other for other in self._living() if other.number < trial.number]
        doubled = UNTUNED in trial.user_attrs and any(map(self._is_untuned, before))
        return len(before) < self.config.trials and not doubled

    def _living(self) -> list[FrozenTrial]:
        """Trials that are finished, or may yet be."""
        states = (*FINISHED, TrialState.RUNNING, TrialState.WAITING)
        return self.study.get_trials(deepcopy=False, states=states)

    def _is_untuned(self, trial: FrozenTrial) -> bool:
        return UNTUNED in trial.user_attrs or trial.params == _parameters(self.base, self.config)


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


def _study(at: Place, name: str, config: TuningConfig) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = _pruner(config)
    try:
        return optuna.load_study(study_name=name, storage=at.storage, pruner=pruner)
    except KeyError:  # there is none yet; others may make it at this moment
        return optuna.create_study(
            storage=at.storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
        )


def _pruner(config: TuningConfig) -> optuna.pruners.BasePruner:
    if not config.prune:
        return optuna.pruners.NopPruner()
    if config.scheme == "race":
        return PairedPruner(config.race_risk, config.pruning_warmup)
    return optuna.pruners.MedianPruner(config.startup_trials, config.pruning_warmup)


def _check_begun(study: optuna.Study) -> None:
    if not _count(study, TrialState.COMPLETE):
        raise StudyError(f"tuning {study.study_name!r}: no trial is complete, so there is no best one; tune first")


def _count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))
