"""Reading demonstrations: errors that name the file, tables and the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dgrasp.data import layout
from dgrasp.data.card import _general
from dgrasp.data.demonstrations import DemonstrationSet, open_demonstrations
from dgrasp.data.statistics import attempts_table, objects_table, poses_table
from dgrasp.files import DamagedFileError, read_json, read_sealed, write_json, write_sealed
from dgrasp.run_origin import MADE_FROM, fingerprint_of
from dgrasp.runs import Run, RunError


def test_a_damaged_scene_is_named(own_copy: Run) -> None:
    path = own_copy.path / "scenes" / "train-00002.npz"
    path.write_bytes(path.read_bytes()[:-100])
    demos = DemonstrationSet(own_copy)
    assert demos[0].scene == 0
    with pytest.raises(DamagedFileError, match=r"train-00002.npz: checksum differs .*generate_demonstrations again"):
        _ = demos[-1]
    assert demos.verify() == ["train-00002.npz"]


def test_a_cut_file_is_named_even_without_a_checksum(own_copy: Run) -> None:
    path = own_copy.path / "scenes" / "train-00000.npz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedFileError, match="damaged or partial scene file"):
        layout.load_scene(path)


def test_another_layout_version_is_refused(own_copy: Run) -> None:
    manifest = read_json(own_copy.path / "manifest.json")
    write_json(own_copy.path / "manifest.json", {**manifest, "version": 99})
    with pytest.raises(DamagedFileError, match="layout version 99, this package reads version 1"):
        DemonstrationSet(own_copy)


def test_unknown_split_and_folder(demonstrations: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown split 'test'; splits: train, validation"):
        DemonstrationSet(demonstrations, "test")
    with pytest.raises(DamagedFileError, match="not a folder of demonstrations"):
        DemonstrationSet(tmp_path)
    with pytest.raises(RunError, match=r"run.json is missing"):
        open_demonstrations(tmp_path)


def test_data_are_read_without_the_module_of_their_task(own_copy: Run) -> None:
    about, done = (read_sealed(own_copy.path / name) for name in ("run.json", "done.json"))
    about["config"]["data"]["task"] = "not_here:Tower"
    write_sealed(own_copy.path / "run.json", about)
    with pytest.raises(DamagedFileError, match=r"run\.json: is not what was written"):
        open_demonstrations(own_copy.path)
    about["fingerprint"] = done["fingerprint"] = fingerprint_of({key: about[key] for key in MADE_FROM})
    write_sealed(own_copy.path / "run.json", about)
    write_sealed(own_copy.path / "done.json", done)
    assert len(DemonstrationSet(open_demonstrations(own_copy.path))) > 0


def test_an_incomplete_run_is_refused(own_copy: Run) -> None:
    (own_copy.path / "done.json").unlink()
    with pytest.raises(RunError, match="it resumes"):
        open_demonstrations(own_copy.path)


def test_a_set_is_a_sequence(demonstrations: Run) -> None:
    demos = DemonstrationSet(demonstrations.path, keep=1)
    assert [d.stage for d in demos[:2]] == [0, 1]
    assert len(list(demos)) == len(demos)
    np.testing.assert_array_equal(demos[-1].T_world_grasp, demos[len(demos) - 1].T_world_grasp)
    with pytest.raises(IndexError):
        _ = demos[len(demos)]


def test_a_set_holds_the_first_views_only(demonstrations: Run) -> None:
    all_views, first = DemonstrationSet(demonstrations)[0].views, DemonstrationSet(demonstrations, views=2)[0].views
    assert len(first) == 2 < len(all_views)
    np.testing.assert_array_equal(first.images, all_views.images[:2])
    np.testing.assert_array_equal(first.K, all_views.K[:2])
    np.testing.assert_array_equal(first.Ts_world_cam, all_views.Ts_world_cam[:2])


def test_scenes_survive_the_layout(demonstrations: Run, tmp_path: Path) -> None:
    scene = layout.load_scene(demonstrations.path / "scenes" / "train-00000.npz")
    layout.save_scene(tmp_path / "again.npz", scene)
    assert (tmp_path / "again.npz").read_bytes() == (demonstrations.path / "scenes" / "train-00000.npz").read_bytes()


def test_tables_are_plot_ready(demonstrations: Run) -> None:
    attempts, objects, poses = (
        attempts_table(demonstrations),
        objects_table(demonstrations),
        poses_table(demonstrations),
    )
    assert len(objects) == 4 * 2 and objects[["width", "length", "height"]].to_numpy().max() < 0.2
    assert set(objects["kind"]) <= {"box", "cylinder", "hexagonal prism", "octagonal prism"}
    assert {"outcome", "reason", "simulated_seconds"} <= set(attempts.columns)
    grasps = poses[poses["left"] == 0]
    assert len(grasps) == demonstrations.summary["demonstrations"]
    np.testing.assert_allclose(grasps["tilt"], 0, atol=1e-6)
    assert (poses.groupby(["split", "scene", "stage"])["height"].first() > 0.02).all()


def test_reasons_that_name_objects_are_counted_together() -> None:
    assert _general("the robot pressed on the prism 3 with 41 N", ["prism"]) == (
        "the robot pressed on an object with some N"
    )
    assert _general("the right box 3 is in the way", ["box"]) == "an object is in the way"
    assert _general("prism 3 is 12 mm off", ["prism"]) == "an object is some mm off"


def test_the_card_counts_what_is_there(demonstrations: Run) -> None:
    card = (demonstrations.path / "data_card.md").read_text()
    lifted = demonstrations.summary["outcomes"]["success"]
    assert f"{lifted} of {demonstrations.summary['attempts']} attempts" in card
    for heading in (
        "## Demonstrations",
        "## Objects of the initial scenes",
        "## Attempts of the oracle",
        "## TCP poses",
    ):
        assert heading in card
    assert "| success | an object is held by both pads after the hold |" in card
