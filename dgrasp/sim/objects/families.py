"""Families of procedural objects: unions and cuts of prisms, handles with heads, rings, bottles, shells, and more.

A family draws convex parts, which touch or overlap, with a density each. Nothing is modelled after a test object, and
what happens to have the size of one is drawn again (`is_held_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial import HalfspaceIntersection, QhullError

TOO_ALIKE = 0.005  # m: an object is drawn again if each of its three sides is nearer than this to a test object's
# Sides of the bounding boxes, mm, smallest first: all YCB models of `dgrasp.sim.objects.ycb`, then the twin's ten.
HELD_OUT = np.array([
    (37, 109, 178), (51, 53, 78), (30, 89, 101), (33, 182, 333), (102, 103, 140), (66, 67, 100), (57, 184, 188),
    (45, 45, 46), (66, 67, 67), (68, 68, 102), (68, 102, 251), (24, 33, 64), (49, 94, 176), (67, 97, 191), (34, 86, 86),
    (72, 75, 75), (81, 93, 117), (19, 21, 121), (15, 125, 181), (73, 73, 74), (58, 76, 76), (70, 70, 70), (14, 43, 43),
    (36, 82, 82), (90, 150, 280), (40, 66, 185), (58, 77, 83), (45, 50, 60),
]) / 1000  # fmt: skip


@dataclass(frozen=True, eq=False)
class Part:
    """A convex part, and its density over the object's own."""

    hull: trimesh.Trimesh
    density: float = 1.0


Parts = list[Part]
Family = Callable[[np.random.Generator], Parts]


def is_held_out(parts: Sequence[Part]) -> bool:
    """Whether the object has the size of one that the policies are tested on."""
    points = np.concatenate([p.hull.vertices for p in parts])
    sides = np.sort(np.ptp(points, axis=0))
    return bool((np.abs(HELD_OUT - sides).max(axis=1) < TOO_ALIKE).any())


def joined(rng: np.random.Generator) -> Parts:
    """Two or three bars across each other: L, T, cross, step."""
    width, thick = rng.uniform(0.014, 0.042), rng.uniform(0.014, 0.045)
    length = rng.uniform(0.06, 0.15)
    parts = [Part(_box((length, width, thick)))]
    for _ in range(int(rng.integers(1, 3))):
        size = rng.uniform(0.014, 0.042), rng.uniform(0.04, 0.12), thick * rng.uniform(0.6, 1.4)
        at = rng.uniform(-0.5, 0.5) * length, rng.uniform(-0.5, 0.5) * size[1], rng.uniform(-0.3, 0.3) * thick
        parts.append(Part(_box(size, at)))
    return parts


def notched(rng: np.random.Generator) -> Parts:
    """A block with a slot cut into it: a floor and two walls."""
    x, y, z = rng.uniform((0.05, 0.03, 0.03), (0.11, 0.10, 0.09))
    left, right = (rng.uniform(0.15, 0.35, 2) * x).tolist()
    floor = float(rng.uniform(0.25, 0.6) * z)
    rise = float(z) - floor
    return [
        Part(_box((x, y, floor), (0, 0, floor / 2))),
        Part(_box((left, y, rise), ((left - x) / 2, 0, floor + rise / 2))),
        Part(_box((right, y, rise), ((x - right) / 2, 0, floor + rise / 2))),
    ]


def cut(rng: np.random.Generator) -> Parts:
    """A block or cylinder with one to four corners cut off."""
    size = rng.uniform(0.03, 0.11, 3)
    solid = _box(size) if rng.uniform() < 0.6 else _tube(size[0] / 2, size[2], int(rng.choice([6, 8, 24])))
    faces = solid.facets_origin if len(solid.facets) else solid.triangles_center
    normals = solid.facets_normal if len(solid.facets) else solid.face_normals
    planes = [np.append(n, -n @ p) for n, p in zip(normals, faces, strict=True)]
    for _ in range(int(rng.integers(1, 5))):
        n = _unit(rng.standard_normal(3))
        reach = float((solid.vertices @ n).max())
        planes.append(np.append(n, -rng.uniform(0.35, 0.8) * reach))
    corners = HalfspaceIntersection(np.array(planes), np.zeros(3)).intersections
    return [Part(trimesh.convex.convex_hull(corners))]


def handled(rng: np.random.Generator) -> Parts:
    """A handle with a head of another density across its end."""
    length, radius = rng.uniform(0.07, 0.17), rng.uniform(0.007, 0.018)
    handle = _tube(radius, length, int(rng.choice([6, 8, 20])))
    head = rng.uniform((0.015, 0.04, 0.015), (0.045, 0.10, 0.045))
    solid = _box(head) if rng.uniform() < 0.5 else _turned(_tube(head[0] / 2, head[1], 20), (1, 0, 0), np.pi / 2)
    shift = rng.uniform(-0.25, 0.25) * head[1]
    solid.apply_translation((0, shift, length / 2 + rng.uniform(-0.2, 0.4) * head[2]))
    return [Part(handle), Part(solid, rng.uniform(0.7, 6.0))]


