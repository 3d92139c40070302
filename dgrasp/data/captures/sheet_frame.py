"""Where cameras stood, from the printed sheet in their pictures."""

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
from dgrasp.data.captures.sheet_lens import lens_of, most_off
from dgrasp.files import UserFileError
from dgrasp.lazy import required

LENS_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
FEWEST = 4  # corners of a picture
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
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, "n 4 4"], list[str]]:  # fmt: skip
    """`K` and `T_sheet_cam` of each picture, and lines about lenses that were found. `Ks`: None where one is wanted.

    Pictures of one size without intrinsics are taken for those of one lens, without zoom or distortion, whose axis hits
    the middle; `lens_of` looks whether they are. Raises CaptureError for a picture without the sheet, for another lens,
    and for pictures that leave the answer open.
    """
    cv2 = required("cv2", "a sheet in photographs", "photos")
    seen = [_seen(sheet, entry, image) for entry, image in zip(entries, images, strict=True)]
    sizes = [(image.shape[1], image.shape[0]) for image in images]
    found = [K if K is not None else np.zeros((3, 3)) for K in Ks]
    lines: list[str] = []
    for size in sorted({size for size, K in zip(sizes, Ks, strict=True) if K is None}):
        members = [i for i, K in enumerate(Ks) if K is None and sizes[i] == size]
        K, said = lens_of(cv2, [seen[i] for i in members], size, [entries[i] for i in members])
        lines += said
        for i in members:
            found[i] = K
    poses = [_pose(cv2, *each) for each in zip(seen, found, sizes, entries, strict=True)]
    return np.stack(found), np.stack(poses), lines


def _seen(sheet: Sheet, entry: Entry, image: UInt8[np.ndarray, "h w 3"]) -> Seen:
    seen = sheet.find(image)
    if seen is None or len(seen.uv) < FEWEST:
        whole = "whole, " if sheet.kind == "checkerboard" else ""
        what = f"{sheet.kind} of {sheet.columns}x{sheet.rows}"
        raise entry.error("file_path", f"the sheet ({what}) is not seen; it must be {whole}flat, sharp and lit evenly")
    return seen


def _pose(
    cv2: Any, seen: Seen, K: Float[np.ndarray, "3 3"], size: tuple[int, int], entry: Entry
) -> Float[np.ndarray, "4 4"]:
    """`T_sheet_cam`. Raises CaptureError if the sheet does not fit, or fits twice."""
    _, turns, shifts, errors = cv2.solvePnPGeneric(seen.p_sheet, seen.uv, K, None, flags=cv2.SOLVEPNP_IPPE)
    off = np.ravel(errors)
    if not len(off) or not off[0] <= most_off(size[0]):
        pixels = f"off by {off[0]:.3g} pixels" if len(off) else "seen nowhere"
        raise entry.error("", f"the sheet does not fit its picture ({pixels}): is it flat, and sheet.yaml as measured?")
    if len(off) > 1 and off[1] < AMBIGUOUS * off[0] and not np.allclose(turns[0], turns[1], atol=0.01):
        raise entry.error(
            "", "the sheet is seen too small to tell how it lies; photograph from nearer, or print it larger"
        )
    turn, shift = cv2.solvePnPRefineLM(seen.p_sheet, seen.uv, K, None, turns[0], shifts[0])
    return inverse(transform(Rotation.from_rotvec(turn.ravel()), shift.ravel()))
