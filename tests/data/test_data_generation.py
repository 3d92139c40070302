"""Generation: what is kept, resuming, repairing, and independence of who computes."""

from __future__ import annotations

import signal
from dataclasses import replace
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
from dgrasp.data.statistics import attempts_table, sec_4_1_departures
from dgrasp.runs import Run, RunError
from dgrasp.sim import arrangement
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import GraspResult
from dgrasp.sim.scene import scene_from
from dgrasp.sim.tasks.paper import GAP, NUDGED, UPRIGHT_WITHIN, task


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
        record = generate.demonstrate_scene(cell, SMALL.model_copy(update={"draws": 1}), "train", 0, 3)
        assert record.demonstrations == 0 and len(record.record["attempts"]) == SMALL.tries
        assert record.images.shape == (0, 6, 24, 32, 3)
        with pytest.raises(generate.DemonstrationError, match=r"scene 0 of train: not cleared in 2 draws"):
            generate.demonstrate_scene(cell, SMALL.model_copy(update={"draws": 2}), "train", 0, 3)


def test_a_scene_that_was_not_cleared_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of demonstrations is met, and what was given up is noted."""
    execute, calls = Cell.execute, []

    def clumsy(self: Cell, T: np.ndarray, *others: object) -> GraspResult:
        calls.append(T)
        if 1 < len(calls) <= 1 + SMALL.tries:  # all attempts at the second object
            return GraspResult(Outcome.MISSED, "closed on nothing", T, self.scene, 1.0)
        return execute(self, T, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Cell, "execute", clumsy)
    with Cell(CELL) as cell:
        record = generate.demonstrate_scene(cell, SMALL, "train", 0, 3)
    assert record.demonstrations == SMALL.objects_per_scene == 2 and record.record["draw"] == 1
    (given_up,) = record.record["given_up"]
    assert given_up["reason"] == "object 2 was not lifted" and len(given_up["attempts"]) == 1 + SMALL.tries
    assert [a["attempt"] for a in record.record["attempts"]] == [SMALL.tries, SMALL.tries], "numbers go on"
    first = scene_from(record.record["stages"][0]["scene"])
    assert first.digest() == task("simple").scene("train", 0, seed=3, objects=2, draw=1).digest()


def test_a_scene_in_which_a_grasp_pushed_the_others_together_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    execute, pushed = Cell.execute, []

    def rough(self: Cell, *arguments: object) -> GraspResult:
        trial = execute(self, *arguments)  # type: ignore[arg-type]
        if pushed:
            return trial
        pushed.append(True)
        one, other = trial.scene_after.objects
        T = one.T_world_object.copy()
        T[0, 3] += 0.001 + one.shape.radius + other.shape.radius
        return replace(trial, scene_after=trial.scene_after.with_objects([one, other.moved(T)]))

    monkeypatch.setattr(Cell, "execute", rough)
    three = SMALL.model_copy(update={"objects_per_scene": 3})
    with Cell(CELL) as cell:
        record = generate.demonstrate_scene(cell, three, "train", 0, 3)
    assert record.demonstrations == 3 and record.record["given_up"][0]["reason"].startswith("two objects are 1 mm")


def test_the_manifest_proves_what_the_networks_have_seen(demonstrations: Run) -> None:
    """Sec. 4.1: never objects in close proximity, textures, or poses other than upright; and the count is met."""
    manifest = layout.read_manifest(demonstrations.path)
    assert not sec_4_1_departures(manifest, SMALL.objects_per_scene)
    for entry in manifest["files"].values():
        assert (entry["draw"], entry["textured"]) == (0, 0) and entry["closest"] >= GAP - NUDGED
    name = next(iter(manifest["files"]))
    unknown = ({"closest": None}, {"tilt": None}, {"textured": None})
    for change in (*unknown, {"closest": 0.001}, {"tilt": 0.3}, {"textured": 1}, {"demonstrations": 1}):
        files = manifest["files"] | {name: manifest["files"][name] | change}
        assert sec_4_1_departures({"files": files}, SMALL.objects_per_scene) == [name], change
    alone = {name: manifest["files"][name] | {"closest": None, "demonstrations": 1}}
    assert sec_4_1_departures({"files": alone}, 1) == [], "one object has no neighbour"


def test_the_manifest_says_what_the_scenes_hold(demonstrations: Run) -> None:
    for name, entry in layout.read_manifest(demonstrations.path)["files"].items():
        stages = layout.load_record(demonstrations.path / "scenes" / name)["stages"]
        seen = [scene_from(stage["scene"]) for stage in stages]
        assert entry["tilt"] == pytest.approx(max(map(arrangement.tilt, seen)), abs=1e-6)
        assert entry["closest"] == pytest.approx(arrangement.closest(seen[0]), abs=1e-6)  # of two, one stage has both
    printed = task("dgrasp.sim.tasks.crowded:Printed").scene("train", 0)
    assert arrangement.textured(printed) == sum(o.printed is not None for o in printed.objects) > 0
    assert arrangement.tilt(task("clutter").scene("test", 0)) > UPRIGHT_WITHIN


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


def test_killed_and_resumed_equals_undisturbed(demonstrations: Run, tmp_path: Path, capsys) -> None:
    """kill -9 while the third of four scenes is written: its half is swept away, and a damaged list is not believed."""
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
    (manifest,) = tmp_path.rglob("manifest.json")
    manifest.write_text(manifest.read_text().replace('"demonstrations": ', '"demonstrations": 1'))
    resumed = generate_demonstrations(SMALL, CELL, tmp_path, seed=3)
    assert contents(resumed.path) == contents(demonstrations.path)
    assert f"{manifest}: is not what was written; scenes are made anew" in capsys.readouterr().err


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
