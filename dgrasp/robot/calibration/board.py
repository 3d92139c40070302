"""The printed board of the hand-eye calibration: a ChArUco board, which may be seen in part, unlike a chessboard.

Frame `board`: origin at the outer corner of the first square, x along the columns, y along the rows, z into the paper
(OpenCV's convention), metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image
from pydantic import Field, model_validator

from dgrasp.cell.transforms import pose_problem
from dgrasp.config import Config
from dgrasp.files import atomic_path

INCH = 0.0254
MAX_PIXELS = 150_000_000  # A0 at 300 dpi has 140 million
FARTHEST = 10.0  # m from the world's origin; no arm of a bench stands there, but millimetres do


class BadCalibration(ValueError):
    """A board, an image, its sightings or a calibration is refused; the message says what is wrong and what to do."""


def opencv() -> Any:
    """The cv2 module; raises ImportError with what to install where it is missing or too new."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError("calibration needs OpenCV: pip install 'dgrasp[robot]'") from error
    if not hasattr(cv2, "calibrateHandEye"):  # OpenCV 5.0's wheel came without it
        raise ImportError(
            f"OpenCV {cv2.__version__} has no calibrateHandEye: pip install 'opencv-python-headless>=4.10,<5'"
        )
    return cv2


class Board(Config):
    """A ChArUco board. The default fits A4 with a margin; measure the printed squares, printers scale."""

    columns: int = Field(default=7, ge=3, le=40, description="squares along x")
    rows: int = Field(default=5, ge=3, le=40, description="squares along y")
    square: float = Field(default=0.035, gt=0, le=0.5, description="side of a square as printed, metres")
    marker: float = Field(default=0.026, gt=0, le=0.5, description="side of a marker as printed, metres")
    dictionary: str = Field(default="DICT_5X5_100", description="OpenCV's name of the set of markers")

    @model_validator(mode="after")
    def _fits(self) -> Board:
        if self.marker >= self.square:
            raise ValueError(f"marker: {self.marker} m must be smaller than the square of {self.square} m")
        return self

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of all squares, metres."""
        return self.columns * self.square, self.rows * self.square

    @property
    def corners(self) -> Float[np.ndarray, "n 3"]:
        """Inner corners in the board frame, metres; a corner's id is its place."""
        return np.asarray(self.charuco().getChessboardCorners(), dtype=np.float64)

    def charuco(self) -> Any:
        """OpenCV's board. Raises BadCalibration for a dictionary that is unknown, or has too few markers."""
        cv2 = opencv()
        known = [name for name in dir(cv2.aruco) if name.startswith("DICT_")]
        if self.dictionary not in known:
            raise BadCalibration(f"dictionary: unknown {self.dictionary!r}; dictionaries: {', '.join(known)}")
        markers = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        needed, there = self.columns * self.rows // 2, len(markers.bytesList)
        if there < needed:
            raise BadCalibration(
                f"dictionary: {self.dictionary} has {there} markers, a board of {self.columns}x{self.rows} squares "
                f"needs {needed}; take a larger one, such as DICT_5X5_1000"
            )
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, markers)

    def picture(self, dpi: int = 300) -> UInt8[np.ndarray, "height width"]:
        """The squares without a margin, black 0 and white 255. Raises ValueError where they are too small or large."""
        width, height = (round(side / INCH * dpi) for side in self.size)
        board = self.charuco()
        modules = board.getDictionary().markerSize + 2  # with its border
        if self.marker / INCH * dpi < modules + 1:
            least = 1000 * (modules + 1) * INCH / dpi
            raise ValueError(
                f"marker: {1000 * self.marker:g} mm is too small for {dpi} dpi; allowed are {least:.2g} up"
            )
        if width * height > MAX_PIXELS:
            size = " x ".join(f"{1000 * side:.0f}" for side in self.size)
            raise ValueError(f"square: a board of {size} mm is larger than a page; allowed are A0's 841 x 1189")
        return board.generateImage((width, height), marginSize=0)


