"""LeRobot's datasets, version 3: parquet with images in it, or videos beside it. Needs pyarrow (and av for videos).

    meta/info.json                              features, frames per second, where files lie
    meta/tasks.parquet, meta/episodes/...       tasks' texts; per episode its rows, task, place in the videos
    data/chunk-000/file-000.parquet             one row per step
    meta/cameras.json                           ours: the format has no place for calibration

Written are images (lossless), the TCP's pose as `observation.state` (x y z qx qy qz qw, metres, float64), and `action`:
the next pose, and the gripper (-1 open, +1 close, at the last step).
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dgrasp.data.captures.picture import stored_picture
from dgrasp.data.demonstrations import Demonstration
from dgrasp.data.export import continuous_quaternions
from dgrasp.data.imports.cameras import NAME, StatedCameras, read_cameras, views_of, write_cameras
from dgrasp.data.imports.episode import (
    GRIPPER,
    Episode,
    ImportRefused,
    check_times,
    gripper_of,
    poses_of,
    until_grasp,
)
from dgrasp.data.imports.splits import role_of, split_of
from dgrasp.files import read_json_of_a_user, write_json
from dgrasp.lazy import required

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
DATA_FILES, EPISODE_FILES = "data/*/*.parquet", "meta/episodes/*/*.parquet"
FPS = 10
REORDERED = 1.0  # s: no frame is stored farther from its place
BATCH = 16  # rows whose images are in memory at a time
Table = list[dict[str, Any]]


def read_lerobot(
    folder: Path, *, cameras: Path | None = None, unit: str = "m", pose: str = "observation.state"
) -> tuple[list[Episode], str]:
    """The episodes of a dataset, each to its grasp, and the convention that their cameras are stated in.

    cameras: their calibration; none: `meta/cameras.json`. pose: the feature that holds the TCP's pose, whose names are
    x y z and qx qy qz qw or rx ry rz. Raises ImportRefused (file, episode, column), also for an episode that the
    dataset's splits hold out or leave out; ImportError without pyarrow.
    """
    folder = Path(folder)
    info = _info(folder)
    stated = read_cameras(cameras or folder / "meta" / NAME, str(folder))
    features = info["features"]
    if odd := [key for key, feature in features.items() if not isinstance(feature, dict)]:
        raise ImportRefused(f"{folder}: meta/info.json: features: {odd[0]}: expected an object")
    names = [key for key, feature in features.items() if feature.get("dtype") in ("image", "video")]
    if not names:
        raise ImportRefused(f"{folder}: no feature is an image or a video; features: {', '.join(features)}")
    if pose not in features:
        raise ImportRefused(f"{folder}: no feature {pose!r} (say --pose); features: {', '.join(features)}")
    images = [key for key in names if features[key].get("dtype") == "image"]
    rows, tasks = _rows(folder, (pose, *(["action"] if "action" in features else [])), images), _tasks(folder)
    episodes = _table(folder, EPISODE_FILES, "episode_index")
    if unknown := sorted(set(rows) - {int(about["episode_index"]) for about in episodes}):
        raise ImportRefused(f"{folder}: episode {unknown[0]} is in {DATA_FILES} and not in {EPISODE_FILES}")
    split = _splits_of(folder, info, [int(about["episode_index"]) for about in episodes])
    return [
        _episode(folder, info, stated, names, pose, unit, e, rows, tasks, split) for e in episodes
    ], stated.convention


def _info(folder: Path) -> dict[str, Any]:
    path = folder / "meta" / "info.json"
    if not path.is_file():
        raise ImportRefused(f"{path}: no such file; expected a LeRobot dataset, version 3")
    info = read_json_of_a_user(path)
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if not str(version).startswith("v3"):
        raise ImportRefused(
            f"{path}: codebase_version {version!r}; version 3 is read, LeRobot's converter brings to it"
        )
    if not isinstance(info.get("features"), dict):
        raise ImportRefused(f"{path}: lacks features")
    return info


def _episode(
    folder: Path, info: dict[str, Any], stated: StatedCameras, names: list[str], pose: str, unit: str,
    about: dict[str, Any], rows: dict[int, Table], tasks: dict[int, str], splits: Mapping[int, str],
) -> Episode:  # fmt: skip
    number = int(about["episode_index"])
    source = f"{folder}: episode {number}"
    steps = rows.get(number, [])
    if not steps:
        raise ImportRefused(f"{source}: has no rows in data/")
    if (length := about.get("length")) is not None and int(length) != len(steps):
        raise ImportRefused(f"{source}: has {len(steps)} rows in data/, {EPISODES} says {length}: is a file missing?")
    check_times([step["timestamp"] for step in steps if "timestamp" in step], f"{source}: timestamp")
    columns = _named(info["features"], pose, steps, source)
    actions = _actions(info["features"], steps, source)
    commanded = gripper_of(actions, f"{source}: action")
    gripper = gripper_of(columns, f"{source}: {pose}") if commanded is None else commanded
    way = until_grasp(poses_of(columns, unit, f"{source}: {pose}"), gripper, source)
    images = {name: _first_image(folder, info, name, steps[0], about, source) for name in names}
    task = tasks.get(int(steps[0].get("task_index", -1)), "")
    views = views_of(images, stated, source)
    return Episode(source, views, way.Ts_world_tcp, task, splits[number], way.recorded, way.changes)


def _named(features: Mapping[str, Any], key: str, steps: Table, source: str) -> dict[str, Any]:
    """A feature's columns by their names. Raises ImportRefused where these are not as many."""
    names, values = _names(features[key].get("names")), _values(key, steps, source)
    if names is None or len(names) != values.shape[1]:
        raise ImportRefused(
            f"{source}: {key} has {values.shape[1]} columns and the names {features[key].get('names')}; expected as "
            f'many: in meta/info.json, features, {key}, state "names": [{", ".join(POSE)}], each in quotes, in the '
            "order of the columns (or rx, ry, rz; others may have any name)"
        )
    return dict(zip(names, values.T, strict=True))


