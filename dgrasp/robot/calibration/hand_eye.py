"""Hand-eye calibration: intrinsics and `T_tool0_cam` from images of a printed board, refused where it is bad.

The camera is on the wrist, the board lies still, and the arm looks at it from many postures. `calibration_solve` has
the mathematics; here is what is asked of the views, and what is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from pydantic import Field
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics
from dgrasp.cell.interface import Calibration, CameraCalibration
from dgrasp.config import Config
from dgrasp.files import DamagedFileError, json_of_a_user
from dgrasp.robot.calibration.board import BadCalibration, Board, Sighting, check_rgb, check_sightings, opencv
from dgrasp.robot.calibration.former import Say, write_calibration
from dgrasp.robot.calibration.solve import NoSolution, refine, solve_camera, solve_hand

Row = tuple[float, float, float, float]
STANDS_OUT = 3.0  # times the median error of all views: then one is to blame; of a board printed wrong it is 2


class Limits(Config):
    """When a calibration is good enough for grasps that may miss by a centimetre. None of it is in the paper."""

    views: int = Field(default=10, ge=3, description="images of the board, at least")
    corners: int = Field(default=8, ge=6, description="corners in an image, at least; images with fewer do not count")
    turn: float = Field(default=8.0, gt=0, description="degrees RMS that postures turn about a second axis, at least")
    tilt: float = Field(
        default=10.0, gt=0, description="degrees between the board's and the image plane in some view, at least"
    )
    pixels: float = Field(
        default=1.0, gt=0, description="reprojection error, RMS, at most; a pixel of 640x480 is 1.3 mm at 0.8 m"
    )
    millimetres: float = Field(default=3.0, gt=0, description="scatter of the board's place, RMS, at most")
    degrees: float = Field(default=0.5, gt=0, description="scatter of the board's orientation, RMS, at most")


class Residuals(Config):
    """What is left: reprojection in pixels, and scatter of the still board in the world in mm and degrees (RMS)."""

    pixels: float
    millimetres: float
    degrees: float


class HandEyeCalibration(Config):
    """A camera's calibration, how it was found, and how good it is. Frozen; `id` names it in trial logs."""

    camera: CameraCalibration
    distortion: tuple[float, float, float, float, float] = Field(
        default=(0.0,) * 5, description="k1 k2 p1 p2 k3 of OpenCV; `undistort` images before a policy sees them"
    )
    T_world_board: tuple[Row, Row, Row, Row] = Field(description="where the board lay")
    method: str = Field(description="of cv2.calibrateHandEye")
    views: int = Field(description="images used")
    residuals: Residuals

    @property
    def id(self) -> str:
        """Digest of everything above: another calibration has another id."""
        return self.digest()[:12]

    def for_cell(self) -> Calibration:
        """What a `RobotCell` takes. Raises ValueError for a distorted lens: its views are pinhole images."""
        if any(self.distortion):
            raise ValueError("the lens is distorted: cells take pinhole images; let the camera rectify its stream")
        r = self.residuals
        left = f"{r.pixels:.2f} px, {r.millimetres:.2f} mm, {r.degrees:.2f} degrees"
        note = f"hand-eye {self.id}, {self.views} views, residuals {left}"
        return Calibration(cameras=(self.camera,), note=note)

    def undistort(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The image that the pinhole camera of `camera.intrinsics` would have taken.

        Raises BadCalibration for another size, or what is no 8-bit RGB image.
        """
        check_rgb(image)
        if image.shape[:2] != (self.camera.height, self.camera.width):
            size = f"{self.camera.width}x{self.camera.height}"
            raise BadCalibration(f"image: expected {size} pixels as calibrated, got {image.shape[1]}x{image.shape[0]}")
        return opencv().undistort(image, self.camera.intrinsics.matrix, np.array(self.distortion))

    def save(self, path: Path, say: Say | None = None) -> Path:
        """Write as JSON, with the id. Another calibration that was there is kept beside it, and `say` is told where."""
        text = json.dumps({"id": self.id, **self.model_dump(mode="json")}, indent=2, sort_keys=True) + "\n"
        return write_calibration(path, text, _id_in, say)


def load_calibration(path: Path) -> HandEyeCalibration:
    """Read a saved calibration; raises DamagedFileError if it is none, or not what its id was made of."""
    try:
        values = json_of_a_user(Path(path).read_bytes().decode("utf-8-sig"))  # people edit it
        recorded = values.pop("id", None)
        calibration = HandEyeCalibration.model_validate(values)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:  # pydantic's, json's and the decoder's
        first = " ".join(str(error).split())[:200]
        raise DamagedFileError(f"{path}: not a saved calibration ({first}); calibrate again, or restore it") from error
    if calibration.id != recorded:
        raise DamagedFileError(
            f"{path}: its id is {recorded!r} but its numbers have {calibration.id!r}; it was edited: calibrate again"
        )
    return calibration


def _id_in(path: Path) -> str | None:
    """The id of a saved calibration, None for what is none."""
    try:
        return load_calibration(path).id
    except DamagedFileError:
        return None


def calibrate(
    board: Board,
    sightings: Sequence[Sighting],
    size: tuple[int, int],
    *,
    camera: str = "wrist",
    intrinsics: Intrinsics | None = None,
    distorted: bool = False,
    limits: Limits | None = None,
) -> HandEyeCalibration:
    """Solve for the camera on the wrist from sightings of a board that lay still.

    Args:
        board: as printed; measure its squares.
        sightings: the board seen from 10 or more postures that turn about two axes or more (see `find_board`).
        size: width and height of the images, pixels.
        camera: its name or serial number.
        intrinsics: known ones (then only the hand-eye pose is solved for); else estimated.
        distorted: whether the lens has distortion, to be estimated too. A RealSense's colour stream is a pinhole's.
        limits: what is refused.

    Raises:
        BadCalibration (a ValueError): sightings that do not fit the board or the image, or are none; too few views,
            views that leave the answer open, or residuals above the limits; known intrinsics with `distorted`.
    """
    limits = limits or Limits()
    check_sightings(board, sightings, size)
    used = _usable(board, sightings, limits)
    _check_postures(np.stack([s.T_world_tool0 for s in used]), limits)
    if intrinsics is not None:
        _check_intrinsics(intrinsics, size, distorted)
    try:
        lens = solve_camera(board, used, size, intrinsics, distorted)
        if intrinsics is None:
            _check_tilt(lens.Ts_cam_board, limits)
        solved = refine(board, used, solve_hand(used, lens), intrinsics is None, distorted)
    except NoSolution as error:
        raise BadCalibration(f"calibration refused: {error}") from error
    residuals = Residuals(**solved.residuals(board, used))
    names = [s.name or f"sightings[{i}]" for i, s in enumerate(sightings) if s in used]
    _check_residuals(residuals, limits, dict(zip(names, solved.pixels_by_view(board, used), strict=True)))
    k = solved.lens.intrinsics
    return HandEyeCalibration(
        camera=CameraCalibration(
            camera=camera, width=k.width, height=k.height, fx=k.fx, fy=k.fy, cx=k.cx, cy=k.cy,
            mount="tool0", T_mount_cam=_rows(solved.T_tool0_cam),
        ),
        distortion=tuple(float(v) for v in solved.lens.distortion),  # type: ignore[arg-type]
        T_world_board=_rows(solved.T_world_board),
        method=solved.method,
        views=len(used),
        residuals=residuals,
    )  # fmt: skip


def _check_intrinsics(intrinsics: Intrinsics, size: tuple[int, int], distorted: bool) -> None:
    if (intrinsics.width, intrinsics.height) != tuple(size):
        given = f"{intrinsics.width}x{intrinsics.height}"
        raise BadCalibration(f"intrinsics: are for {given} pixels, the images have {size[0]}x{size[1]}")
    if distorted:
        raise BadCalibration("distorted: known intrinsics are a pinhole's; give one or the other")


def _usable(board: Board, sightings: Sequence[Sighting], limits: Limits) -> list[Sighting]:
    """Those with corners enough, and not all on one line: such a view does not tell how the board lies."""
    used = [s for s in sightings if len(s.ids) >= limits.corners and _spread(board, s)]
    if len(used) < limits.views:
        raise BadCalibration(
            f"calibration refused: {len(used)} of {len(sightings)} images show {limits.corners} corners or more, not "
            f"all on one line; needed are {limits.views}. Take more, with the whole board in view, if it has "
            f"{board.columns}x{board.rows} squares"
        )
    return used


def _spread(board: Board, sighting: Sighting) -> bool:
    seen = board.corners[sighting.ids, :2]
    return bool(np.linalg.svd(seen - seen.mean(axis=0), compute_uv=False)[1] > 0.1 * board.square)


def _check_postures(Ts_world_tool0: np.ndarray, limits: Limits) -> None:
    """Hand-eye calibration needs turns about two axes that are not parallel; with one, a coordinate stays free."""
    first, second = np.triu_indices(len(Ts_world_tool0), k=1)
    R = Rotation.from_matrix(Ts_world_tool0[:, :3, :3])
    turns = (R[first].inv() * R[second]).as_rotvec(degrees=True)
    about_second_axis = float(np.linalg.svd(turns, compute_uv=False)[1] / np.sqrt(len(turns)))
    if about_second_axis < limits.turn:
        raise BadCalibration(
            f"calibration refused: the postures turn about fewer than two axes ({about_second_axis:.1f} degrees RMS "
            f"about the second one, needed {limits.turn:g}). Tilt the hand to different sides, by 20 degrees and more"
        )


def _check_tilt(Ts_cam_board: np.ndarray, limits: Limits) -> None:
    """Views all parallel to the board do not tell the focal length from the distance."""
    tilt = float(np.degrees(np.arccos(np.clip(np.abs(Ts_cam_board[:, 2, 2]), 0, 1))).max())
    if tilt < limits.tilt:
        raise BadCalibration(
            f"calibration refused: the board is parallel to the image in all views (largest tilt {tilt:.1f} degrees, "
            f"needed {limits.tilt:g}), which leaves the focal length open. Tilt the hand, or give `intrinsics`"
        )


def _check_residuals(residuals: Residuals, limits: Limits, pixels: Mapping[str, float]) -> None:
    """pixels: of each view, by its name."""
    above = [name for name in ("pixels", "millimetres", "degrees") if getattr(residuals, name) > getattr(limits, name)]
    if above:
        measured = ", ".join(f"{getattr(residuals, n):.2f} {n} (allowed {getattr(limits, n):g})" for n in above)
        raise BadCalibration(f"calibration refused: residuals of {measured}. {_suspects(pixels)}")


def _suspects(pixels: Mapping[str, float]) -> str:
    """What to look at: the view that is off more than the others, or what makes all of them off."""
    worst, median = max(pixels, key=lambda name: pixels[name]), float(np.median(list(pixels.values())))
    if pixels[worst] > STANDS_OUT * median:
        return (
            f"The worst is {worst}, by {pixels[worst]:.1f} pixels; half of the views are below {median:.1f}. Does "
            "its pose belong to it, is it sharp, did the board lie still? Leave it out, or take it anew"
        )
    return (
        f"All views are off, by up to {pixels[worst]:.1f} pixels ({worst}), half of them by {median:.1f} or more. Is "
        "the board flat and still, are its squares measured, are images sharp, do poses and images belong together, "
        "are poses those of the flange in the world, and quaternions x, y, z, w?"
    )


def _rows(T: np.ndarray) -> tuple[Row, Row, Row, Row]:
    return tuple(tuple(float(v) for v in row) for row in T)  # type: ignore[return-value]
