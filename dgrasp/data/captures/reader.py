"""Reading a capture: photographs with known cameras, in the world frame. Opening one starts and writes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from dgrasp.cameras import Views
from dgrasp.cell.transforms import pose_problem
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.checks import described
from dgrasp.data.captures.colmap import of_model
from dgrasp.data.captures.distortion import Distortion, distortion_of
from dgrasp.data.captures.document import CaptureError, Entry
from dgrasp.data.captures.doubts import of_one_place, of_other_lenses
from dgrasp.data.captures.lens import intrinsics, stated_size
from dgrasp.data.captures.picture import find_picture, read_picture
from dgrasp.data.captures.pose import camera_pose
from dgrasp.data.captures.sheet_frame import sheet_cameras, sheet_of, states_lens
from dgrasp.data.captures.source import COLMAP, SHEET, TRANSFORMS, entries_of
from dgrasp.data.captures.undistort import FoldedLens, undistorted

FARTHEST = 1e6  # a bench in millimetres has thousands; beyond this, no arithmetic is worth its warnings
MAX_TOTAL = 500_000_000  # pixels of all images, 1.5 GB: not in the paper, whose policies see two views of 640x480


@dataclass(frozen=True, eq=False)
class Capture:
    """Photographs and their pinhole cameras, one per frame; images may differ in size.

    names: `file_path` of each frame. images: uint8, RGB. K: (n, 3, 3), pixels, integer centres.
    Ts_world_cam: (n, 4, 4), metres, OpenCV's axes. T_world_capture: where the frame lies that the file's poses are in.
    source: of the poses: transforms.json, a COLMAP model, or the sheet. notes: what was found from the sheet, and what
    is in doubt, a line each.
    """

    file: Path
    names: tuple[str, ...]
    images: tuple[UInt8[np.ndarray, "h w 3"], ...]
    K: Float[np.ndarray, "n 3 3"]
    Ts_world_cam: Float[np.ndarray, "n 4 4"]
    T_world_capture: Float[np.ndarray, "4 4"]
    source: str = TRANSFORMS
    notes: tuple[str, ...] = ()

    @property
    def views(self) -> Views:
        """The same as `Views`; raises CaptureError if images differ in size."""
        sizes = {f"{image.shape[1]}x{image.shape[0]}" for image in self.images}
        if len(sizes) > 1:
            raise CaptureError(f"{self.file}: images have different sizes: {', '.join(sorted(sizes))}; expected one")
        return Views(np.stack(self.images), self.K, self.Ts_world_cam)


def read_capture(
    path: Path, T_world_capture: Float[np.ndarray, "4 4"] | None = None, board_top: float = BOARD_TOP
) -> Capture:
    """Photographs of a folder, or of its `transforms.json`, with everything that is said of them checked.

    The cameras come from `transforms.json`, else from a COLMAP model; with a `sheet.yaml` their poses, and the focal
    lengths that nobody states, come from the printed sheet in the pictures.
    T_world_capture: pose of that file's own frame, or of the sheet, in the world (metres); none: the file speaks of the
    world, and the sheet lies where its own file says, on the board. board_top: its height, metres.
    Raises CaptureError (file, frame, key, what is allowed), ValueError if `path` is none or `T_world_capture` no pose,
    ImportError without OpenCV for a sheet or a lens with distortion.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path: expected a folder, or its transforms.json, got {described(path)}")
    T = np.eye(4) if T_world_capture is None else _pose(T_world_capture)
    sheet, entries = sheet_of(Path(path)), entries_of(Path(path))
    distortions = [distortion_of(entry) for entry in entries]
    files = _found(entries, None if sheet else T)
    images, Ks = _photographs(entries, files, distortions, optional=sheet is not None)
    names = tuple(str(entry.frame["file_path"]) for entry in entries)
    if sheet is None:
        source = COLMAP if of_model(entries[0]) else TRANSFORMS
        return Capture(entries[0].file, names, images, np.stack(Ks), T @ _stated_poses(entries), T, source)
    if T_world_capture is None:
        T = sheet.lying_at(board_top)
    K, Ts_sheet_cam, found = sheet_cameras(sheet, entries, images, Ks)
    doubts = [*of_other_lenses(files, images, K, [K is None for K in Ks]), *of_one_place(names, images, Ts_sheet_cam)]
    return Capture(entries[0].file, names, images, K, T @ Ts_sheet_cam, T, SHEET, (*found, *doubts))


