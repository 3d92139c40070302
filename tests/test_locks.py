"""One writer: the second waits and says for whom, and the lock of the dead is taken, wherever they died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dgrasp import locks
from dgrasp.locks import LockError, check_lock, clear_lock, sole_writer

# Holds the folder's lock until the file `until` is there. Who has to wait makes that file.
HOLD = """
import os, socket, sys, time
from dgrasp import locks
folder, host, silence, until = sys.argv[1:]
locks.SILENCE = float(silence)
if host:
    socket.gethostname = lambda: host
named = locks._named
def say_and_let_go(lease):
    open(until, "w").close()
    return named(lease)
locks._named = say_and_let_go
with locks.sole_writer(folder):
    open(os.path.join(folder, "at work"), "w").close()
    while not os.path.exists(until):
        time.sleep(0.02)
print("done")
"""
PATIENCE = 300.0  # s for what other processes do, on a machine that does other work, too


@pytest.fixture
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `HOLD` waits for."""
    return tmp_path_factory.mktemp("go") / "go"


@pytest.fixture
def hold(tmp_path: Path, go: Path) -> Iterator:
    """Starts a process that holds the folder's lock until `go` is there, and waits until it does."""
    started: list[subprocess.Popen] = []

    def start(host: str = "", silence: float = locks.SILENCE) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, str(tmp_path), host, str(silence), str(go)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        wait_for(tmp_path / "at work")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def let_go(monkeypatch: pytest.MonkeyPatch, go: Path):
    """The holder is let go some seconds after this process has begun to wait."""

    def after(seconds: float) -> None:
        named = locks._named
        timer = threading.Timer(seconds, go.touch)
        monkeypatch.setattr(locks, "_named", lambda lease: timer.start() or named(lease))

    return after


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
    path.unlink()


