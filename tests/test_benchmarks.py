"""The collector of benchmarks: what it writes, and that one failure neither stops nor hides."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dgrasp.experiment.needs import planned
from dgrasp.experiment.profiles import load_profile
from dgrasp.twin.reality import TwinConfig

GOOD = 'def benchmarks():\n    return {{"{name}": {{"value": {value}, "unit": "ms", "repeats": 3, "threads": 1}}}}\n'


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """A copy of benchmarks/run.py among benchmarks of our own."""
    copy = tmp_path / "benchmarks"
    copy.mkdir()
    (copy / "run.py").write_text((root / "benchmarks" / "run.py").read_text())
    (copy / "bench_fast.py").write_text(GOOD.format(name="fast.step", value=1.5))
    (copy / "bench_slow.py").write_text(GOOD.format(name="slow.step", value=30))
    return copy


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(folder / "run.py"), *arguments], capture_output=True, text=True)


def written(folder: Path) -> dict:
    return json.loads((folder.parent / "build" / "bench.json").read_text())


def test_collects_all(folder):
    assert run(folder).returncode == 0
    entry = {"unit": "ms", "repeats": 3, "threads": 1}
    assert written(folder) == {"fast.step": {"value": 1.5, **entry}, "slow.step": {"value": 30, **entry}}


@pytest.mark.parametrize(
    "broken",
    [
        "raise ImportError('no such thing')",
        "def benchmarks():\n    return 1 / 0",
        "def benchmarks():\n    import os; os._exit(0)",
        "def benchmarks():\n    import sys; sys.exit(0)",
        "def benchmarks():\n    return {'broken': {'value': 1.0, 'unit': 'ms'}}",
        GOOD.format(name="broken", value="float('nan')"),
        GOOD.format(name="broken", value="'1'"),
        GOOD.format(name="fast.step", value=2.0),
    ],
)
def test_a_failure_is_named_and_the_others_are_measured(folder, broken):
    (folder / "bench_middle.py").write_text(broken)
    result = run(folder)
    assert result.returncode == 1
    assert result.stderr.rstrip().endswith("error: failed: middle")
    assert written(folder).keys() == {"fast.step", "slow.step"} and written(folder)["fast.step"]["value"] == 1.5


def test_only_one_keeps_the_others(folder):
    run(folder)
    (folder / "bench_fast.py").write_text(GOOD.format(name="fast.step", value=1.0))
    (folder / "bench_slow.py").write_text("raise RuntimeError('must not run')")
    assert run(folder, "--only", "fast").returncode == 0
    assert {name: entry["value"] for name, entry in written(folder).items()} == {"fast.step": 1.0, "slow.step": 30}


def test_unknown_benchmark_names_what_exists(folder):
    result = run(folder, "--only", "fats")
    assert result.returncode != 0
    assert "unknown benchmark 'fats'; benchmarks: fast, slow" in result.stderr


def test_every_benchmark_of_the_repository_is_runnable_alone(root):
    for path in (root / "benchmarks").glob("bench_*.py"):
        text = path.read_text()
        assert "def benchmarks() -> dict[str, dict" in text, path.name
        assert 'if __name__ == "__main__":' in text, path.name


def test_the_twins_benchmark_counts_whole_trials(root):
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        bench = importlib.import_module("bench_twin")
    finally:
        sys.path.pop(0)
    seconds, observing, executed = bench.trials(("crochet ball",), 1)
    assert len(seconds) == len(observing) == executed == 1, "the ball is grasped from above, not refused"
    assert 0 < observing[0] < seconds[0]


def test_each_look_of_the_twin_can_be_switched_off(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    settings = importlib.import_module("twin_looks").SWITCHED_OFF
    twins = [TwinConfig.model_validate(TwinConfig().model_dump() | changes) for changes in settings.values()]
    assert len({twin.digest() for twin in twins}) == len(settings) and twins[0] == TwinConfig()


def test_what_a_worker_does_once_is_not_multiplied(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    stage = importlib.import_module("bench_experiment").Stage
    assert stage("attempts", units=100, seconds=6.0, start=60.0, how="").minutes == 1 + 5, "by two workers"
    assert stage("attempts", units=0, seconds=6.0, start=60.0, how="").minutes == 1
    table = importlib.import_module("bench_attempts").attempts_of_table(load_profile("laptop"))
    assert table == planned(load_profile("laptop"))["attempts"] == 8000
