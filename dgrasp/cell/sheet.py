"""The printed sheet on the table: photographed with the objects, it tells where each camera stood.

Frame `sheet`: origin in the middle of the pattern, x to the right and y up as one reads the page, z out of the paper;
metres. It lies on the board, where `place` says. The board of the hand-eye calibration is another one
(`dgrasp.robot.calibration.board`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, ValidationError, model_validator
from scipy.spatial.transform import Rotation

from dgrasp.cell.degrees import Degrees
from dgrasp.cell.transforms import transform
from dgrasp.cell.workspace import BOARD_TOP, BOUNDS_LOW
from dgrasp.config import Config, explain, metres
from dgrasp.files import UserFileError, read_yaml, write_text
from dgrasp.lazy import required

NAME = "sheet.yaml"
FAMILY = "DICT_APRILTAG_36h11"  # 587 tags, the family that printers and libraries know best
MODULES = 8  # of a tag's side, its black border included
WINDOW = 0.7  # of a module, about a corner, within which it is refined: the least error on photographs with known truth
LARGEST_WINDOW = 15  # pixels


Length = Annotated[float, metres(1.0)]
Coordinate = Annotated[float, metres(5.0)]  # no bench is larger, but millimetres are


class Sheet(Config):
    """What is printed, as measured with a ruler, and where it lies."""

    kind: Literal["apriltags", "checkerboard"] = Field("apriltags", description="tags may be seen in part")
    columns: int = Field(3, ge=1, le=40, description="tags, or squares, along x")
    rows: int = Field(2, ge=1, le=40, description="tags, or squares, along y")
    side: Length = Field(0.070, gt=0.002, description="of a tag (its black border) or a square as printed, m")
    gap: Length = Field(0.0175, ge=0, description="white between two tags, m; a checkerboard has none")
    first_tag: int = Field(0, ge=0, le=586, description="number of the tag at the upper left, of tag36h11")
    place: tuple[Coordinate, Coordinate, Annotated[Degrees, Field(ge=-360, le=360)]] = Field(
        # A4 at the workspace's edge next to the robot, its upper edge towards the middle
        (round(float(BOUNDS_LOW[0]) + 0.105, 6), 0.0, -90.0),
        description="where the pattern's middle lies in the world: x, y (m), and the turn of the page (degrees)",
    )

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if self.kind == "apriltags":
            if self.first_tag + self.columns * self.rows > 587:
                raise ValueError(f"{self.columns}x{self.rows} tags from {self.first_tag} on: the family has 587")
            if self.gap < self.side / MODULES and self.columns * self.rows > 1:
                raise ValueError(f"gap: {self.gap:g} m is less than an eighth of a tag: the tags are not told apart")
        elif min(self.columns, self.rows) < 3 or (self.columns + self.rows) % 2 == 0:
            raise ValueError(
                f"columns, rows: {self.columns}x{self.rows} squares look the same when turned by half, or are too few; "
                "allowed are 3 or more each way, one number even and the other odd"
            )
        return self

    @property
    def pitch(self) -> float:
        """From one tag or square to the next, metres."""
        return self.side + (self.gap if self.kind == "apriltags" else 0.0)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the pattern, metres."""
        spare = self.pitch - self.side
        return self.columns * self.pitch - spare, self.rows * self.pitch - spare

    @property
    def T_world_sheet(self) -> Float[np.ndarray, "4 4"]:
        """Where it lies: face up on the paper's board."""
        return self.lying_at(BOARD_TOP)

    def lying_at(self, height: float) -> Float[np.ndarray, "4 4"]:
        """The same on a board of this height, metres."""
        x, y, degrees = self.place
        return transform(Rotation.from_euler("z", degrees, degrees=True), (x, y, height))

    @property
    def corners(self) -> Float[np.ndarray, "n 3"]:
        """What is found in pictures, in the sheet's frame: four corners a tag, or the squares' inner corners."""
        width, height = self.size
        if self.kind == "checkerboard":
            column, row = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
            flat = np.stack([column, row], axis=-1).reshape(-1, 2) * self.side
        else:
            column, row = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
            tags = np.stack([column, row], axis=-1).reshape(-1, 1, 2) * self.pitch
            flat = (tags + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self.side).reshape(-1, 2)
        return np.column_stack([flat[:, 0] - width / 2, height / 2 - flat[:, 1], np.zeros(len(flat))])

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Seen | None:
        """The sheet in an RGB image, None where it is not seen. Raises ImportError without OpenCV."""
        cv2 = required("cv2", "a sheet in photographs", "photos")
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        return _find_tags(cv2, self, grey) if self.kind == "apriltags" else _find_squares(cv2, self, grey)


@dataclass(frozen=True, eq=False)
class Seen:
    """The sheet in one picture. p_sheet: (n, 3), metres; uv: (n, 2) where they are seen, pixels, integer centres."""

    p_sheet: Float[np.ndarray, "n 3"]
    uv: Float[np.ndarray, "n 2"]


def _find_tags(cv2: Any, sheet: Sheet, grey: UInt8[np.ndarray, "h w"]) -> Seen | None:
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    settings.relativeCornerRefinmentWinSize, settings.cornerRefinementWinSize = WINDOW, LARGEST_WINDOW
    family = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, FAMILY))
    found, numbers, _ = cv2.aruco.ArucoDetector(family, settings).detectMarkers(grey)
    corners = sheet.corners.reshape(-1, 4, 3)
    seen: dict[int, np.ndarray] = {}
    for uv, number in zip(found, [] if numbers is None else numbers.ravel(), strict=True):
        if 0 <= (index := int(number) - sheet.first_tag) < len(corners):
            seen[index] = uv.reshape(4, 2).astype(np.float64)
    if not seen:
        return None
    return Seen(corners[sorted(seen)].reshape(-1, 3), np.concatenate([seen[i] for i in sorted(seen)]))


def _find_squares(cv2: Any, sheet: Sheet, grey: UInt8[np.ndarray, "h w"]) -> Seen | None:
    """The whole checkerboard, whose upper left square is black and its lower right one white: that tells its turn."""
    flags = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    found, pixels = cv2.findChessboardCornersSB(grey, (sheet.columns - 1, sheet.rows - 1), flags=flags)
    if not found:
        return None
    p_sheet, uv = sheet.corners, pixels.reshape(-1, 2).astype(np.float64)
    H, _ = cv2.findHomography(p_sheet[:, :2], uv)
    width, height = sheet.size
    black = np.array([1.5 * sheet.side - width / 2, height / 2 - 1.5 * sheet.side])  # of the second column and row
    at = cv2.perspectiveTransform(np.stack([black, -black])[:, None], H).round().astype(int)[:, 0]
    first, last = grey[at[:, 1], at[:, 0]]
    return Seen(p_sheet, uv if first < last else uv[::-1])


def read_sheet(path: Path) -> Sheet:
    """A sheet's file. Raises UserFileError (a ValueError) for what is none, naming key and value."""
    try:
        return Sheet.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UserFileError(explain(str(path), Sheet, error)) from error


def write_sheet_file(sheet: Sheet, path: Path) -> Path:
    """Write the sheet's file, each setting with what it means, for people to correct."""
    lines = ["# The printed sheet. Measure it: printers scale. Lengths in metres."]
    for name, value in sheet.model_dump(mode="json").items():
        lines += [f"# {Sheet.model_fields[name].description}", f"{name}: {value}"]
    write_text(path, "\n".join([*lines, ""]))
    return path
