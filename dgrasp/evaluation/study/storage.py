"""Where a study is kept, and who is at work on it: a journal of one run, or a database that machines share.

A study is made by whoever comes: processes, machines, and those who go on after a kill. So a trial that somebody is
making must be told from one whose maker is dead, whichever host that was:

    journal    makers hold a shared lock of the kernel's on the file, which ends with them. Whoever gets it for himself
               alone knows that nobody is at work, so that all trials under way are of the dead
    database   makers leave a sign of life in the trial every few seconds. One whose signs do not change for a while, by
               the watch of whoever looks, is dead; if it was only asleep, it drops the trial when it awakes
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from dgrasp.evaluation.study.journal import Journal
from dgrasp.file_locks import lock_file
from dgrasp.files import DamagedFileError

BEAT = 5.0  # s between signs of life
GRACE = 30.0  # s without a new one, after which a maker counts as dead; our choice: six of them
POLL = 0.5  # s between looks at what others do
AGREEMENT = 30.0  # s that those who create a database at the same moment have to agree
BUSY = 60.0  # s that a writer waits for others of an SQLite file
SIGN_OF_LIFE = "alive"  # attribute of a trial


class StudyError(RuntimeError):
    """A study cannot be used, or is not whole; the message says which and why."""


class Place(ABC):
    """A study's storage, where the dead are told from the living."""

    storage: BaseStorage

    @abstractmethod
    @contextmanager
    def making(self, study: optuna.Study) -> Iterator[optuna.Trial]:
        """A trial of ours, new or enqueued, which nobody takes for a dead one's inside the block."""
        yield  # type: ignore[misc]

    @abstractmethod
    def bury(self, study: optuna.Study) -> None:
        """Let trials count as failed whose makers are known to be dead."""

    def settle(self, study: optuna.Study) -> None:
        """Wait until it is known of all who were making a trial whether they live, and bury the dead."""
        self.bury(study)


class JournalFile(Place):
    """A study in a journal. Raises DamagedFileError naming the line that is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.storage = open_journal(path)

    @contextmanager
    def making(self, study: optuna.Study) -> Iterator[optuna.Trial]:
        with self._locked(shared=True, wait=True):
            yield study.ask()

    def bury(self, study: optuna.Study) -> None:
        with suppress(BlockingIOError), self._locked(shared=False, wait=False):  # blocked: somebody is at work
            fail(study, under_way(study))

    @contextmanager
    def _locked(self, *, shared: bool, wait: bool) -> Iterator[None]:
        with open(self.path, "ab") as handle:
            lock_file(handle, shared=shared, wait=wait)
            yield


class Database(Place):
    """A study in any database that Optuna supports. Raises StudyError for one that cannot be used."""

    def __init__(self, url: str) -> None:
        self.storage = _database(url)
        self._seen: dict[int, _Sign] = {}  # by trial

    @contextmanager
    def making(self, study: optuna.Study) -> Iterator[optuna.Trial]:
        trial, over = study.ask(), threading.Event()
        trial.set_user_attr(SIGN_OF_LIFE, 0)
        signs = threading.Thread(target=_give_signs_of_life, args=(trial, over), daemon=True, name="signs of life")
        signs.start()
        try:
            yield trial
        finally:
            over.set()
            signs.join()

    def bury(self, study: optuna.Study) -> None:
        now, silent = time.monotonic(), []
        for trial in under_way(study):
            last = self._seen.setdefault(trial.number, _Sign(_sign(trial), now))
            if last.value != _sign(trial):
                self._seen[trial.number] = _Sign(_sign(trial), now, changed=True)
            elif now - last.since > GRACE:
                silent.append(trial)
        fail(study, silent)

    def settle(self, study: optuna.Study) -> None:
        begun = {trial.number for trial in under_way(study)}
        self.bury(study)
        if begun:
            numbers = ", ".join(map(str, sorted(begun)))
            print(f"{study.study_name}: who makes trial {numbers}? Known in {GRACE:g} s at most", file=sys.stderr)
        while any(t.number in begun and not self._seen[t.number].changed for t in under_way(study)):
            time.sleep(POLL)
            self.bury(study)


@dataclass(frozen=True)
class _Sign:
    """The last sign of life seen in a trial, when it was new to us, and whether one before it was seen."""

    value: object
    since: float
    changed: bool = False


def _sign(trial: FrozenTrial) -> object:
    return trial.user_attrs.get(SIGN_OF_LIFE)


def place(storage: Path | str) -> Place:
    """A study's place: a journal's file, or the URL of a database."""
    return Database(storage) if isinstance(storage, str) and "://" in storage else JournalFile(Path(storage))


def open_journal(path: Path) -> JournalStorage:
    """The studies in a journal; writes nothing. Raises DamagedFileError for lines that are none of Optuna's."""
    try:
        return JournalStorage(Journal(path))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise DamagedFileError(
            f"{path}: its lines are not those of a study ({type(error).__name__}: {error}); delete it and run again"
        ) from error


def under_way(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that somebody is making, or was when he died."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def fail(study: optuna.Study, trials: list[FrozenTrial]) -> None:
    """Their place in the study is to be made again."""
    for trial in trials:
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _give_signs_of_life(trial: optuna.Trial, over: threading.Event) -> None:
    count = 0
    while not over.wait(BEAT):
        count += 1
        try:
            trial.set_user_attr(SIGN_OF_LIFE, count)
        except UpdateFinishedTrialError:
            return  # it was buried; its maker hears of it, too
        except (StorageInternalError, SQLAlchemyError):
            continue  # the database is busy: the next one counts


def _database(url: str) -> BaseStorage:
    """Opened, and created where it is empty, which others may do at the same moment."""
    shown = url
    try:
        address = make_url(url)
        shown = address.render_as_string(hide_password=True)
        options = {"connect_args": {"timeout": BUSY}} if address.get_backend_name() == "sqlite" else {}
        deadline = time.monotonic() + AGREEMENT
        while True:
            try:
                return RDBStorage(url, engine_kwargs=options)
            except (DBAPIError, StorageInternalError, AssertionError) as error:
                if not _somebody_else_was_first(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    except (SQLAlchemyError, StorageInternalError, AssertionError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise StudyError(f"{shown}: cannot be used as the database of studies ({why}); see runtime.studies") from error


def _somebody_else_was_first(error: BaseException) -> bool:
    words = str(error).lower()
    return isinstance(error, IntegrityError | AssertionError) or "already exists" in words or "locked" in words
