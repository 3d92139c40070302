"""The paper's sentences beside all that is published: attempts, repetitions, ablations and climbs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dgrasp.evaluation.verdict import (
    AGREES,
    DISAGREES,
    DISAGREES_IN_PART,
    IN_PART,
    NOT_CONTRADICTED,
    NOT_TESTED,
    UNKNOWN,
)
from dgrasp.experiment import replication
from dgrasp.experiment.beyond import FOLDER
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.variants import REPORTED
from dgrasp.files import read_json
from dgrasp.report.tables.sentences import sentences

VERDICT_ORDER = (AGREES, IN_PART, NOT_CONTRADICTED, DISAGREES_IN_PART, DISAGREES, UNKNOWN, NOT_TESTED)


def every_sentence(
    experiment: Experiment, trials: pd.DataFrame, differences: pd.DataFrame, climbs: pd.DataFrame
) -> pd.DataFrame:
    """See `sentences`, with the predecessor's trials where they are kept. trials: of all training seeds."""
    reported = replication.kept_trials(experiment, "base-reported")
    if reported is not None:  # the predecessor's configuration, on the same scenes
        reported = reported.assign(policy=REPORTED)
    profile = experiment.profile
    return sentences(trials, profile.evaluation, profile.value.workspace, reported, differences, climbs)


def kept_tables(figures: Path = FOLDER) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Differences and climbs for `every_sentence`, from a folder of figures.

    Raises FileNotFoundError where the table `ablation_differences` or the figure `convergence` is not there.
    """
    return kept_differences(figures), pd.read_csv(figures / "convergence.csv")


def kept_differences(figures: Path) -> pd.DataFrame:
    """The table `ablation_differences` of a folder of figures."""
    return pd.DataFrame(read_json(figures / "ablation_differences.json"))


def counted_verdicts(every: pd.DataFrame) -> str:
    """How often each verdict was given, in words. every: of `every_sentence`."""
    counts = every["verdict"].value_counts()
    return ", ".join(f"{verdict} {counts[verdict]}" for verdict in VERDICT_ORDER if verdict in counts)
