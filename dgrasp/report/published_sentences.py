"""The paper's sentences beside all that is published: attempts, repetitions, ablations and climbs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dgrasp.evaluation.verdict import AGREES, DISAGREES, IN_PART, NOT_CONTRADICTED, NOT_TESTED, UNKNOWN
from dgrasp.experiment import replication
from dgrasp.experiment.beyond import FOLDER
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.variants import REPORTED
from dgrasp.files import read_json
from dgrasp.report.tables.sentences import sentences

VERDICT_ORDER = (AGREES, IN_PART, NOT_CONTRADICTED, DISAGREES, UNKNOWN, NOT_TESTED)


def every_sentence(experiment: Experiment, trials: pd.DataFrame, figures: Path = FOLDER) -> pd.DataFrame:
    """See `sentences`. trials: of all training seeds; figures: folder of the experiment's figures and tables.

    Raises FileNotFoundError where the figures `convergence` and `ablation_differences` are not there.
    """
    reported = replication.kept_trials(experiment, "base-reported")
    if reported is not None:
        reported = reported.assign(policy=REPORTED)
    climbs = pd.read_csv(figures / "convergence.csv")
    profile, differences = experiment.profile, kept_differences(figures)
    return sentences(trials, profile.evaluation, profile.value.workspace, reported, differences, climbs)


def kept_differences(figures: Path) -> pd.DataFrame:
    """The table `ablation_differences` of a folder of figures."""
    return pd.DataFrame(read_json(figures / "ablation_differences.json"))
