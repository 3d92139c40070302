"""Reading a capture: photographs with known cameras, in the world frame. Opening one starts and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dgrasp.cameras import Views
from dgrasp.cell.transforms import pose_problem
from dgrasp.data.captures.document import CaptureError, Entry, read_entries, reason
from dgrasp.data.captures.lens import check_pinhole, intrinsics, stated_size
from dgrasp.data.captures.picture import find_picture, read_picture
from dgrasp.data.captures.pose import camera_pose

FARTHEST = 1e6  # a bench in millimetres has thousands; beyond this, no arithmetic is worth its warnings
MAX_TOTAL = 500_000_000  # pixels of all images, 1.5 GB: not in the paper, whose policies see two views of 640x480


@dataclass(frozen=True, eq=False)
class Capture:
    """Photographs and their pinhole cameras, one per frame; images may differ in size.

    names: `file_path` of each frame. images: uint8, RGB. K: (n, 3, 3), pixels, integer centres.
    Ts_world_cam: (n, 4, 4), metres, OpenCV's axes. T_world_capture: where the frame lies that the file's poses are in.
    """

    file: Path
    names: tuple[str, ...]
    images: tuple[UInt8[np.ndarray, "h w 3"], ...]
    K: Float[np.ndarray, "n 3 3"]
    Ts_world_cam: Float[np.ndarray, "n 4 4"]
    T_world_capture: Float[np.ndarray, "4 4"]

    @property
    def views(self) -> Views:
        """The same as `Views`; raises CaptureError if images differ in size."""
        sizes = {f"{image.shape[1]}x{image.shape[0]}" for image in self.images}
        if len(sizes) > 1:
            raise CaptureError(f"{self.file}: images have different sizes: {', '.join(sorted(sizes))}; expected one")
        return Views(np.stack(self.images), self.K, self.Ts_world_cam)


def read_capture(path: Path, T_world_capture: Float[np.ndarray, "4 4"] | None = None) -> Capture:
    """Photographs of a folder, or of its `transforms.json`, with everything that is said of them checked.

    T_world_capture: pose of the file's own frame in the world (metres); none: the file speaks of the world.
    Raises CaptureError (file, frame, key, what is allowed), ValueError if `T_world_capture` is no pose.
    """
    T = np.eye(4) if T_world_capture is None else np.asarray(T_world_capture, dtype=np.float64)
    if problem := pose_problem(T):
        raise ValueError(f"T_world_capture: {problem}")
    entries = read_entries(_file(Path(path)))
    for entry in entries:
        check_pinhole(entry)
    with np.errstate(over="ignore", invalid="ignore"):
        Ts_world_cam = T @ np.stack([camera_pose(entry) for entry in entries])
    _check_large(entries, Ts_world_cam)
    files = [find_picture(entry) for entry in entries]
    _check_doubles(entries, files, Ts_world_cam)
    images, K = _photographs(entries, files)
    names = tuple(str(entry.frame["file_path"]) for entry in entries)
    return Capture(entries[0].file, names, images, K, Ts_world_cam, T)


def _file(path: Path) -> Path:
    try:
        return path / "transforms.json" if path.is_dir() else path
    except (OSError, ValueError) as error:
        raise CaptureError(f"{path}: cannot be read ({reason(error)})") from error


def _photographs(
    entries: list[Entry], files: list[Path]
) -> tuple[tuple[UInt8[np.ndarray, "h w 3"], ...], Float[np.ndarray, "n 3 3"]]:
    images, K, total = [], [], 0
    for entry, file in zip(entries, files, strict=True):
        image = read_picture(entry, file, stated_size(entry))
        height, width = image.shape[:2]
        total += height * width
        if total > MAX_TOTAL:
            raise CaptureError(
                f"{entry.file}: {entry.index + 1} of {len(entries)} images have {total // 10**6} megapixels together, "
                f"allowed are {MAX_TOTAL // 10**6}; leave images out, or scale them and their intrinsics down together"
            )
        K.append(intrinsics(entry, (width, height)))
        images.append(image)
    return tuple(images), np.stack(K)


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