def write_board(board: Board, path: Path, dpi: int = 300, margin: float = 0.015) -> Path:
    """Write the board to print at 100 % (`.png` or `.pdf`, both carry the resolution), with a white margin in metres.

    Raises ValueError for another suffix.
    """
    path = Path(path)
    formats = {".png": "PNG", ".pdf": "PDF"}
    if path.suffix.lower() not in formats:
        raise ValueError(f"{path}: expected a name that ends in .png or .pdf")
    page = Image.fromarray(np.pad(board.picture(dpi), round(margin / INCH * dpi), constant_values=255))
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".pdf":
            page.save(temporary, format="PDF", resolution=dpi)
        else:
            page.save(temporary, format="PNG", dpi=(dpi, dpi))
    return path


@dataclass(frozen=True, eq=False)
class Sighting:
    """The board in one image, and where the arm stood.

    ids: (n,) corners seen. uv: (n, 2) their pixels, integer centres. T_world_tool0: (4, 4) pose of the flange, metres.
    name: of the image, for refusals.
    """

    ids: Int[np.ndarray, "n"]
    uv: Float[np.ndarray, "n 2"]
    T_world_tool0: Float[np.ndarray, "4 4"]
    name: str = ""


def check_rgb(image: object) -> None:
    """Raise BadCalibration unless the image is an array of 8-bit RGB pixels, one or more."""
    if not isinstance(image, np.ndarray):
        got = type(image).__name__
    elif image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return
    else:
        got = f"{image.dtype} of shape {image.shape}"
    raise BadCalibration(f"image: expected RGB, uint8 of shape (height, width, 3), got {got}")


def find_board(
    board: Board, image: UInt8[np.ndarray, "height width 3"], T_world_tool0: Float[np.ndarray, "4 4"], name: str = ""
) -> Sighting | None:
    """The board's corners in an RGB image of that name; None where no corner is found.

    Raises BadCalibration if the image is not 8-bit RGB, or the board's dictionary is none.
    """
    cv2 = opencv()
    check_rgb(image)
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    uv, ids, _, _ = cv2.aruco.CharucoDetector(board.charuco()).detectBoard(grey)
    if ids is None or len(ids) == 0:
        return None
    return Sighting(ids.ravel().astype(int), uv.reshape(-1, 2).astype(np.float64), np.asarray(T_world_tool0), name)


def check_sightings(board: Board, sightings: Sequence[Sighting], size: tuple[int, int]) -> None:
    """Raise BadCalibration, naming the first, unless all are sightings of this board in images of this size (w, h)."""
    if len(size) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in size):
        raise BadCalibration(f"size: expected width and height of the images in pixels, got {size}")
    corners = len(board.corners)
    for i, sighting in enumerate(sightings):
        if not isinstance(sighting, Sighting):
            got = type(sighting).__name__
            raise BadCalibration(f"sightings[{i}]: expected a Sighting, got {got}; leave out images without a corner")
        problem = _pose_problem(sighting.T_world_tool0) or _corners_problem(sighting, corners, size)
        if problem:
            raise BadCalibration(f"sightings[{i}]{problem}")


def _pose_problem(T_world_tool0: object) -> str | None:
    if not isinstance(T_world_tool0, np.ndarray) or T_world_tool0.dtype.kind not in "fiu":
        return f".T_world_tool0: expected an array of numbers of shape (4, 4), got {type(T_world_tool0).__name__}"
    if problem := pose_problem(T_world_tool0):
        return f".T_world_tool0: {problem}"
    if np.abs(T_world_tool0[:3, 3]).max() > FARTHEST:
        return f".T_world_tool0: over {FARTHEST:g} m away; are these millimetres, not metres?"
    return None


def _corners_problem(sighting: Sighting, corners: int, size: tuple[int, int]) -> str | None:
    for name, kinds, row, words in (
        ("ids", "iu", (), "integers of shape (n,)"),
        ("uv", "f", (2,), "floats of shape (n, 2)"),
    ):
        array = getattr(sighting, name)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or array.shape[:1] + row != array.shape:
            got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            return f".{name}: expected {words}, got {got}"
    ids, uv = sighting.ids, sighting.uv
    if len(ids) != len(uv) or len(set(ids.tolist())) != len(ids) or not ((ids >= 0) & (ids < corners)).all():
        return f": expected one pixel for each id from 0 to {corners - 1}, each id at most once"
    if not ((uv >= -1) & (uv <= size)).all():  # NaN is not, either
        return f".uv: pixels outside an image of {size[0]}x{size[1]}; is `size` right?"
    return None
