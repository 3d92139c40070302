"""A study ends with the finished trials that were asked, whoever made them, whatever happened to makers and files."""

from __future__ import annotations

import json
import os
import platform
import signal
import sqlite3
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
import started
from optuna.trial import TrialState

from dgrasp.evaluation.config import TuningConfig
from dgrasp.evaluation.study import search, storage
from dgrasp.evaluation.study.journal import Journal
from dgrasp.evaluation.study.search import UNTUNED, run_off, tune
from dgrasp.evaluation.study.storage import StudyError, open_journal, place
from dgrasp.files import DamagedFileError
from dgrasp.slopes.config import OptimizerConfig

BASE = OptimizerConfig()
CONFIG = TuningConfig(trials=8, startup_trials=4, pruning_warmup=3)


def attempts(config: OptimizerConfig) -> Iterator[bool]:
    """Succeeds the more often the nearer the rates are to (0.02, 0.3)."""
    miss = abs(config.translation_rate - 0.02) * 20 + abs(config.rotation_rate - 0.3)
    yield from (miss < 0.1 * k for k in range(1, 11))


KILLED = textwrap.dedent("""
    import os, signal, sys
    from dgrasp.evaluation.config import TuningConfig
    from dgrasp.evaluation.study.search import tune
    from dgrasp.slopes.config import OptimizerConfig
    count = 0
    def attempts(config):
        global count
        for k in range(10):
            count += 1
            if count == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            yield abs(config.translation_rate - 0.02) * 20 + abs(config.rotation_rate - 0.3) < 0.1 * (k + 1)
    config = TuningConfig(trials=8, startup_trials=4, pruning_warmup=3)
    tune(attempts, OptimizerConfig(), config, storage=sys.argv[1], name="p")
""")


def kill(where: Path | str, at_attempt: int) -> None:
    """A study's maker is killed in the middle of a trial."""
    code, said = started.run(KILLED, where, at_attempt)
    assert code == -signal.SIGKILL, said


def trials(where: Path | str, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name="p", storage=place(where).storage)
    return study.get_trials(states=states or search.FINISHED)


def history(where: Path | str) -> list[tuple[object, ...]]:
    return [(trial.params, trial.value, trial.state) for trial in trials(where)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    where = tmp_path_factory.mktemp("whole") / "study.journal"
    tune(attempts, BASE, CONFIG, storage=where, name="p")
    return history(where)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makers of a database's trials give signs of life often, and count as dead soon."""
    monkeypatch.setattr(storage, "BEAT", 0.1)
    monkeypatch.setattr(storage, "GRACE", 2.0)


# --- who died, and who is slow


def test_killed_and_resumed_on_another_host_the_study_is_the_same(tmp_path, undisturbed, monkeypatch):
    where = tmp_path / "study.journal"
    kill(where, 35)
    assert len(trials(where, TrialState.RUNNING)) == 1
    monkeypatch.setattr(platform, "node", lambda: "another-container")
    tuned = tune(attempts, BASE, CONFIG, storage=where, name="p")
    assert tuned.trials == 8 and history(where) == undisturbed
    assert trials(where, TrialState.RUNNING) == [] and len(trials(where, TrialState.FAIL)) == 1
    assert list(tmp_path.iterdir()) == [where], "no lock is left"


def test_killed_and_resumed_in_a_database_the_study_is_the_same(tmp_path, undisturbed, quick, capfd, monkeypatch):
    where = f"sqlite:///{tmp_path}/studies.db"
    kill(where, 35)
    monkeypatch.setattr(platform, "node", lambda: "another-container")
    tuned = tune(attempts, BASE, CONFIG, storage=where, name="p")
    assert tuned.trials == 8 and history(where) == undisturbed
    assert trials(where, TrialState.RUNNING) == []
    assert "who makes trial 3? Known in 2 s at most" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["journal", "database"])
def test_the_fast_wait_for_the_slow(tmp_path, quick, kind, capfd):
    """One holds the last trial: the other ends with it, and not before, and makes no trial too many."""
    where = tmp_path / "study.journal" if kind == "journal" else f"sqlite:///{tmp_path}/studies.db"
    holds, let_go = threading.Event(), threading.Event()

    def slow(config: OptimizerConfig) -> Iterator[bool]:
        holds.set()
        assert let_go.wait(60)
        yield from attempts(config)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tune, slow, BASE, CONFIG, storage=where, name="p")
        assert holds.wait(60)
        second = pool.submit(tune, attempts, BASE, CONFIG, storage=where, name="p")
        while len(trials(where)) < 7:
            time.sleep(0.05)
        time.sleep(storage.GRACE + 1.0)
        assert not second.done() and len(trials(where)) == 7 and len(trials(where, TrialState.RUNNING)) == 1
        let_go.set()
        assert first.result(60).trials == second.result(60).trials == 8
    assert first.result() == second.result()
    assert [trial.number for trial in trials(where) if UNTUNED in trial.user_attrs] == [0]
    assert "waits for 1 trial(s) that others make" in capfd.readouterr().err


