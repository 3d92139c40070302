"""Planning on photographs: what the exporter writes comes back as grasps; the command asks, checks and says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from looking_policy import TARGETS, looking_policy, two_views
from PIL import Image
from plan_command import main

from dgrasp.cameras import Intrinsics, Views, project
from dgrasp.cell.description import read_cell
from dgrasp.cell.observer import Observer
from dgrasp.cell.place import PAPERS, Place
from dgrasp.cell.transforms import inverse, transform, yaw
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.reader import Capture, read_capture
from dgrasp.data.export import write_transforms
from dgrasp.experiment import store
from dgrasp.experiment.plan_from_images import ResizeToTraining, as_trained, rank_grasps
from dgrasp.experiment.record import RecordError
from dgrasp.files import DamagedFileError
from dgrasp.policy.policies import GraspPolicy
from dgrasp.runs import RunError
from dgrasp.slopes.config import OptimizerConfig

LENSES = (Intrinsics.d415(64, 48),)  # of the training images
PATH = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture
def policy() -> GraspPolicy:
    return looking_policy(starts=128, steps=40)


@pytest.fixture
def views() -> Views:
    return two_views()


@pytest.fixture
def photos(views: Views, tmp_path: Path) -> Path:
    write_transforms(views, tmp_path)
    return tmp_path


def test_photographs_of_the_training_camera_stay_as_they_are(photos: Path, views: Views) -> None:
    trained = as_trained(read_capture(photos), LENSES)
    np.testing.assert_array_equal(trained.images, views.images)
    assert as_trained(views, LENSES) is views


def test_grasps_are_ranked_and_distinct(photos: Path, policy: GraspPolicy) -> None:
    ranked = rank_grasps(photos, policy, width=64, n=10)
    assert len(ranked.values) <= 10 and (np.diff(ranked.values) <= 0).all()
    np.testing.assert_allclose(ranked.Ts_world_tcp[0, :3, 3], TARGETS[0], atol=0.01)
    assert (ranked.Ts_world_tcp[:, 2, 2] < 0).all()
    everything = rank_grasps(read_capture(photos), policy, width=64, n=128).Ts_world_tcp
    assert 10 < len(everything) <= 128
    at_second = np.linalg.norm(everything[:, :3, 3] - TARGETS[1].numpy(), axis=1).min()
    assert at_second < 0.02, "the second summit is offered too"
    table = ranked.table
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    np.testing.assert_allclose(np.linalg.norm(table[["qx", "qy", "qz", "qw"]], axis=1), 1, atol=1e-6)
    assert len(rank_grasps(photos, policy, width=64, n=1).values) == 1
    with pytest.raises(ValueError, match="n: expected 1 or more, got 0"):
        rank_grasps(photos, policy, width=64, n=0)


def enlarged(views: Views, times: int) -> Views:
    K = views.K.copy()
    K[:, [0, 1], [0, 1]] *= times
    K[:, :2, 2] = (K[:, :2, 2] + 0.5) * times - 0.5
    return Views(np.repeat(np.repeat(views.images, times, 1), times, 2), K, views.Ts_world_cam)


def test_larger_photographs_are_sampled_as_in_training(views: Views) -> None:
    """The same scene points fall on the same places of the smaller image."""
    large = enlarged(views, 4)
    small = as_trained(large, LENSES)
    assert small.images.shape == views.images.shape
    np.testing.assert_allclose(small.K, views.K, atol=0.05)
    assert np.abs(small.images.astype(int) - views.images).mean() < 6
    wide = as_trained(Views(large.images[:, :96], large.K, large.Ts_world_cam), LENSES)
    assert wide.images.shape[1:3] == (24, 64), "proportions are kept"


def test_each_photograph_is_sampled_by_its_own_focal_length(views: Views) -> None:
    """A zoomed camera beside another, and a larger picture: objects are equally large, and the border goes on."""
    zoomed = views.K.copy()
    zoomed[1, [0, 1], [0, 1]] *= 2
    images = (views.images[0], views.images[1])
    seen = as_trained(Capture(Path("x"), ("a", "b"), images, zoomed, views.Ts_world_cam, np.eye(4)), LENSES)
    assert seen.images.shape == (2, 48, 64, 3)
    np.testing.assert_allclose(seen.K[:, 0, 0], views.K[:, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(seen.K[1, 0, 2], (31.5 + 0.5) / 2 - 0.5)
    np.testing.assert_array_equal(seen.images[0], images[0])
    np.testing.assert_array_equal(seen.images[1, 24:], np.repeat(seen.images[1, 23:24], 24, axis=0))
    large = enlarged(views, 4)
    mixed = Capture(Path("x"), ("a", "b"), (images[0], large.images[1]), views.K.copy(), views.Ts_world_cam, np.eye(4))
    mixed.K[1] = large.K[1]
    assert as_trained(mixed, LENSES).images.shape == (2, 48, 64, 3)
    np.testing.assert_allclose(as_trained(mixed, LENSES).K[1], views.K[1], atol=1e-9)


def test_a_described_cells_lens_is_that_of_its_training_images(views: Views) -> None:
    """450 px at 640 px of width, say, and not the paper's 617: else objects look 37 % too large."""
    wider = Intrinsics(640, 480, 450.0, 450.0, 320.0, 240.0)
    seen = as_trained(enlarged(views, 4), (wider.resized(64, 48),))
    np.testing.assert_allclose(seen.K[:, 0, 0], 45.0, rtol=0.02)
    photographs = Views(np.zeros((2, 480, 640, 3), np.uint8), np.stack([wider.matrix] * 2), views.Ts_world_cam)
    assert as_trained(photographs, (wider.resized(160, 120),)).K[0, 0, 0] == 112.5
    two = (Intrinsics.d415(160, 120), wider.resized(160, 120))
    mixed = Views(photographs.images, np.stack([wider.matrix, Intrinsics.d415().matrix]), views.Ts_world_cam)
    assert as_trained(mixed, two).K[:, 0, 0].tolist() == [112.5, 154.25], "each as its own camera was in training"


