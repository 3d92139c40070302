"""The printed board of the hand-eye calibration: a ChArUco board, which may be seen in part, unlike a chessboard.

Frame `board`: origin at the outer corner of the first square, x along the columns, y along the rows, z into the paper
(OpenCV's convention), metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image
from pydantic import Field, model_validator

from dgrasp.config import Config
from dgrasp.files import atomic_path

INCH = 0.0254


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
        """OpenCV's board. Raises ValueError for an unknown dictionary."""
        cv2 = opencv()
        known = [name for name in dir(cv2.aruco) if name.startswith("DICT_")]
        if self.dictionary not in known:
            raise ValueError(f"dictionary: unknown {self.dictionary!r}; dictionaries: {', '.join(known)}")
        markers = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, markers)

    def picture(self, dpi: int = 300) -> UInt8[np.ndarray, "height width"]:
        """The squares without a margin, black 0 and white 255."""
        width, height = (round(side / INCH * dpi) for side in self.size)
        return self.charuco().generateImage((width, height), marginSize=0)


def write_board(board: Board, path: Path, dpi: int = 300, margin: float = 0.015) -> Path:
    """Write the board to print at 100 % (`.png` or `.pdf`, both carry the resolution), with a white margin in metres.

    Raises ValueError for another suffix.
    """
    path = Path(path)
    formats = {".png": "PNG", ".pdf": "PDF"}
    if path.suffix not in formats:
        raise ValueError(f"{path}: expected a name that ends in .png or .pdf")
    page = Image.fromarray(np.pad(board.picture(dpi), round(margin / INCH * dpi), constant_values=255))
    with atomic_path(path) as temporary:
        if path.suffix == ".pdf":
            page.save(temporary, format="PDF", resolution=dpi)
        else:
            page.save(temporary, format="PNG", dpi=(dpi, dpi))
    return path


@dataclass(frozen=True, eq=False)
class Sighting:
    """The board in one image, and where the arm stood.

    ids: (n,) corners seen. uv: (n, 2) their pixels, integer centres. T_world_tool0: (4, 4) pose of the flange, metres.
    """

    ids: Int[np.ndarray, "n"]
    uv: Float[np.ndarray, "n 2"]
    T_world_tool0: Float[np.ndarray, "4 4"]


def find_board(
    board: Board, image: UInt8[np.ndarray, "height width 3"], T_world_tool0: Float[np.ndarray, "4 4"]
) -> Sighting | None:
    """The board's corners in an RGB image; None where no corner is found."""
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    uv, ids, _, _ = cv2.aruco.CharucoDetector(board.charuco()).detectBoard(grey)
    if ids is None or len(ids) == 0:
        return None
    return Sighting(ids.ravel().astype(int), uv.reshape(-1, 2).astype(np.float64), np.asarray(T_world_tool0))
