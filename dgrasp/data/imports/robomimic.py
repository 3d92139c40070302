"""robomimic's HDF5, of a lab or our own: what was seen before the grasp, and the hand's way there. Needs h5py.

Read are `obs/<camera>_image` (the camera's name is what stands before `_image`), the hand's pose in the world
(`eef_pos`, `eef_quat` in xyzw; robosuite's have a prefix), the gripper (the last of `actions`), and cameras from the
group `calibration` that our exporter writes, or from a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dgrasp.cameras import Views
from dgrasp.data.imports.cameras import NAME, StatedCameras, read_cameras, views_of
from dgrasp.data.imports.episode import QUATERNION, Episode, ImportRefused, poses_of, until_grasp
from dgrasp.lazy import required

POSITIONS = ("eef_pos", "robot0_eef_pos")
SPLITS = {"valid": "validation", "validation": "validation"}


def read_robomimic_episodes(path: Path, *, cameras: Path | None = None, unit: str = "m") -> tuple[list[Episode], str]:
    """The file's demonstrations in their order, and the convention of their cameras.

    cameras: their calibration; none: the file's own, or `cameras.json` beside it. Raises ImportRefused, ImportError.
    """
    h5py = required("h5py", "a robomimic file", "export")
    path = Path(path)
    beside = cameras or path.parent / NAME
    try:
        with h5py.File(path, "r") as file:
            names = sorted(file["data"], key=lambda name: int(name.removeprefix("demo_")))
            own = cameras is None and "calibration" in file[f"data/{names[0]}"] if names else False
            stated = None if own else read_cameras(beside, str(path))
            held_out = _held_out(file)
            found = [
                _episode(f"{path}: {n}", file["data"][n], stated, unit, "validation" if n in held_out else "train")
                for n in names
            ]
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, ImportRefused):
            raise
        raise ImportRefused(f"{path}: not a robomimic file of demonstrations ({error})") from error
    if not found:
        raise ImportRefused(f"{path}: has no demonstrations")
    return found, stated.convention if stated else "opencv"


def _held_out(file: Any) -> set[str]:
    masks = [file[f"mask/{name}"] for name in SPLITS if f"mask/{name}" in file]
    return {name.decode() for mask in masks for name in mask[:]}


def _episode(source: str, group: Any, stated: StatedCameras | None, unit: str, split: str) -> Episode:
    obs = group["obs"]
    position = next((name for name in POSITIONS if name in obs), None)
    if position is None:
        raise ImportRefused(f"{source}: obs has none of {', '.join(POSITIONS)}; it has {', '.join(obs)}")
    turned = position.replace("pos", "quat")
    columns = dict(zip("xyz", obs[position][:].T, strict=True))
    if turned in obs:
        columns |= dict(zip(QUATERNION, obs[turned][:].T, strict=True))
    gripper = group["actions"][:, -1] if "actions" in group else None
    Ts = until_grasp(poses_of(columns, unit, f"{source}: obs"), gripper, source)
    images = {name.removesuffix("_image"): obs[name][0] for name in obs if name.endswith("_image")}
    if not images:
        raise ImportRefused(f"{source}: obs has no images (<camera>_image); it has {', '.join(obs)}")
    for name, image in images.items():
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ImportRefused(f"{source}: {name}_image: expected uint8 RGB, got {image.dtype} of shape {image.shape}")
    if stated is None:
        views = Views(np.stack(list(images.values())), group["calibration/K"][:], group["calibration/Ts_world_cam"][:])
    else:
        views = views_of(images, stated, source)
    return Episode(source, views, Ts, str(group.attrs.get("object", "")), split)