def _actions(features: Mapping[str, Any], steps: Table, source: str) -> dict[str, Any]:
    """The columns of `action`, of which only the gripper is read; none where their names do not tell which it is."""
    if "action" not in features:
        return {}
    names, values = _names(features["action"].get("names")), _values("action", steps, source)
    return dict(zip(names, values.T, strict=True)) if names and len(names) == values.shape[1] else {}


def _names(stated: Any) -> list[str] | None:
    """A feature's names: a list, an object with one ("motors"), or one of names and their columns' numbers; or None."""
    if isinstance(stated, dict):
        if stated and all(type(column) is int for column in stated.values()):
            return sorted(map(str, stated), key=stated.__getitem__)
        stated = next(iter(stated.values()), None)
    return stated if isinstance(stated, list) and all(isinstance(name, str) for name in stated) else None


def _values(key: str, steps: Table, source: str) -> Float[np.ndarray, "steps columns"]:
    try:
        return np.array([step[key] for step in steps], dtype=np.float64).reshape(len(steps), -1)
    except (TypeError, ValueError) as error:
        raise ImportRefused(f"{source}: {key}: expected as many numbers in each step ({error})") from error


def _first_image(
    folder: Path, info: dict[str, Any], name: str, step: dict[str, Any], about: dict[str, Any], source: str
) -> UInt8[np.ndarray, "h w 3"]:
    if info["features"][name]["dtype"] == "image":
        held = step[name]
        data = held.get("bytes") if isinstance(held, dict) else held
        if not data:
            raise ImportRefused(f"{source}: {name}: no image in the first row")
        try:
            return stored_picture(io.BytesIO(data))
        except ValueError as error:
            raise ImportRefused(f"{source}: {name}: {error}") from error
    keys = {part: f"videos/{name}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")}
    if missing := [key for key in keys.values() if about.get(key) is None]:
        raise ImportRefused(f"{source}: {EPISODE_FILES} lack {', '.join(missing)}: where is its video?")
    place = {part: int(about[keys[part]]) for part in ("chunk_index", "file_index")}
    path = Path(folder / str(info.get("video_path") or VIDEO).format(video_key=name, **place)).resolve()
    if not (path.is_relative_to(folder.resolve()) and path.is_file()):
        raise ImportRefused(f"{source}: {name}: no video at {path}, or not in the dataset's folder")
    return _frame_at(path, float(about[keys["from_timestamp"]]), float(info.get("fps") or FPS))