def ring(rng: np.random.Generator) -> Parts:
    """A closed or open ring of wedges, round or with corners."""
    outer, wall, height = rng.uniform(0.025, 0.065), rng.uniform(0.006, 0.022), rng.uniform(0.008, 0.045)
    wall = min(wall, 0.75 * outer)
    segments = int(rng.choice([6, 8, 14]))
    missing = int(rng.integers(0, segments // 3)) if rng.uniform() < 0.3 else 0
    return _wall(outer, outer, wall, height, segments, missing)


def bottle(rng: np.random.Generator) -> Parts:
    """A body, round or with flat sides, a shoulder and a neck."""
    radius, flat = rng.uniform(0.016, 0.044), rng.uniform(0.55, 1.0)
    body, shoulder, neck = rng.uniform((0.04, 0.008, 0.012), (0.11, 0.03, 0.04))
    narrow = rng.uniform(0.3, 0.6)
    angle = np.linspace(0, 2 * np.pi, int(rng.choice([6, 8, 22])), endpoint=False)
    base = radius * np.column_stack([np.cos(angle), flat * np.sin(angle)])
    levels = ((rng.uniform(0.75, 1.0), 0.0), (1.0, 0.15 * body), (1.0, body), (narrow, body + shoulder))
    solid = trimesh.convex.convex_hull(np.concatenate([np.column_stack([s * base, np.full(len(base), z)])
                                                       for s, z in levels]))  # fmt: skip
    top = _tube(narrow * radius * rng.uniform(0.7, 1.1) * flat, neck, 18)
    top.apply_translation((0, 0, body + shoulder + 0.4 * neck))
    return [Part(solid), Part(top)]


def shell(rng: np.random.Generator) -> Parts:
    """A cup, bowl or tray: a floor and walls that stand or lean outwards."""
    low, lean = rng.uniform(0.02, 0.05), rng.uniform(0.0, 0.03)
    wall, height, floor = rng.uniform(0.003, 0.009), rng.uniform(0.02, 0.09), rng.uniform(0.004, 0.012)
    segments = int(rng.choice([4, 6, 12]))
    bottom = trimesh.convex.convex_hull(np.concatenate([_polygon(low, segments, z) for z in (0.0, floor)]))
    return [Part(bottom), *_wall(low, low + lean, wall, height, segments, 0)]


def thin(rng: np.random.Generator) -> Parts:
    """A plate, a rod or a bent rod, thinner than a finger."""
    thick = rng.uniform(0.004, 0.013)
    kind = int(rng.integers(3))
    if kind == 0:
        return [Part(_box((rng.uniform(0.05, 0.14), rng.uniform(0.02, 0.09), thick)))]
    rod = _tube(thick / 2 + 0.001, rng.uniform(0.07, 0.17), int(rng.choice([4, 6, 16])))
    if kind == 1:
        return [Part(rod)]
    bend = _turned(_tube(thick / 2 + 0.001, rng.uniform(0.03, 0.09), 8), (0, 1, 0), np.pi / 2)
    bend.apply_translation((rng.uniform(0.0, 0.5) * bend.extents[0], 0, rod.bounds[1, 2]))
    return [Part(rod), Part(bend)]


def wide(rng: np.random.Generator) -> Parts:
    """A block or drum nearly as wide as the opening of the hand."""
    across, height = rng.uniform(0.088, 0.116), rng.uniform(0.025, 0.10)
    if rng.uniform() < 0.35:
        return [Part(_tube(across / 2, height, 32))]
    return [Part(_box((across, rng.uniform(0.03, 0.13), height)))]


def pebble(rng: np.random.Generator) -> Parts:
    """What spans three balls of different sizes that lie in no line: lumps, and no fruit."""
    radii = rng.uniform(0.008, 0.026, 3)
    apart, aside = rng.uniform(0.03, 0.08), rng.uniform(0.025, 0.06)
    places = np.array([(0, 0, 0), (0, 0, apart), (aside, rng.uniform(-0.01, 0.01), rng.uniform(0, apart))])
    balls = [
        trimesh.creation.icosphere(subdivisions=2, radius=r).vertices + p for r, p in zip(radii, places, strict=True)
    ]
    return [Part(trimesh.convex.convex_hull(np.concatenate(balls)))]


FAMILIES: Mapping[str, Family] = {
    "joined bars": joined, "notched block": notched, "cut prism": cut, "handle with head": handled, "ring": ring,
    "bottle": bottle, "shell": shell, "thin thing": thin, "wide block": wide, "pebble": pebble,
}  # fmt: skip


def draw_parts(family: str, rng: np.random.Generator) -> Parts:
    """An object of a family that is no test object's double; raises ValueError naming the families there are."""
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; families: {', '.join(FAMILIES)}")
    while True:
        try:
            parts = FAMILIES[family](rng)
        except QhullError:  # cuts that meet in no proper corner
            continue
        if not is_held_out(parts):
            return parts


def _box(size: Sequence[float] | np.ndarray, at: Sequence[float] = (0, 0, 0)) -> trimesh.Trimesh:
    box = trimesh.creation.box(extents=size)
    box.apply_translation(at)
    return box


def _tube(radius: float, height: float, sides: int) -> trimesh.Trimesh:
    """A prism over a regular polygon, about z."""
    ends = [_polygon(radius, sides, z) for z in (-height / 2, height / 2)]
    return trimesh.convex.convex_hull(np.concatenate(ends))


def _polygon(radius: float, sides: int, z: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(sides, z)])


def _wall(low: float, high: float, wall: float, height: float, segments: int, missing: int) -> Parts:
    """Wedges round z from radius `low` at the bottom to `high` at the top, so many left out."""
    parts = []
    for k in range(segments - missing):
        angles = 2 * np.pi * np.array([k, k + 1]) / segments
        ends = ((low, 0.0), (low - wall, 0.0), (high, height), (high - wall, height))
        corners = [(r * np.cos(a), r * np.sin(a), z) for a in angles for r, z in ends]
        parts.append(Part(trimesh.convex.convex_hull(np.array(corners))))
    return parts


def _turned(mesh: trimesh.Trimesh, axis: Sequence[float], angle: float) -> trimesh.Trimesh:
    mesh.apply_transform(trimesh.transformations.rotation_matrix(angle, axis))
    return mesh


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)
