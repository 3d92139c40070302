"""Printed faces for prisms: coloured fields, bars and spots in place of one colour. Not in the paper.

Monochrome prisms teach that one colour is one object; what people buy has labels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dgrasp.cache import build_once

PRINTS = 64  # to choose from
VERSION = 1  # raise when `draw_print` changes: it names the cache folder
SIZE = 128  # texels a side
REACH = 0.13  # m that the texture covers: the longest side of a prism, and a little


def print_file(number: int) -> Path:
    """PNG of a print, drawn once; always the same. Raises ValueError for a number that does not exist."""
    if not 0 <= number < PRINTS:
        raise ValueError(f"print: expected a number from 0 to {PRINTS - 1}, got {number}")
    return build_once(f"prints-{VERSION}", _draw_all) / f"{number:02d}.png"


def texture_coordinates(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 2) in [0, 1]: each face sees the print from straight before it. vertices (n, 3) metres, normals (n, 3)."""
    across = np.argmax(np.abs(normals), axis=1)
    u = np.where(across == 0, vertices[:, 1], vertices[:, 0])
    v = np.where(across == 2, vertices[:, 1], vertices[:, 2])
    return np.clip(np.stack([u, v], axis=1) / REACH + 0.5, 0.0, 1.0)


def draw_print(rng: np.random.Generator) -> Image.Image:
    """Three to eight fields, bars and spots in colours of their own on a coloured ground."""
    image = Image.new("RGB", (SIZE, SIZE), _colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.uniform(0, SIZE, 2)
        w, h = SIZE * rng.uniform(0.04, 0.6), SIZE * rng.uniform(0.04, 0.6)
        box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        (draw.rectangle if rng.uniform() < 0.65 else draw.ellipse)(box, fill=_colour(rng))
    return image


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    r, g, b = (int(c) for c in rng.uniform(10, 255, 3))
    return r, g, b


def _draw_all(folder: Path) -> None:
    for number in range(PRINTS):
        draw_print(np.random.default_rng(number)).save(folder / f"{number:02d}.png")
