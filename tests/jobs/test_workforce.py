"""Jobs are made by whoever is asked, and a cluster that cannot make them is told of before anything is made."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from dask_clusters import cluster
from joblib import delayed

import dgrasp
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.evaluation.workers import check_looks, worker_cell
from dgrasp.jobs import backends
from dgrasp.jobs.probe import about_worker
from dgrasp.jobs.there import BackendError, Sent, Terms
from dgrasp.jobs.workforce import Workforce, as_they_come, in_order
from dgrasp.runs import RunError
from dgrasp.sim.objects.ycb import ENVIRONMENT, FLAT, TEXTURED

# An older one, without this part; said so, since an editable installation would lend it ours.
OTHER_PACKAGE = 'import sys\n\n__version__ = "0.0.9"\nsys.modules["dgrasp.jobs"] = None\n'


def kept(path: Path, size: int) -> int:
    """Written, or there is no space left."""
    if size > 2:
        raise OSError(errno.ENOSPC, "No space left on device", str(path / f"{size}"))
    return (path / f"{size}").write_text("x" * size)


@pytest.fixture(scope="module")
def here():
    """A scheduler whose one worker is a thread of this process."""
    with cluster(processes=False) as made:
        yield made.scheduler_address


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky", "dask"])
def test_results_are_those_of_the_jobs_in_their_order(backend, here, tmp_path):
    who = Workforce(2, backend, here if backend == "dask" else None)
    assert in_order([delayed(pow)(n, 2) for n in (3, 1, 2)], who, tmp_path) == [9, 1, 4]
    assert list(as_they_come([], who, tmp_path)) == []
    assert not list(tmp_path.iterdir()), "what workers look for is taken away again"


def thread() -> str:
    return threading.current_thread().name


def test_a_cluster_of_one_worker_makes_the_jobs_itself(here, tmp_path):
    (name,) = in_order([delayed(thread)()], Workforce(1, "dask", here), tmp_path)
    assert name != threading.current_thread().name and "Dask" in name


def test_no_jobs_ask_no_scheduler(tmp_path):
    assert in_order([], Workforce(1, "dask", "tcp://127.0.0.1:1"), tmp_path) == []


def test_a_full_disk_where_a_job_is_made_is_that_error_and_what_is_made_stays(here, tmp_path):
    made = as_they_come([delayed(kept)(tmp_path, n) for n in (1, 2, 3)], Workforce(1, "dask", here), tmp_path)
    with pytest.raises(OSError, match="No space left on device") as full:
        list(made)
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(tmp_path / "3"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def unknown() -> None:
    raise ModuleNotFoundError("No module named 'theirs'")


class Elsewhere:
    """Can be sent, and not be read where it arrives."""

    def __reduce__(self):
        return unknown, ()


@pytest.mark.timeout(120)
def test_a_job_that_cannot_be_read_where_it_arrives_is_told_of_and_not_waited_for(here, tmp_path):
    with pytest.raises(BackendError, match=r"^Dask cannot have a job made \(.*: is the same installed on .* goes on$"):
        in_order([delayed(str)(Elsewhere())], Workforce(1, "dask", here), tmp_path)
    assert in_order([delayed(abs)(-3)], Workforce(1, "dask", here), tmp_path) == [3]


@pytest.mark.slow
def test_a_job_that_kills_whoever_makes_it_is_told_of_and_not_waited_for(tmp_path):
    pytest.importorskip("distributed")  # whose settings are there when one is changed
    from dask import config

    said = pytest.raises(BackendError, match=r"^a job's workers died 1 times .*; what is made is kept")
    with config.set({"distributed.scheduler.allowed-failures": 0}), cluster() as workers, said:
        in_order([delayed(os._exit)(1)], Workforce(1, "dask", workers.scheduler_address), tmp_path)
    assert not list(tmp_path.iterdir())


over = threading.Event()


def held(number: int) -> int:
    """The first one is made at once."""
    if number:
        over.wait(60)
    return number


def test_a_scheduler_that_is_lost_in_the_middle_is_one_line_and_what_is_made_was_given(tmp_path):
    said = pytest.raises(BackendError, match=r"^the Dask scheduler at tcp://.* has gone \(.*; what is made is kept")
    with cluster(processes=False, protocol="tcp") as lost:
        made = as_they_come([delayed(held)(n) for n in (0, 1)], Workforce(1, "dask", lost.scheduler_address), tmp_path)
        try:
            assert next(made) == 0
            lost.loop.add_callback(lambda: [told.abort() for told in lost.scheduler.client_comms.values()])
            with said:
                next(made)
        finally:
            over.set()
    assert not list(tmp_path.iterdir())


def refused(scheduler: str, folder: Path) -> str:
    with pytest.raises(BackendError) as error:
        in_order([delayed(kept)(folder, 1)], Workforce(1, "dask", scheduler), folder)
    assert not list(folder.iterdir()), "nothing was made, and nothing is left"
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_scheduler_without_workers_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(backends, "TIMEOUT", 1)
    with cluster(n_workers=0, processes=False) as empty:
        assert "has no workers" in refused(empty.scheduler_address, tmp_path)


@pytest.mark.timeout(120)
def test_a_scheduler_that_takes_the_connection_and_is_silent_is_not_waited_for(monkeypatch, tmp_path):
    """Stopped, or nobody behind a forwarded port."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(backends, "TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert refused(address, tmp_path) == f"no Dask scheduler answers at '{address}' within 1 s (silence)"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:8787", "unknown address scheme 'http'"),
        ("tcp://127.0.0.1", "missing port"),
        ("tls://127.0.0.1:1", "TLS expects"),
    ],
)
def test_what_is_no_address_of_a_scheduler_is_not_given_to_dask_s_client(address, why, monkeypatch, tmp_path):
    """It would wait for 20 seconds more when it is cleared away, and say so in a traceback."""
    made = []
    monkeypatch.setattr(pytest.importorskip("distributed"), "Client", lambda *_, **__: made.append(address))
    assert f"no Dask scheduler answers at '{address}' within 10 s ({why}" in refused(address, tmp_path)
    assert not made


