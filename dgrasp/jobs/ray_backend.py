"""joblib on Ray. Ray's own backend returns all results at the end; jobs have to be counted one by one, as made."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dgrasp.jobs import probe
from dgrasp.jobs.there import GONE, BackendError, Terms, check_answers

KNOCK = 10  # seconds to wait for a Ray that listens
ANSWER = 300  # seconds for a node to start a worker that says what it has
TRIES = 3  # of a job whose worker dies, beside the first: as many as Dask's


class RayTasks(ParallelBackendBase):
    """One Ray task per job. A job whose worker dies is made by another one."""

    supports_retrieve_callback = True  # results come one by one

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._task = ray.remote(max_retries=TRIES)(_call)
        self._sent: dict[Future, ray.ObjectRef] = {}

    def effective_n_jobs(self, n_jobs: int) -> int:
        return max(2, int(ray.cluster_resources().get("CPU", 1)))  # of one alone joblib would make the jobs here

    def submit(self, func: Callable[[], Any], callback: Callable[[Future], None] | None = None) -> Future:
        reference = self._task.remote(func)
        future = reference.future()
        self._sent[future] = reference
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future) -> Any:
        self._sent.pop(out, None)
        try:
            return out.result()
        except RayError as error:
            if isinstance(error, RayTaskError) and not isinstance(error.cause, RayError):
                raise error.cause from error  # the job's own, with the text of its traceback
            why = error.cause if isinstance(error, RayTaskError) else error
            raise BackendError(f"Ray lost a job ({_first_line(why)}); {GONE}") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """One job has failed: the others are not begun, and those that are at work end."""
        for reference in list(self._sent.values()):
            ray.cancel(reference, force=True)
        self._sent.clear()


def _call(job: Callable[[], Any]) -> Any:
    return job()


@contextmanager
def started(terms: Terms, workers: int) -> Iterator[RayTasks]:
    """joblib's backend on the Ray of $RAY_ADDRESS, or else on one of so many workers here, which ends with the context.

    Raises BackendError where no Ray answers, and for nodes that do not keep the terms.
    """
    address, ours = os.environ.get("RAY_ADDRESS"), not ray.is_initialized()
    if ours:
        _connect(address, workers)
    try:
        if address or not ours:
            check_answers(_asked(terms), terms, "Ray node")
        yield RayTasks()
    finally:
        if ours:
            ray.shutdown()


def _connect(address: str | None, workers: int) -> None:
    here: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        if address is not None:
            _knock(address)
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **here)
    except Exception as error:  # Ray raises just that where it cannot start in its time
        raise BackendError(f"no Ray answers at {address or 'this machine'} ({_first_line(error)})") from error


def _knock(address: str) -> None:
    """Raises OSError where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=KNOCK).close()


def _asked(terms: Terms) -> dict[str, Any]:
    """What a worker of each node says of itself, or the exception that it ends in."""
    ray.cloudpickle.register_pickle_by_value(probe)
    try:
        ask = ray.remote(num_cpus=0)(probe.about_worker)
        answers: dict[str, Any] = {}
        for node in (node for node in ray.nodes() if node["Alive"]):
            there = ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            try:
                answers[node["NodeManagerAddress"]] = ray.get(there.remote(terms.folder, terms.mark), timeout=ANSWER)
            except GetTimeoutError:
                answers[node["NodeManagerAddress"]] = RuntimeError(f"no answer in {ANSWER} s")
            except RayError as error:
                answers[node["NodeManagerAddress"]] = RuntimeError(_first_line(error))
        return answers
    finally:
        ray.cloudpickle.unregister_pickle_by_value(probe)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
