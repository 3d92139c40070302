"""Who computes: joblib's own backends as they are, and what Dask and Ray need around them."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dgrasp.jobs import probe
from dgrasp.jobs.there import GONE, BackendError, Terms, check_answers

if TYPE_CHECKING:
    from distributed import Client

CLUSTERS = ("dask", "ray")  # whose workers may be elsewhere
BACKENDS = ("loky", "threading", "sequential", *CLUSTERS)  # those that give results one by one
NEEDS = {"dask": ("distributed", 'pip install "dask[distributed]"'), "ray": ("ray", "pip install ray")}
TIMEOUT = 10  # seconds to wait for a scheduler's answer, and for its first worker


def check_name(name: str) -> str:
    """The name, if there is such a backend; raises BackendError naming those that exist."""
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; backends: {', '.join(BACKENDS)}")
    return name


def check_backend(name: str, scheduler: str | None = None) -> None:
    """Raises BackendError for an unknown backend, a missing package, or a scheduler for a backend without one."""
    check_name(name)
    check_scheduler(name, scheduler)
    module, command = NEEDS.get(name, ("joblib", ""))
    if importlib.util.find_spec(module) is None:
        missing = ModuleNotFoundError(f"No module named {module!r}", name=module)
        raise BackendError(f"backend {name!r} needs the package {module}: {command}") from missing


def check_scheduler(name: str, scheduler: str | None) -> None:
    """Raises BackendError for a scheduler where the backend has none."""
    if scheduler and name != "dask":
        raise BackendError(f"a scheduler is Dask's, but the backend is {name!r}; backend: dask")


@contextmanager
def cluster(name: str, terms: Terms, workers: int = 1, scheduler: str | None = None) -> Iterator[dict[str, Any]]:
    """Within this context, joblib works with what is given: arguments of `joblib.parallel_config`.

    dask: connects to `scheduler`, or starts a cluster of `workers` processes on this machine; its workers must keep the
    terms. ray: a running Ray ($RAY_ADDRESS), or one on this machine. Raises BackendError as
    `dgrasp.jobs.workforce.as_they_come` says.
    """
    if name == "dask":
        with _dask(terms, workers, scheduler) as client, _told(scheduler or "this machine"):
            yield {"backend": _backend(client)}
        return
    from dgrasp.jobs.ray_backend import started

    with started(terms, workers) as backend:
        yield {"backend": backend}


@contextmanager
def _dask(terms: Terms, workers: int, scheduler: str | None) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    if scheduler is None:
        one_each = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        with LocalCluster(**one_each) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        _knock(scheduler)
        client = Client(scheduler, timeout=TIMEOUT, set_as_default=False)
    except Exception as error:  # nobody, silence, another server; no such kind of address, one without a port
        raise BackendError(
            f"no Dask scheduler answers at {scheduler!r} within {TIMEOUT} s ({_one_line(error) or 'silence'})"
        ) from error
    with client:
        _check_workers(client, terms, scheduler)
        yield client


def _knock(scheduler: str) -> None:
    """Raises, whatever it is, where no scheduler of Dask's answers.

    Dask's client would wait for ever for one that takes the connection and is silent, and leave a thread behind where
    the address is none.
    """
    from distributed import Security
    from distributed.comm import connect

    async def greet() -> None:
        options = Security().get_connection_args("client")
        greeted = connect(scheduler, timeout=TIMEOUT, **options)  # its time is that of the connection alone
        (await asyncio.wait_for(greeted, TIMEOUT + 1)).abort()

    with ThreadPoolExecutor(1) as apart:  # a notebook's own loop runs in this thread
        apart.submit(asyncio.run, greet()).result()


def _backend(client: Client) -> Any:
    """joblib's Dask backend with two changes.

    It also asks a cluster of one worker; joblib would make the jobs here. And it hears of jobs that Dask itself has
    given up; joblib would wait for them for ever.
    """
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, int(super().effective_n_jobs(n_jobs)))

        def submit(self, func: Callable[..., Any], callback: Callable[[Any], None] | None = None) -> Future:
            made: Future = super().submit(func, callback)
            if callback is not None:
                made.add_done_callback(partial(_tell, callback))
            return made

    return Cluster(client=client)


def _tell(callback: Callable[[Any], None], made: Future) -> None:
    """Tell joblib of an error that is Dask's; what a job raises is a result to both."""
    if (error := made.exception()) is not None:
        callback(_given_up(error))


def _given_up(error: BaseException) -> BackendError:
    """Why Dask has a job made no more, in our words."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        why = f"a job's workers died {error.allowed_failures + 1} times (of memory? see their logs)"
    else:
        why = f"Dask cannot have a job made ({_one_line(error)}): is the same installed on scheduler and workers?"
    told = BackendError(f"{why}; {GONE}")
    told.__cause__ = error
    return told


@contextmanager
def _told(scheduler: str) -> Iterator[None]:
    """What Dask says of a cluster that is lost, in our words."""
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError

    try:
        yield
    except (CommClosedError, FutureCancelledError) as error:
        raise BackendError(f"the Dask scheduler at {scheduler} has gone ({_one_line(error)}); {GONE}") from error


def _check_workers(client: Client, terms: Terms, scheduler: str) -> None:
    """Whether there are workers, and all of them have this code and see the folder."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
    except TimeoutError as error:
        raise BackendError(f"the Dask scheduler at {scheduler} has no workers (dask worker {scheduler})") from error
    check_answers(_asked(client, terms), terms, "Dask worker")


def _asked(client: Client, terms: Terms) -> Mapping[str, Any]:
    """What each worker says of itself: `about_worker`, or the exception that it ends in."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(probe)
    try:
        answers: Mapping[str, Any] = client.run(probe.about_worker, terms.folder, terms.mark, on_error="return")
        return answers
    finally:
        cloudpickle.unregister_pickle_by_value(probe)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
