"""The campaign of kills tells a chain that goes on from one that does not; real ones are killed in test_chain.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import joblib
import kills
import pytest

from dgrasp.config import Config
from dgrasp.processes import bound
from dgrasp.runs import open_run


class Recipe(Config):
    steps: int = 3


def chain(build: Path, work: Callable[[int], float] = float) -> None:
    """Two stages, of which the second has workers."""
    for stage, workers in (("alone", 1), ("shared", 2)):
        run = open_run(build, stage, Recipe())
        with run.writing():
            if run.complete:
                continue
            run.rewind_metrics(0)
            joblib.Parallel(n_jobs=workers, **bound())(joblib.delayed(time.sleep)(0.4) for _ in range(workers))
            for step in range(run.recipe.steps):
                run.log(step, loss=work(step))
            run.finish(steps=run.recipe.steps)


def forgets_to_rewind(build: Path) -> None:
    chain(build, lambda step: time.time())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "START", 0.1)


@pytest.mark.slow
def test_kills_of_a_chain_that_goes_on_leave_no_mark(tmp_path: Path) -> None:
    done = kills.run(kills.Killer(tmp_path, chain), 60, 2, seed=0)
    assert {one.end for one in done} == {"same"}, done
    counts = [line.split() for line in kills.table(done).splitlines() if line.startswith("all")]
    assert counts == [["all", "2", "2", "0", "0", "0", "0", "0"]]


@pytest.mark.slow
def test_other_bytes_are_found(tmp_path: Path) -> None:
    (one,) = kills.run(kills.Killer(tmp_path, forgets_to_rewind), 60, 1, seed=0)
    assert one.end == "different" and "metrics.jsonl" in one.says