def _frame_at(path: Path, seconds: float, fps: float) -> UInt8[np.ndarray, "h w 3"]:
    """The frame of a video at a time; raises ImportRefused without one."""
    av = required("av", "a dataset's video", "export")
    try:
        for begin in dict.fromkeys((max(0.0, seconds - REORDERED), 0.0)):
            with av.open(f"file:{path}", format="mov", options={"protocol_whitelist": "file"}) as video:
                if (frame := _first_from(video, begin, seconds - 0.5 / fps)) is not None:
                    return frame
    except (av.FFmpegError, OSError) as error:
        raise ImportRefused(f"{path}: cannot be read ({error})") from error
    raise ImportRefused(f"{path}: has no frame at {seconds:g} s")


def _first_from(video: Any, begin: float, seconds: float) -> UInt8[np.ndarray, "h w 3"] | None:
    """The first frame that is shown from a time (s) on, read from the key frame before `begin`; None where it is none.

    A file may hold thousands of episodes, and decoding all that comes before would be done again for each.
    """
    if begin > 0:
        stream = video.streams.video[0]
        video.seek(int(begin / stream.time_base), stream=stream)
    for i, frame in enumerate(video.decode(video=0)):
        if frame.time is not None and frame.time >= seconds:
            only_perhaps = begin > 0 and i == 0  # what is shown before it may be from `seconds` on, too
            return None if only_perhaps else np.asarray(frame.to_ndarray(format="rgb24"))
    return None


def _table(folder: Path, pattern: str, *columns: str) -> Table:
    """The rows of all files of a pattern. Raises ImportRefused without one, or one of the columns."""
    return [row for _, rows in _tables(folder, pattern, columns) for row in rows]


def _tables(
    folder: Path, pattern: str, columns: Iterable[str], kept: Container[str] | None = None
) -> Iterator[tuple[Path, Table]]:
    """The rows of each file of a pattern, all of whose `columns` must be there. kept: columns to read; none: all."""
    parquet = required("pyarrow.parquet", "a LeRobot dataset", "export")
    files = sorted(folder.glob(pattern))
    if not files:
        raise ImportRefused(f"{folder}: no {pattern}")
    for file in files:
        with _read(folder, pattern), parquet.ParquetFile(file) as table:
            names = table.schema_arrow.names
            if missing := [name for name in columns if name not in names]:
                raise ImportRefused(f"{file}: lacks {', '.join(missing)}; columns: {', '.join(names)}")
            rows = table.read(columns=[name for name in names if kept is None or name in kept]).to_pylist()
        yield file, rows


@contextmanager
def _read(folder: Path, pattern: str) -> Iterator[None]:
    """Say of a file that is no parquet where it is. Raises ImportRefused."""
    try:
        yield
    except ImportRefused:
        raise
    except (OSError, ValueError) as error:
        raise ImportRefused(f"{folder}: {pattern} cannot be read ({' '.join(str(error).split())[:200]})") from error


def _rows(folder: Path, features: Iterable[str], images: Iterable[str]) -> dict[int, Table]:
    """The steps by episode, in order, with `images` in the first one alone. Each must have `features` and `images`."""
    found: dict[int, Table] = {}
    places: dict[int, tuple[Path, int]] = {}  # of each step's row, by the identity of the step
    needed = ("episode_index", "frame_index", *features)
    for file, rows in _tables(folder, DATA_FILES, (*needed, *images), (*needed, "timestamp", "task_index")):
        for i, row in enumerate(rows):
            found.setdefault(int(row["episode_index"]), []).append(row)
            places[id(row)] = file, i
    for number, rows in found.items():
        rows.sort(key=lambda row: row["frame_index"])
        frames = [row["frame_index"] for row in rows]
        if twice := [a for a, b in itertools.pairwise(frames) if a == b]:
            raise ImportRefused(f"{folder}: episode {number}: frame_index {twice[0]} stands twice")
        if missing := sorted(set(range(len(frames))) - set(frames)):
            raise ImportRefused(f"{folder}: episode {number}: no row has frame_index {missing[0]}: is a file missing?")
    firsts: dict[Path, Table] = {}
    for rows in found.values():
        firsts.setdefault(places[id(rows[0])][0], []).append(rows[0])
    for file, steps in firsts.items():
        with _read(folder, DATA_FILES):
            _add_images(file, {places[id(step)][1]: step for step in steps}, list(images))
    return found


