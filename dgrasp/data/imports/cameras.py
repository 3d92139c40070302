"""Cameras of an import: a file that calibrates them by name, and the convention that their poses are in.

`cameras.json`: `{"convention": "opencv", "unit": "m", "cameras": {"front": {"w", "h", "fl_x", "fl_y", "cx", "cy",
"pose": 4x4}}}`. Pixel centres are at .5, as in nerfstudio. A lens with distortion states OpenCV's coefficients beside
them (`k1 k2 p1 p2 k3` to `k6`; `"camera_model": "OPENCV_FISHEYE"` with `k1` to `k4`), and its images are read as a
pinhole's. The conventions of a pose:

    opencv  camera to world; x right, y down, z forwards
    opengl  camera to world; x right, y up, z backwards (nerfstudio, Blender)
    colmap  world to camera; x right, y down, z forwards
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field, ValidationError, model_validator

from dgrasp.cameras import CV_TO_GL, Intrinsics, Views, visible
from dgrasp.cell.transforms import inverse, pose_problem
from dgrasp.config import Config, explain
from dgrasp.data.captures.distortion import FISHEYE_KEYS, PERSPECTIVE_KEYS, Distortion
from dgrasp.data.captures.lens import HALF_PIXEL
from dgrasp.data.captures.undistort import FoldedLens, undistorted
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
    camera_model: Literal["OPENCV", "OPENCV_FISHEYE"] = Field("OPENCV", description="of the coefficients")
    k1: float = Field(0.0, description="OpenCV's coefficient; all 0: a pinhole")
    k2: float = Field(0.0, description="OpenCV's coefficient")
    p1: float = Field(0.0, description="OpenCV's coefficient, of a perspective lens")
    p2: float = Field(0.0, description="OpenCV's coefficient, of a perspective lens")
    k3: float = Field(0.0, description="OpenCV's coefficient")
    k4: float = Field(0.0, description="OpenCV's coefficient")
    k5: float = Field(0.0, description="OpenCV's coefficient, of a perspective lens")
    k6: float = Field(0.0, description="OpenCV's coefficient, of a perspective lens")

    @model_validator(mode="after")
    def _lens(self) -> Self:
        if self.camera_model == "OPENCV_FISHEYE":
            beyond = [key for key in PERSPECTIVE_KEYS if key not in FISHEYE_KEYS and getattr(self, key)]
            if beyond:
                raise ValueError(f"{', '.join(beyond)}: not of a fisheye, which has {', '.join(FISHEYE_KEYS)}")
        lens = Intrinsics(self.w, self.h, self.fl_x, self.fl_y, self.cx, self.cy)
        lens.check_lens(focal="fl_x, fl_y", centre="cx, cy")
        return self

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """With integer pixel centres."""
        return np.array([[self.fl_x, 0, self.cx - HALF_PIXEL], [0, self.fl_y, self.cy - HALF_PIXEL], [0, 0, 1.0]])

    @property
    def distortion(self) -> Distortion:
        """Of its lens."""
        fisheye = self.camera_model == "OPENCV_FISHEYE"
        keys = FISHEYE_KEYS if fisheye else PERSPECTIVE_KEYS
        return Distortion("fisheye" if fisheye else "perspective", tuple(float(getattr(self, key)) for key in keys))


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
    """Images by camera as a pinhole takes them, with their calibration.

    Raises ImportRefused for another size, several of them, or a lens that folds the image.
    """
    found = [stated.of(name, source) for name in images]
    for name, image in images.items():
        camera = stated.cameras[name]
        if image.shape[:2] != (camera.h, camera.w):
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise ImportRefused(f"{source}: camera {name!r}: images of {size}, calibrated for {camera.w}x{camera.h}")
    if len({image.shape for image in images.values()}) > 1:
        raise ImportRefused(f"{source}: images differ in size between cameras; expected one size")
    pinholes = []
    for (name, image), (K, _) in zip(images.items(), found, strict=True):
        try:
            pinholes.append(undistorted(image, K, stated.cameras[name].distortion))
        except FoldedLens as error:
            raise ImportRefused(f"{source}: camera {name!r}: its coefficients in {NAME}: {error}") from error
    pictures, K = (np.stack(part) for part in zip(*pinholes, strict=True))
    Ts_world_cam = np.stack([T for _, T in found])
    check_unit(Ts_world_cam[:, :3, 3], stated.unit, f"{source}: cameras", f'state "unit": "mm" in {NAME}')
    return Views(pictures, K, Ts_world_cam)


def reinterpreted(views: Views, stated: str, meant: str) -> Views:
    """The same views, if their poses were written in `meant` and not in `stated`."""
    if stated == meant:
        return views
    to_stated: dict[str, Callable[[np.ndarray], Any]] = {**CONVENTIONS}  # each undoes itself
    return Views(views.images, views.K, CONVENTIONS[meant](to_stated[stated](views.Ts_world_cam)))


@dataclass(frozen=True)
class Sight:
    """How the cameras see the grasps. share: of them that do, 0 to 1. off: from their axes on average, degrees."""

    share: float
    off: float


def sight_of(episodes: Sequence[Episode]) -> Sight:
    """How the cameras of one episode or more see its grasp."""
    shares, off = zip(*(_seen(e.views, e.Ts_world_tcp[-1, :3, 3]) for e in episodes), strict=True)
    return Sight(float(np.mean(shares)), float(np.mean(off)))


def _seen(views: Views, grasp: Float[np.ndarray, "3"]) -> tuple[float, float]:
    size = views.images.shape[2], views.images.shape[1]
    points = torch.tensor(grasp)[None, None].expand(len(views), 1, 3)
    share = visible(torch.tensor(views.K), torch.tensor(views.Ts_world_cam), points, size).double().mean()
    to_grasp = grasp - views.Ts_world_cam[:, :3, 3]
    along = (views.Ts_world_cam[:, :3, 2] * to_grasp).sum(1) / np.linalg.norm(to_grasp, axis=1).clip(min=1e-9)
    return float(share), float(np.degrees(np.arccos(np.clip(along, -1, 1))).mean())


def sight_by_convention(episodes: Sequence[Episode], stated: str) -> dict[str, Sight]:
    """The same for each convention that the poses could have been written in, the stated one first.

    Where poses are of a source in which none is chosen (a sheet, say), that source alone.
    """
    order = [stated, *(name for name in CONVENTIONS if name != stated and stated in CONVENTIONS)]
    return {
        name: sight_of([replace(e, views=reinterpreted(e.views, stated, name)) for e in episodes]) for name in order
    }
