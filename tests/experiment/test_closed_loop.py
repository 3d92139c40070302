"""The closed loop of the published networks: made once, resumed, and written as rows that figures can be made from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dgrasp.evaluation.loop_series import RATES, ClosedLoopConfig, read_loops
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.closed_loop import closed_loop, write_closed_loop

ONE = ClosedLoopConfig(
    policies=("dgrasp_quat_sync",), scenes=1, push_cm=(), drift_mm_s=(), shift_mm=(), turn_degrees=()
)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    published = Experiment.open("published", tmp_path)
    runtime = published.profile.runtime.model_copy(update={"workers": 1})
    return replace(published, profile=published.profile.model_copy(update={"closed_loop": ONE, "runtime": runtime}))


def test_the_published_policy_is_led_and_its_rows_are_kept(experiment: Experiment, tmp_path: Path, monkeypatch) -> None:
    run = closed_loop(experiment)
    attempts = read_loops(run)
    assert list(attempts["loop"]) == ["open", "closed"] and attempts.loc[1, "looks"] > 4
    apart = attempts[["x", "y", "z"]].diff().iloc[1].abs().max()
    assert apart < 0.1 and attempts.loc[1, "length"] > 0.09  # led, and to the same object
    monkeypatch.setattr("dgrasp.evaluation.loop_series.in_both_loops", lambda *all: pytest.fail("made again"))
    assert closed_loop(experiment).path == run.path
    rows = json.loads(write_closed_loop(run, tmp_path / "figures").read_text())
    assert [tuple(row) for row in rows] == [RATES] * 2
    assert {row["loop"]: (row["successes"], row["n"]) for row in rows} == {
        loop: (int(won), 1) for loop, won in zip(attempts["loop"], attempts["success"], strict=True)
    }
    with pytest.raises(ValueError, match="scenes"):
        closed_loop(experiment, scenes=0)
