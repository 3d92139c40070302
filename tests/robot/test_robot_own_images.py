"""Own images: what the exporter writes comes back as grasps, and what is wrong with a folder is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dgrasp.cameras import Intrinsics, Views, project
from dgrasp.cell.transforms import inverse, transform, yaw
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.cli.main import main
from dgrasp.data.export import write_transforms
from dgrasp.experiment.plan_from_images import ResizeToTraining, as_trained, rank_grasps, read_photos
from dgrasp.experiment.store import RecordError
from dgrasp.files import DamagedFileError
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import RunError
from dgrasp.sim.cell import Cell
from dgrasp.slopes.config import OptimizerConfig

TARGETS = torch.tensor([[0.30, 0.10, 1.00], [0.10, -0.10, 1.00]])


class TwoSummits(nn.Module):
    """A value with summits at two places, the first higher, and best when pointing down; blind to the images."""

    device = "cpu"

    def encode(self, views: Views):
        assert views.images.dtype == np.uint8
        return views

    def bind(self, views: Views):
        def value(T):
            distance = torch.cdist(T[:, :3, 3], TARGETS)
            return (torch.tensor([2.0, 1.5]) * torch.exp(-((distance / 0.08) ** 2))).amax(1) - 0.2 * T[:, 2, 2]

        return value


@pytest.fixture
def policy() -> GraspPolicy:
    config = OptimizerConfig(n_starts=128, steps=40, translation_rate=0.02, rotation_rate=0.1, translation_decay=0.93)
    low, high = (torch.tensor(b, dtype=torch.float32) for b in (BOUNDS_LOW, BOUNDS_HIGH))
    return GraspPolicy(policy_spec("dgrasp_quat_sync"), TwoSummits(), config, (low, high))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def views() -> Views:
    from dgrasp.sim.tasks.paper import task

    with Cell() as cell:
        cell.reset(task("simple").scene("test", 0))
        return cell.observe(evaluation_viewpoints(2), Intrinsics.d415(64, 48))


@pytest.fixture
def photos(views: Views, tmp_path: Path) -> Path:
    write_transforms(views, tmp_path)
    return tmp_path


def edit(photos: Path, change) -> Path:
    path = photos / "transforms.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))
    return photos


def test_round_trip_of_the_exporter(views: Views, photos: Path) -> None:
    again, names = read_photos(photos)
    np.testing.assert_array_equal(again.images, views.images)
    np.testing.assert_allclose(again.K, views.K, atol=1e-12)
    np.testing.assert_allclose(again.Ts_world_cam, views.Ts_world_cam, atol=1e-12)
    assert names == ("images/frame_00000.png", "images/frame_00001.png")
    assert as_trained(again, 64) is again, "images of the training camera stay as they are"


def test_grasps_are_ranked_and_distinct(photos: Path, policy: GraspPolicy) -> None:
    ranked = rank_grasps(photos, policy, width=64, n=10)
    assert len(ranked.values) <= 10 and (np.diff(ranked.values) <= 0).all()
    np.testing.assert_allclose(ranked.Ts_world_tcp[0, :3, 3], TARGETS[0], atol=0.01)
    assert (ranked.Ts_world_tcp[:, 2, 2] < 0).all()
    everything = rank_grasps(photos, policy, width=64, n=128).Ts_world_tcp
    assert 10 < len(everything) <= 128
    at_second = np.linalg.norm(everything[:, :3, 3] - TARGETS[1].numpy(), axis=1).min()
    assert at_second < 0.02, "the second summit is offered too"
    table = ranked.table
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    np.testing.assert_allclose(np.linalg.norm(table[["qx", "qy", "qz", "qw"]], axis=1), 1, atol=1e-6)
    assert len(rank_grasps(photos, policy, width=64, n=1).values) == 1
    with pytest.raises(ValueError, match="n: expected 1 or more, got 0"):
        rank_grasps(photos, policy, width=64, n=0)


def test_larger_photographs_are_sampled_as_in_training(views: Views) -> None:
    """The same scene points fall on the same places of the smaller image."""
    large = Views(np.repeat(np.repeat(views.images, 4, 1), 4, 2), views.K.copy(), views.Ts_world_cam)
    large.K[:, [0, 1], [0, 1]] *= 4
    large.K[:, :2, 2] = (large.K[:, :2, 2] + 0.5) * 4 - 0.5
    small = as_trained(large, 64)
    assert small.images.shape == views.images.shape
    np.testing.assert_allclose(small.K, views.K, atol=1e-9)
    assert np.abs(small.images.astype(int) - views.images).mean() < 6
    wide = as_trained(Views(large.images[:, :96], large.K, large.Ts_world_cam), 64)
    assert wide.images.shape[1:3] == (24, 64), "proportions are kept"


def test_a_finer_camera_is_sampled_before_a_trials_plan(views: Views) -> None:
    """As a real cell's 640x480 pixels are: what is planned on has the training images' size, calibration included."""
    fine = Views(np.repeat(np.repeat(views.images, 4, 1), 4, 2), views.K.copy(), views.Ts_world_cam)
    fine.K[:, [0, 1], [0, 1]] *= 4
    fine.K[:, :2, 2] = (fine.K[:, :2, 2] + 0.5) * 4 - 0.5

    class Looks:
        config = OptimizerConfig(approach="downwards", approach_offset=0.01)

        def plan(self, seen: Views, generator: torch.Generator) -> Views:
            return seen

    policy = ResizeToTraining(Looks(), 64)  # type: ignore[arg-type]
    seen = policy.plan(fine, torch.Generator())
    assert seen.images.shape == views.images.shape and policy.config is Looks.config
    np.testing.assert_allclose(seen.K, views.K, atol=1e-9)


def test_a_frame_of_ones_own_is_brought_into_the_world(views: Views, tmp_path: Path) -> None:
    T_world_capture = transform(yaw(0.7), (0.2, -0.1, 0.5))
    write_transforms(Views(views.images, views.K, inverse(T_world_capture) @ views.Ts_world_cam), tmp_path)
    again, _ = read_photos(tmp_path, T_world_capture)
    p = torch.tensor([[0.2, 0.0, 0.96]], dtype=torch.float64)
    for i in range(2):
        a, b = (project(torch.from_numpy(v.K[i]), torch.from_numpy(v.Ts_world_cam[i]), p)[0] for v in (views, again))
        torch.testing.assert_close(a, b)
    with pytest.raises(ValueError, match="T_world_capture: the pose has shape"):
        read_photos(tmp_path, np.eye(3))


def test_missing_files_are_named(photos: Path, policy: GraspPolicy) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.*transforms\.json"):
        read_photos(photos / "nowhere")
    (photos / "images" / "frame_00001.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"frame 'images/frame_00001.png': no such image"):
        rank_grasps(photos, policy, width=64)


def test_missing_intrinsics_are_named(photos: Path) -> None:
    with pytest.raises(ValueError, match=r"frame_00000.png' lacks fl_x"):
        read_photos(edit(photos, lambda about: [f.pop("fl_x") for f in about["frames"]]))


def test_images_of_another_size_than_their_intrinsics_are_refused(photos: Path) -> None:
    Image.new("RGB", (32, 24)).save(photos / "images" / "frame_00001.png")
    with pytest.raises(ValueError, match=r"frame_00001.png' has 32x24 pixels, but its intrinsics are for 64x48"):
        read_photos(photos)


def test_matrices_that_are_no_poses_are_refused(photos: Path) -> None:
    with pytest.raises(ValueError, match=r"frame_00000.png': transform_matrix: .* not a rotation"):
        read_photos(edit(photos, lambda about: about["frames"][0].update(transform_matrix=(2 * np.eye(4)).tolist())))


@pytest.mark.parametrize("content", ["{}", '{"frames": []}', '{"frames": [{"file_path": "a.png"}]}', "[]", "no"])
def test_files_that_are_no_transforms_are_refused(photos: Path, content: str) -> None:
    (photos / "transforms.json").write_text(content)
    with pytest.raises(DamagedFileError, match=r"transforms\.json"):
        read_photos(photos)


def test_cameras_that_look_elsewhere_are_named(photos: Path, policy: GraspPolicy) -> None:
    def turn_away(about) -> None:
        T = np.array(about["frames"][1]["transform_matrix"])
        T[:3, :3] = T[:3, :3] @ np.diag([-1.0, 1.0, -1.0])
        about["frames"][1]["transform_matrix"] = T.tolist()

    with pytest.raises(ValueError, match=r"camera 1 sees nothing of the workspace.*camera 1 is images/frame_00001.png"):
        rank_grasps(edit(photos, turn_away), policy, width=64)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan-from-images", str(tmp_path / "nothing")]) == 2
    assert "no such file; expected a folder of photographs" in capsys.readouterr().err


def test_the_command_asks_for_the_record_and_trains_nothing(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def open(profile: str, build: Path, seed: int) -> None:
        asked.append((profile, build))
        raise RecordError("no published experiment")

    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", open)
    assert main(["plan-from-images", str(photos)]) == 2
    assert asked == [("published", Path("build/published"))]
    assert capsys.readouterr().err == "dgrasp plan-from-images: no published experiment\n"


@pytest.mark.parametrize("kind", [RecordError, RunError])
def test_the_command_says_which_run_is_missing(
    kind: type[Exception], photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Empty:
        def policy(self, name: str) -> None:
            raise kind(f"no run of {name}")

    monkeypatch.setattr("dgrasp.experiment.chain.Experiment.open", lambda *_: Empty())
    assert main(["plan-from-images", str(photos), "--policy", "base_quat_sync"]) == 2
    assert "dgrasp plan-from-images: no run of base_quat_sync" in capsys.readouterr().err


def test_the_page_shows_a_file_that_is_read_and_sees_the_workspace(tmp_path, policy):
    page = (Path(__file__).parents[2] / "OWN_IMAGES.md").read_text()
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
