"""Tuning: seeded, resumable, pruning, several processes; success is whatever the caller measures."""

import textwrap
from types import SimpleNamespace

import optuna
import pytest
import started

from dgrasp.evaluation.config import TuningConfig
from dgrasp.evaluation.study import search
from dgrasp.evaluation.study.search import run_off, tune
from dgrasp.slopes.config import OptimizerConfig

BASE = OptimizerConfig()
CONFIG = TuningConfig(trials=14, startup_trials=4, pruning_warmup=3)


def attempts(config: OptimizerConfig):
    """Succeeds the more often the nearer the rates are to (0.02, 0.3)."""
    miss = abs(config.translation_rate - 0.02) * 20 + abs(config.rotation_rate - 0.3)
    yield from (miss < 0.1 * k for k in range(1, 11))


def history(storage, name):
    study = optuna.load_study(
        study_name=name,
        storage=optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(storage))),
    )
    finished = [
        t for t in study.trials if t.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    ]
    return [(t.params, t.value, t.state.name) for t in finished]


def test_search_beats_where_it_started_and_prunes(tmp_path):
    tuned = tune(attempts, BASE, CONFIG, storage=tmp_path / "study.log", name="base_quat_seq")
    trials = history(tmp_path / "study.log", "base_quat_seq")
    assert trials[0][0]["translation_rate"] == BASE.translation_rate  # the untuned settings come first
    assert tuned.success > trials[0][1]
    assert tuned.trials == len(trials) == 14 and tuned.pruned > 0
    assert tuned.config.n_starts == BASE.n_starts and tuned.config.translation_rate != BASE.translation_rate


def test_the_paper_s_studies_make_every_attempt_of_every_trial(tmp_path):
    made = []

    def counted(config):
        made.append(0)
        for success in attempts(config):
            made[-1] += 1
            yield success

    whole = CONFIG.model_copy(update={"prune": False})
    tuned = tune(counted, BASE, whole, storage=tmp_path / "study.log", name="base_quat_seq")
    assert tuned.pruned == 0 and len(made) == tuned.trials == 14 and len(set(made)) == 1


def test_equal_seeds_equal_studies(tmp_path):
    for run in ("a", "b"):
        tune(attempts, BASE, CONFIG, storage=tmp_path / run, name="p", seed=3)
    tune(attempts, BASE, CONFIG, storage=tmp_path / "c", name="p", seed=4)
    assert history(tmp_path / "a", "p") == history(tmp_path / "b", "p") != history(tmp_path / "c", "p")


@pytest.mark.parametrize("deadly", [1, 3, 47])
def test_a_resumed_study_equals_an_undisturbed_one(tmp_path, deadly):
    made = 0

    def fragile(config):
        nonlocal made
        for success in attempts(config):
            made += 1
            if made == deadly:
                raise KeyboardInterrupt
            yield success

    with pytest.raises(KeyboardInterrupt):
        tune(fragile, BASE, CONFIG, storage=tmp_path / "disturbed", name="p")
    tune(attempts, BASE, CONFIG, storage=tmp_path / "disturbed", name="p")
    tune(attempts, BASE, CONFIG, storage=tmp_path / "undisturbed", name="p")
    assert history(tmp_path / "disturbed", "p") == history(tmp_path / "undisturbed", "p")


def test_a_killed_process_loses_only_its_trial(tmp_path):
    program = textwrap.dedent("""
        import os, signal, sys
        from dgrasp.evaluation.config import TuningConfig
        from dgrasp.evaluation.study.search import run_off, tune
        from dgrasp.slopes.config import OptimizerConfig
        count = 0
        def attempts(config):
            global count
            for k in range(10):
                count += 1
                if count == 25:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield abs(config.translation_rate - 0.02) * 20 + abs(config.rotation_rate - 0.3) < 0.1 * (k + 1)
        config = TuningConfig(trials=14, startup_trials=4, pruning_warmup=3)
        tune(attempts, OptimizerConfig(), config, storage=sys.argv[1], name="p")
    """)
    assert started.run(program, tmp_path / "killed")[0] == -9
    tune(attempts, BASE, CONFIG, storage=tmp_path / "killed", name="p")
    tune(attempts, BASE, CONFIG, storage=tmp_path / "whole", name="p")
    assert history(tmp_path / "killed", "p") == history(tmp_path / "whole", "p")


