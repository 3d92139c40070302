"""Antipodal grasps on unions of convex parts, by geometry: two faces that the pads can press against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from dgrasp.cell.gripper import OPENING
from dgrasp.sim.objects.lines import GraspLine

CONE = np.radians(17)  # largest angle of a face's normal to the closing axis: well inside friction cones of 0.5 or more
WIDEST = OPENING - 0.022  # m: 11 mm on either side for imprecise poses, less than prisms leave, since some are wide
SWEPT = OPENING / 2 + 0.0175  # m from the centre to the backs of the open fingers: nothing else may stand on the line
SAMPLES = 500  # points on the surface from which partners are looked for
MOST = 120  # lines that are kept of an object
JOINED = 1e-4  # m between parts that count as one body


@dataclass(frozen=True, eq=False)
class Solid:
    """Convex parts as half-spaces: for each a normal and an offset per face, `normals @ p <= offsets` inside."""

    normals: tuple[np.ndarray, ...]
    offsets: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, hulls: Sequence[trimesh.Trimesh]) -> Solid:
        normals = tuple(np.array(h.face_normals) for h in hulls)
        corners = (h.triangles[:, 0] for h in hulls)
        return cls(normals, tuple((n * c).sum(1) for n, c in zip(normals, corners, strict=True)))

    def holds(self, points: Float[np.ndarray, "n 3"], margin: float = 0.0) -> Bool[np.ndarray, "n"]:
        """Which points lie in a part, or within `margin` metres of its faces' planes."""
        inside = np.zeros(len(points), dtype=bool)
        for normals, offsets in zip(self.normals, self.offsets, strict=True):
            inside |= (points @ normals.T <= offsets + margin).all(axis=1)
        return inside

    def along(self, p: np.ndarray, d: np.ndarray) -> list[tuple[float, float, np.ndarray]]:
        """Where a line p + t d runs inside: (t in, t out, outward normal there), parts that touch joined, in order."""
        found = []
        for normals, offsets in zip(self.normals, self.offsets, strict=True):
            speed, room = normals @ d, offsets - normals @ p
            if (room[np.abs(speed) < 1e-12] < 0).any():
                continue
            out, into = speed > 1e-12, speed < -1e-12
            t_out = room[out] / speed[out]
            first, last = float((room[into] / speed[into]).max()), float(t_out.min())
            if first < last:
                found.append((first, last, normals[out][int(t_out.argmin())]))
        return _joined(sorted(found, key=lambda x: x[0]))


def antipodal_lines(hulls: Sequence[trimesh.Trimesh], rng: np.random.Generator) -> tuple[GraspLine, ...]:
    """Grasp lines (points, each with its closing axis) in the object's frame; () for what no hand spans."""
    solid = Solid.of(hulls)
    areas = np.array([h.area for h in hulls])
    counts = rng.multinomial(SAMPLES, areas / areas.sum())
    lines = []
    for hull, count in zip(hulls, counts, strict=True):
        face = rng.choice(len(hull.faces), size=count, p=hull.area_faces / hull.area)
        weights = rng.dirichlet((1, 1, 1), size=count)
        points = np.einsum("nk,nkc->nc", weights, hull.triangles[face])
        lines += [_line(solid, p, n) for p, n in zip(points, hull.face_normals[face], strict=True)]
    kept = [line for line in lines if line is not None]
    return tuple(kept[i] for i in sorted(rng.permutation(len(kept))[:MOST]))


def _line(solid: Solid, p: np.ndarray, normal: np.ndarray) -> GraspLine | None:
    """From a surface point straight through the body: a grasp, if the far face is opposite and nothing is in the way.

    None also where the point is no outer surface but lies inside of another part.
    """
    runs = solid.along(p, -normal)
    own = [run for run in runs if abs(run[0]) < JOINED]
    if not own:
        return None
    _, width, far = own[0]
    if width > WIDEST or far @ -normal < np.cos(CONE):
        return None
    middle = width / 2
    if any(run is not own[0] and run[1] > middle - SWEPT and run[0] < middle + SWEPT for run in runs):
        return None
    x, y, z = (p - middle * normal).tolist()
    a, b, c = normal.tolist()
    return GraspLine((x, y, z), (0.0, 0.0, 0.0), 0.0, (a, b, c), float(width))


def _joined(runs: list[tuple[float, float, np.ndarray]]) -> list[tuple[float, float, np.ndarray]]:
    whole: list[tuple[float, float, np.ndarray]] = []
    for first, last, normal in runs:
        if whole and first <= whole[-1][1] + JOINED:
            if last > whole[-1][1]:
                whole[-1] = whole[-1][0], last, normal
        else:
            whole.append((first, last, normal))
    return whole