def test_who_slept_and_was_taken_for_dead_goes_on_with_another_trial(tmp_path, quick, monkeypatch):
    """A laptop's lid was closed: nobody waits for ever, and nothing breaks when it opens."""
    where = f"sqlite:///{tmp_path}/studies.db"
    asleep, awake = threading.Event(), threading.Event()

    def sleeper(config: OptimizerConfig) -> Iterator[bool]:
        if not asleep.is_set():
            asleep.set()
            assert awake.wait(60)
        yield from attempts(config)

    with ThreadPoolExecutor(2) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(storage, "BEAT", 1000.0)
            first = pool.submit(tune, sleeper, BASE, CONFIG, storage=where, name="p")
            assert asleep.wait(60)
        assert pool.submit(tune, attempts, BASE, CONFIG, storage=where, name="p").result(60).trials == 8
        awake.set()
        # its signs of life are 1000 s apart, and the thread that gives them ends with the trial
        assert first.result(60).trials == 8
    assert [trial.number for trial in trials(where, TrialState.FAIL)] == [0]
    untuned = [trial for trial in trials(where) if UNTUNED in trial.user_attrs]
    assert len(untuned) == 1 and untuned[0].params["translation_rate"] == BASE.translation_rate


@pytest.mark.slow
def test_starters_on_an_empty_database_agree(tmp_path):
    """In processes of their own, at the same moment: one study, its trials as asked, the untuned settings once."""
    url = f"sqlite:///{tmp_path}/studies.db"
    program = (
        KILLED.replace("tune(", "print('ready', flush=True)\nwhile not os.path.exists(sys.argv[3]): pass\ntune(", 1)
        .replace("tune(attempts", "print(tune(attempts")
        .replace('name="p")', 'name="p").trials)')
    )
    go = tmp_path / "go"
    starters = [started.start(program, url, -1, go) for _ in range(2)]
    started.wait_until(lambda: all("ready" in starter.said for starter in starters))
    go.touch()
    for starter in starters:
        assert starter.ended() == 0, starter.said
        assert "\n8\n" in starter.said
    assert len(trials(url)) == 8
    assert len([trial for trial in trials(url) if UNTUNED in trial.user_attrs]) == 1


