"""Shapes of objects: what the gripper can span, where, and the meshes that are drawn.

A prism stands on its base with its origin at the centre, z along its axis. Its annotated grasps are lines: the
TCP may lie anywhere on the line while the fingers close along `closing` (the predecessor's oracle does the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dgrasp.cell.transforms import direction
from dgrasp.sim.objects.lines import GraspLine

if TYPE_CHECKING:
    from dgrasp.sim.objects.made import MadeGeometry

MAX_SPAN = 0.100  # not in the paper: 140 mm opening less 20 mm on either side for imprecise poses
PAD_OVERLAP = 0.015  # not in the paper: least width of opposite faces under both pads (27 mm wide)
CYLINDER_SIDES = 32


@dataclass(frozen=True)
class Prism:
    """Upright prism over a convex, centrally symmetric base: boxes, cylinders, polygons with an even number of sides.

    width: extent along x (between two flat sides); length: along y; height: along z; metres.
    """

    sides: int  # 4: box; 0: cylinder (width = length = diameter)
    width: float
    length: float
    height: float
    NAMES: ClassVar[dict[int, str]] = {0: "cylinder", 4: "box", 6: "hexagonal prism", 8: "octagonal prism"}

    def __post_init__(self) -> None:
        if self.sides not in self.NAMES:
            raise ValueError(
                f"prism with {self.sides} sides; sides: {', '.join(map(str, self.NAMES))} (0 is a cylinder)"
            )
        if min(self.width, self.length, self.height) <= 0:
            raise ValueError(f"prism sizes must be positive, got {self.width}, {self.length}, {self.height}")
        if self.sides == 0 and self.width != self.length:
            raise ValueError("a cylinder's width and length are one diameter; they differ")

    @property
    def kind(self) -> str:
        return self.NAMES[self.sides]

    @property
    def extents(self) -> tuple[float, float, float]:
        return self.width, self.length, self.height

    @property
    def volume(self) -> float:
        x, y = self.outline.T
        return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) * self.height

    @property
    def radius(self) -> float:
        """Of the smallest vertical cylinder about the axis that holds the upright prism."""
        return float(np.linalg.norm(self.outline, axis=1).max())

    @cached_property
    def outline(self) -> np.ndarray:
        """Corners of the base (n, 2), counter-clockwise, two sides perpendicular to x."""
        n = self.sides or CYLINDER_SIDES
        angle = (np.arange(n) + 0.5) * 2 * np.pi / n
        corners = np.array([direction(a) for a in angle])
        if self.sides:
            corners = corners / np.abs(corners).max(0)
        return corners * [self.width / 2, self.length / 2]

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (3 per triangle, so that faces are shaded flat) and their normals, object frame."""
        base = self.outline
        bottom, top = (np.column_stack([base, np.full(len(base), z)]) for z in (-self.height / 2, self.height / 2))
        n = len(base)
        triangles = []
        for i in range(n):
            j = (i + 1) % n
            triangles += [[bottom[i], bottom[j], top[j]], [bottom[i], top[j], top[i]]]
        for i in range(1, n - 1):
            triangles += [[top[0], top[i], top[i + 1]], [bottom[0], bottom[i + 1], bottom[i]]]
        corners = np.array(triangles)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return corners.reshape(-1, 3), np.repeat(normals, 3, axis=0)

    @cached_property
    def grasp_lines(self) -> tuple[GraspLine, ...]:
        """Every pair of opposite faces that the gripper can span."""
        lines = []
        n = len(self.outline)
        for i in range(n // 2):
            first, second = self.outline[i], self.outline[(i + 1) % n]
            edge = float(np.linalg.norm(second - first))
            tangent = (second - first) / edge
            normal = np.array([tangent[1], -tangent[0]])
            width = 2 * float(normal @ first)
            overlap = edge - 2 * abs(float(tangent @ (first + second) / 2))
            if width > MAX_SPAN or (self.sides and overlap < PAD_OVERLAP):
                continue
            closing = (float(normal[0]), float(normal[1]), 0.0)
            along = (float(tangent[0]), float(tangent[1]), 0.0)
            slack = max(0.0, (overlap - PAD_OVERLAP) / 2) if self.sides else 0.0
            lines.append(GraspLine((0.0, 0.0, 0.0), along, slack, closing, width))
            lines.append(
                GraspLine((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), max(0.0, self.height / 2 - PAD_OVERLAP), closing, width)
            )
        if self.height <= MAX_SPAN:  # between top and bottom, when the prism lies on its side
            lines.append(GraspLine((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 1.0), self.height))
        return tuple(lines)

    def describe(self) -> dict[str, Any]:
        """Plain values for files; `shape_from` reads them."""
        return {"sides": self.sides, "width": self.width, "length": self.length, "height": self.height}


@dataclass(frozen=True)
class Model:
    """An object given by a named mesh model (see `dgrasp.sim.objects.models`); no annotated grasps."""

    name: str
    extents: tuple[float, float, float]
    source: str  # which geometry and colours were used: it stands in every result
    scale: float = 1.0  # of the mesh; extents are the scaled ones

    @property
    def kind(self) -> str:
        return self.name

    @property
    def grasp_lines(self) -> tuple[GraspLine, ...]:
        return ()

    @property
    def radius(self) -> float:
        return float(np.linalg.norm(self.extents)) / 2

    def describe(self) -> dict[str, Any]:
        scaled = {} if self.scale == 1 else {"scale": self.scale}
        return {"model": self.name, "extents": list(self.extents), "source": self.source} | scaled


@dataclass(frozen=True)
class Made:
    """A procedural object by its number in the library (see `dgrasp.sim.objects.made`)."""

    number: int

    @property
    def geometry(self) -> MadeGeometry:
        """Parts, mesh and grasps; raises ValueError for a number that does not exist."""
        from dgrasp.sim.objects.made import load_made  # which needs this module

        return load_made(self.number)

    @property
    def kind(self) -> str:
        return self.geometry.family

    @property
    def source(self) -> str:
        return "procedural objects"

    @property
    def extents(self) -> tuple[float, float, float]:
        x, y, z = np.ptp(self.geometry.corners, axis=0).tolist()
        return x, y, z

    @property
    def radius(self) -> float:
        return float(np.linalg.norm(self.geometry.corners, axis=1).max())

    @property
    def grasp_lines(self) -> tuple[GraspLine, ...]:
        return self.geometry.lines

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (3 per triangle) and their normals, object frame."""
        return self.geometry.vertices, self.geometry.normals

    def holds(self, points: np.ndarray, margin: float) -> np.ndarray:
        """Which points (n, 3), object frame, lie in the object or within `margin` metres of it."""
        return self.geometry.solid.holds(points, margin)

    def describe(self) -> dict[str, Any]:
        return {"made": self.number, "extents": list(self.extents)}


Shape = Prism | Model | Made


def shape_from(values: dict[str, Any]) -> Shape:
    """Inverse of `describe`."""
    if "made" in values:
        return Made(values["made"])
    if "model" in values:
        return Model(values["model"], tuple(values["extents"]), values["source"], values.get("scale", 1.0))
    return Prism(values["sides"], values["width"], values["length"], values["height"])
