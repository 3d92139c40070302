"""Demonstrations on disk, layout version 1. One compressed npz per scene, no pickle, named in a manifest.

    <run>/manifest.json                 version, splits, and per scene file: sha256, bytes, demonstrations
    <run>/scenes/<split>-<index>.npz    one scene with its n stages (an object fewer each time):
        images            uint8   (n, views, height, width, 3)  RGB before the grasp
        K                 float64 (n, views, 3, 3)              pixels
        Ts_world_cam      float64 (n, views, 4, 4)              OpenCV camera axes, metres
        T_world_grasp     float64 (n, 4, 4)                     TCP pose of the grasp that lifted the object
        Ts_world_tcp      float64 (sum of steps, 4, 4)          trajectories, one after the other
        trajectory_starts int64   (n + 1,)                      rows of stage k: starts[k] .. starts[k + 1]
        record            uint8   (bytes,)                      UTF-8 JSON: scenes and outcomes of all attempts

Equal content gives equal bytes. A file is whole or absent; a damaged one is found by its checksum.
"""

from __future__ import annotations

import itertools
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dgrasp.files import DamagedFileError, atomic_path, read_json, sha256, write_json

VERSION = 1
ARRAYS = ("images", "K", "Ts_world_cam", "T_world_grasp", "Ts_world_tcp", "trajectory_starts", "record")


@dataclass(frozen=True)
class SceneRecord:
    """The arrays of one scene file, and its JSON record."""

    images: np.ndarray
    K: np.ndarray
    Ts_world_cam: np.ndarray
    T_world_grasp: np.ndarray
    trajectories: tuple[np.ndarray, ...]
    record: dict[
        str, Any
    ]  # {"scene": ..., "stages": [{"scene", "object"}], "attempts": [{"stage", "object", "outcome", "reason"}]}

    @property
    def demonstrations(self) -> int:
        return len(self.T_world_grasp)


def scene_path(folder: Path, split: str, index: int) -> Path:
    return Path(folder) / "scenes" / f"{split}-{index:05d}.npz"


def save_scene(path: Path, scene: SceneRecord) -> None:
    """Write one scene atomically."""
    lengths = [len(t) for t in scene.trajectories]
    arrays = {
        "images": scene.images,
        "K": scene.K,
        "Ts_world_cam": scene.Ts_world_cam,
        "T_world_grasp": scene.T_world_grasp,
        "Ts_world_tcp": np.concatenate([np.zeros((0, 4, 4)), *scene.trajectories]),
        "trajectory_starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "record": np.frombuffer(json.dumps(scene.record, sort_keys=True).encode(), dtype=np.uint8),
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


def load_scene(path: Path, checksum: str | None = None) -> SceneRecord:
    """Read one scene; raises DamagedFileError naming it if it is missing, cut, altered, or lacks arrays."""
    a = _read(Path(path), ARRAYS, checksum)
    trajectories = tuple(a["Ts_world_tcp"][i:j] for i, j in itertools.pairwise(a["trajectory_starts"]))
    return SceneRecord(a["images"], a["K"], a["Ts_world_cam"], a["T_world_grasp"], trajectories, _decoded(a["record"]))


def load_record(path: Path, checksum: str | None = None) -> dict[str, Any]:
    """Only the JSON record of a scene, without its images."""
    return _decoded(_read(Path(path), ("record",), checksum)["record"])


def _decoded(record: np.ndarray) -> dict[str, Any]:
    return json.loads(record.tobytes().decode())


def _read(path: Path, names: tuple[str, ...], checksum: str | None) -> dict[str, np.ndarray]:
    advice = "call generate_demonstrations again: it makes this scene anew, and nothing else"
    if not path.is_file():
        raise DamagedFileError(f"{path}: scene file is missing; {advice}")
    if checksum is not None and sha256(path) != checksum:
        raise DamagedFileError(f"{path}: checksum differs from the manifest; {advice}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFileError(f"{path}: damaged or partial scene file ({error}); {advice}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data folder; raises DamagedFileError if there is none or its version is another."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise DamagedFileError(f"{path}: no manifest, so this is not a folder of demonstrations")
    manifest = read_json(path)
    if manifest.get("version") != VERSION:
        raise DamagedFileError(
            f"{path}: layout version {manifest.get('version')!r}, this package reads version {VERSION}"
        )
    return manifest


def write_manifest(folder: Path, files: dict[str, dict[str, Any]], policy_views: int) -> None:
    write_json(Path(folder) / "manifest.json", {"version": VERSION, "policy_views": policy_views, "files": files})


def manifest_entry(path: Path, scene: SceneRecord) -> dict[str, Any]:
    """What the manifest says about a scene file."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size, "demonstrations": scene.demonstrations}