def _pose(T_world_capture: object) -> Float[np.ndarray, "4 4"]:
    """As float64. Raises ValueError for what is no pose: NumPy reads text as numbers, and drops imaginary parts."""
    try:
        T = np.asarray(T_world_capture)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; torch's tensors with gradients, or on a GPU
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"T_world_capture: expected 4x4 numbers, got {described(T_world_capture)} ({why})") from error
    if T.dtype.kind not in "fiu":
        raise ValueError(f"T_world_capture: expected 4x4 numbers, got {described(T_world_capture)} of {T.dtype}")
    if problem := pose_problem(T):
        raise ValueError(f"T_world_capture: {problem}")
    return T.astype(np.float64)


def _found(entries: list[Entry], T_world_capture: Float[np.ndarray, "4 4"] | None) -> list[Path]:
    """The photographs' files. With `T_world_capture` the stated poses count, and are checked before and with them."""
    if T_world_capture is None:
        return [find_picture(entry) for entry in entries]
    with np.errstate(over="ignore", invalid="ignore"):
        Ts_world_cam = T_world_capture @ _stated_poses(entries)
    _check_large(entries, Ts_world_cam)
    files = [find_picture(entry) for entry in entries]
    _check_doubles(entries, files, Ts_world_cam)
    return files


def _stated_poses(entries: list[Entry]) -> Float[np.ndarray, "n 4 4"]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack([camera_pose(entry) for entry in entries])


def _photographs(
    entries: list[Entry], files: list[Path], distortions: list[Distortion], optional: bool
) -> tuple[tuple[UInt8[np.ndarray, "h w 3"], ...], list[Any]]:
    """Pictures as pinholes would have taken them, and their `K`; None where the lens is `optional` and not stated."""
    images, Ks, total = [], [], 0
    for entry, file, distortion in zip(entries, files, distortions, strict=True):
        known = states_lens(entry) or not (optional and distortion.is_pinhole)
        image = read_picture(entry, file, stated_size(entry), turn=not known)
        height, width = image.shape[:2]
        total += height * width
        if total > MAX_TOTAL:
            raise CaptureError(
                f"{entry.file}: {entry.index + 1} of {len(entries)} images have {total // 10**6} megapixels together, "
                f"allowed are {MAX_TOTAL // 10**6}; leave images out, or scale them and their intrinsics down together"
            )
        K = intrinsics(entry, (width, height)) if known else None
        if K is not None:
            image, K = _as_pinhole(entry, image, K, distortion)
        Ks.append(K)
        images.append(image)
    return tuple(images), Ks


def _as_pinhole(
    entry: Entry, image: UInt8[np.ndarray, "h w 3"], K: Float[np.ndarray, "3 3"], distortion: Distortion
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "3 3"]]:
    if distortion.kind == "fisheye" and "fl_x" not in entry:
        raise entry.error("", "lacks fl_x: an angle does not tell a fisheye's focal length")
    try:
        return undistorted(image, K, distortion)
    except FoldedLens as error:
        stated = ", ".join(f"{v:g}" for v in distortion.coefficients)
        raise entry.error(
            "", f"the lens' distortion ({distortion.kind}: {stated}) cannot be undone: {error}; is it of this lens?"
        ) from error


def _check_large(entries: list[Entry], Ts_world_cam: Float[np.ndarray, "n 4 4"]) -> None:
    for entry, T in zip(entries, Ts_world_cam, strict=True):
        if not (np.abs(T) < FARTHEST).all():
            raise entry.error("transform_matrix", f"its numbers are too large, allowed are less than {FARTHEST:g}")


def _check_doubles(entries: list[Entry], files: list[Path], Ts_world_cam: Float[np.ndarray, "n 4 4"]) -> None:
    """One photograph has one camera: it may stand twice, but not with two poses."""
    first: dict[Path, int] = {}
    for i, (entry, file) in enumerate(zip(entries, files, strict=True)):
        j = first.setdefault(file, i)
        if not np.allclose(Ts_world_cam[i], Ts_world_cam[j], rtol=0, atol=1e-6):
            raise entry.error("transform_matrix", f"differs from that of frame {j}, which has the same photograph")
