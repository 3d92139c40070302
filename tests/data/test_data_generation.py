"""Generation: what is kept, resuming, repairing, and independence of who computes."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import started
from data_runs import CELL, SMALL, contents
from pydantic import ValidationError

from dgrasp.cell.outcome import Outcome
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.data import generate, layout
from dgrasp.data.config import DataConfig
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.data.generate import generate_demonstrations
from dgrasp.data.statistics import attempts_table
from dgrasp.runs import Run, RunError
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import GraspResult
from dgrasp.sim.tasks.paper import task


def test_counts_and_shapes(demonstrations: Run) -> None:
    assert demonstrations.complete
    assert demonstrations.summary["scenes"] == 4
    train, validation = DemonstrationSet(demonstrations), DemonstrationSet(demonstrations, "validation")
    assert len(train) + len(validation) == demonstrations.summary["demonstrations"] >= 7
    d = train[0]
    assert d.views.images.shape == (6, 24, 32, 3)
    np.testing.assert_array_equal(d.views.Ts_world_cam[:5], evaluation_viewpoints(5))
    np.testing.assert_array_equal(d.Ts_world_tcp[-1], d.T_world_grasp)
    assert d.state.digest() == task("simple").scene("train", 0, seed=3, objects=2).digest()
    assert d.object in [o.name for o in d.state.objects]


def test_objects_leave_one_after_the_other(demonstrations: Run) -> None:
    train = DemonstrationSet(demonstrations)
    first, second = train[0], train[1]
    assert (first.scene, first.stage, second.scene, second.stage) == (0, 0, 0, 1)
    assert len(second.state) == len(first.state) - 1
    assert first.object not in [o.name for o in second.state.objects]


def test_stored_grasps_lift_their_object_again(demonstrations: Run) -> None:
    """Every demonstration is a grasp that really lifted: executing it in the stored state repeats it."""
    with Cell(CELL) as cell:
        for d in [*DemonstrationSet(demonstrations), *DemonstrationSet(demonstrations, "validation")]:
            cell.reset(d.state)
            trial = cell.execute(d.T_world_grasp, d.Ts_world_tcp, SMALL.oracle.rate)
            assert trial.success and trial.object == d.object


def test_failed_attempts_are_recorded_and_do_not_become_demonstrations(monkeypatch: pytest.MonkeyPatch) -> None:
    execute, calls = Cell.execute, []

    def clumsy(self: Cell, *arguments: object) -> GraspResult:
        trial = execute(self, *arguments)  # type: ignore[arg-type]
        calls.append(trial)
        if len(calls) == 1:
            return GraspResult(Outcome.SLIPPED, "as if it had slipped", trial.T_world_tcp, trial.scene_after, 1.0)
        return trial

    monkeypatch.setattr(Cell, "execute", clumsy)
    with Cell(CELL) as cell:
        record = generate.demonstrate_scene(cell, SMALL, "train", 0, 3)
    attempts = record.record["attempts"]
    assert [a["outcome"] for a in attempts[:2]] == ["slipped", "success"]
    assert [(a["stage"], a["attempt"]) for a in attempts[:2]] == [(0, 0), (0, 1)]
    assert record.demonstrations == 2 and len(attempts) == 3


def test_a_scene_that_never_succeeds_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def hopeless(self: Cell, T: np.ndarray, *_: object) -> GraspResult:
        return GraspResult(Outcome.MISSED, "closed on nothing", T, self.scene, 1.0)

    monkeypatch.setattr(Cell, "execute", hopeless)
    with Cell(CELL) as cell:
        record = generate.demonstrate_scene(cell, SMALL, "train", 0, 3)
    assert record.demonstrations == 0 and len(record.record["attempts"]) == SMALL.tries
    assert record.images.shape == (0, 6, 24, 32, 3)


def test_a_complete_run_is_not_made_again(demonstrations: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "make_scene", None)
    again = generate_demonstrations(SMALL, CELL, demonstrations.path.parents[1], seed=3)
    assert again.path == demonstrations.path


@pytest.mark.parametrize("damage", ["cut in half", "one byte changed", "gone"])
def test_a_damaged_scene_alone_is_made_again(own_copy: Run, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(own_copy.path)
    victim = own_copy.path / "scenes" / "train-00001.npz"
    data = bytearray(victim.read_bytes())
    if damage == "gone":
        victim.unlink()
    elif damage == "cut in half":
        victim.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    made, make = [], generate.make_scene
    monkeypatch.setattr(generate, "make_scene", lambda *a: made.append(a[2:4]) or make(*a))
    generate_demonstrations(SMALL, CELL, own_copy.path.parents[1], seed=3)
    assert made == [("train", 1)]
    assert contents(own_copy.path) == before


def test_two_workers_make_the_same_bytes(demonstrations: Run, tmp_path: Path) -> None:
    other = generate_demonstrations(SMALL, CELL, tmp_path, seed=3, workers=2)
    assert other.fingerprint == demonstrations.fingerprint
    assert contents(other.path) == contents(demonstrations.path)


def test_killed_and_resumed_equals_undisturbed(demonstrations: Run, tmp_path: Path) -> None:
    """kill -9 while the third of four scenes is being written; what is half-written is swept away."""
    code = f"""
import os, signal
from pathlib import Path
import numpy as np
from data_runs import CELL, SMALL
from dgrasp.data.generate import generate_demonstrations
write, calls = np.savez_compressed, []
def die_in_the_third(handle, **arrays):
    calls.append(handle)
    if len(calls) == 3:
        handle.write(b"half a scene")
        handle.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    write(handle, **arrays)
np.savez_compressed = die_in_the_third
generate_demonstrations(SMALL, CELL, Path({str(tmp_path)!r}), seed=3)
"""
    assert started.run(code)[0] == -signal.SIGKILL
    assert len(list(tmp_path.rglob("scenes/*.npz"))) == 2 and len(list(tmp_path.rglob("scenes/.*.tmp"))) == 1
    resumed = generate_demonstrations(SMALL, CELL, tmp_path, seed=3)
    assert contents(resumed.path) == contents(demonstrations.path)


def test_every_attempt_has_an_outcome_and_a_reason(demonstrations: Run) -> None:
    attempts = attempts_table(demonstrations)
    assert set(attempts["outcome"]) <= {*map(str, Outcome), "no grasp"}
    assert attempts["reason"].str.len().min() > 0
    assert (attempts["outcome"] == "success").sum() == demonstrations.summary["demonstrations"]


def test_another_seed_is_another_run(demonstrations: Run) -> None:
    other = generate.open_run(
        demonstrations.path.parents[1], generate.STAGE, demonstrations.recipe, seed=4, code=[generate.__name__]
    )
    assert other.path != demonstrations.path


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"policy_views \(5\) must not exceed views \(3\)"):
        DataConfig(views=3)
    with pytest.raises(ValidationError, match="train_scene"):
        DataConfig.model_validate({"train_scene": 3})


def test_a_folder_without_permission_says_so(closed_folder: Path) -> None:
    with pytest.raises(RunError, match="cannot write runs there"):
        generate_demonstrations(SMALL, CELL, closed_folder / "build", seed=3)


def test_files_hold_no_pickles(demonstrations: Run) -> None:
    for path in (demonstrations.path / "scenes").iterdir():
        with np.load(path, allow_pickle=False) as archive:
            assert set(archive.files) == set(layout.ARRAYS)
