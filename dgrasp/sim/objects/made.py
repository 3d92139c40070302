"""The library of procedural objects: numbered, each always the same, built on first use and kept in the cache.

Not in the paper. Numbers below `TRAINING` are for training scenes, the rest for all other splits, so that what is
chosen on validation scenes is chosen on shapes that no training has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pybullet as bullet
import trimesh

from dgrasp import streams
from dgrasp.cache import build_once
from dgrasp.files import read_json, write_json
from dgrasp.sim.objects.antipodal import Solid, antipodal_lines
from dgrasp.sim.objects.families import FAMILIES, Part, draw_parts
from dgrasp.sim.objects.lines import GraspLine
from dgrasp.sim.objects.parts import write_parts

LIBRARY, TRAINING = 1000, 900
VERSION = 2  # raise when families or annotation change: it names the cache folders
SEED = 30_000  # of the library's stream
SMOOTH = 0.6  # radians between faces that are shaded as one round surface


@dataclass(frozen=True, eq=False)
class MadeGeometry:
    """An object about its centre of mass. vertices, normals: three rows per triangle; volume: m^3 at unit density."""

    family: str
    collision: Path
    vertices: np.ndarray
    normals: np.ndarray
    corners: np.ndarray
    solid: Solid
    lines: tuple[GraspLine, ...]
    volume: float

    def collision_shape(self, client: int) -> int:
        """Bullet's compound of the convex parts."""
        return int(bullet.createCollisionShape(bullet.GEOM_MESH, fileName=str(self.collision), physicsClientId=client))


def family_of(number: int) -> str:
    """The families take turns; raises ValueError for a number that is not in the library."""
    if not 0 <= number < LIBRARY:
        raise ValueError(f"made object: expected a number from 0 to {LIBRARY - 1}, got {number}")
    return tuple(FAMILIES)[number % len(FAMILIES)]


@lru_cache(maxsize=256)
def load_made(number: int) -> MadeGeometry:
    """An object by its number; raises ValueError for one that does not exist."""
    family = family_of(number)
    folder = build_once(f"made-{VERSION}-{number:04d}", lambda draft: _build(number, draft))
    about = read_json(folder / "about.json")
    hulls = [trimesh.convex.convex_hull(np.array(corners)) for corners in about["parts"]]
    shaded = [trimesh.graph.smooth_shade(hull, angle=SMOOTH) for hull in hulls]
    return MadeGeometry(
        family,
        folder / "parts.obj",
        np.concatenate([s.triangles.reshape(-1, 3) for s in shaded]),
        np.concatenate([s.vertex_normals[s.faces].reshape(-1, 3) for s in shaded]),
        np.concatenate([h.vertices for h in hulls]),
        Solid.of(hulls),
        tuple(_line(values) for values in about["lines"]),
        about["volume"],
    )


def _build(number: int, folder: Path) -> None:
    rng = streams.rng(SEED, "made", number)
    parts = draw_parts(family_of(number), rng)
    centre, volume = _centre(parts)
    for part in parts:
        part.hull.apply_translation(-centre)
    hulls = [p.hull for p in parts]
    write_parts(folder / "parts.obj", hulls)
    lines = [vars(line) for line in antipodal_lines(hulls, rng)]
    corners = [h.vertices.round(7).tolist() for h in hulls]
    write_json(folder / "about.json", {"parts": corners, "volume": volume, "lines": lines})


def _line(values: dict[str, Any]) -> GraspLine:
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return GraspLine(**plain)


def _centre(parts: list[Part]) -> tuple[np.ndarray, float]:
    """Centre of mass, and the volume that has the object's mass at its own density. Overlaps count twice."""
    weights = np.array([p.density * p.hull.volume for p in parts])
    centres = np.array([p.hull.center_mass for p in parts])
    return (weights[:, None] * centres).sum(0) / weights.sum(), float(weights.sum())
