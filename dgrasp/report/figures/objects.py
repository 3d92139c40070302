"""Pictures of the procedural objects: a row for each family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dgrasp import streams
from dgrasp.cameras import Intrinsics
from dgrasp.cell.config import CellConfig
from dgrasp.cell.viewpoints import viewpoint
from dgrasp.data.object_card import object_card
from dgrasp.files import atomic_path, write_text
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects.families import FAMILIES
from dgrasp.sim.objects.made import LIBRARY
from dgrasp.sim.objects.prints import PRINTS
from dgrasp.sim.objects.shapes import Made
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.tasks.paper import drop
from dgrasp.sim.tasks.procedural import random_colour

COLUMNS = 8
SIDE = 96  # pixels of a picture
NEAR = 0.42  # m from the camera to the board's centre


def objects_sheet(columns: int = COLUMNS, families: Sequence[str] = tuple(FAMILIES)) -> np.ndarray:
    """RGB uint8: `columns` objects of each family as they come to rest, printed and plain in turn."""
    names = tuple(FAMILIES)
    with Cell(CellConfig()) as cell:
        rows = [[_picture(cell, len(names) * k + names.index(family)) for k in range(columns)] for family in families]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def write_object_card(folder: Path, numbers: Sequence[int] = range(LIBRARY), columns: int = COLUMNS) -> list[Path]:
    """Write `objects.md` and `objects.png`; returns the files."""
    picture, card = folder / "objects.png", folder / "objects.md"
    with atomic_path(picture) as temporary:
        Image.fromarray(objects_sheet(columns)).save(temporary, format="png")
    write_text(card, object_card(numbers))
    return [card, picture]


def _picture(cell: Cell, number: int) -> np.ndarray:
    rng, made = streams.rng(0, "object pictures", number), Made(number)
    printed = int(rng.integers(PRINTS)) if rng.uniform() < 0.5 else None
    o = SceneObject(made.kind, made, random_colour(rng), 0.1, 0.6, np.eye(4), printed)
    rested = drop(rng, o, made.geometry.corners)
    T = rested.T_world_object.copy()
    T[:2, 3] = 0.2, 0.0
    cell.reset(Scene((rested.moved(T),)))
    intrinsics = Intrinsics(SIDE, SIDE, 1.6 * SIDE, 1.6 * SIDE, SIDE / 2, SIDE / 2)
    return cell.observe(viewpoint(np.radians(35), np.radians(50), NEAR)[None], intrinsics).images[0]
