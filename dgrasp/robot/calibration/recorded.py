"""Pictures of the board with the flange's poses, in a folder: taken once, and solved as often as one likes.

<folder>/poses.csv     image, x, y, z (m), qx, qy, qz, qw: the flange (tool0) in the world
<folder>/*.png         the pictures that it names, all of one size
<folder>/taken.json    what all of them were taken with, where dgrasp took them: camera, board
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from pydantic import ValidationError

from dgrasp.cell.interface import Camera
from dgrasp.cell.transforms import pose_matrix, pose_vector
from dgrasp.config import explain
from dgrasp.data.captures.picture import stored_picture
from dgrasp.files import UserFileError, atomic_path, read_table_of_a_user, write_text
from dgrasp.robot.calibration.board import Board, Sighting, find_board

POSES, TAKEN = "poses.csv", "taken.json"
BOARD = ("columns", "rows", "square", "marker")  # what taken.json says of the board, lengths in metres
FAR = 10.0  # m from the world's origin: no arm of a bench reaches there, but millimetres do
COLUMNS = ("image", "x", "y", "z", "qx", "qy", "qz", "qw")


class RecordingError(UserFileError):
    """A folder of pictures and poses cannot be read; the message says which file and line, in one line."""


def read_recorded(folder: Path, board: Board) -> tuple[list[Sighting], tuple[int, int], int]:
    """The board in the folder's pictures; their size (width, height); and in how many no corner was seen.

    Raises RecordingError for what is no such folder, and where no picture shows the board; ImportError without OpenCV.
    """
    pictures = [(_picture(Path(folder) / name), T, name) for name, T in _poses(Path(folder) / POSES)]
    sizes = {image.shape[1::-1] for image, *_ in pictures}
    if len(sizes) > 1:
        raise RecordingError(f"{folder}: pictures of several sizes: {sorted(sizes)}; expected one")
    found = [find_board(board, *picture) for picture in pictures]
    seen = [sighting for sighting in found if sighting is not None]
    if not seen:
        raise RecordingError(
            f"{folder}: none of {len(found)} pictures shows a corner of a board of {board.columns}x{board.rows} "
            "squares; is that the board's size (--columns, --rows), and is it sharp and lit evenly?"
        )
    width, height = next(iter(sizes))
    return seen, (int(width), int(height)), len(found) - len(seen)


def _poses(file: Path) -> list[tuple[str, Float[np.ndarray, "4 4"]]]:
    if not file.is_file():
        raise RecordingError(
            f"{file}: no such file; expected pictures and the poses they were taken from. --arm takes them, --practice "
            "makes some up"
        )
    rows = read_table_of_a_user(file)
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise RecordingError(f"{file}: expected one or more rows of the columns {', '.join(COLUMNS)}")
    names = [row["image"] for row in rows]
    if twice := [name for name in names if names.count(name) > 1]:
        raise RecordingError(f"{file}: the image {twice[0]!r} stands twice; a picture has one pose")
    return [(row["image"], _pose(file, number, row)) for number, row in enumerate(rows, start=2)]


def _pose(file: Path, line: int, row: dict[str, str]) -> Float[np.ndarray, "4 4"]:
    try:
        pose = [float(row[name]) for name in COLUMNS[1:]]
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{file}: line {line}: expected numbers ({error})") from error
    if not np.isfinite(pose).all():
        raise RecordingError(f"{file}: line {line}: expected finite numbers, got {', '.join(f'{v:g}' for v in pose)}")
    if (off := float(np.linalg.norm(pose[:3]))) > FAR:
        raise RecordingError(f"{file}: line {line}: x, y, z are {off:.4g} m from the origin; are these millimetres?")
    length = float(np.linalg.norm(pose[3:]))
    if not abs(length - 1) < 1e-2:
        raise RecordingError(f"{file}: line {line}: qx, qy, qz, qw have length {length:.4g}, expected 1")
    return pose_matrix(pose)


def _picture(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return stored_picture(file)
    except ValueError as error:
        raise RecordingError(f"{file}: {error}") from error


def taken_with(folder: Path) -> dict[str, Any]:
    """What a folder's pictures were taken with; empty where it does not say. Raises RecordingError."""
    file = Path(folder) / TAKEN
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordingError(f"{file}: not valid JSON ({error}); delete it if the pictures are whole") from error
    if not isinstance(found, dict):
        raise RecordingError(f"{file}: expected an object, got {type(found).__name__}; delete it")
    return found


