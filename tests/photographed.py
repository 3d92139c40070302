"""Photographs with known truth: a page on the bench, seen by a lens, ray by ray, and the files that tell of it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp.cameras import view_from_sphere
from dgrasp.cell.sheet import Sheet
from dgrasp.cell.sheet_page import PAGES, write_sheet
from dgrasp.cell.transforms import inverse
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.data.captures.distortion import Distortion

PINHOLE = Distortion("perspective", (0.0,) * 8)
DPI = 200


def page_of(sheet: Sheet, folder: Path) -> np.ndarray:
    """What comes out of the printer, grey."""
    with Image.open(write_sheet(sheet, folder / "page.png", dpi=DPI)) as page:
        return np.asarray(page.convert("L"))


def lens(width: int, height: int, focal: float) -> np.ndarray:
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def camera(azimuth: float, polar: float = 45.0, distance: float = 0.8) -> np.ndarray:
    """`T_world_cam`, looking at the bench's middle; degrees."""
    centre = torch.tensor(BOARD_CENTRE, dtype=torch.float64)
    return view_from_sphere(centre, distance, np.radians(azimuth), np.radians(polar)).numpy()


def directions(uv: np.ndarray, K: np.ndarray, distortion: Distortion) -> np.ndarray:
    """Rays (n, 3) of pixels in the camera's frame."""
    import cv2

    coefficients = np.array(distortion.coefficients)
    undistort = cv2.fisheye.undistortPoints if distortion.kind == "fisheye" else cv2.undistortPoints
    flat = undistort(uv[:, None], K, coefficients).reshape(-1, 2)
    return np.column_stack([flat, np.ones(len(flat))])


def photograph(
    page: np.ndarray | None, sheet: Sheet, K: np.ndarray, size: tuple[int, int], T_world_cam: np.ndarray,
    distortion: Distortion = PINHOLE, finer: int = 2,
) -> np.ndarray:  # fmt: skip
    """The bench, in colours that change with the place, and on it the page (none: the bench alone)."""
    width, height = size
    at = (np.arange(finer) + 0.5) / finer - 0.5
    v, u = np.meshgrid(
        (np.arange(height)[:, None] + at).ravel(), (np.arange(width)[:, None] + at).ravel(), indexing="ij"
    )
    rays = directions(np.column_stack([u.ravel(), v.ravel()]), K, distortion) @ T_world_cam[:3, :3].T
    eye, top = T_world_cam[:3, 3], sheet.T_world_sheet
    p_sheet = (eye + rays * ((top[2, 3] - eye[2]) / rays[:, 2:]) - top[:3, 3]) @ top[:3, :3]
    colours = 150 + 60 * np.stack([np.sin(3 * p_sheet[:, 0]), np.cos(4 * p_sheet[:, 1]), np.sin(5 * p_sheet[:, 0])], 1)
    if page is not None:
        wide, high = PAGES["a4"]
        column, row = (wide / 2 + p_sheet[:, 0]) / wide, (high / 2 - p_sheet[:, 1]) / high
        on = (column >= 0) & (column < 1) & (row >= 0) & (row < 1)
        rows, columns = (row[on] * page.shape[0]).astype(int), (column[on] * page.shape[1]).astype(int)
        colours[on] = 30 + 0.8 * page[rows, columns][:, None]
    return colours.reshape(height, finer, width, finer, 3).mean(axis=(1, 3)).round().astype(np.uint8)


def write_colmap(folder: Path, names: list[str], cameras: list[tuple[int, str, list[float]]], Ts: np.ndarray,
                 size: tuple[int, int], binary: bool) -> None:  # fmt: skip
    """A model as COLMAP writes it, with a point or none in each image."""
    folder.mkdir(parents=True, exist_ok=True)
    poses = [(*Rotation.from_matrix(T[:3, :3]).as_quat(scalar_first=True), *T[:3, 3]) for T in map(inverse, Ts)]
    if not binary:
        lines = [f"{i + 1} {m} {size[0]} {size[1]} {' '.join(map(repr, p))}" for i, (_, m, p) in enumerate(cameras)]
        (folder / "cameras.txt").write_text("# Camera list\n" + "\n".join(lines) + "\n")
        rows = [
            f"{i} {' '.join(repr(float(v)) for v in pose)} {min(i, len(cameras) - 1) + 1} {name}\n"
            f"{'1.5 2.5 -1' * (i % 2)}"
            for i, (pose, name) in enumerate(zip(poses, names, strict=True))
        ]
        (folder / "images.txt").write_text("# Image list\n" + "\n".join(rows) + "\n")
        return
    data = struct.pack("<Q", len(cameras))
    for i, (number, _, parameters) in enumerate(cameras):
        data += struct.pack(f"<iiQQ{len(parameters)}d", i + 1, number, *size, *parameters)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(names))
    for i, (pose, name) in enumerate(zip(poses, names, strict=True)):
        data += struct.pack("<I7dI", i, *pose, min(i, len(cameras) - 1) + 1) + name.encode() + b"\0"
        data += struct.pack("<Q", i % 2) + (i % 2) * struct.pack("<ddq", 1.5, 2.5, -1)
    (folder / "images.bin").write_bytes(data)


def write_transforms_of(
    folder: Path, image: np.ndarray, K: np.ndarray, T_world_cam: np.ndarray, **keys: object
) -> Path:
    """One photograph with its `transforms.json`, as nerfstudio writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / "a.png")
    size = {"w": image.shape[1], "h": image.shape[0]}
    pixels = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2] + 0.5, "cy": K[1, 2] + 0.5}
    frame = {"file_path": "a.png", "transform_matrix": (T_world_cam @ np.diag([1.0, -1, -1, 1])).tolist()}
    (folder / "transforms.json").write_text(json.dumps({**size, **pixels, **keys, "frames": [frame]}))
    return folder
