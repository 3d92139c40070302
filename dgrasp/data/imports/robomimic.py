"""robomimic's HDF5, of a lab or our own: what was seen before the grasp, and the hand's way there. Needs h5py.

Read are `obs/<camera>_image` (the camera's name is what stands before `_image`), the hand's pose in the world
(`eef_pos`, `eef_quat` in xyzw; robosuite's have a prefix), the gripper (the last of `actions`), and cameras from the
group `calibration` that our exporter writes (`K`, `Ts_world_cam`, and `cameras`, the names that they are of), or from a
file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dgrasp.cameras import Intrinsics, Views
from dgrasp.data.imports.cameras import NAME, StatedCameras, read_cameras, views_of
from dgrasp.data.imports.episode import QUATERNION, Episode, ImportRefused, check_unit, poses_of, until_grasp
from dgrasp.data.imports.splits import role_of, split_of
from dgrasp.lazy import required

POSITIONS = ("eef_pos", "robot0_eef_pos")


def read_robomimic_episodes(path: Path, *, cameras: Path | None = None, unit: str = "m") -> tuple[list[Episode], str]:
    """The file's demonstrations in their order, and the convention of their cameras.

    cameras: their calibration; none: the file's own, or `cameras.json` beside it. Raises ImportRefused, also for a
    demonstration that the file's masks hold out or leave out; ImportError without h5py.
    """
    h5py = required("h5py", "a robomimic file", "export")
    path = Path(path)
    if not path.is_file():
        raise ImportRefused(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; expected an HDF5 file")
    beside = cameras or path.parent / NAME
    try:
        with h5py.File(path, "r") as file:
            names = _names(file, path)
            own = cameras is None and "calibration" in file[f"data/{names[0]}"]
            stated = None if own else read_cameras(beside, str(path))
            masks = _masks(file, names, path)
            splits = {name: split_of(name, masks, f"{path}: {name}", "mask") for name in names}
            found = [_episode(f"{path}: {n}", file["data"][n], stated, unit, splits[n]) for n in names]
    except (OSError, KeyError) as error:  # what h5py says of damaged files
        raise ImportRefused(f"{path}: not a robomimic file of demonstrations ({error})") from error
    return found, stated.convention if stated else "opencv"


def _names(file: Any, path: Path) -> list[str]:
    """`demo_0` and so on, in their order; one or more."""
    names = list(file["data"])
    if odd := [name for name in names if not re.fullmatch(r"demo_\d+", name)]:
        raise ImportRefused(f"{path}: data: unknown {odd[0]!r}; demonstrations are called demo_0, demo_1, ...")
    if not names:
        raise ImportRefused(f"{path}: data: has no demonstrations")
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def _masks(file: Any, names: list[str], path: Path) -> dict[str, list[str]]:
    """Demonstrations by the filter keys that say what they are for; others (`20_percent`, say) do not."""
    group, masks = file.get("mask", {}), {}
    for key in filter(role_of, group):
        masks[key] = [name.decode() if isinstance(name, bytes) else name for name in group[key][:].tolist()]
        if odd := [name for name in masks[key] if name not in names]:
            raise ImportRefused(f"{path}: mask/{key}: {odd[0]!r} is no demonstration of the file")
    return masks


def _episode(source: str, group: Any, stated: StatedCameras | None, unit: str, split: str) -> Episode:
    obs = group["obs"]
    if hasattr(obs, "dtype"):
        raise ImportRefused(f"{source}: obs: expected a group of observations, got {_kind(obs)}")
    position = next((name for name in POSITIONS if name in obs), None)
    if position is None:
        raise ImportRefused(f"{source}: obs has none of {', '.join(POSITIONS)}; it has {', '.join(obs)}")
    turned = position.replace("pos", "quat")
    columns = _columns(obs, position, "xyz", source)
    if turned in obs:
        columns |= _columns(obs, turned, QUATERNION, source)
    if len({len(values) for values in columns.values()}) > 1:
        raise ImportRefused(f"{source}: obs: {position} has {len(obs[position])} steps, {turned} {len(obs[turned])}")
    way = until_grasp(poses_of(columns, unit, f"{source}: obs"), _gripper(group, source), source)
    images = {name.removesuffix("_image"): _first(obs, name, source) for name in obs if name.endswith("_image")}
    if not images:
        raise ImportRefused(f"{source}: obs has no images (<camera>_image); it has {', '.join(obs)}")
    views = _calibrated(group, images, source) if stated is None else views_of(images, stated, source)
    task = str(group.attrs.get("object", ""))
    return Episode(source, views, way.Ts_world_tcp, task, split, way.recorded, way.changes)


def _columns(obs: Any, name: str, columns: Sequence[str], source: str) -> dict[str, Any]:
    """The columns of a dataset of numbers, (steps, columns)."""
    data = obs[name]
    if not hasattr(data, "dtype") or data.dtype.kind not in "fiu" or data.ndim != 2 or data.shape[1] != len(columns):
        expected = f"numbers of shape (steps, {len(columns)}): {', '.join(columns)}"
        raise ImportRefused(f"{source}: obs/{name}: expected {expected}; got {_kind(data)}")
    return dict(zip(columns, data[:].T, strict=True))


def _gripper(group: Any, source: str) -> Any:
    """Its command of each step, the last of the actions; None without them."""
    if "actions" not in group:
        return None
    data = group["actions"]
    if not hasattr(data, "dtype") or data.dtype.kind not in "fiu" or data.ndim != 2 or not data.shape[1]:
        raise ImportRefused(f"{source}: actions: expected numbers of shape (steps, actions); got {_kind(data)}")
    return data[:, -1]


def _first(obs: Any, name: str, source: str) -> UInt8[np.ndarray, "h w 3"]:
    data = obs[name]
    if not hasattr(data, "dtype") or data.dtype != np.uint8 or data.ndim != 4 or data.shape[3] != 3 or not len(data):
        raise ImportRefused(f"{source}: {name}: expected uint8 RGB of shape (steps, h, w, 3); got {_kind(data)}")
    return np.asarray(data[0])


def _kind(data: Any) -> str:
    return f"{data.dtype} of shape {data.shape}" if hasattr(data, "dtype") else "a group"


def _calibrated(group: Any, images: Mapping[str, UInt8[np.ndarray, "h w 3"]], source: str) -> Views:
    """The images with the calibration of our exporter, each camera with its own, in the calibration's order; metres."""
    if "calibration" not in group:
        raise ImportRefused(f"{source}: has no calibration, unlike the first one; give it with --cameras FILE")
    if len({image.shape for image in images.values()}) > 1:
        raise ImportRefused(f"{source}: images differ in size between cameras; expected one size")
    K, Ts_world_cam = (np.asarray(group[f"calibration/{name}"][()], np.float64) for name in ("K", "Ts_world_cam"))
    names = _cameras_of(group["calibration"], images, len(K) if K.ndim == 3 else len(images), source)
    try:
        views = Views(np.stack([images[name] for name in names]), K, Ts_world_cam)
    except ValueError as error:
        raise ImportRefused(f"{source}: calibration of {', '.join(names)}: {error}") from error
    height, width = views.images.shape[1:3]
    for name, (fx, fy), (cx, cy) in zip(names, K[:, (0, 1), (0, 1)], K[:, :2, 2], strict=True):
        try:
            Intrinsics(width, height, fx, fy, cx, cy).check_lens()
        except ValueError as error:
            raise ImportRefused(
                f"{source}: calibration/K: camera {name!r}: {error}; is it of images of another size?"
            ) from error
    check_unit(Ts_world_cam[:, :3, 3], "m", f"{source}: calibration", "divide them by 1000")
    return views