def test_several_processes_share_one_study_in_a_database(tmp_path, monkeypatch):
    """Forked, with everything loaded: how they start is not what is tested."""
    monkeypatch.setattr(search, "multiprocessing", SimpleNamespace(get_context=lambda _: started.context()))
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    tuned = tune(attempts, BASE, TuningConfig(trials=6, startup_trials=4), storage=url, name="p", workers=2)
    assert tuned.trials == 6


def test_finished_studies_make_no_further_attempts(tmp_path):
    config = TuningConfig(trials=3)
    first = tune(attempts, BASE, config, storage=tmp_path / "s", name="p")

    def refuse(config):
        raise AssertionError("no attempt was needed")

    assert tune(refuse, BASE, config, storage=tmp_path / "s", name="p") == first


def test_nothing_to_measure_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="yielded no grasp attempt"):
        tune(lambda config: [], BASE, CONFIG, storage=tmp_path / "s", name="p")


def test_a_run_off_on_other_attempts_turns_down_who_was_only_lucky(tmp_path):
    """The study's winner fails where the others succeed: the untuned settings, or the second best, win."""
    config = TuningConfig(trials=8, startup_trials=8, finalists=2)
    place = {"storage": tmp_path / "s", "name": "p"}
    lucky = tune(attempts, BASE, config, **place)
    ranked = sorted(history(tmp_path / "s", "p"), key=lambda trial: -trial[1])
    second = ranked[1][0]["translation_rate"]
    seen = []

    def others(optimizer):
        seen.append(optimizer.translation_rate)
        wins = {BASE.translation_rate: 6, lucky.config.translation_rate: 5}.get(optimizer.translation_rate, 6)
        return [True] * wins + [False] * (10 - wins)

    won = run_off(others, BASE, config, **place)
    assert won.config == BASE and won.success == 0.6 and won.trials == 8  # between equals the untuned settings
    assert seen == [BASE.translation_rate, lucky.config.translation_rate, second]
    assert run_off(lambda _: pytest.fail("all is known"), BASE, config, **place) == won
    with pytest.raises(ValueError, match="yielded no grasp attempt"):
        run_off(lambda _: [], BASE, config.model_copy(update={"finalists": 5}), **place)


def test_a_race_stops_who_loses_against_the_untuned_settings_on_the_same_attempts(tmp_path):
    """Those who fail where the untuned settings succeed go after three losses; those who do not are never stopped."""
    config = TuningConfig(trials=8, startup_trials=8, scheme="race", pruning_warmup=3)

    def fails_when_fast(optimizer):
        wrong = optimizer.translation_rate > BASE.translation_rate
        yield from (k % 2 == 0 and not wrong for k in range(12))

    tuned = tune(fails_when_fast, BASE, config, storage=tmp_path / "s", name="p")
    trials = history(tmp_path / "s", "p")
    fast = [state for params, _, state in trials if params["translation_rate"] > BASE.translation_rate]
    assert tuned.trials == 8 and fast and set(fast) == {"PRUNED"} and tuned.pruned == len(fast) < 7
    assert tuned.untuned and tuned.config == BASE


@pytest.mark.parametrize(("lead", "replaced"), [(3, False), (6, True)])
def test_untuned_settings_stay_without_evidence_against_them(tmp_path, lead, replaced):
    """3 : 0 is chance in one case of eight, 6 : 0 in one of 64."""
    config = TuningConfig(trials=2, startup_trials=2, finalists=1, evidence=0.1)
    place = {"storage": tmp_path / "s", "name": "p"}
    tune(attempts, BASE, config, **place)
    made = 0

    def others(optimizer):
        nonlocal made
        for k in range(20):
            made += 1
            yield k < 10 or (optimizer != BASE and k < 10 + lead)

    chosen = run_off(others, BASE, config, **place)
    assert (chosen.config != BASE) == replaced and chosen.untuned != replaced
    assert chosen.success == (0.5 + lead / 20 if replaced else 0.5)
    assert run_off(lambda _: pytest.fail("all is known"), BASE, config, **place) == chosen


def test_a_finalist_that_cannot_win_any_more_is_stopped(tmp_path):
    config = TuningConfig(trials=2, startup_trials=2, finalists=1, evidence=0.1)
    place = {"storage": tmp_path / "s", "name": "p"}
    tune(attempts, BASE, config, **place)
    made = {True: 0, False: 0}

    def others(optimizer):
        for _ in range(20):
            made[optimizer == BASE] += 1
            yield optimizer == BASE

    assert run_off(others, BASE, config, **place).untuned
    assert made == {True: 20, False: 1}
