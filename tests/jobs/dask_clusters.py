"""Small Dask clusters on this machine."""

from __future__ import annotations

from typing import Any

import pytest


def cluster(n_workers: int = 1, threads: int = 1, **options: Any) -> Any:
    """A context manager: workers are processes of so many threads, or, with `processes=False`, threads of this one."""
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=threads, dashboard_address=":0", scheduler_port=0, **options
    )
