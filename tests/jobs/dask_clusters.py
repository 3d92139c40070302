"""Small Dask clusters on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import forkserver
from typing import Any

import pytest
import started


@contextmanager
def loaded_workers() -> Iterator[None]:
    """Within this context Dask's processes are forked from one that has everything loaded."""
    pytest.importorskip("distributed")  # its settings are there when one is changed
    from dask import config

    started.context()
    forkserver.ensure_running()  # with what that context loads, and not with what Dask would
    with config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield


@contextmanager
def cluster(n_workers: int = 1, threads: int = 1, processes: bool = True, **options: Any) -> Iterator[Any]:
    """Workers are processes of so many threads, or, with `processes=False`, threads of this one."""
    distributed = pytest.importorskip("distributed")
    with (
        loaded_workers() if processes else nullcontext(),
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=threads,
            processes=processes,
            dashboard_address=":0",
            scheduler_port=0,
            **options,
        ) as made,
    ):
        yield made