def test_the_lock_is_there_while_it_is_held_and_gone_afterwards(tmp_path):
    with sole_writer(tmp_path):
        assert (tmp_path / ".lock").is_file()
        check_lock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), sole_writer(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_says_who_is_at_work_and_waits(tmp_path, hold, let_go, go, capfd):
    first = hold()
    let_go(0.5)
    with sole_writer(tmp_path):
        assert go.exists() and first.wait(PATIENCE) == 0, "the first has ended before the second began"
    said = capfd.readouterr().err
    assert f"{tmp_path}: process {first.pid} on " in said and "is at work on it; waiting until it ends" in said
    assert said.count("\n") == 1


def test_several_at_once_work_one_after_the_other(tmp_path, go):
    command = [sys.executable, "-c", HOLD, str(tmp_path), "", str(locks.SILENCE), str(go)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0, 0]
    assert sum("is at work on it" in text for text in said) >= 1
    assert not (tmp_path / ".lock").exists()


def test_the_lock_of_a_killed_process_is_taken_at_once(tmp_path, hold, monkeypatch, capfd):
    monkeypatch.setattr(locks, "AT_ONCE", 20.0)  # on a busy machine; still less than the silence
    process = hold()
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = time.monotonic()
    with sole_writer(tmp_path):
        pass
    assert time.monotonic() - begun < locks.SILENCE
    assert capfd.readouterr().err == ""


def test_only_the_lock_of_the_dead_is_cleared(tmp_path, hold, monkeypatch):
    process = hold()
    clear_lock(tmp_path)
    assert (tmp_path / ".lock").exists()
    monkeypatch.setattr(locks, "AT_ONCE", 20.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    clear_lock(tmp_path)
    assert not (tmp_path / ".lock").exists()
    clear_lock(tmp_path)  # nothing there: nothing said


def test_one_on_another_machine_is_waited_for_while_it_gives_signs_of_life(tmp_path, hold, let_go, monkeypatch, capfd):
    monkeypatch.setattr(locks, "SILENCE", 5.0)
    process = hold("elsewhere", 5.0)
    let_go(7.0)
    with sole_writer(tmp_path):
        assert process.wait(PATIENCE) == 0
    assert f"process {process.pid} on elsewhere is at work on it" in capfd.readouterr().err


def test_one_that_died_on_another_machine_is_followed_after_its_silence(tmp_path, hold, monkeypatch, capfd):
    """Nobody here can look for its process: a container under another name, or a machine that shares the disk."""
    monkeypatch.setattr(locks, "SILENCE", 3.0)
    process = hold("elsewhere", 3.0)
    process.kill()
    process.wait()
    begun = time.monotonic()
    with sole_writer(tmp_path):
        assert time.monotonic() - begun > 1.5
    assert "on elsewhere is at work on it; waiting" in capfd.readouterr().err


# As on Windows: the module is not there, nor what files know only elsewhere.
WITHOUT_FCNTL = """
import os, sys
sys.modules["fcntl"] = None
for name in ("link", "fchmod", "O_NOFOLLOW", "O_DIRECTORY", "geteuid", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
"""


def test_locks_need_nothing_that_is_not_on_windows_too(tmp_path, go):
    def start() -> subprocess.Popen:
        program = f"{WITHOUT_FCNTL}{HOLD}\nassert 'filelock' in sys.modules and sys.modules['fcntl'] is None"
        command = [sys.executable, "-c", program, str(tmp_path), "", str(PATIENCE), str(go)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    killed = start()
    wait_for(tmp_path / "at work")
    killed.kill()
    killed.communicate()
    begun = time.monotonic()
    both = [start() for _ in range(2)]
    told = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert time.monotonic() - begun < PATIENCE, "the lock of the dead is taken at once, and not after a silence"
    assert "is at work on it; waiting until it ends" in "".join(said for _, said in told)
    assert not (tmp_path / ".lock").exists()


def test_a_process_does_not_wait_for_itself(tmp_path):
    already = pytest.raises(LockError, match="this process is at work on it already")
    with sole_writer(tmp_path), already, sole_writer(tmp_path):
        pass


def test_who_lost_the_lock_is_told_before_it_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "SILENCE", 0.6)
    with sole_writer(tmp_path):
        (tmp_path / ".lock").unlink()  # as another would, after a silence
        deadline = time.monotonic() + PATIENCE
        with pytest.raises(LockError, match="another process took it over"):
            while time.monotonic() < deadline:
                check_lock(tmp_path)
                time.sleep(0.05)


def test_a_folder_that_cannot_be_locked_is_named(closed_folder):
    said = r"closed: cannot be locked for writing .*Permission denied"
    with pytest.raises(LockError, match=said), sole_writer(closed_folder):
        pass


def test_another_version_s_lock_is_told_apart(tmp_path, hold, monkeypatch):
    hold("elsewhere", 5.0)
    monkeypatch.setattr(locks, "SILENCE", 3.0)
    with pytest.raises(LockError, match="locked by another version of this package"), sole_writer(tmp_path):
        pass


# --- processes that end with their parent -----------------------------------------------------------------------------

PARENT = """
import multiprocessing, os, sys, time
import joblib
from dgrasp.processes import bound, end_with_parent

def job(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

def child(folder):
    end_with_parent()
    job(folder)

def end_with_parent_as_on_windows(parent):
    sys.platform = "win32"
    end_with_parent(parent)

if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    if kind != "multiprocessing":
        how = bound() | ({"initializer": end_with_parent_as_on_windows} if kind == "windows" else {})
        joblib.Parallel(n_jobs=2, **how)(joblib.delayed(job)(folder) for _ in range(2))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=child, args=(folder,)) for _ in range(2)]
    [process.start() for process in processes]
    [process.join() for process in processes]
"""


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("joblib", signal.SIGKILL),
        ("joblib", signal.SIGTERM),
        ("multiprocessing", signal.SIGKILL),
        ("multiprocessing", signal.SIGTERM),
        ("windows", signal.SIGKILL),
    ],
)
def test_workers_end_with_their_parent_however_it_ends(tmp_path, kind, how):
    script, folder = tmp_path / "parent.py", tmp_path / "pids"
    script.write_text(PARENT)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), kind, str(folder)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < deadline and parent.poll() is None
        time.sleep(0.05)
    pids = [int(path.name) for path in folder.iterdir()]
    assert all(alive(pid) for pid in pids)
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)
    shared = Path("/dev/shm")
    assert not list(shared.glob(f"joblib_memmapping_folder_{parent.pid}_*")), "folders, in memory"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # nobody may fetch the ended ones in a container without an init process
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