def _add_images(file: Path, steps: Mapping[int, dict[str, Any]], images: list[str]) -> None:
    """Put the images of some of a file's rows, by their numbers, into these steps. Of others, none is kept."""
    if not images:
        return
    parquet, begin = required("pyarrow.parquet", "a LeRobot dataset", "export"), 0
    with parquet.ParquetFile(file) as table:
        for group in range(table.num_row_groups):
            end = begin + table.metadata.row_group(group).num_rows
            if any(begin <= number < end for number in steps):
                number = begin
                for batch in table.iter_batches(BATCH, row_groups=[group], columns=images):
                    for i in range(len(batch)):
                        if number + i in steps:
                            steps[number + i].update(batch.slice(i, 1).to_pylist()[0])
                    number += len(batch)
            begin = end


def _tasks(folder: Path) -> dict[int, str]:
    if not (folder / "meta" / "tasks.parquet").is_file():
        return {}
    rows = _table(folder, "meta/tasks.parquet")
    texts = ("task", "__index_level_0__")  # pandas keeps the text as its index
    return {int(row["task_index"]): str(next((row[t] for t in texts if t in row), "")) for row in rows}


def _splits_of(folder: Path, info: Mapping[str, Any], episodes: Sequence[int]) -> dict[int, str]:
    """What each episode is for, by the splits of `info.json`; all are to be trained on where it has none."""
    splits, source = info.get("splits", {}), str(folder / "meta" / "info.json")
    if not isinstance(splits, dict):
        raise ImportRefused(f"{source}: splits: expected an object")
    count = max(episodes, default=-1) + 1
    spans = {name: _span(name, stated, count, source) for name, stated in splits.items() if role_of(name)}
    return {e: split_of(e, spans, f"{folder}: episode {e}", "meta/info.json, splits") for e in episodes}


def _span(name: str, stated: Any, count: int, source: str) -> range:
    """The episodes of a split, which `info.json` has as "begin:end". count: of the dataset's episodes."""
    if not (span := re.fullmatch(r"(\d+):(\d+)", str(stated))):
        raise ImportRefused(f'{source}: splits: {name}: expected "begin:end" of episodes, got {stated!r}')
    begin, end = int(span[1]), int(span[2])
    if not begin <= end <= count:
        raise ImportRefused(
            f"{source}: splits: {name}: got {stated!r}, the dataset has {count} episodes; expected begin <= end <= "
            f"{count}: is a file missing?"
        )
    return range(begin, end)


