"""Photographs of a scene with the printed sheet on its board, and known truth.

For the notebook and the tests: a recipe that does not find the truth here finds nothing on a table.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from dgrasp.cameras import Intrinsics, Views, pixel_rays
from dgrasp.cell.sheet import Sheet
from dgrasp.cell.sheet_page import PAGES, write_sheet
from dgrasp.cell.transforms import inverse
from dgrasp.sim.cell import Cell

DPI = 200
PAPER, INK = 235.0, 30.0  # grey values: no print is quite white, nor quite black


def photographs_with_sheet(
    cell: Cell, sheet: Sheet, Ts_world_cam: Float[np.ndarray, "views 4 4"], lens: Intrinsics, finer: int = 2
) -> Views:
    """RGB views of the cell's scene as it stands, with the sheet (on A4) where its `place` says; metres, world frame.

    Objects on the page cover it. lens: of all views, pixels. finer: rays per pixel each way, whose mean is taken, as a
    photograph has no hard edges.
    """
    fine = replace(
        lens, width=lens.width * finer, height=lens.height * finer, fx=lens.fx * finer, fy=lens.fy * finer,
        cx=(lens.cx + 0.5) * finer - 0.5, cy=(lens.cy + 0.5) * finer - 0.5,
    )  # fmt: skip
    seen, geometry = cell.observe(Ts_world_cam, fine), cell.observe_geometry(Ts_world_cam, fine)
    bench = geometry.labels == geometry.names.index("board")
    T_world_sheet, page = sheet.lying_at(cell.config.model.board_top), _printed(sheet)
    images = [
        _laid_on(image, on, _on_plane(inverse(T_world_sheet) @ T, fine)[..., :2], page)
        for image, on, T in zip(seen.images, bench, seen.Ts_world_cam, strict=True)
    ]
    coarse = np.stack(images).reshape(len(images), lens.height, finer, lens.width, finer, 3).mean(axis=(2, 4))
    K = np.repeat(lens.matrix[None], len(images), axis=0)
    return Views(coarse.round().astype(np.uint8), K, seen.Ts_world_cam)


def _printed(sheet: Sheet) -> UInt8[np.ndarray, "h w"]:
    with tempfile.TemporaryDirectory() as folder:
        file = write_sheet(sheet, Path(folder) / "page.png", dpi=DPI)
        with Image.open(file, formats=["PNG"]) as page:
            return np.asarray(page.convert("L"))


def _on_plane(T_sheet_cam: Float[np.ndarray, "4 4"], lens: Intrinsics) -> Float[np.ndarray, "h w 3"]:
    """Where the ray of each pixel meets the sheet's plane, in the sheet's frame, metres."""
    v, u = np.mgrid[: lens.height, : lens.width].astype(np.float64)
    uv = torch.from_numpy(np.stack([u, v], axis=-1).reshape(-1, 2))
    eyes, rays = pixel_rays(torch.from_numpy(lens.matrix), torch.from_numpy(T_sheet_cam), uv)
    on_plane = eyes - rays * (eyes[:, 2:] / rays[:, 2:])
    return on_plane.reshape(lens.height, lens.width, 3).numpy()


def _laid_on(
    image: UInt8[np.ndarray, "h w 3"],
    bench: Bool[np.ndarray, "h w"],
    p_sheet: Float[np.ndarray, "h w 2"],
    page: UInt8[np.ndarray, "rows columns"],
) -> Float[np.ndarray, "h w 3"]:
    """The image with the page where the bench is seen, and would be seen through it."""
    width, height = PAGES["a4"]
    column, row = 0.5 + p_sheet[..., 0] / width, 0.5 - p_sheet[..., 1] / height
    on = bench & (column >= 0) & (column < 1) & (row >= 0) & (row < 1)
    covered = image.astype(np.float64)
    texels = page[(row[on] * page.shape[0]).astype(int), (column[on] * page.shape[1]).astype(int)]
    covered[on] = (INK + (PAPER - INK) * texels / 255)[:, None]
    return covered