NO_POSES = {
    "text": [["1", "0", "0", "0"]] * 4, "a name": "eye", "ragged": [[1, 0, 0, 0], [0, 1]], "nothing": [[None] * 4] * 4,
    "truth values": np.eye(4, dtype=bool), "complex": np.eye(4) * 1j, "a gradient": torch.eye(4, requires_grad=True),
    "objects": {"T": np.eye(4)},
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_POSES)
def test_a_pose_of_the_capture_that_is_none_is_named(kind: str, photos: Path) -> None:
    with pytest.raises(ValueError, match="T_world_capture: expected 4x4 numbers, got ") as caught:
        read_capture(photos, NO_POSES[kind])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("T", [np.eye(4).tolist(), np.eye(4, dtype=int), torch.eye(4), np.eye(4, dtype=np.float32)])
def test_poses_in_other_numbers_are_read(T: object, photos: Path) -> None:
    read = read_capture(photos, T).T_world_capture
    assert read.dtype == np.float64 and (read == np.eye(4)).all()


def test_arguments_of_another_kind_are_named(photos: Path, policy: GraspPolicy, views: Views) -> None:
    def refused(answer: str, photographs: object = photos, policy: object = policy, **changed: object) -> None:
        with pytest.raises(ValueError, match=answer):
            rank_grasps(photographs, policy, **({"width": 64} | changed))  # type: ignore[arg-type]

    refused("photographs: expected a folder, or what `read_capture` .*, got Views; `policy.plan` takes views", views)
    refused("photographs: expected a folder, .*, got NoneType", None)
    refused("policy: expected a GraspPolicy, got str; `experiment.policy.'base_quat'.` opens it", policy="base_quat")
    refused("policy: expected a GraspPolicy, got dict", policy={})
    refused("place: expected a Place, as `read_place` tells of a cell, got str", place="panda_hand")
    for n in ("3", 2.0, True, None):
        refused(f"n: expected a whole number of 1 or more, got {n!r}", n=n)
    for width in ("64", 64.0, 0, -8):
        refused(f"width: expected a whole number of pixels, 8 or more, got {width!r}", width=width)
    refused("lenses: expected a list or a tuple of Intrinsics, got Intrinsics", lenses=LENSES[0], width=None)
    refused("lenses: expected a list or a tuple of Intrinsics, got list", lenses=[64])
    refused("seed: expected an integer", seed="0")
    capture = read_capture(photos)
    refused("T_world_capture: goes with a folder alone; a capture has its own", capture, T_world_capture=np.eye(4))
    with pytest.raises(ValueError, match=r"path: expected a folder, or its transforms.json, got Views"):
        read_capture(views)  # type: ignore[arg-type]
    assert len(rank_grasps(str(photos), policy, width=np.int64(64), n=np.int64(1)).values) == 1


