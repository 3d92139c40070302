"""Exporters: nerfstudio's transforms.json for one observation, robomimic's HDF5 for a set of demonstrations.

Both have a reader, so that nothing is lost unnoticed: `dgrasp.data.captures` for the first, `read_robomimic`.
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

from dgrasp.cameras import CV_TO_GL, Views
from dgrasp.data.captures.lens import HALF_PIXEL
from dgrasp.data.demonstrations import Demonstration
from dgrasp.files import DamagedFileError, atomic_path, write_json


def write_transforms(views: Views, folder: Path) -> Path:
    """Write `transforms.json` and `images/frame_00000.png` ... into `folder`; returns the path of the JSON file.

    Raises ValueError for a `K` with skew, which the format has no place for.
    """
    folder = Path(folder)
    skewed = np.flatnonzero((views.K[:, 0, 1] != 0) | (views.K[:, 1, 0] != 0))
    if len(skewed):
        i = int(skewed[0])
        skew = views.K[i, 0, 1] or views.K[i, 1, 0]
        raise ValueError(f"K[{i}]: skew of {skew:g}; transforms.json has no place for it, allowed is 0")
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


@dataclass(frozen=True, eq=False)
class RobomimicDemonstration:
    """What a robomimic file keeps of a demonstration."""

    views: Views
    Ts_world_tcp: np.ndarray
    object: str
    split: str


def write_robomimic(demonstrations: dict[str, Iterable[Demonstration]], path: Path, views: int = 2) -> Path:
    """Write a robomimic HDF5 file; `demonstrations` maps a filter key ("train", "valid") to demonstrations.

    Per step: obs/view_k_image (the scene before the grasp, the same at every step), obs/eef_pos, obs/eef_quat (xyzw,
    without jumps of sign), the same in next_obs for offline learning (after the last step the hand has not moved),
    actions (7): change of position (m) and rotation vector (rad) in the world frame to the next pose, and the gripper
    (-1 open, +1 close, at the last step). The group calibration has K, Ts_world_cam and `cameras`, whose they are: the
    names of the images before `_image`. Needs h5py (`pip install h5py`).
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
    names = [f"view_{k}" for k in range(len(d.views.images[:views]))]
    for name, image in zip(names, d.views.images, strict=False):
        frames = np.repeat(image[None], n, axis=0)
        group.create_dataset(f"obs/{name}_image", data=frames, compression="gzip", chunks=frames.shape)
        group[f"next_obs/{name}_image"] = group[f"obs/{name}_image"]  # a link: it is the same scene
    for key, rows in (("eef_pos", Ts[:, :3, 3]), ("eef_quat", continuous_quaternions(Ts))):
        group[f"obs/{key}"] = rows
        group[f"next_obs/{key}"] = np.concatenate([rows[1:], rows[-1:]])
    group["actions"] = _actions(Ts)
    group["rewards"] = np.eye(n)[-1]
    group["dones"] = np.eye(n, dtype=np.int64)[-1]
    group["calibration/K"] = d.views.K[:views]
    group["calibration/Ts_world_cam"] = d.views.Ts_world_cam[:views]
    group["calibration/cameras"] = np.array(names, dtype="S")
    group.attrs.update({"num_samples": n, "object": d.object, "split": split, "scene": d.scene, "stage": d.stage})
    return n


def continuous_quaternions(Ts: np.ndarray) -> np.ndarray:
    """Unit quaternions (n, 4), xyzw; of the two that are one rotation always the one near the step before."""
    q = Rotation.from_matrix(Ts[:, :3, :3]).as_quat()
    turned = (q[1:] * q[:-1]).sum(axis=1) < 0
    q[1:][np.cumsum(turned) % 2 == 1] *= -1
    return q


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
    names = [f"view_{k}" for k in range(len(K))]  # of files from before the names were stored
    if "cameras" in group["calibration"]:
        names = [name.decode() for name in group["calibration/cameras"][:].tolist()]
    images = np.stack([group[f"obs/{name}_image"][0] for name in names])
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
