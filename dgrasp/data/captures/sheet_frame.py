"""Where cameras stood, from the printed sheet in their pictures; and their focal lengths, where nobody states them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from dgrasp.cell.sheet import NAME, Seen, Sheet, read_sheet
from dgrasp.cell.transforms import inverse, transform
from dgrasp.data.captures.document import CaptureError, Entry, reason
from dgrasp.files import UserFileError
from dgrasp.lazy import required

LENS_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
FEWEST = 4  # corners of a picture
OFF = 3e-3  # of the image's width: a sheet that is reprojected worse is another one, or not flat (2 of 640 pixels)
UNSURE = 0.03  # standard deviation of an estimated focal length, relative: 3 cm at a metre
SIGMAS = 4.0  # by which a picture's own focal length may differ from that of all; 2 are usual
TILT = 15.0  # degrees of the sheet's plane to the image's in some picture: parallel, it tells no focal length
AMBIGUOUS = 1.3  # a sheet seen small has two poses; the other one must fit worse by this factor


def sheet_of(path: Path) -> Sheet | None:
    """The sheet of a capture's folder or file, None without `sheet.yaml`. Raises CaptureError if that is wrong."""
    try:
        file = (path if path.is_dir() else path.parent) / NAME
        return read_sheet(file) if file.is_file() else None
    except UserFileError as error:
        raise CaptureError("; ".join(line.strip() for line in str(error).splitlines())) from error
    except (ValueError, OSError) as error:  # a path with a NUL
        raise CaptureError(f"{path}: cannot be read ({reason(error)})") from error


def states_lens(entry: Entry) -> bool:
    """Whether the frame has intrinsics of its own."""
    return any(key in entry for key in LENS_KEYS)


def sheet_cameras(
    sheet: Sheet, entries: Sequence[Entry], images: Sequence[UInt8[np.ndarray, "h w 3"]],
    Ks: Sequence[Float[np.ndarray, "3 3"] | None],
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, "n 4 4"]]:  # fmt: skip
    """`K` and `T_sheet_cam` of each picture. `Ks`: None where the focal length is to be found, too.

    Pictures of one size without intrinsics are taken for those of one lens, without zoom or distortion, whose axis hits
    the middle. Raises CaptureError for a picture without the sheet, or one that leaves the answer open.
    """
    cv2 = required("cv2", "a sheet in photographs", "photos")
    seen = [_seen(sheet, entry, image) for entry, image in zip(entries, images, strict=True)]
    sizes = [(image.shape[1], image.shape[0]) for image in images]
    found = [K if K is not None else np.zeros((3, 3)) for K in Ks]
    for size in {size for size, K in zip(sizes, Ks, strict=True) if K is None}:
        members = [i for i, K in enumerate(Ks) if K is None and sizes[i] == size]
        K = _focal_length(cv2, [seen[i] for i in members], size, [entries[i] for i in members])
        for i in members:
            found[i] = K
    poses = [_pose(cv2, *each) for each in zip(seen, found, sizes, entries, strict=True)]
    return np.stack(found), np.stack(poses)


def _seen(sheet: Sheet, entry: Entry, image: UInt8[np.ndarray, "h w 3"]) -> Seen:
    seen = sheet.find(image)
    if seen is None or len(seen.uv) < FEWEST:
        whole = "whole, " if sheet.kind == "checkerboard" else ""
        what = f"{sheet.kind} of {sheet.columns}x{sheet.rows}"
        raise entry.error("file_path", f"the sheet ({what}) is not seen; it must be {whole}flat, sharp and lit evenly")
    return seen


def _focal_length(cv2: Any, seen: list[Seen], size: tuple[int, int], entries: list[Entry]) -> Float[np.ndarray, "3 3"]:
    """`K` of the lens that took all these pictures: square pixels, its axis in the middle.

    Raises CaptureError where the pictures leave it open, or where one of them tells another than all together.
    """
    K, spread, tilt = _calibrated(cv2, seen, size, entries[0])
    focal = K[0, 0]
    if len(seen) > 1:
        for one, entry in zip(seen, entries, strict=True):
            its, unsure, tilted = _calibrated(cv2, [one], size, entry)
            off = abs(its[0, 0] - focal)
            if tilted >= TILT and 0 < SIGMAS * unsure < off and off > UNSURE * focal:
                raise entry.error(
                    "",
                    f"by itself it has a focal length of {its[0, 0]:.4g} +- {unsure:.3g} pixels, together with the "
                    f"other pictures of its size {focal:.4g}: was there a zoom, or another camera? Photograph all with "
                    "one lens, or state each lens in a transforms.json",
                )
    if tilt < TILT or not 0 < spread <= UNSURE * focal:
        raise entries[0].error(
            "",
            f"the pictures leave the focal length open ({focal:.4g} +- {spread:.3g} pixels, the sheet tilted by "
            f"{tilt:.0f} degrees); photograph from lower, 45 degrees, and nearer, or state the lens in a "
            "transforms.json",
        )
    return K


def _calibrated(
    cv2: Any, seen: list[Seen], size: tuple[int, int], entry: Entry
) -> tuple[Float[np.ndarray, "3 3"], float, float]:
    """`K`, the standard deviation of its focal length (pixels), and the sheet's largest tilt (degrees)."""
    width, height = size
    K = np.array([[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1.0]])
    fixed = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_PRINCIPAL_POINT | cv2.CALIB_FIX_ASPECT_RATIO
    fixed |= cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    points = [s.p_sheet.astype(np.float32) for s in seen]
    pixels = [s.uv.astype(np.float32) for s in seen]
    try:
        found = cv2.calibrateCameraExtended(points, pixels, size, K, None, flags=fixed)
    except cv2.error as error:
        raise entry.error("", "no lens sees the sheet like this; is sheet.yaml that of this sheet?") from error
    tilts = [np.degrees(np.arccos(min(1.0, abs(cv2.Rodrigues(turn)[0][2, 2])))) for turn in found[3]]
    spread = found[5].ravel()[1]  # of fy: with a fixed aspect ratio fx follows it, and its own is given as 0
    return np.asarray(found[1], dtype=np.float64), float(spread), float(max(tilts))


def _pose(
    cv2: Any, seen: Seen, K: Float[np.ndarray, "3 3"], size: tuple[int, int], entry: Entry
) -> Float[np.ndarray, "4 4"]:
    """`T_sheet_cam`. Raises CaptureError if the sheet does not fit, or fits twice."""
    _, turns, shifts, errors = cv2.solvePnPGeneric(seen.p_sheet, seen.uv, K, None, flags=cv2.SOLVEPNP_IPPE)
    off = np.ravel(errors)
    if not len(off) or not off[0] <= OFF * size[0]:
        pixels = f"off by {off[0]:.3g} pixels" if len(off) else "seen nowhere"
        raise entry.error("", f"the sheet does not fit its picture ({pixels}): is it flat, and sheet.yaml as measured?")
    if len(off) > 1 and off[1] < AMBIGUOUS * off[0] and not np.allclose(turns[0], turns[1], atol=0.01):
        raise entry.error(
            "", "the sheet is seen too small to tell how it lies; photograph from nearer, or print it larger"
        )
    turn, shift = cv2.solvePnPRefineLM(seen.p_sheet, seen.uv, K, None, turns[0], shifts[0])
    return inverse(transform(Rotation.from_rotvec(turn.ravel()), shift.ravel()))