def test_lenses_are_told_once(photos: Path, policy: GraspPolicy) -> None:
    for told in ({}, {"lenses": LENSES, "width": 64}):
        with pytest.raises(ValueError, match="lenses: expected those of the training images, or `width`"):
            rank_grasps(photos, policy, **told)


def test_a_picture_that_was_pulled_is_pushed_back(views: Views) -> None:
    """Its pixels are no squares any more, and its intrinsics say so."""
    pulled = np.repeat(views.images, 2, axis=2)
    K = views.K.copy()
    K[:, 0] *= 2
    K[:, 0, 2] += 0.5
    small = as_trained(Views(pulled, K, views.Ts_world_cam), LENSES)
    assert small.images.shape == views.images.shape
    np.testing.assert_allclose(small.K, views.K, atol=1e-9)


def test_a_finer_camera_is_sampled_before_a_trials_plan(views: Views) -> None:
    """As a real cell's 640x480 pixels are: what is planned on has the training images' size, calibration included."""

    class Looks:
        config = OptimizerConfig(approach="downwards", approach_offset=0.01)

        def plan(self, seen: Views, generator: torch.Generator) -> Views:
            return seen

    policy = ResizeToTraining(Looks(), LENSES)  # type: ignore[arg-type]
    seen = policy.plan(enlarged(views, 4), torch.Generator())
    assert seen.images.shape == views.images.shape and policy.config is Looks.config
    np.testing.assert_allclose(seen.K, views.K, atol=0.05)