def _cameras_of(calibration: Any, images: Collection[str], calibrated: int, source: str) -> list[str]:
    """The camera of each entry of a calibration, by name.

    Without `cameras` in it (files from before the names were stored) they are view_0, view_1, ... in the order of their
    numbers. Raises ImportRefused where that does not tell whose calibration an entry is, or images are missing.
    """
    say = "or give the calibration with --cameras FILE"
    stated = "cameras" in calibration
    names = [f"view_{i}" for i in range(calibrated)]
    if stated:
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in calibration["cameras"][:].tolist()]
        if len(names) != calibrated or len(set(names)) < len(names):
            raise ImportRefused(
                f"{source}: calibration/cameras: expected {calibrated} names, as many as K has entries, and each once; "
                f"got {', '.join(names)}"
            )
    unknown, lacking = [n for n in images if n not in names], [n for n in names if n not in images]
    if unknown and not stated:
        raise ImportRefused(
            f"{source}: calibration does not say whose it is: images are of {', '.join(images)}, expected without "
            f"names are {', '.join(names)}; write the names into calibration/cameras, {say}"
        )
    if unknown:
        raise ImportRefused(
            f"{source}: camera {unknown[0]!r} has no calibration; calibrated are {', '.join(names)}: was it renamed? "
            f"Rename it in calibration/cameras, too, {say}"
        )
    if lacking:
        raise ImportRefused(
            f"{source}: camera {lacking[0]!r} has a calibration and no images (obs/{lacking[0]}_image); images are of "
            f"{', '.join(images)}: add them, {say}"
        )
    return names
