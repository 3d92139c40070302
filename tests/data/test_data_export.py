"""Exporters lose nothing: what is written is read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.data.export import read_robomimic, write_robomimic, write_transforms
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run


def test_transforms_round_trip(demonstrations: Run, tmp_path: Path) -> None:
    views = DemonstrationSet(demonstrations)[0].views
    again = read_capture(write_transforms(views, tmp_path)).views
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


def test_a_skewed_camera_is_refused(demonstrations: Run, tmp_path: Path) -> None:
    """The format has no place for skew; read again, the camera would be another one."""
    views = DemonstrationSet(demonstrations)[0].views
    for row, column in ((0, 1), (1, 0)):
        K = views.K.copy()
        K[1, row, column] = 0.4
        with pytest.raises(ValueError, match=r"K\[1\]: skew of 0\.4; transforms\.json has no place for it"):
            write_transforms(Views(views.images, K, views.Ts_world_cam), tmp_path / "skewed")
    assert not (tmp_path / "skewed").exists()


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


def test_robomimics_next_observations_are_those_of_the_next_step(demonstrations: Run, tmp_path: Path) -> None:
    """Its loaders for offline learning want them. The last action closes the fingers, and nothing has moved."""
    h5py = pytest.importorskip("h5py")
    path = write_robomimic({"train": DemonstrationSet(demonstrations)}, tmp_path / "demos.hdf5")
    with h5py.File(path) as file:
        for demo in file["data"].values():
            assert sorted(demo["next_obs"]) == sorted(demo["obs"])
            for key, values in demo["obs"].items():
                np.testing.assert_array_equal(demo[f"next_obs/{key}"][:-1], values[1:])
                np.testing.assert_array_equal(demo[f"next_obs/{key}"][-1], values[-1])


def test_quaternions_do_not_jump_along_a_demonstration(demonstrations: Run, tmp_path: Path) -> None:
    """A turn by more than half a circle passes every place where a quaternion may change its sign."""
    h5py = pytest.importorskip("h5py")
    made = DemonstrationSet(demonstrations)[0]
    turns = Rotation.from_rotvec(np.linspace(0, 2.5 * np.pi, 40)[:, None] * np.array([[0.3, 0.4, np.sqrt(0.75)]]))
    Ts = np.tile(np.eye(4), (40, 1, 1))
    Ts[:, :3, :3] = (turns * Rotation.from_euler("x", np.pi)).as_matrix()
    spin = replace(made, Ts_world_tcp=Ts, T_world_grasp=Ts[-1])
    path = write_robomimic({"train": [made, spin]}, tmp_path / "demos.hdf5")
    with h5py.File(path) as file:
        for demo, d in zip(file["data"].values(), (made, spin), strict=True):
            q = demo["obs/eef_quat"][:]
            assert ((q[1:] * q[:-1]).sum(axis=1) > 0.9).all()
            np.testing.assert_allclose(Rotation.from_quat(q).as_matrix(), d.Ts_world_tcp[:, :3, :3], atol=1e-9)
    np.testing.assert_allclose(read_robomimic(path)[1].Ts_world_tcp, Ts, atol=1e-9)


def test_another_file_is_not_robomimic(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "text.hdf5").write_text("no")
    with pytest.raises(DamagedFileError, match=r"text.hdf5: not a robomimic file"):
        read_robomimic(tmp_path / "text.hdf5")
