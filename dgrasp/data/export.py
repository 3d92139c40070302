"""Exporters: nerfstudio's transforms.json for one observation, robomimic's HDF5 for a set of demonstrations.

Both have a reader, so that nothing is lost unnoticed; `read_transforms` also takes one's own photographs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.data.demonstrations import Demonstration
from dgrasp.files import DamagedFileError, atomic_path, read_json, write_json

CV_TO_GL = np.diag([1.0, -1.0, -1.0, 1.0])  # nerfstudio's cameras look along -z with y up
HALF_PIXEL = 0.5  # nerfstudio counts pixel centres at .5, this package at integers


def write_transforms(views: Views, folder: Path) -> Path:
    """Write `transforms.json` and `images/frame_00000.png` ... into `folder`; returns the path of the JSON file."""
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    frames = []
    for i, (image, K, T) in enumerate(zip(views.images, views.K, views.Ts_world_cam, strict=True)):
        name = f"images/frame_{i:05d}.png"
        with atomic_path(folder / name) as temporary:
            Image.fromarray(image).save(temporary, format="PNG")
        frames.append(
            {
                "file_path": name,
                "w": image.shape[1],
                "h": image.shape[0],
                "fl_x": float(K[0, 0]),
                "fl_y": float(K[1, 1]),
                "cx": float(K[0, 2]) + HALF_PIXEL,
                "cy": float(K[1, 2]) + HALF_PIXEL,
                "transform_matrix": (T @ CV_TO_GL).tolist(),
            }
        )
    write_json(folder / "transforms.json", {"camera_model": "OPENCV", "frames": frames})
    return folder / "transforms.json"


def read_transforms(path: Path) -> Views:
    """Views of a `transforms.json`; intrinsics per frame or for all frames, no lens distortion.

    Raises ValueError for distorted cameras, images of different sizes, and missing intrinsics; FileNotFoundError
    for a missing image.
    """
    path = Path(path)
    about = read_json(path)
    images, intrinsics, poses = [], [], []
    for frame in about["frames"]:
        values = {**about, **frame}
        if any(abs(values.get(key, 0.0)) > 1e-9 for key in ("k1", "k2", "k3", "k4", "p1", "p2")):
            raise ValueError(f"{path}: the camera has lens distortion; undistort the images first")
        missing = [key for key in ("fl_x", "fl_y", "cx", "cy") if key not in values]
        if missing:
            raise ValueError(f"{path}: frame {frame.get('file_path')!r} lacks {', '.join(missing)}")
        with Image.open(path.parent / frame["file_path"]) as image:
            images.append(np.asarray(image.convert("RGB")))
        centre = values["cx"] - HALF_PIXEL, values["cy"] - HALF_PIXEL
        intrinsics.append([[values["fl_x"], 0.0, centre[0]], [0.0, values["fl_y"], centre[1]], [0.0, 0.0, 1.0]])
        poses.append(np.array(frame["transform_matrix"], dtype=np.float64) @ CV_TO_GL)
    if len({image.shape for image in images}) > 1:
        raise ValueError(f"{path}: images have different sizes: {sorted({image.shape[:2] for image in images})}")
    return Views(np.stack(images), np.array(intrinsics), np.stack(poses))


@dataclass(frozen=True, eq=False)
class RobomimicDemonstration:
    """What a robomimic file keeps of a demonstration."""

    views: Views
    Ts_world_tcp: np.ndarray
    object: str
    split: str


def write_robomimic(demonstrations: dict[str, Iterable[Demonstration]], path: Path, views: int = 2) -> Path:
    """Write a robomimic HDF5 file; `demonstrations` maps a filter key ("train", "valid") to demonstrations.

    Per step: obs/view_k_image (the scene before the grasp, the same at every step), obs/eef_pos, obs/eef_quat (xyzw),
    actions (7): change of position (m) and rotation vector (rad) in the world frame to the next pose, and the gripper
    (-1 open, +1 close, at the last step). Needs h5py (`pip install h5py`).
    """
    h5py = _h5py()
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        masks: dict[str, list[str]] = {}
        data, total, count = file.create_group("data"), 0, 0
        for split, members in demonstrations.items():
            for demonstration in members:
                name = f"demo_{count}"
                total += _write_demo(data.create_group(name), demonstration, views, split)
                masks.setdefault(split, []).append(name)
                count += 1
        data.attrs["total"] = total
        data.attrs["env_args"] = json.dumps({"env_name": "dgrasp", "type": 2, "env_kwargs": {}})
        for split, names in masks.items():
            file.create_dataset(f"mask/{split}", data=np.array(names, dtype="S"))
    return Path(path)


def _write_demo(group: Any, d: Demonstration, views: int, split: str) -> int:
    Ts, n = d.Ts_world_tcp, len(d.Ts_world_tcp)
    for k in range(views):
        frames = np.repeat(d.views.images[k][None], n, axis=0)
        group.create_dataset(f"obs/view_{k}_image", data=frames, compression="gzip", chunks=frames.shape)
    group["obs/eef_pos"] = Ts[:, :3, 3]
    group["obs/eef_quat"] = Rotation.from_matrix(Ts[:, :3, :3]).as_quat()
    group["actions"] = _actions(Ts)
    group["rewards"] = np.eye(n)[-1]
    group["dones"] = np.eye(n, dtype=np.int64)[-1]
    group["calibration/K"] = d.views.K[:views]
    group["calibration/Ts_world_cam"] = d.views.Ts_world_cam[:views]
    group.attrs.update({"num_samples": n, "object": d.object, "split": split, "scene": d.scene, "stage": d.stage})
    return n


def _actions(Ts: np.ndarray) -> np.ndarray:
    R = Rotation.from_matrix(Ts[:, :3, :3])
    actions = np.zeros((len(Ts), 7))
    actions[:-1, :3] = np.diff(Ts[:, :3, 3], axis=0)
    actions[:-1, 3:6] = (R[1:] * R[:-1].inv()).as_rotvec()
    actions[:, 6] = -1.0
    actions[-1, 6] = 1.0
    return actions


def read_robomimic(path: Path) -> list[RobomimicDemonstration]:
    """Demonstrations of a file written by `write_robomimic`; trajectories are rebuilt from the actions.

    Raises DamagedFileError if it is not such a file.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            names = sorted(file["data"], key=lambda name: int(name.removeprefix("demo_")))
            return [_read_demo(file["data"][name]) for name in names]
    except (OSError, KeyError) as error:
        raise DamagedFileError(f"{path}: not a robomimic file of demonstrations ({error})") from error


def _read_demo(group: Any) -> RobomimicDemonstration:
    K, Ts_world_cam, actions = group["calibration/K"][:], group["calibration/Ts_world_cam"][:], group["actions"][:]
    images = np.stack([group[f"obs/view_{k}_image"][0] for k in range(len(K))])
    R = Rotation.from_quat(group["obs/eef_quat"][0])
    Ts = np.tile(np.eye(4), (len(actions), 1, 1))
    Ts[:, :3, 3] = group["obs/eef_pos"][0] + np.concatenate([np.zeros((1, 3)), np.cumsum(actions[:-1, :3], axis=0)])
    for i, action in enumerate(actions):
        Ts[i, :3, :3] = R.as_matrix()
        R = Rotation.from_rotvec(action[3:6]) * R
    return RobomimicDemonstration(Views(images, K, Ts_world_cam), Ts, group.attrs["object"], group.attrs["split"])


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError("robomimic files need h5py: pip install h5py") from error
    return h5py
