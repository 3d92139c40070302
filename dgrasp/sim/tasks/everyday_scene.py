"""One everyday object on a dressed workbench, as an operator of the real cell would present it (Sec. 5.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pybullet as bullet
from PIL import Image

from dgrasp.cache import build_once
from dgrasp.cell.description import CellDescription
from dgrasp.cell.model import model_of
from dgrasp.cell.transforms import IDENTITY
from dgrasp.cell.workspace import BOARD_CENTRE_XY
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.everyday import STAND_INS, everyday
from dgrasp.sim.objects.made import LIBRARY, TRAINING
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.objects.shapes import Made, Model, Prism
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.surfaces import dress
from dgrasp.sim.tasks.paper import DENSITY, FRICTION, drop
from dgrasp.sim.tasks.procedural import random_colour
from dgrasp.sim.world import World

SURFACES = 12  # textures of table and board to choose from
DISTRACTOR_RADIUS = 0.045  # m: what the strip of table beside the board has room for
SURFACES_VERSION = 1  # raise when `_draw_surface` changes: it names the cache folder


def present(
    rng: np.random.Generator,
    name: str,
    mass: float = 1.0,
    friction: float = 1.0,
    size: float = 1.0,
    cell: CellDescription | None = None,
) -> Scene:
    """The object (by the paper's name) dropped somewhere on the board; mass, friction and size times these factors.

    cell: whose board it is; None: the paper's.
    """
    o, corners = _object(name)
    if size != 1:
        o, corners = _scaled(o, size), size * corners
    o = replace(o, mass=mass * o.mass, friction=friction * o.friction)
    return Scene((drop(rng, o, corners, cell),), task="everyday", split="trial", cell=cell)


def _object(name: str) -> tuple[SceneObject, np.ndarray]:
    """The object at the origin, and the corners of its hull."""
    found = everyday(name)
    if found.model is None:
        block: Prism = found.shape  # type: ignore[assignment]
        o = SceneObject(name, block, (0.85, 0.45, 0.10), DENSITY * block.volume, FRICTION, IDENTITY)
        return o, block.mesh()[0]
    model = load_model(found.model)
    colour = STAND_INS[found.model].colour if found.model in STAND_INS else ycb.facts(found.model).colour
    return SceneObject(name, model.shape, colour, model.mass, model.friction, IDENTITY), model.corners


def _scaled(o: SceneObject, size: float) -> SceneObject:
    shape = o.shape
    if isinstance(shape, Prism):
        return replace(o, shape=Prism(shape.sides, size * shape.width, size * shape.length, size * shape.height))
    assert isinstance(shape, Model)
    x, y, z = (size * e for e in shape.extents)
    return replace(o, shape=replace(shape, extents=(x, y, z), scale=size))


def distractors(rng: np.random.Generator, count: int, cell: CellDescription | None = None) -> list[SceneObject]:
    """Small things on the table beside the board, where the hand does not go: none of them is in training."""
    found: list[SceneObject] = []
    place = model_of(cell)
    beside = place.board_size[1] / 2 + DISTRACTOR_RADIUS
    while len(found) < count:
        number = int(rng.integers(TRAINING, LIBRARY))
        made, colour = Made(number), random_colour(rng)
        if made.radius > DISTRACTOR_RADIUS:
            continue
        side, along = 1 if len(found) % 2 else -1, -0.05 + 0.15 * (len(found) // 2) + rng.uniform(0, 0.06)
        x = (place.board_centre[0] - BOARD_CENTRE_XY[0]) + along  # 0 at the paper's board, to the bit
        T = IDENTITY.copy()
        lowest = made.geometry.corners[:, 2].min()
        T[:3, 3] = x, place.board_centre[1] + side * beside, place.table_size[2] + 0.001 - lowest
        mass = DENSITY * made.geometry.volume
        found.append(SceneObject(f"distractor {len(found) + 1}", made, colour, mass, FRICTION, T))
    return found


def dress_object(world: World, name: str, surface: int) -> None:
    """Give an object with texture coordinates the texture of this number, until the world is rebuilt."""
    texture = bullet.loadTexture(str(_surface(surface)), physicsClientId=world.client)
    bullet.changeVisualShape(world.objects[name], -1, textureUniqueId=texture, physicsClientId=world.client)


def dress_workbench(world: World, table: int, board: int) -> None:
    """Give table and board the textures of these numbers, 0 to SURFACES - 1 (until the world is rebuilt)."""
    dress(world, {"table": _surface(table), "board": _surface(board)})


def _surface(number: int) -> Path:
    if not 0 <= number < SURFACES:
        raise ValueError(f"surface: expected a number from 0 to {SURFACES - 1}, got {number}")
    return build_once(f"surfaces-{SURFACES_VERSION}", _draw_surfaces) / f"{number:02d}.png"


def _draw_surfaces(folder: Path) -> None:
    for number in range(SURFACES):
        Image.fromarray(_draw_surface(np.random.default_rng(number))).save(folder / f"{number:02d}.png")


def _draw_surface(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A laminate: nearly grey or muted colour with smooth stains, grain along one direction, and fine speckles."""
    colour = rng.uniform(0.25, 0.75) * (1 + 0.12 * rng.uniform(-1, 1, 3))
    stains, grain = _smooth(rng, (8, 8), size), _smooth(rng, (48, 4), size)
    shade = 1 + 0.35 * rng.uniform() * stains + 0.35 * rng.uniform() * grain
    shade = shade + 0.03 * rng.standard_normal((size, size))
    return (255 * np.clip(shade[..., None] * colour, 0, 1)).astype(np.uint8)


def _smooth(rng: np.random.Generator, knots: tuple[int, int], size: int) -> np.ndarray:
    """Random numbers in [-1, 1] at (rows, columns) knots, interpolated to a square of `size`."""
    image = Image.fromarray(rng.uniform(0, 255, knots).astype(np.uint8))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) / 127.5 - 1
