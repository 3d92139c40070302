"""A plain folder of demonstrations: what anybody can write.

<folder>/<episode>/transforms.json, images     the scene before the grasp, as `dgrasp.data.captures` reads it
<folder>/<episode>/trajectory.csv              a row per step: x y z (m), qx qy qz qw or rx ry rz; gripper and time,
                                               if known
<folder>/episodes.csv                          optional, of all episodes: episode, object, split
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.cell.transforms import IDENTITY, inverse
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.captures.source import SHEET, states_cameras
from dgrasp.data.demonstrations import Demonstration
from dgrasp.data.export import continuous_quaternions, write_transforms
from dgrasp.data.imports.episode import (
    FAR,
    GRIPPER,
    QUATERNION,
    UNITS,
    Episode,
    ImportRefused,
    check_times,
    check_unit,
    gripper_of,
    poses_of,
    until_grasp,
)
from dgrasp.files import read_table_of_a_user, write_text

TRAJECTORY, LIST = "trajectory.csv", "episodes.csv"
COLUMNS = ("episode", "object", "split")  # of the list; others are remarks
SPLITS = ("train", "validation")
CONVENTION = {"transforms.json": "opengl"}  # of the sources whose poses could be in another one
TIMES = ("time", "timestamp", "t")  # of a step, in any unit: they tell the order alone


def read_plain(
    folder: Path, *, unit: str = "m", T_world_frame: Float[np.ndarray, "4 4"] = IDENTITY
) -> tuple[list[Episode], str]:
    """The folder's episodes in the order of their names, and the convention of their cameras.

    That is "opengl" where transforms.json states them; else where they are from, in which nothing is to be chosen: a
    COLMAP model, or the printed sheet. unit: of the trajectories, and of cameras that would be beyond `FAR` in metres
    (nearer ones, and a sheet's, are in metres). T_world_frame: where the frame lies that trajectories are stated in; a
    sheet's cameras, which are known in the world, are given in it, too. Raises ImportRefused, also for a folder of
    photographs without a trajectory, CaptureError for photographs and cameras.
    """
    folder = Path(folder)
    paths = sorted(path.parent for path in folder.glob(f"*/{TRAJECTORY}")) if folder.is_dir() else []
    if not paths:
        what = f"no folder in it has a {TRAJECTORY}" if folder.is_dir() else "no such folder"
        raise ImportRefused(f"{folder}: {what}; expected a folder of episodes")
    if lacking := sorted(path for path in folder.iterdir() if path not in paths and states_cameras(path)):
        raise ImportRefused(f"{lacking[0]}: has cameras and no {TRAJECTORY}; give it one, or take the folder out")
    known = _list(folder / LIST, {path.name for path in paths})
    read = [_episode(path, known.get(path.name, {}), unit, T_world_frame) for path in paths]
    return [episode for episode, _ in read], ", ".join(sorted({stated for _, stated in read}))


def _episode(
    path: Path, about: Mapping[str, str], unit: str, T_world_frame: Float[np.ndarray, "4 4"]
) -> tuple[Episode, str]:
    """The episode, and the convention of its cameras; or the source of their poses, where that has only one."""
    file = path / TRAJECTORY
    columns: dict[str, Any] = {}
    for name, values in _columns(file).items():
        try:
            columns[name] = [float(value) for value in values]
        except (TypeError, ValueError) as error:
            raise ImportRefused(f"{file}: {name}: expected numbers ({error})") from error
    for name in filter(columns.__contains__, TIMES):
        check_times(columns[name], f"{file}: {name}")
    way = until_grasp(poses_of(columns, unit, str(file)), gripper_of(columns, str(file)), str(file))
    capture = read_capture(path)
    seen = capture.views
    Ts_frame_cam = seen.Ts_world_cam.copy()
    if capture.source == SHEET:
        Ts_frame_cam = inverse(T_world_frame) @ Ts_frame_cam
    else:
        far = np.linalg.norm(Ts_frame_cam[:, :3, 3], axis=1).max() > FAR  # an arm's log in mm, cameras as documented
        of_cameras = unit if far else "m"
        Ts_frame_cam[:, :3, 3] *= UNITS[of_cameras]
        check_unit(Ts_frame_cam[:, :3, 3], of_cameras, f"{path}: cameras")
    views = Views(seen.images, seen.K, Ts_frame_cam)
    split = about.get("split") or "train"
    if split not in SPLITS:
        raise ImportRefused(f"{path.parent / LIST}: {path.name}: unknown split {split!r}; splits: {', '.join(SPLITS)}")
    episode = Episode(str(path), views, way.Ts_world_tcp, about.get("object") or "", split, way.recorded, way.changes)
    return episode, CONVENTION.get(capture.source, capture.source)


def _columns(file: Path) -> dict[str, list[str]]:
    rows = _table(file)
    if not rows:
        raise ImportRefused(f"{file}: the trajectory is empty; expected a line of columns, and a row per step")
    return {name: [row[name] for row in rows] for name in rows[0] if name}


def _table(file: Path) -> list[dict[str, str]]:
    """The rows, without the blanks that some write after commas."""
    read = read_table_of_a_user(file)
    rows = [{name.strip(): value.strip() for name, value in row.items()} for row in read]
    if rows and len(rows[0]) < len(read[0]):
        raise ImportRefused(f"{file}: two columns have one name, but for blanks: {', '.join(read[0])}")
    return rows


def _list(file: Path, episodes: Set[str]) -> dict[str, dict[str, str]]:
    """What the list says of each episode, none without a list. Raises ImportRefused if it is not of these episodes."""
    if not file.is_file():
        return {}
    rows = _table(file)
    if rows and "episode" not in rows[0]:
        raise ImportRefused(f"{file}: lacks the column episode; columns: {', '.join(rows[0])}")
    if odd := [name for name in (rows[0] if rows else ()) if name not in COLUMNS and name.casefold() in COLUMNS]:
        raise ImportRefused(f"{file}: unknown column {odd[0]!r}; did you mean {odd[0].casefold()!r}?")
    known: dict[str, dict[str, str]] = {}
    for row in rows:
        if (name := row["episode"]) in known:
            raise ImportRefused(f"{file}: episode {name!r} stands twice; state it once")
        if name not in episodes:
            raise ImportRefused(f"{file}: episode {name!r} has no folder with a {TRAJECTORY}; take it out of the list")
        known[name] = row
    if unlisted := sorted(episodes - known.keys()):
        raise ImportRefused(
            f"{file}: lacks episode {unlisted[0]!r}, which has a folder with a {TRAJECTORY}; a list states all of "
            "them: add it, or take the folder out"
        )
    return known


def write_plain(demonstrations: Mapping[str, Iterable[Demonstration]], folder: Path, views: int = 2) -> Path:
    """Write such a folder; `demonstrations` maps "train" and "validation" to demonstrations.

    The gripper is 0 (open), and 1 at the last step. Episodes of before that are not written anew stay in the folder;
    the list lacks them, so that reading refuses the folder until they are taken out.
    """
    folder, listed, number = Path(folder), [COLUMNS], 0
    for split in SPLITS:
        for d in demonstrations.get(split, ()):
            name = f"episode_{number:05d}"
            write_transforms(d.views[:views], folder / name)
            closed = np.eye(len(d.Ts_world_tcp))[-1]  # at the last step, the grasp
            steps = np.column_stack([d.Ts_world_tcp[:, :3, 3], continuous_quaternions(d.Ts_world_tcp), closed])
            rows = [",".join(repr(float(v)) for v in row) for row in steps]
            columns = ",".join(("x", "y", "z", *QUATERNION, GRIPPER))
            write_text(folder / name / TRAJECTORY, "\n".join([columns, *rows, ""]))
            listed.append((name, d.object, split))
            number += 1
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(listed)  # an object's text may have commas, or quotation marks
    write_text(folder / LIST, lines.getvalue())
    return folder
