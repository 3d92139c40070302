"""Settings against the untuned ones on the same attempts: same scenes, same views, same starting poses.

Only attempts that one of the two succeeds in and the other does not say which is better: a sign test counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

UNTUNED = "untuned"  # attribute of the trial of the settings that nobody tuned


class PairedPruner(optuna.pruners.BasePruner):
    """Stops a trial that has lost so often against the untuned one that chance explains it with less than `risk`.

    warmup: attempts before that. The untuned trial itself is never stopped.
    """

    def __init__(self, risk: float, warmup: int) -> None:
        self.risk, self.warmup = risk, warmup

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        first = untuned_trial(study)
        if first is None or first.number == trial.number or len(trial.intermediate_values) < self.warmup:
            return False
        won, lost = duel(outcomes(trial), outcomes(first))
        return chance(lost, won) <= self.risk


def untuned_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the untuned settings, as far as it has come; None if nobody has begun it."""
    states = (TrialState.COMPLETE, TrialState.RUNNING)
    marked = (t for t in study.get_trials(deepcopy=False, states=states) if UNTUNED in t.user_attrs)
    return min(marked, key=lambda t: t.number, default=None)


def outcomes(trial: FrozenTrial) -> list[bool]:
    """Success of each attempt, from the success rates that the trial has reported."""
    won = [round(step * rate) for step, rate in sorted(trial.intermediate_values.items())]
    return [bool(after - before) for before, after in zip([0, *won], won, strict=False)]


def duel(ours: Sequence[bool], theirs: Sequence[bool]) -> tuple[int, int]:
    """Attempts that only we succeeded in, and that only they did, as far as both have come."""
    pairs = list(zip(ours, theirs, strict=False))
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


def chance(won: int, lost: int) -> float:
    """Probability of `won` or more of as many decided attempts, if both were equally good (exact sign test)."""
    from scipy.stats import binomtest

    return 1.0 if won + lost == 0 else float(binomtest(won, won + lost, alternative="greater").pvalue)


def until_hopeless(attempts: Iterable[bool], theirs: Sequence[bool], evidence: float) -> Iterator[bool]:
    """The attempts, up to where even success in all that are left would not be evidence against `theirs`."""
    ours: list[bool] = []
    for success in attempts:
        ours.append(bool(success))
        yield ours[-1]
        won, lost = duel(ours, theirs)
        if chance(won + sum(not x for x in theirs[len(ours) :]), lost) > evidence:
            return