def taken_of(folder: Path) -> Board | None:
    """The board that a folder's pictures show, as `taken.json` states it; None without pictures, or without a word.

    What it does not state is not in `model_fields_set`. Raises RecordingError for a board that is none.
    """
    stated = taken_with(folder) if (Path(folder) / POSES).exists() else {}
    known = {name: stated[name] for name in BOARD if name in stated}
    if not known:
        return None
    try:
        return Board.model_validate(known)
    except ValidationError as error:
        said = explain(str(Path(folder) / TAKEN), Board, error)
        raise RecordingError("; ".join(line.strip() for line in said.splitlines())) from error


class Recording:
    """A folder that pictures and poses are added to, one after the other; each is kept at once.

    taken: what all of its pictures are taken with, kept beside them. A folder whose pictures were taken with the same
    goes on. Raises FileExistsError for one with other poses, RecordingError for one that cannot be read.
    """

    def __init__(self, folder: Path, taken: Mapping[str, object]) -> None:
        self.folder, self.rows = Path(folder), list[str]()
        poses, before = self.folder / POSES, taken_with(folder)
        if poses.exists():
            if before != taken:
                other = [key for key in taken if key in before and before[key] != taken[key]]
                says = ", ".join(f"{key} {before[key]}, not {taken[key]}" for key in other)
                raise FileExistsError(
                    f"{poses}: exists already; choose another folder for new pictures, or give the folder alone, to "
                    f"solve those that it has{f' (taken with {says})' if says else ''}"
                )
            _poses(poses)
            self.rows = [line for line in poses.read_text(encoding="utf-8").splitlines()[1:] if line]
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / TAKEN, json.dumps(dict(taken), indent=1) + "\n")

    def seen(self, board: Board) -> int:
        """In how many of its pictures the board is seen."""
        return sum(
            find_board(board, _picture(self.folder / name), T, name) is not None
            for name, T in (_poses(self.folder / POSES) if self.rows else ())
        )

    def add(self, image: UInt8[np.ndarray, "h w 3"], T_world_tool0: Float[np.ndarray, "4 4"]) -> None:
        """Keep a picture, and where the flange stood."""
        name = f"view_{len(self.rows):03d}.png"
        with atomic_path(self.folder / name) as temporary:
            Image.fromarray(image).save(temporary, format="PNG")
        self.rows.append(",".join([name, *(repr(v) for v in pose_vector(T_world_tool0))]))
        write_text(self.folder / POSES, "\n".join([",".join(COLUMNS), *self.rows, ""]))


class KeptCamera:
    """A camera whose last picture can be looked up, so that it is kept with the pose that follows it."""

    def __init__(self, camera: Camera) -> None:
        self.camera, self.serial = camera, camera.serial
        self.last: UInt8[np.ndarray, "h w 3"] | None = None

    def capture(self) -> UInt8[np.ndarray, "h w 3"]:
        """See `Camera.capture`."""
        self.last = self.camera.capture()
        return self.last

    def close(self) -> None:
        """See `Camera.close`."""
        self.camera.close()


def kept(
    recording: Recording, camera: KeptCamera, flange: Callable[[], Float[np.ndarray, "4 4"]]
) -> Callable[[], Float[np.ndarray, "4 4"]]:
    """`flange`, which keeps the camera's last picture with what it measures."""

    def measure() -> Float[np.ndarray, "4 4"]:
        T_world_tool0 = flange()
        if camera.last is not None:
            recording.add(camera.last, T_world_tool0)
        return T_world_tool0

    return measure
