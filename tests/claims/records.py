"""What is published, as claims count it; and the same records with other results, for which no claim may hold."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from dgrasp.evaluation.over_seeds import rates_by_seed
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.beyond import contrasts, kept_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.seeds import all_seeds, trials_of
from dgrasp.report.studio import Studio
from dgrasp.report.tables.findings import compare, slope_pairs
from dgrasp.twin.trials import read_twin_trials

ROOT = Path(__file__).parents[2]


class Records:
    """The published experiment that stands for itself in README, with all of its training seeds."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    @property
    def profile(self) -> Profile:
        return self.experiment.profile

    @cached_property
    def studio(self) -> Studio:
        return Studio(self.experiment)

    @cached_property
    def seeds(self) -> list[int]:
        return [one.seed for one in all_seeds(self.experiment)]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Every attempt of Table 1, all seeds."""
        return trials_of(all_seeds(self.experiment))

    @cached_property
    def studies(self) -> pd.DataFrame:
        """Every study of every seed: `policy`, `untuned` (whether it kept those settings), `settings`, `success`."""
        runs = [(p, run.summary) for one in all_seeds(self.experiment) for p, run in one.tuning().items()]
        about = [
            {"policy": p, "settings": str(s["optimizer"])} | {k: s[k] for k in ("untuned", "success")} for p, s in runs
        ]
        return pd.DataFrame(about)

    @cached_property
    def twin(self) -> pd.DataFrame:
        """Every judged trial in the twin, of every seed: `policy`, `success`, `seed` (of training)."""
        logs = [(one, read_twin_trials(one.twin_trials())) for one in all_seeds(self.experiment)]
        judged = [log.judged.assign(policy=name, seed=one.seed) for one, of in logs for name, log in of.items()]
        return pd.concat(judged, ignore_index=True)

    @cached_property
    def sweep(self) -> pd.DataFrame:
        """Every attempt under an added error of the camera's pose."""
        swept = [read_attempts(one.calibration_sweep()) for one in all_seeds(self.experiment)]
        return pd.concat(swept, ignore_index=True)

    @cached_property
    def panda(self) -> pd.DataFrame:
        """dGrasp against Base on the other arm and hand, task by task, tested."""
        return contrasts(kept_attempts(profile="panda"))

    def table(self, path: str) -> pd.DataFrame:
        """A CSV file below the repository's root."""
        return pd.read_csv(ROOT / path)

    def figure(self, id: str) -> pd.DataFrame:
        """What a figure is drawn from."""
        return self.table(f"figures/{id}.csv")

    @cached_property
    def counted(self) -> pd.DataFrame:
        """Per policy, task and seed: `successes`, and of how many attempts `n`, made or not."""
        return rates_by_seed(self.trials, self.profile.evaluation)

    @cached_property
    def rates(self) -> pd.Series:
        """(policy, task) -> rate, all seeds counted together."""
        sums = self.counted.groupby(["policy", "task"], sort=False)[["successes", "n"]].sum()
        return sums["successes"] / sums["n"]

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """dGrasp against its own Base, pair by pair and task by task, tested."""
        return compare(self.trials, slope_pairs(), self.rates.rename("rate").reset_index().assign(low=0.0, high=1.0))


class Altered(Records):
    """The same with fewer policies and scenes, and every outcome turned round; of tables half, with other numbers."""

    @cached_property
    def trials(self) -> pd.DataFrame:
        return _turned(Records(self.experiment).trials.query("scene % 2 and not policy.str.endswith('_6d_sync')"))

    @cached_property
    def studies(self) -> pd.DataFrame:
        """One more seed, whose studies changed one policy's settings."""
        kept = Records(self.experiment).studies
        other = kept.assign(untuned=kept["policy"] != "dgrasp_quat_sync")
        return pd.concat([kept, other], ignore_index=True)

    @cached_property
    def counted(self) -> pd.DataFrame:
        return super().counted.assign(n=lambda table: table["n"] + 1)

    @cached_property
    def twin(self) -> pd.DataFrame:
        return _turned(Records(self.experiment).twin.query("presentation > 1"))

    @cached_property
    def sweep(self) -> pd.DataFrame:
        return _turned(Records(self.experiment).sweep.query("presentation > 0"))

    @cached_property
    def panda(self) -> pd.DataFrame:
        return contrasts(_turned(kept_attempts(profile="panda").query("policy != 'base_quat_sync' or scene % 2")))

    @cached_property
    def seeds(self) -> list[int]:
        return [seed + 1 for seed in [*super().seeds, 90]]

    def table(self, path: str) -> pd.DataFrame:
        whole = super().table(path)
        if not len(whole):
            return pd.DataFrame({column: ["another"] for column in whole})
        half = whole.iloc[1::2].copy()
        if "arm" in half:
            half = half.iloc[1:]  # of each arm one of two tasks would be left
        some = half.select_dtypes("number").columns
        half[some] = 1 - 0.5 * half[some]
        if "objects" in half:
            half["objects"] += ", another"
        return half


def _turned(attempts: pd.DataFrame) -> pd.DataFrame:
    return attempts.assign(success=~attempts["success"].astype(bool)).reset_index(drop=True)