def test_a_frame_of_ones_own_is_brought_into_the_world(views: Views, tmp_path: Path, policy: GraspPolicy) -> None:
    T_world_capture = transform(yaw(0.7), (0.2, -0.1, 0.5))
    write_transforms(Views(views.images, views.K, inverse(T_world_capture) @ views.Ts_world_cam), tmp_path)
    again = read_capture(tmp_path, T_world_capture)
    p = torch.tensor([[0.2, 0.0, 0.96]], dtype=torch.float64)
    for i in range(2):
        a, b = (project(torch.from_numpy(v.K[i]), torch.from_numpy(v.Ts_world_cam[i]), p)[0] for v in (views, again))
        torch.testing.assert_close(a, b)
    assert len(rank_grasps(tmp_path, policy, width=64, n=2, T_world_capture=T_world_capture).values) == 2
    with pytest.raises(CaptureError, match="sees nothing of the workspace"):
        rank_grasps(tmp_path, policy, width=64, T_world_capture=transform(None, (5.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match="T_world_capture: the pose has shape"):
        read_capture(tmp_path, np.eye(3))


def test_grasps_are_searched_in_the_cells_workspace(photos: Path, policy: GraspPolicy) -> None:
    low, high = (bound.numpy().astype(float) for bound in policy.bounds)
    half = Place("half", low, np.array([(low[0] + high[0]) / 2, *high[1:]]), PAPERS.middle)
    found = rank_grasps(photos, policy, width=64, n=10, place=half).Ts_world_tcp
    assert len(found) > 3 and (found[:, 0, 3] <= half.high[0] + 1e-6).all()
    assert rank_grasps(photos, policy, width=64, n=10).Ts_world_tcp[:, 0, 3].max() > half.high[0]
    beyond = Place("my bench", low - 0.1, high, PAPERS.middle)
    with pytest.raises(ValueError, match=r"cell: my bench has the workspace \(-0.227.* the policy was trained in"):
        rank_grasps(photos, policy, width=64, place=beyond)


def test_the_command_takes_a_cell(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    panda = SimpleNamespace(observer=SimpleNamespace(description=read_cell("panda_hand")))
    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", lambda *_: panda)
    monkeypatch.setattr(
        "dgrasp.experiment.plan_from_images.plan_capture",
        lambda capture, experiment, policy, place, **_: asked.append(place.name) or pd.DataFrame(),
    )
    for options in ([], ["--cell", "panda_hand"], ["--profile", "panda"]):
        assert main([str(photos), *options]) == 0, capsys.readouterr().err
    assert asked == ["the paper's cell", "Panda with its hand", "Panda with its hand"]
    assert main([str(photos), "--cell", "panda"]) == 2
    assert "panda: no such cell" in capsys.readouterr().err


def test_grasps_for_another_hand_are_said_to_be(
    photos: Path, experiment: list, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As a warning, and in the table, which else has no such column."""
    output = tmp_path / "grasps.csv"
    assert main([str(photos), "--cell", "panda_hand", "--output", str(output)]) == 0
    said = capsys.readouterr().err
    assert said.startswith(
        "--cell: the policy was trained for the 2F-140 (140 mm open, tips 15 mm ahead of the TCP), not for the Franka "
        "hand (80 mm open, tips 9 mm ahead of the TCP): these are grasps of the 2F-140"
    )
    assert set(pd.read_csv(output)["hand"]) == {"2F-140"}
    assert main([str(photos), "--cell", "ur10_2f140_d415", "--output", str(output)]) == 0
    assert capsys.readouterr().err == "" and "hand" not in pd.read_csv(output)


def test_a_mistake_is_recognized_in_a_frame_of_ones_own(views: Views, tmp_path: Path, policy: GraspPolicy) -> None:
    T_world_capture = transform(yaw(0.7), (0.2, -0.1, 0.5))
    path = write_transforms(Views(views.images, views.K, inverse(T_world_capture) @ views.Ts_world_cam), tmp_path)
    about = json.loads(path.read_text())
    for frame in about["frames"]:
        frame["transform_matrix"] = inverse(np.array(frame["transform_matrix"])).tolist()
    path.write_text(json.dumps(about))
    with pytest.raises(CaptureError, match="look as if they were world to camera"):
        rank_grasps(tmp_path, policy, width=64, T_world_capture=T_world_capture)


def test_cameras_must_look_at_the_workspace_of_the_policy(photos: Path, policy: GraspPolicy) -> None:
    """Which need not be the cell's."""
    low, high = (bound + torch.tensor([3.0, 0.0, 0.0]) for bound in policy.bounds)
    elsewhere = GraspPolicy(policy.spec, policy.value, policy.config, (low, high))
    with pytest.raises(CaptureError, match=r"frame 0 \('images/frame_00000.png'\): transform_matrix: .*sees nothing"):
        rank_grasps(photos, elsewhere, width=64)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The command's experiment; the list says what was asked of it."""
    asked: list[tuple] = []

    def plan(name: str) -> GraspPolicy:
        asked.append((name,))
        return looking_policy()

    def at(*arguments: object) -> SimpleNamespace:
        asked.append(arguments)
        return SimpleNamespace(policy=plan, observer=Observer(width=64, height=48))

    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", at)
    monkeypatch.setattr(store, "published", lambda *_: {"laptop": [0]})
    return asked


def test_the_command_prints_a_table_or_writes_it(photos: Path, experiment: list, capsys, tmp_path: Path) -> None:
    assert main([str(photos), "-n", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "" and [line.split()[0] for line in printed.out.splitlines()] == ["rank", "1", "2", "3"]
    assert experiment == [("published", Path("build/published"), 0), ("dgrasp_quat_sync",)]
    output = tmp_path / "new" / "grasps.csv"
    assert main([str(photos / "transforms.json"), "-n", "3", "--output", str(output)]) == 0
    assert capsys.readouterr().out == "" and len(pd.read_csv(output)) == 3
    assert sorted(path.name for path in output.parent.iterdir()) == ["grasps.csv"]


def test_networks_of_many_benches_plan_once_they_are_published(
    photos: Path, experiment: list, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "published", lambda *_: {"laptop": [0], "beyond": [20, 21]})
    monkeypatch.setattr("dgrasp.cli.options.build_folder", lambda options: Path("there"))
    assert main([str(photos), "-n", "1"]) == 0
    assert experiment[0] == ("published:beyond", Path("there"), 20)
    assert capsys.readouterr().err == "dgrasp_quat_sync of published:beyond plans; --profile published is the paper's\n"
    assert main([str(photos), "-n", "1", "--profile", "published"]) == 0
    assert experiment[2] == ("published", Path("there"), 0) and capsys.readouterr().err == ""


def test_the_seed_changes_the_starting_poses_alone(photos: Path, experiment: list, tmp_path: Path) -> None:
    for seed in (0, 1, 1):
        assert main([str(photos), "--seed", str(seed), "--output", str(tmp_path / f"{len(experiment)}.csv")]) == 0
    first, second, again = (pd.read_csv(tmp_path / f"{i}.csv") for i in (0, 2, 4))
    assert not np.allclose(first["x"], second["x"][: len(first)], atol=1e-7)
    pd.testing.assert_frame_equal(second, again)
    assert {call for call in experiment if len(call) > 1} == {("published", Path("build/published"), 0)}, (
        "one experiment"
    )


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["-n", "0"], "argument -n: expected a whole number of 1 or more, got '0'"),
        (["--seed", "-1"], "argument --start-seed/--seed: expected a whole number of 0 or more, got '-1'"),
        (["--output", "."], r"argument --output: \. is a folder; expected the path of a file"),
        (["--output", "/dev/null"], "--output: /dev/null is no regular file"),
    ],
)
def test_bad_options_are_said_before_anything_is_loaded(
    options: list[str], answer: str, photos: Path, experiment: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photos), *options]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(f"dgrasp plan-from-images: {answer}.*\n", err) and not experiment


def test_an_output_that_cannot_be_written_is_said_before_anything_is_loaded(
    photos: Path, closed_folder: Path, experiment: list, capsys: pytest.CaptureFixture[str]
) -> None:
    for output in (closed_folder / "grasps.csv", closed_folder / "new" / "grasps.csv"):
        assert main([str(photos), "--output", str(output)]) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "Permission denied" in err and str(closed_folder) in err
    assert not experiment


def test_no_file_but_a_table_of_before_is_replaced(photos: Path, experiment: list, capsys, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    for path in before:
        assert main([str(photos), "--output", str(path)]) == 2
        said = f"dgrasp plan-from-images: --output: {path} is there, and is no table of grasps; expected the path of"
        assert (err := capsys.readouterr().err).startswith(said) and err.count("\n") == 1
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before and not experiment
    output = tmp_path / "grasps.csv"
    for n in ("1", "2"):
        assert main([str(photos), "-n", n, "--output", str(output)]) == 0
    assert len(pd.read_csv(output)) == 2


def test_an_output_below_a_file_is_said(photos: Path, experiment: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photos), "--output", str(photos / "transforms.json" / "grasps.csv")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "transforms.json" in err and not experiment


def test_photographs_are_refused_without_loading_the_simulator(tmp_path: Path) -> None:
    """Whose library prints a line of its own, and takes seconds."""
    code = (
        "import sys; from dgrasp.cli.main import main; main(['plan-from-images', 'nothing']); "
        "print('pybullet' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ | PATH
    )
    assert ran.stdout == "False\n" and ran.stderr.count("\n") == 1 and "nothing" in ran.stderr


def test_the_command_says_what_is_wrong(tmp_path: Path, experiment: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no such file; expected a folder of photographs" in capsys.readouterr().err
    assert not experiment, "nothing is loaded, or trained"


@pytest.mark.parametrize("kind", [RecordError, RunError, DamagedFileError, OSError])
@pytest.mark.parametrize("where", ["open", "policy"])
def test_a_policy_that_is_not_there_is_said(
    kind: type[Exception], where: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object) -> None:
        raise kind("no run of that name")

    stands = SimpleNamespace(policy=missing, observer=Observer(width=64, height=48))
    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", missing if where == "open" else lambda *_: stands)
    code = 1 if kind is OSError else 2  # what was asked for is not there
    assert main([str(photos), "--policy", "base_quat_sync"]) == code
    assert capsys.readouterr().err == "dgrasp plan-from-images: no run of that name\n"


def test_the_page_shows_a_file_that_is_read_and_sees_the_workspace(root: Path, tmp_path: Path, policy: GraspPolicy):
    page = (root / "OWN_IMAGES.md").read_text()
    about = json.loads(page.split("```json")[1].split("```")[0])
    for frame in about["frames"]:
        file = tmp_path / frame["file_path"]
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (about["w"], about["h"])).save(file)
    (tmp_path / "transforms.json").write_text(json.dumps(about))
    ranked = rank_grasps(tmp_path, policy, width=128, n=2)
    assert len(ranked.values) == 2 and ranked.views.images.shape == (2, 96, 128, 3)
    for corner in (BOUNDS_LOW, BOUNDS_HIGH):
        assert f"{corner[0]}, {corner[1]}" in page and str(corner[2]) in page
