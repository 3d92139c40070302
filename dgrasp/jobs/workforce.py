"""The one door for stages that are many small jobs: scenes, studies, attempts, arms, seeds. Results as they come.

A job is what `joblib.delayed` makes of a call. It does the same wherever it is made, and however often: what it writes
is whole or absent. One whose maker dies is made again by another; what a stage writes does not depend on who worked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from dgrasp.jobs.backends import CLUSTERS, check_backend, cluster
from dgrasp.jobs.there import Sent, Terms
from dgrasp.processes import bound

Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
AHEAD = 2000  # jobs that a cluster is given before results come back, so that workers who come later find some


@dataclass(frozen=True)
class Workforce:
    """Who makes jobs: so many at a time, by a backend of joblib's.

    scheduler: address of a running Dask cluster ("tcp://host:8786"), which says how wide to work. Without one Dask
    starts `count` processes on this machine.
    """

    count: int = 1
    backend: str = "loky"
    scheduler: str | None = None

    def check(self) -> None:
        """Raises BackendError for an unknown backend, a missing package, or a scheduler for a backend without one."""
        check_backend(self.backend, self.scheduler)

    def at_most(self, count: int) -> Workforce:
        """No more of them than that."""
        return replace(self, count=max(1, min(count, self.count)))


def as_they_come(jobs: Iterable[Job], workers: Workforce | int, folder: Path | None = None) -> Iterator[Any]:
    """The results of jobs, in the order in which they end.

    workers: or how many processes on this machine. folder: of the build, which all workers must see. Raises
    BackendError, before anything is made, for a backend that cannot be used, a scheduler that does not answer, and
    workers of other code or without the folder; later, for a cluster that has gone. An error of a job ends them all.
    """
    jobs, who = list(jobs), workers if isinstance(workers, Workforce) else Workforce(workers)
    who.check()
    if jobs:
        yield from _made(jobs, who, None if folder is None else Path(folder).resolve())


def in_order(jobs: Iterable[Job], workers: Workforce | int, folder: Path | None = None) -> list[Any]:
    """The results of jobs, in the jobs' order; see `as_they_come`."""
    numbered = [delayed(_numbered)(number, job) for number, job in enumerate(jobs)]
    return [result for _, result in sorted(as_they_come(numbered, workers, folder), key=lambda made: made[0])]


def _made(jobs: list[Job], who: Workforce, folder: Path | None) -> Iterator[Any]:
    if who.backend not in CLUSTERS:
        options: dict[str, Any] = bound() if who.backend == "loky" else {}  # processes of ours, which end with us
        with parallel_config(backend=who.backend):
            yield from _results(jobs, who, options)
        return
    with Terms.kept(folder) as terms:
        sent = [delayed(Sent(job, terms))() for job in jobs]
        with cluster(who.backend, terms, who.count, who.scheduler) as chosen, parallel_config(**chosen):
            yield from _results(sent, who, {"pre_dispatch": AHEAD})


def _results(jobs: list[Job], who: Workforce, options: dict[str, Any]) -> Iterator[Any]:
    yield from Parallel(n_jobs=who.count, return_as="generator_unordered", **options)(jobs)


def _numbered(number: int, job: Job) -> tuple[int, Any]:
    call, arguments, options = job
    return number, call(*arguments, **options)