def test_a_database_is_created_by_many_at_once(tmp_path):
    barrier = threading.Barrier(6)

    def start(url: str) -> None:
        barrier.wait()
        place(url)

    for i in range(2):
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(start, [f"sqlite:///{tmp_path}/{i}.db"] * 6))
        with sqlite3.connect(tmp_path / f"{i}.db") as made:
            assert made.execute("SELECT count(*) FROM version_info").fetchone() == (1,), "and by one of them"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:////no/such/folder/studies.db", "unable to open database file"),
        ("mysqlite://user:secret@host/db", "mysqlite"),
        ("://", "parse"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_clear_error(url, why):
    with pytest.raises(
        StudyError, match=rf"cannot be used as the database of studies .*{why}.*; see runtime.studies"
    ) as e:
        place(url)
    assert "\n" not in str(e.value) and "secret" not in str(e.value)


def test_a_study_with_fewer_trials_than_asked_is_not_finished(tmp_path, monkeypatch):
    where = tmp_path / "study.journal"
    tune(attempts, BASE, CONFIG.model_copy(update={"trials": 3}), storage=where, name="p")
    monkeypatch.setattr(search, "_work", lambda *_: None)
    with pytest.raises(StudyError, match=r"tuning 'p': 3 trials are finished, 8 were asked"):
        tune(attempts, BASE, CONFIG, storage=where, name="p")


# --- what happens to a journal


def test_a_journal_whose_last_line_is_cut_is_read_up_to_the_cut_and_goes_on(tmp_path, undisturbed, capfd):
    whole = tmp_path / "whole.journal"
    tune(attempts, BASE, CONFIG.model_copy(update={"trials": 4}), storage=whole, name="p")
    data = whole.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    for cut in (ends[-2] + 1, ends[-2] + 20, ends[-1] - 1, ends[-9] + 5, ends[-20] + 40):
        where = tmp_path / f"{cut}.journal"
        where.write_bytes(data[:cut])
        assert len(list(Journal(where).read_logs(0))) == sum(end <= cut for end in ends)
        assert where.read_bytes() == data[:cut], "reading writes nothing"
        tune(attempts, BASE, CONFIG, storage=where, name="p")
        assert history(where) == undisturbed
        assert "its last line was cut, by a full disk or a crash; left out" in capfd.readouterr().err
    where.write_bytes(data + b"\0" * 100_000)  # what some file systems leave after a power cut
    tune(attempts, BASE, CONFIG, storage=where, name="p")
    assert history(where) == undisturbed


FULL = textwrap.dedent("""
    import os, resource, signal, sys
    os.dup2(os.open(sys.argv[3], os.O_WRONLY), 2)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
""")


@pytest.mark.parametrize("room", [1, 2000, 5555])
def test_on_a_full_disk_a_study_says_one_line_and_goes_on_later(tmp_path, tmp_path_factory, undisturbed, room):
    where, pipe = tmp_path / "study.journal", tmp_path_factory.mktemp("said") / "pipe"  # which has no size
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as said:
        code, _ = started.run(FULL + KILLED, where, room, pipe)
        assert code == 1
        assert f"OSError: [Errno 27] File too large: '{where}'" in said.read().splitlines(), "with the file's name"
    assert where.read_bytes()[-1:] in (b"", b"\n"), "no half line is left"
    tune(attempts, BASE, CONFIG, storage=where, name="p")
    assert history(where) == undisturbed
    assert list(tmp_path.iterdir()) == [where]


def test_a_lock_left_behind_stalls_nobody(tmp_path, monkeypatch, capfd):
    """Optuna's own is a symbolic link, whose writer was killed; ours is a file that nobody locks any more."""
    monkeypatch.setattr("dgrasp.evaluation.study.journal.OLD_LOCK", 200.0)  # s; also on a busy machine it takes less
    where = tmp_path / "study.journal"
    Journal(where).append_logs([{"op_code": 0}])
    lock = tmp_path / "study.journal.lock"
    lock.symlink_to(where)
    os.utime(lock, (1.8e9 - 1e9,) * 2, follow_symlinks=False)
    begun = time.monotonic()
    Journal(where).append_logs([{"op_code": 1}])
    assert "study.journal.lock: left behind" in capfd.readouterr().err
    lock.touch()
    Journal(where).append_logs([{"op_code": 2}])
    assert time.monotonic() - begun < 200
    assert [line["op_code"] for line in Journal(where).read_logs(0)] == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [where]


def test_writers_of_a_journal_take_turns(tmp_path):
    where = tmp_path / "study.journal"

    def write(who: int) -> None:
        journal = Journal(where)
        for i in range(50):
            journal.append_logs([{"who": who, "line": 2 * i}, {"who": who, "line": 2 * i + 1}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    lines = list(Journal(where).read_logs(0))
    for who in range(4):
        assert [line["line"] for line in lines if line["who"] == who] == list(range(100))
    assert list(tmp_path.iterdir()) == [where]


@pytest.mark.parametrize(
    "line", [b'{"op_code": 5, "wor{"op_code": 0}\n', b"\xff\xfe\n", b"null\n", b'{"op_code": 99}\n']
)
def test_a_damaged_line_is_named(tmp_path, line):
    where = tmp_path / "study.journal"
    tune(attempts, BASE, CONFIG.model_copy(update={"trials": 1}), storage=where, name="p")
    lines = where.read_bytes().splitlines(keepends=True)
    where.write_bytes(b"".join([*lines[:3], line, *lines[3:]]))
    for read in (lambda: tune(attempts, BASE, CONFIG, storage=where, name="p"), lambda: open_journal(where)):
        with pytest.raises(DamagedFileError, match=r"study\.journal(, line 4: not JSON|: its lines are not those of)"):
            read()


def test_opening_a_journal_that_is_not_there_makes_none(tmp_path):
    open_journal(tmp_path / "study.journal")
    assert list(tmp_path.iterdir()) == []


def test_optuna_reads_our_journals_and_we_read_its_own(tmp_path, root):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    where = tmp_path / "study.journal"
    tuned = tune(attempts, BASE, CONFIG, storage=where, name="p")
    theirs = optuna.load_study(study_name="p", storage=JournalStorage(JournalFileBackend(str(where))))
    assert theirs.best_value == tuned.success
    for path in sorted((root / "figures" / "runs").glob("tuning-*/study.journal")):
        name = path.parent.name.removeprefix("tuning-").rpartition("-")[0]
        study = optuna.load_study(study_name=name, storage=open_journal(path))
        finished = study.get_trials(states=search.FINISHED)
        assert len(finished) == json.loads((path.parent / "done.json").read_text())["summary"]["trials"]


def test_a_study_of_an_earlier_version_goes_on_without_a_second_untuned_trial(tmp_path):
    """Its first trial has no mark."""
    where = tmp_path / "study.journal"
    tune(attempts, BASE, CONFIG.model_copy(update={"trials": 3}), storage=where, name="p")
    where.write_text(where.read_text().replace(f'"{UNTUNED}":true', ""))
    tune(attempts, BASE, CONFIG, storage=where, name="p")
    rates = [trial.params["translation_rate"] for trial in trials(where)]
    assert len(rates) == 8 and rates.count(BASE.translation_rate) == 1


def test_a_run_off_needs_a_study(tmp_path):
    with pytest.raises(StudyError, match=r"'p': no trial is complete"):
        run_off(attempts, BASE, CONFIG, storage=tmp_path / "s", name="p")
