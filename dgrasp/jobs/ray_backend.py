"""joblib on Ray. Ray's own backend returns all results at the end; jobs have to be counted one by one, as made."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase, register_parallel_backend


class RayTasks(ParallelBackendBase):
    """One Ray task per job, on the cluster of $RAY_ADDRESS, or else on this machine with `n_jobs` workers."""

    supports_retrieve_callback = True  # results come one by one

    def effective_n_jobs(self, n_jobs: int) -> int:
        if not ray.is_initialized():
            here: dict[str, Any] = (
                {} if "RAY_ADDRESS" in os.environ else {"num_cpus": n_jobs, "include_dashboard": False}
            )
            ray.init(log_to_driver=False, **here)
        return max(2, int(ray.cluster_resources().get("CPU", 1)))  # of one alone joblib would make the jobs here

    def submit(self, func: Callable[[], Any], callback: Callable[[Future], None] | None = None) -> Future:
        future = ray.remote(_call).remote(func).future()
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future) -> Any:
        try:
            return out.result()
        except ray.exceptions.RayTaskError as error:  # the job's own error, with the text of its traceback
            raise error.cause from error


def _call(job: Callable[[], Any]) -> Any:
    return job()


def register() -> None:
    """Make it joblib's backend "ray"."""
    register_parallel_backend("ray", RayTasks)
