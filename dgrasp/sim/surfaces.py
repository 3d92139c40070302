"""Looks of table and board in training: images of many kinds, none of them the twin's.

The twin's twelve surfaces are muted laminates, stains and grain along one direction
(`dgrasp.sim.tasks.everyday_scene`). These are of other makings and all colours, from a stream of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pybullet as bullet
from PIL import Image, ImageDraw

from dgrasp import streams
from dgrasp.cache import build_once
from dgrasp.sim.world import World

SURFACES = 240  # to choose from
VERSION = 1  # raise when `draw_surface` changes: it names the cache folder
SIZE = 256  # texels a side
SEED = 20_000  # of the stream; the twin's surfaces are those of generators 0 to 11


def dress(world: World, textures: Mapping[str, Path]) -> None:
    """Give parts of the workbench ("table", "board") these images, until the world is rebuilt."""
    for body, name in world.drawn.items():
        if name in textures:
            texture = bullet.loadTexture(str(textures[name]), physicsClientId=world.client)
            bullet.changeVisualShape(
                body, -1, textureUniqueId=texture, rgbaColor=[1, 1, 1, 1], physicsClientId=world.client
            )


def surface_file(number: int) -> Path:
    """PNG of a surface, drawn once; always the same. Raises ValueError for a number that does not exist."""
    if not 0 <= number < SURFACES:
        raise ValueError(f"surface: expected a number from 0 to {SURFACES - 1}, got {number}")
    return build_once(f"training-surfaces-{VERSION}", _draw_all) / f"{number:03d}.png"


def draw_surface(rng: np.random.Generator) -> Image.Image:
    """One of the kinds in two colours of its own, darkened and lightened in large patches, with fine noise."""
    names = tuple(PATTERNS)
    ground, other = rng.uniform(0.03, 0.97, 3), rng.uniform(0.03, 0.97, 3)
    share = rng.uniform(0.15, 1.0) * PATTERNS[names[int(rng.integers(len(names)))]](rng)
    image = ground + share[..., None] * (other - ground)
    image *= 1 + rng.uniform(0, 0.3) * smooth(rng, (4, 4))[..., None]
    image += rng.uniform(0, 0.05) * rng.standard_normal((SIZE, SIZE, 1))
    return Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8))


def smooth(rng: np.random.Generator, knots: tuple[int, int]) -> np.ndarray:
    """Random numbers in [-1, 1] at (rows, columns) knots, interpolated to a surface's size."""
    image = Image.fromarray(rng.uniform(0, 255, knots).astype(np.uint8))
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) / 127.5 - 1


def _plain(rng: np.random.Generator) -> np.ndarray:
    return np.zeros((SIZE, SIZE))


def _clouds(rng: np.random.Generator) -> np.ndarray:
    octaves = [2.0**-k * smooth(rng, (n, n)) for k, n in enumerate((3, 7, 15, 31, 63))]
    return 0.5 + 0.5 * np.clip(np.sum(octaves, axis=0), -1, 1)


def _waves(rng: np.random.Generator) -> np.ndarray:
    """Bent stripes, wide to narrow, in any direction."""
    return 0.5 + 0.5 * np.sin(_along(rng) * rng.uniform(3, 40) + rng.uniform(0, 6) * smooth(rng, (5, 5)))


def _weave(rng: np.random.Generator) -> np.ndarray:
    v, u = np.mgrid[0:SIZE, 0:SIZE] * rng.uniform(0.4, 1.6)
    return 0.5 + 0.5 * np.sin(u) * np.sin(v)


def _tiles(rng: np.random.Generator) -> np.ndarray:
    """Joints between tiles of slightly different shades."""
    side = int(rng.integers(12, 80))
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    shades = 0.4 * rng.uniform(size=(SIZE // side + 1, SIZE // side + 1))
    return np.where((u % side < 3) | (v % side < 3), 1.0, shades[v // side, u // side])


def _checks(rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(6, 64))
    v, u = np.mgrid[0:SIZE, 0:SIZE] // side
    return ((u + v) % 2).astype(float)


def _scraps(rng: np.random.Generator) -> np.ndarray:
    """Discs and boxes laid over each other: stickers, stains, papers."""
    image = Image.new("L", (SIZE, SIZE))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(5, 60))):
        x, y = rng.uniform(0, SIZE, 2)
        w, h = SIZE * rng.uniform(0.01, 0.25, 2)
        form = draw.ellipse if rng.uniform() < 0.5 else draw.rectangle
        form([x - w, y - h, x + w, y + h], fill=int(rng.uniform(0, 255)))
    return np.asarray(image) / 255


def _crumbs(rng: np.random.Generator) -> np.ndarray:
    """Grains of one size, as in terrazzo, cork or gravel."""
    n = int(rng.integers(24, 128))
    grains = Image.fromarray((255 * (rng.uniform(size=(n, n)) < rng.uniform(0.05, 0.5))).astype(np.uint8))
    return np.asarray(grains.resize((SIZE, SIZE), Image.Resampling.BILINEAR)) / 255


def _along(rng: np.random.Generator) -> np.ndarray:
    """A coordinate from 0 to about 1 in a random direction."""
    angle = rng.uniform(0, np.pi)
    v, u = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    return np.cos(angle) * u + np.sin(angle) * v


PATTERNS: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = {
    "plain": _plain, "clouds": _clouds, "waves": _waves, "weave": _weave, "tiles": _tiles, "checks": _checks,
    "scraps": _scraps, "crumbs": _crumbs,
}  # fmt: skip


def _draw_all(folder: Path) -> None:
    for number in range(SURFACES):
        draw_surface(streams.rng(SEED, "looks", "surfaces", number)).save(folder / f"{number:03d}.png")