def write_lerobot(demonstrations: Mapping[str, Iterable[Demonstration]], folder: Path, views: int = 2) -> Path:
    """Write a dataset of version 3; `demonstrations` maps "train" and "validation" to demonstrations.

    views: how many of each, the first ones. All must be seen by the same cameras, from the same places. Raises
    ValueError, before anything is written, if they are not, have fewer views, or if there are none.
    """
    folder = Path(folder)
    if views < 1:
        raise ValueError(f"views: expected 1 or more, got {views}")
    names = [f"observation.images.view_{k}" for k in range(views)]
    members = [(split, d) for split in ("train", "validation") for d in demonstrations.get(split, ())]
    if not members:
        raise ValueError(f"demonstrations: none in train or validation, got {list(demonstrations)}; expected 1 or more")
    if few := [d for _, d in members if len(d.views) < views]:
        raise ValueError(f"views: {views} asked of each, scene {few[0].scene} has {len(few[0].views)}; ask for fewer")
    first = members[0][1].views[:views]
    for _, d in members:
        if not np.array_equal(d.views.K[:views], first.K) or not np.allclose(
            d.views.Ts_world_cam[:views], first.Ts_world_cam
        ):
            raise ValueError(f"scene {d.scene}: its cameras stand elsewhere; a LeRobot dataset has one calibration")
    tasks = sorted({d.object for _, d in members})
    rows: Table = []
    episodes: Table = []
    for number, (_, d) in enumerate(members):
        begin = len(rows)
        rows += _steps(d, names, number, begin, tasks.index(d.object))
        places = {
            "data/chunk_index": 0,
            "data/file_index": 0,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        span = {"dataset_from_index": begin, "dataset_to_index": len(rows), "length": len(rows) - begin}
        episodes.append({"episode_index": number, "tasks": [d.object], **span, **places})
    trained = sum(split == "train" for split, _ in members)
    _write_tables(folder, rows, episodes, tasks)
    _write_info(folder, names, first.images.shape[1:3], len(members), trained, len(rows), len(tasks))
    write_cameras(first, names, folder / "meta" / NAME)
    return folder


def _steps(d: Demonstration, names: list[str], number: int, begin: int, task: int) -> Table:
    Ts = d.Ts_world_tcp
    states = np.hstack([Ts[:, :3, 3], continuous_quaternions(Ts)])
    closed = np.where(np.arange(len(Ts)) == len(Ts) - 1, 1.0, -1.0)
    actions = np.column_stack([np.vstack([states[1:], states[-1:]]), closed])
    seen = {}
    for name, image in zip(names, d.views.images, strict=False):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="PNG")
        seen[name] = {"bytes": buffer.getvalue(), "path": f"episode-{number:06d}.png"}
    return [
        {
            **seen, "observation.state": states[i].tolist(), "action": actions[i].tolist(), "timestamp": i / FPS,
            "frame_index": i, "episode_index": number, "index": begin + i, "task_index": task,
        }
        for i in range(len(Ts))
    ]  # fmt: skip


def _write_tables(folder: Path, rows: Table, episodes: Table, tasks: list[str]) -> None:
    import pandas as pd

    pyarrow = required("pyarrow", "a LeRobot dataset", "export")
    parquet = required("pyarrow.parquet", "a LeRobot dataset", "export")
    schema = _schema(pyarrow, list(rows[0]))
    for path, table, types in ((DATA.format(chunk_index=0, file_index=0), rows, schema), (EPISODES, episodes, None)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(table, schema=types), folder / path)
    pd.DataFrame({"task_index": range(len(tasks))}, index=pd.Index(tasks, name="task")).to_parquet(
        folder / "meta" / "tasks.parquet"
    )


def _schema(pyarrow: Any, columns: list[str]) -> Any:
    """The types that `info.json` states, as the format's loaders expect them."""
    known = {
        "observation.state": pyarrow.list_(pyarrow.float64(), len(POSE)),
        "action": pyarrow.list_(pyarrow.float64(), len(POSE) + 1),
        "timestamp": pyarrow.float32(),
    }
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    whole = ("frame_index", "episode_index", "index", "task_index")
    return pyarrow.schema([(c, known.get(c, pyarrow.int64() if c in whole else image)) for c in columns])


def _write_info(
    folder: Path, names: list[str], size: tuple[int, ...], episodes: int, trained: int, frames: int, tasks: int
) -> None:
    whole = {
        key: {"dtype": "int64", "shape": [1], "names": None}
        for key in ("frame_index", "episode_index", "index", "task_index")
    }
    image = {"dtype": "image", "shape": [*size, 3], "names": ["height", "width", "channels"]}
    features = {
        **dict.fromkeys(names, image),
        "observation.state": {"dtype": "float64", "shape": [7], "names": list(POSE)},
        "action": {"dtype": "float64", "shape": [8], "names": [*POSE, GRIPPER]},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **whole,
    }
    splits = {"train": f"0:{trained}"} | ({"validation": f"{trained}:{episodes}"} if trained < episodes else {})
    write_json(
        folder / "meta" / "info.json",
        {
            "codebase_version": "v3.0", "robot_type": "ur10", "total_episodes": episodes, "total_frames": frames,
            "total_tasks": tasks, "chunks_size": 1000, "data_files_size_in_mb": 100, "video_files_size_in_mb": 500,
            "fps": FPS, "splits": splits, "data_path": DATA, "video_path": None, "features": features,
        },
    )  # fmt: skip
