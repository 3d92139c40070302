"""The simulation of many workers on one shared folder: cases whose answers are known."""

from __future__ import annotations

import importlib

import pandas as pd
import pytest

from dgrasp.experiment.growth import FREE, Folder, folder_limits_at


@pytest.fixture
def grow(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module("grow_chain")


def test_where_writing_costs_nothing_workers_share_the_work(grow):
    free = Folder(bytes_per_second=float("inf"), seconds_per_file=0.0)
    assert grow.simulate([2.0], [1e6], jobs=12, workers=1, folder=free) == 24
    assert grow.simulate([2.0], [1e6], jobs=12, workers=4, folder=free) == 6
    assert grow.simulate([2.0], [1e6], jobs=3, workers=64, folder=free) == 2
    assert grow.simulate([5.0, 1.0], [0.0], jobs=4, workers=2, folder=free) == 6, "short ones make room"


def test_where_writing_is_all_more_workers_bring_nothing(grow):
    slow = Folder(bytes_per_second=1e6, seconds_per_file=1.0)
    assert grow.simulate([0.0], [2e6], jobs=10, workers=64, folder=slow) == pytest.approx(10 * 3)
    assert grow.simulate([6.0], [2e6], jobs=90, workers=64, folder=slow) == pytest.approx(6 + 90 * 3)


def test_the_limit_is_where_the_speed_up_falls_short():
    ours = pd.DataFrame({"varied": "workers", "at": [1, 2, 4, 8], "seconds": [80.0, 40.0, 24.0, 20.0]})
    free = pd.DataFrame({"varied": FREE, "at": [1, 2, 4, 8], "seconds": [80.0, 40.0, 20.0, 10.0]})
    assert folder_limits_at(pd.concat([ours, free])) == 8, "four workers reach 0.83 of the speed, eight half of it"
    assert folder_limits_at(pd.concat([ours[:3], free[:3]])) is None
