"""Cameras of an import: a file that calibrates them by name, and the convention that their poses are in.

`cameras.json`: `{"convention": "opencv", "unit": "m", "cameras": {"front": {"w", "h", "fl_x", "fl_y", "cx", "cy",
"pose": 4x4}}}`. Pixel centres are at .5, as in nerfstudio. The conventions of a pose:

    opencv  camera to world; x right, y down, z forwards
    opengl  camera to world; x right, y up, z backwards (nerfstudio, Blender)
    colmap  world to camera; x right, y down, z forwards
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field, ValidationError, model_validator

from dgrasp.cameras import Intrinsics, Views, visible
from dgrasp.cell.transforms import inverse, pose_problem
from dgrasp.config import Config, explain
from dgrasp.data.captures.lens import HALF_PIXEL
from dgrasp.data.captures.pose import CV_TO_GL
from dgrasp.data.imports.episode import UNITS, Episode, ImportRefused, check_unit
from dgrasp.files import read_json_of_a_user, write_json

NAME = "cameras.json"
CONVENTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # to camera to world, OpenCV's axes
    "opencv": lambda Ts: Ts,
    "opengl": lambda Ts: Ts @ CV_TO_GL,
    "colmap": inverse,
}
Row = tuple[float, float, float, float]


class StatedCamera(Config):
    """One camera of the file."""

    w: int = Field(ge=1, description="width of the images, pixels")
    h: int = Field(ge=1, description="height of the images, pixels")
    fl_x: float = Field(gt=0, description="focal length, pixels")
    fl_y: float = Field(gt=0, description="focal length, pixels")
    cx: float = Field(description="principal point, pixels")
    cy: float = Field(description="principal point, pixels")
    pose: tuple[Row, Row, Row, Row] = Field(description="of the camera, in the file's convention and unit")

    @model_validator(mode="after")
    def _lens(self) -> Self:
        lens = Intrinsics(self.w, self.h, self.fl_x, self.fl_y, self.cx, self.cy)
        lens.check_lens(focal="fl_x, fl_y", centre="cx, cy")
        return self

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """With integer pixel centres."""
        return np.array([[self.fl_x, 0, self.cx - HALF_PIXEL], [0, self.fl_y, self.cy - HALF_PIXEL], [0, 0, 1.0]])


class StatedCameras(Config):
    """The file."""

    convention: Literal["opencv", "opengl", "colmap"] = Field("opencv", description="of the poses")
    unit: Literal["m", "mm"] = Field("m", description="of the poses")
    cameras: dict[str, StatedCamera] = Field(min_length=1, description="by the name of their images")

    def of(self, name: str, source: str) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]:
        """`K` and the pose in the world, OpenCV's axes, metres. Raises ImportRefused naming what is calibrated."""
        if name not in self.cameras:
            raise ImportRefused(
                f"{source}: camera {name!r} has no calibration; calibrated in {NAME}: {', '.join(self.cameras)}"
            )
        T = np.array(self.cameras[name].pose)
        T[:3, 3] *= UNITS[self.unit]
        if problem := pose_problem(T):
            raise ImportRefused(f"{source}: camera {name!r}: {problem}")
        return self.cameras[name].K, CONVENTIONS[self.convention](T)


def read_cameras(path: Path | None, source: str) -> StatedCameras:
    """The calibration of an import's cameras. Raises ImportRefused if there is none, or it is wrong."""
    if path is None or not path.is_file():
        where = f"no {path}" if path else f"no {NAME}"
        raise ImportRefused(f"{source}: its cameras have no calibration ({where}); give it with --cameras FILE")
    try:
        return StatedCameras.model_validate(read_json_of_a_user(path))
    except ValidationError as error:
        raise ImportRefused("; ".join(explain(str(path), StatedCameras, error).split("\n  "))) from error


def write_cameras(views: Views, names: list[str], path: Path) -> None:
    """The calibration of these views, as `read_cameras` reads it."""
    cameras = {}
    for name, image, K, T in zip(names, views.images, views.K, views.Ts_world_cam, strict=True):
        lens = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2] + HALF_PIXEL, "cy": K[1, 2] + HALF_PIXEL}
        cameras[name] = {"w": image.shape[1], "h": image.shape[0], **lens, "pose": T.tolist()}
    write_json(path, {"convention": "opencv", "unit": "m", "cameras": cameras})


def views_of(images: Mapping[str, UInt8[np.ndarray, "h w 3"]], stated: StatedCameras, source: str) -> Views:
    """Images by camera, with their calibration. Raises ImportRefused for another size, or several of them."""
    found = [stated.of(name, source) for name in images]
    for name, image in images.items():
        camera = stated.cameras[name]
        if image.shape[:2] != (camera.h, camera.w):
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise ImportRefused(f"{source}: camera {name!r}: images of {size}, calibrated for {camera.w}x{camera.h}")
    if len({image.shape for image in images.values()}) > 1:
        raise ImportRefused(f"{source}: images differ in size between cameras; expected one size")
    K, Ts_world_cam = (np.stack(part) for part in zip(*found, strict=True))
    check_unit(Ts_world_cam[:, :3, 3], stated.unit, f"{source}: cameras", f'state "unit": "mm" in {NAME}')
    return Views(np.stack(list(images.values())), K, Ts_world_cam)


def reinterpreted(views: Views, stated: str, meant: str) -> Views:
    """The same views, if their poses were written in `meant` and not in `stated`."""
    to_stated: dict[str, Callable[[np.ndarray], Any]] = {**CONVENTIONS}  # each undoes itself
    return Views(views.images, views.K, CONVENTIONS[meant](to_stated[stated](views.Ts_world_cam)))


def share_seen(views: Views, Ts_world_tcp: Float[np.ndarray, "steps 4 4"]) -> float:
    """The share of the cameras that see the grasp, 0 to 1."""
    size = views.images.shape[2], views.images.shape[1]
    grasp = torch.tensor(Ts_world_tcp[-1, :3, 3])[None, None].expand(len(views), 1, 3)
    return float(visible(torch.tensor(views.K), torch.tensor(views.Ts_world_cam), grasp, size).double().mean())


def convention_found(episodes: list[Episode], stated: str) -> tuple[str, float]:
    """The convention under which most cameras see the grasps, the stated one before others, and their share."""
    order = [stated, *(name for name in CONVENTIONS if name != stated)]
    shares = {
        name: float(np.mean([share_seen(reinterpreted(e.views, stated, name), e.Ts_world_tcp) for e in episodes]))
        for name in order
    }
    best = max(order, key=lambda name: shares[name])
    return best, shares[best]
