"""Demonstrations on disk, layout version 1. One compressed npz per scene, no pickle, named in a manifest.

    <run>/manifest.json                 version; by scene file: sha256, bytes, demonstrations, what they show; sealed
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
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, ValidationError

from dgrasp.config import Config, where, words
from dgrasp.files import DamagedFileError, atomic_path, read_json, read_sealed, sha256, write_sealed
from dgrasp.sim import arrangement
from dgrasp.sim.scene import scene_from

VERSION = 1
SHAPES: dict[str, tuple[str, tuple[int | None, ...]]] = {  # dtype and sizes of each array; None: any
    "images": ("uint8", (None, None, None, None, 3)),
    "K": ("float64", (None, None, 3, 3)),
    "Ts_world_cam": ("float64", (None, None, 4, 4)),
    "T_world_grasp": ("float64", (None, 4, 4)),
    "Ts_world_tcp": ("float64", (None, 4, 4)),
    "trajectory_starts": ("int64", (None,)),
    "record": ("uint8", (None,)),
}
ARRAYS = tuple(SHAPES)
ADVICE = "call generate_demonstrations again: it makes this scene anew, and nothing else"
MOST_STAGES = 10_000  # that a scene file is believed to hold: an index of them is made before the file is read


class ManifestEntry(Config):
    """What the manifest says about a scene file."""

    model_config = ConfigDict(strict=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the file")
    bytes: int = Field(ge=0, le=2**63 - 1, description="its length")
    demonstrations: int = Field(ge=0, le=MOST_STAGES, description="stages in it")
    # What networks saw in the stages; null in files from before it was noted.
    draw: int | None = Field(default=None, ge=0, description="which draw of the scene this is")
    closest: float | None = Field(
        default=None, description="least distance between the circles round two upright objects, metres"
    )
    tilt: float | None = Field(default=None, description="largest angle of an object's z axis to the vertical, radians")
    textured: int | None = Field(default=None, ge=0, description="objects that are not of one colour")


class Manifest(Config):
    """A manifest, as it is checked."""

    model_config = ConfigDict(strict=True)

    version: Literal[1]
    policy_views: int = Field(ge=1, description="the first of the views, for the value function")
    files: dict[Annotated[str, Field(pattern=r"^[a-z]+-[0-9]{5,}\.npz$")], ManifestEntry]
    sha256: str | None = Field(None, description="of the rest, so that it proves itself; those of before had none")


@dataclass(frozen=True)
class SceneRecord:
    """The arrays of one scene file, and its JSON record."""

    images: np.ndarray
    K: np.ndarray
    Ts_world_cam: np.ndarray
    T_world_grasp: np.ndarray
    trajectories: tuple[np.ndarray, ...]
    # "draw", "stages": [{"scene", "object"}], "attempts": [{"stage", "object", "outcome", "reason"}], "given_up"
    record: dict[str, Any]

    @property
    def demonstrations(self) -> int:
        return len(self.T_world_grasp)


def scene_path(folder: Path, split: str, index: int) -> Path:
    """Where the file of a scene lies in a run's folder; it need not be there."""
    return Path(folder) / "scenes" / f"{split}-{index:05d}.npz"


def scene_index(name: str) -> int:
    """Of a scene's file, by its name: that of `scene_path`."""
    return int(name.removesuffix(".npz").rpartition("-")[2])


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
    stages, starts = len(a["images"]), a["trajectory_starts"].tolist()
    counts = {name: len(a[name]) for name in ("K", "Ts_world_cam", "T_world_grasp")} | {"trajectories": len(starts) - 1}
    if set(counts.values()) != {stages} or starts[:1] != [0] or starts[-1:] != [len(a["Ts_world_tcp"])]:
        raise _damaged(path, f"{stages} images, and {counts}")
    if (
        starts != sorted(starts)
        or a["images"].shape[1] != a["K"].shape[1]
        or a["K"].shape[1] != a["Ts_world_cam"].shape[1]
    ):
        raise _damaged(path, "trajectories out of order, or views without cameras")
    trajectories = tuple(a["Ts_world_tcp"][i:j] for i, j in itertools.pairwise(starts))
    record = _decoded(path, a["record"])
    return SceneRecord(a["images"], a["K"], a["Ts_world_cam"], a["T_world_grasp"], trajectories, record)


def load_record(path: Path, checksum: str | None = None) -> dict[str, Any]:
    """Only the JSON record of a scene, without its images."""
    return _decoded(path, _read(Path(path), ("record",), checksum)["record"])


def _decoded(path: Path, record: np.ndarray) -> dict[str, Any]:
    try:
        found = json.loads(record.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its record is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise _damaged(path, f"its record is a {type(found).__name__}, expected keys and values")
    return found


def _read(path: Path, names: tuple[str, ...], checksum: str | None) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DamagedFileError(f"{path}: scene file is missing; {ADVICE}")
    if checksum is not None and sha256(path) != checksum:
        raise DamagedFileError(f"{path}: checksum differs from the manifest; {ADVICE}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
    except _NO_ARCHIVE as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    for name, array in arrays.items():
        dtype, sizes = SHAPES[name]
        fits = array.ndim == len(sizes) and all(n in (None, size) for n, size in zip(sizes, array.shape, strict=True))
        if array.dtype != dtype or not fits:
            raise _damaged(path, f"{name} is {array.dtype} {array.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _damaged(path, f"{name} has NaN or infinite entries")
    return arrays


# What NumPy and the readers of zip files raise for files that are none, or of which a part was changed.
_NO_ARCHIVE = (
    OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, OverflowError, MemoryError, RuntimeError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def _damaged(path: Path, why: str) -> DamagedFileError:
    return DamagedFileError(f"{path}: damaged or partial scene file ({why}); {ADVICE}")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data folder; raises DamagedFileError if there is none, or it is not one of this version."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise DamagedFileError(f"{path}: no manifest, so this is not a folder of demonstrations")
    manifest = read_json(path)
    if isinstance(manifest, dict) and manifest.get("version") != VERSION:
        raise DamagedFileError(
            f"{path}: layout version {manifest.get('version')!r}, this package reads version {VERSION}"
        )
    try:
        Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        raise DamagedFileError(
            f"{path}: {where(first)}{words(first)}; delete it and call generate_demonstrations again: scenes are made "
            "anew"
        ) from error
    return read_sealed(path) if "sha256" in manifest else manifest


def write_manifest(folder: Path, files: dict[str, dict[str, Any]], policy_views: int) -> None:
    """Write the manifest of a folder atomically; files: what `manifest_entry` says, by the names of scene files."""
    write_sealed(Path(folder) / "manifest.json", {"version": VERSION, "policy_views": policy_views, "files": files})


def manifest_entry(path: Path, scene: SceneRecord) -> dict[str, Any]:
    """What the manifest says about a scene file."""
    seen = [scene_from(stage["scene"]) for stage in scene.record["stages"]]
    gaps = [gap for gap in map(arrangement.closest, seen) if gap is not None]
    return {
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "demonstrations": scene.demonstrations,
        "draw": scene.record.get("draw", 0),
        "closest": round(min(gaps), 6) if gaps else None,
        "tilt": round(max(map(arrangement.tilt, seen), default=0.0), 6),
        "textured": max(map(arrangement.textured, seen), default=0),
    }
