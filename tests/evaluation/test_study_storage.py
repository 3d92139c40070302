"""Where a policy's study is kept: a journal in its run, or a database that machines share."""

from dataclasses import dataclass
from types import SimpleNamespace

import optuna
import pytest

from dgrasp.evaluation.config import TuningConfig, ValidationConfig
from dgrasp.evaluation.study import stage as tuning
from dgrasp.evaluation.study.trials import study_trials
from dgrasp.experiment.profiles import Profile
from dgrasp.runs import Run, open_run
from dgrasp.slopes.config import OptimizerConfig


@dataclass(frozen=True)
class Attempts:
    """Succeeds with the higher rates."""

    source: object
    recipe: object
    seed: int
    scenes: range

    def __call__(self, config):
        self.recipe.met.append(self.scenes)
        yield from (config.translation_rate > 0.01 * k for k in range(3))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Makes one study of three trials in a run of its own; returns the finished run."""

    met: list[range] = []

    def make(machine: str, finalists: int = 0, **where) -> Run:
        run = open_run(tmp_path / machine, "tuning-base_6d_seq", OptimizerConfig())
        monkeypatch.setattr(tuning, "tuning_run", lambda *_, **__: run)
        monkeypatch.setattr(tuning, "ValidationAttempts", Attempts)
        recipe = SimpleNamespace(
            optimizer=OptimizerConfig(),
            tuning=TuningConfig(trials=3, startup_trials=2, finalists=finalists),
            validation=ValidationConfig(scenes=3, final_scenes=4),
            met=met,
        )
        return tuning.tune_policy(SimpleNamespace(name="base_6d_seq"), recipe, tmp_path, seed=0, **where)

    make.met = met
    return make


def test_machines_share_a_study_in_a_database_and_each_run_has_its_journal(study, tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    first, second = study("one", storage=url), study("two", storage=url)
    assert optuna.get_all_study_names(storage=url) == [first.path.name]
    assert first.summary == second.summary and first.summary["trials"] == 3  # the second found all trials made
    for run in (first, second, study("three")):
        assert len(study_trials({"base_6d_seq": run})) == 3


def test_finalists_meet_on_scenes_that_the_study_has_not_seen(study):
    study("one", finalists=1)
    assert study.met == [range(3)] * 3 + [range(3, 7)] * 2  # three trials, then the untuned settings and the best


def test_a_profile_names_the_database():
    runtime = Profile.model_validate(
        {"name": "mine", "runtime": {"studies": "sqlite:///s.db", "study_workers": 2}}
    ).runtime
    assert (runtime.studies, runtime.study_workers) == ("sqlite:///s.db", 2)
    with pytest.raises(ValueError, match="studies"):
        Profile.model_validate({"name": "mine", "runtime": {"studies": "studies.db"}})
