"""Who computes: joblib's own backends as they are, and what Dask and Ray need around them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BACKENDS = ("loky", "threading", "sequential", "dask", "ray")  # those that give results one by one
NEEDS = {"dask": ("distributed", 'pip install "dask[distributed]"'), "ray": ("ray", "pip install ray")}
TIMEOUT = 10  # seconds to wait for a scheduler's answer, and for its first worker


class BackendError(ValueError):
    """A backend cannot be used; the message says what it lacks."""


def check_name(name: str) -> str:
    """The name, if there is such a backend; raises BackendError naming those that exist."""
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; backends: {', '.join(BACKENDS)}")
    return name


def check_backend(name: str, scheduler: str | None = None) -> None:
    """Raises BackendError for an unknown backend, a missing package, or a scheduler for a backend without one."""
    check_name(name)
    if scheduler and name != "dask":
        raise BackendError(f"a scheduler is Dask's, but the backend is {name!r}; backend: dask")
    module, command = NEEDS.get(name, ("joblib", ""))
    if importlib.util.find_spec(module) is None:
        missing = ModuleNotFoundError(f"No module named {module!r}", name=module)
        raise BackendError(f"backend {name!r} needs the package {module}: {command}") from missing


@contextmanager
def backend(name: str, folder: Path, workers: int = 1, scheduler: str | None = None) -> Iterator[None]:
    """Within this context, joblib can use the backend `name`.

    dask: connects to `scheduler` (such as "tcp://host:8786"), or starts a cluster of `workers` processes on this
    machine. All workers must see `folder`, where they write. ray: a running Ray, or one on this machine.
    Raises BackendError for an unknown backend, a missing package, an unreachable scheduler, or workers that do not
    see the folder.
    """
    check_backend(name, scheduler)
    if name == "dask":
        with _dask(folder, workers, scheduler):
            yield
        return
    if name == "ray":
        from dgrasp.data.ray_backend import register

        register()
    yield


@contextmanager
def _dask(folder: Path, workers: int, scheduler: str | None) -> Iterator[None]:
    from distributed import Client, LocalCluster

    if scheduler is None:
        one_each = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        with LocalCluster(**one_each) as cluster, Client(cluster):
            yield
        return
    try:
        client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: no such kind of address
        raise BackendError(f"no Dask scheduler answers at {scheduler!r} within {TIMEOUT} s ({error})") from error
    with client:
        _check_workers(client, folder, scheduler)
        yield


def _check_workers(client: object, folder: Path, scheduler: str) -> None:
    """Whether there are workers, and all of them see the folder."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)  # type: ignore[attr-defined]
    except TimeoutError as error:
        raise BackendError(f"the Dask scheduler at {scheduler} has no workers (dask worker {scheduler})") from error
    folder.mkdir(parents=True, exist_ok=True)
    sees = client.run(_sees, str(folder))  # type: ignore[attr-defined]
    blind = {worker: why for worker, why in sees.items() if why}
    if blind:
        listed = "; ".join(f"{worker}: {why}" for worker, why in blind.items())
        raise BackendError(f"not every Dask worker can work for {folder}: {listed}")


def _sees(folder: str) -> str:
    """What keeps this worker from making scenes in `folder`; empty if nothing."""
    import importlib.util
    import os

    if importlib.util.find_spec("dgrasp") is None:
        return "the package dgrasp is not installed there"
    return "" if os.access(folder, os.W_OK) else "the folder does not exist there or may not be written"