def test_a_worker_with_another_version_is_named(monkeypatch, tmp_path):
    """A real one, whose package knows nothing of ours."""
    monkeypatch.setattr(backends, "TIMEOUT", 120)  # until it has started, on a busy machine
    theirs, folder = tmp_path / "theirs" / "dgrasp", tmp_path / "build"
    theirs.mkdir(parents=True), folder.mkdir()
    (theirs / "__init__.py").write_text(OTHER_PACKAGE)
    with cluster(n_workers=0, processes=False, protocol="tcp") as empty:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address, "--no-nanny"]
        options = ["--nthreads", "1", "--no-dashboard", "--name", "old"]
        environment = {**os.environ, "PYTHONPATH": str(theirs.parent)}
        worker = subprocess.Popen([*command, *options], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            said = refused(empty.scheduler_address, folder)
        finally:
            worker.kill()
            worker.wait()
    assert f"dgrasp {dgrasp.__version__} cannot be loaded there (ModuleNotFoundError" in said
    assert "not every Dask worker can work" in said and "tcp://" in said


def test_a_worker_with_other_code_is_named(here, monkeypatch, tmp_path):
    edited = Terms(dgrasp.__version__, "0" * 64, str(Path.cwd()))
    monkeypatch.setattr(backends.Terms, "kept", lambda folder: nullcontext(edited))
    said = refused(here, tmp_path)
    assert "code 00000000" in said and "install the same there, and start the worker again" in said


def test_one_that_comes_later_is_held_to_the_same(tmp_path):
    """Each job looks where it is made."""
    with Terms.kept(tmp_path) as terms:
        assert Sent(delayed(abs)(-3), terms)() == 3
        with pytest.raises(
            BackendError, match=r"the worker on \S+ \(process \d+\): it has dgrasp .* \(code 00000000\)"
        ):
            Sent(delayed(abs)(-3), replace(terms, code="0" * 64))()
        for folder, why in ((tmp_path / "nowhere", "the folder does not exist"), (tmp_path.parent, "there is another")):
            with pytest.raises(
                BackendError, match=f"{folder}: {why}.*; workers share the build folder, under the same"
            ):
                Sent(delayed(kept)(tmp_path, 1), replace(terms, folder=str(folder)))()
    assert not list(tmp_path.iterdir()), "nothing was made, and the mark is taken away"


def test_a_folder_that_is_not_shared_is_named(here, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("token")
    assert about_worker(str(tmp_path), "token")["blind"] == ""
    assert about_worker(str(tmp_path / "nowhere"), "token")["blind"] == "the folder does not exist there"
    assert about_worker(str(tmp_path), "another")["blind"] == "there is another folder of that path there"
    (tmp_path / "token").unlink()
    monkeypatch.setattr(Path, "read_text", lambda path: "of somebody else")
    assert f"not every Dask worker can work for {tmp_path}: " in refused(here, tmp_path)


def test_a_full_disk_where_the_folder_is_marked_leaves_no_mark(monkeypatch, tmp_path):
    def full(path: Path, text: str) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device"), Terms.kept(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_threads_of_one_worker_share_no_simulator():
    mine, theirs = worker_cell(CellConfig(), Observer()), []
    thread = threading.Thread(target=lambda: theirs.append(worker_cell(CellConfig(), Observer())))
    thread.start()
    thread.join()
    assert worker_cell(CellConfig(), Observer())._simulator is mine._simulator
    assert theirs[0]._simulator.client != mine._simulator.client


def test_objects_that_look_otherwise_are_refused(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    check_looks(FLAT), check_looks("not stated")
    with pytest.raises(RunError, match=f"{FLAT} on .*, and the attempts are of {TEXTURED}; set {ENVIRONMENT}"):
        check_looks(TEXTURED)
