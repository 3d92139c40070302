"""All training seeds of an experiment: each has its own scenes, networks, studies and trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.store import Record, published
from dgrasp.robot.log import TrialLog
from dgrasp.twin.trials import read_twin_trials


def all_seeds(experiment: Experiment) -> tuple[Experiment, ...]:
    """The experiment with every seed it is published with, in order; a build stands for its own seed alone."""
    store = experiment.store
    if not isinstance(store, Record):
        return (experiment,)
    name = store.folder.parent.name
    records = [Record.published(name, store.workspace, seed) for seed in published()[name]]
    return tuple(replace(experiment, profile=r.profile, store=r, seed=r.seed) for r in records)


def trials_of(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """The trial records of all of them, told apart by the column `seed`."""
    return pd.concat([read_attempts(e.evaluation()) for e in experiments], ignore_index=True)


def twin_logs_of(experiments: Sequence[Experiment]) -> list[dict[str, TrialLog]]:
    """The logs of the trials in the twin of each of them, by policy."""
    return [dict(read_twin_trials(e.twin_trials())) for e in experiments]
