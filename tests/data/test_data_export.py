"""Exporters lose nothing: what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.data.export import read_robomimic, read_transforms, write_robomimic, write_transforms
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run


def test_transforms_round_trip(demonstrations: Run, tmp_path: Path) -> None:
    views = DemonstrationSet(demonstrations)[0].views
    again = read_transforms(write_transforms(views, tmp_path))
    np.testing.assert_array_equal(again.images, views.images)
    np.testing.assert_allclose(again.K, views.K, atol=1e-12)
    np.testing.assert_allclose(again.Ts_world_cam, views.Ts_world_cam, atol=1e-12)


def test_transforms_speak_nerfstudios_conventions(demonstrations: Run, tmp_path: Path) -> None:
    """Cameras look along -z with y up, and pixel centres are at .5."""
    views = DemonstrationSet(demonstrations)[0].views
    about = json.loads(write_transforms(views, tmp_path).read_text())
    frame, T = about["frames"][0], np.array(about["frames"][0]["transform_matrix"])
    to_board = np.array([0.2, 0.0, 0.9605]) - T[:3, 3]
    np.testing.assert_allclose(-T[:3, 2], to_board / np.linalg.norm(to_board), atol=1e-9)
    assert T[2, 1] > 0
    assert frame["cx"] == pytest.approx(16.5) and (frame["w"], frame["h"]) == (32, 24)
    assert about["camera_model"] == "OPENCV"


def test_shared_intrinsics_are_read_and_distortion_is_refused(demonstrations: Run, tmp_path: Path) -> None:
    path = write_transforms(DemonstrationSet(demonstrations)[0].views, tmp_path)
    about = json.loads(path.read_text())
    shared = {k: about["frames"][0].pop(k) for k in ("fl_x", "fl_y", "cx", "cy")}
    path.write_text(json.dumps({**about, "frames": about["frames"][:1]}))
    with pytest.raises(ValueError, match=r"frame_00000.png' lacks fl_x"):
        read_transforms(path)
    path.write_text(json.dumps({**about, **shared, "frames": about["frames"][:1]}))
    assert len(read_transforms(path)) == 1
    path.write_text(json.dumps({**about, **shared, "k1": 0.1}))
    with pytest.raises(ValueError, match="undistort"):
        read_transforms(path)


def test_robomimic_round_trip(demonstrations: Run, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    train, valid = DemonstrationSet(demonstrations), DemonstrationSet(demonstrations, "validation")
    path = write_robomimic({"train": train, "valid": valid}, tmp_path / "demos.hdf5", views=3)
    again = read_robomimic(path)
    assert [d.split for d in again] == ["train"] * len(train) + ["valid"] * len(valid)
    for d, e in zip([*train, *valid], again, strict=True):
        np.testing.assert_allclose(e.Ts_world_tcp, d.Ts_world_tcp, atol=1e-9)
        np.testing.assert_array_equal(e.views.images, d.views.images[:3])
        np.testing.assert_array_equal(e.views.Ts_world_cam, d.views.Ts_world_cam[:3])
        assert e.object == d.object
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        n = demo.attrs["num_samples"]
        assert demo["actions"].shape == (n, 7) and demo["obs/eef_quat"].shape == (n, 4)
        assert demo["obs/view_0_image"].shape == (n, 24, 32, 3) and demo["dones"][-1] == 1
        assert list(demo["actions"][:, 6]) == [-1.0] * (n - 1) + [1.0]
        assert file["data"].attrs["total"] == sum(len(d.Ts_world_tcp) for d in [*train, *valid])
        assert list(file["mask/valid"].asstr()) == [f"demo_{len(train) + i}" for i in range(len(valid))]
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "dgrasp"


def test_another_file_is_not_robomimic(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "text.hdf5").write_text("no")
    with pytest.raises(DamagedFileError, match=r"text.hdf5: not a robomimic file"):
        read_robomimic(tmp_path / "text.hdf5")
