"""Cameras that stand, calibrated by one picture each of the printed sheet on the board (`dgrasp board`).

The folder is a capture as `dgrasp.data.captures.reader` reads it: `sheet.yaml`, which says where the page lies in the
world, and a picture of each camera, at the resolution it will be used at. A `transforms.json` may state lenses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from dgrasp.cell.interface import Calibration, CameraCalibration
from dgrasp.cell.place import PAPERS, Place
from dgrasp.cell.sheet import NAME
from dgrasp.cell.transforms import pose_vector
from dgrasp.data.captures.distortion import distortion_of
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.captures.sight import check_sight
from dgrasp.data.captures.source import entries_of
from dgrasp.files import read_yaml
from dgrasp.robot.calibration.former import Say, write_calibration

EXACT = "4 mm and 0.2 degrees in the middle case, 11 mm and 0.6 degrees at worst"  # OWN_IMAGES.md


def calibrate_standing(folder: Path, place: Place = PAPERS) -> Calibration:
    """Pose in the world and lens of each camera; its name is that of its picture, without the ending.

    Pictures of one size without a stated lens count as those of one lens: state each (`transforms.json`) where cameras
    differ. place: the board that the sheet lies on. Raises CaptureError (a ValueError) for a folder without
    `sheet.yaml`, pictures that do not tell, two of one name, a lens with distortion, and a camera that sees nothing of
    the workspace; ImportError without OpenCV.
    """
    if not (Path(folder) / NAME).is_file():
        raise CaptureError(
            f"{folder}: has no {NAME}; `dgrasp board {folder}/sheet.pdf` writes it, and the page to print"
        )
    entries = entries_of(Path(folder))
    names = [Path(str(entry.frame.get("file_path", ""))).stem for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        if names.count(name) > 1:
            raise entry.error("file_path", f"two pictures are called {name!r}; expected one of each standing camera")
        if not distortion_of(entry).is_pinhole:
            raise entry.error("", "the lens has distortion: cells take pinhole images; let the camera rectify its own")
    capture = read_capture(Path(folder), board_top=float(place.middle[2]))
    check_sight(capture, place)
    cameras = [
        CameraCalibration(
            camera=name, width=image.shape[1], height=image.shape[0], fx=K[0, 0], fy=K[1, 1], cx=K[0, 2], cy=K[1, 2],
            mount="world", T_mount_cam=tuple(map(tuple, T.tolist())),
        )
        for name, image, K, T in zip(names, capture.images, capture.K, capture.Ts_world_cam, strict=True)
    ]  # fmt: skip
    return Calibration(cameras=tuple(cameras), note=f"a sheet on the board, {len(cameras)} cameras that stand")


def write_section(calibration: Calibration, path: Path, say: Say | None = None) -> Path:
    """As YAML, the section `calibration:` of a cell's file (`HardwareConfig`).

    Another calibration that was there is kept beside it, and `say` is told where.
    """
    text = yaml.safe_dump({"calibration": calibration.model_dump(mode="json")}, sort_keys=False)
    return write_calibration(path, text, _id_in, say)


def _id_in(path: Path) -> str | None:
    """The id of the calibration in such a file, None for what is none."""
    try:
        return Calibration.model_validate(read_yaml(path)["calibration"]).id
    except (ValueError, TypeError, KeyError, IndexError):  # pydantic's and YAML's are ValueErrors
        return None


def described(T_carrier_cam: Sequence[Sequence[float]]) -> tuple[str, str]:
    """The lines `position` and `orientation` of a camera in a cell's description, whatever carries it."""
    numbers = [round(float(v), 6) for v in pose_vector(np.array(T_carrier_cam))]
    return f"position: {numbers[:3]}", f"orientation: {numbers[3:]}  # x, y, z, w"
