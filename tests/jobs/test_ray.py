"""Jobs on Ray: a cluster of two workers on this machine, one of which is killed in the middle, and one that runs."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from joblib import delayed

from dgrasp.jobs.there import BackendError, Terms
from dgrasp.jobs.workforce import Workforce, as_they_come, in_order

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
# A busy machine: Ray gives up its own parts early, and begins processes that nobody has asked for.
PATIENT = {
    "worker_register_timeout_seconds": "600",
    "prestart_worker_first_driver": "0",
    "enable_metrics_collection": "0",
}
LATE = "timed out during startup"


@pytest.fixture(scope="module", autouse=True)
def patience():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        for name, value in PATIENT.items():
            patch.setenv(f"RAY_{name}", value)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find this file
        yield
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@contextmanager
def in_time():
    """Skips the test where Ray itself did not start in the 30 seconds that it has."""
    try:
        yield
    except Exception as error:
        if LATE not in str(error):
            raise
        pytest.skip(f"Ray did not start on this busy machine ({error})")


def make(folder: Path, number: int) -> int:
    """Job 2 kills its worker the first time."""
    if number == 2 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / str(number)).write_text(str(os.getpid()))
    return number**2


def kept(folder: Path, size: int) -> int:
    """Written, or there is no space left."""
    if size > 2:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / f"{size}"))
    return (folder / f"{size}").write_text("x" * size)


@pytest.fixture(scope="module")
def running(patience):
    """A Ray that somebody has started."""
    with in_time():
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


def test_an_address_where_nobody_listens_is_one_line_at_once(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BackendError, match=rf"^no Ray answers at {address} \(.*refused\)$"):
        in_order([delayed(kept)(tmp_path, 1)], Workforce(2, "ray"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    assert not ray.is_initialized()
    jobs = [delayed(make)(tmp_path, number) for number in range(6)]
    with in_time():
        made = in_order(jobs, Workforce(2, "ray"), tmp_path)
    assert made == [0, 1, 4, 9, 16, 25]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*"012345", "killed"]
    assert str(os.getpid()) not in {(tmp_path / str(n)).read_text() for n in range(6)}, "this process makes none"
    assert not ray.is_initialized(), "what was started here has ended"


def test_a_full_disk_where_a_job_is_made_is_that_error_and_what_is_made_stays(running, tmp_path):
    made = as_they_come([delayed(kept)(tmp_path, n) for n in (1, 2, 3)], Workforce(2, "ray"), tmp_path)
    with pytest.raises(OSError, match="No space left on device") as full:
        list(made)
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(tmp_path / "3"))
    assert not [path for path in tmp_path.iterdir() if path.name not in ("1", "2")]
    assert ray.is_initialized(), "the Ray of others goes on"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"code": "0" * 64}, "code 00000000.*install the same there, and start the worker again"),
        ({"mark": "of somebody else"}, "there is another folder of that path there"),
        ({"folder": "/nowhere"}, "the folder does not exist there"),
    ],
)
def test_nodes_that_cannot_work_are_named_before_anything_is_made(running, monkeypatch, tmp_path, changed, said):
    with Terms.kept(tmp_path) as terms:
        changed_terms = replace(terms, **changed)
        monkeypatch.setattr(Terms, "kept", lambda folder: nullcontext(changed_terms))
        with pytest.raises(BackendError, match=f"not every Ray node can work for .*: .*{said}") as error:
            in_order([delayed(kept)(tmp_path, 1)], Workforce(2, "ray"), tmp_path)
        assert not (tmp_path / "1").exists() and "\n" not in str(error.value)
