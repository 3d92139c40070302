"""The ten everyday objects of the real-robot trials (Sec. 4), or the closest models there are, each substitution named.

The paper gives names only: no sizes, no masses. Tennis ball, drill and can are YCB models (as in
`dgrasp.sim.objects.ycb`); the duck is the one that comes with PyBullet; tires, boot, bottle and crochet ball
are made here of convex parts, since no YCB model is closer. Sizes and masses, in metres and kilograms, are those of
common products of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import trimesh
from pydantic import Field

from dgrasp.config import each
from dgrasp.sim.objects.shapes import Prism

VERSION = 1  # raise when a mesh below changes: it names the cache folders
SEGMENTS = 16  # convex parts of a ring
DUCK_SCALE = 0.05  # as in PyBullet's own URDF: 83 mm long


@dataclass(frozen=True)
class StandIn:
    """A model made here: convex parts to touch, which are also what is drawn (unless `drawn` says otherwise)."""

    name: str
    mass: float
    friction: float
    colour: tuple[float, float, float]
    pattern: str  # "yarn", "tread", "label" or "plain", see `appearance.pattern`
    parts: Callable[[], list[trimesh.Trimesh]]
    drawn: Callable[[], trimesh.Trimesh] | None = None
    source: str = "made of convex parts"


def _ball() -> list[trimesh.Trimesh]:
    return [trimesh.creation.icosphere(subdivisions=3, radius=0.035)]


def _ring(outer: float, bore: float, width: float) -> Callable[[], list[trimesh.Trimesh]]:
    """A tire as wedges: outer and bore diameter, width; the tread's edges are chamfered."""

    def parts() -> list[trimesh.Trimesh]:
        chamfer, profile = 0.2 * width, []
        for r, z in ((bore / 2, width / 2), (outer / 2 - chamfer, width / 2), (outer / 2, width / 2 - chamfer)):
            profile += [(r, z), (r, -z)]
        wedges = []
        for k in range(SEGMENTS):
            angles = 2 * np.pi * (np.array([k, k + 1]) / SEGMENTS)
            corners = [(r * np.cos(a), r * np.sin(a), z) for a in angles for r, z in profile]
            wedges.append(trimesh.convex.convex_hull(np.array(corners)))
        return wedges

    return parts


def _boot() -> list[trimesh.Trimesh]:
    """Size 42: sole, forefoot that slopes to the ankle, and shaft."""
    return [
        _hull([(0.0, 0.09, 0.0), (0.0, 0.09, 0.03)], [(0.28, 0.07, 0.0), (0.28, 0.07, 0.03)]),
        _hull([(0.10, 0.085, 0.03), (0.10, 0.07, 0.10)], [(0.275, 0.065, 0.03), (0.25, 0.05, 0.065)]),
        _hull([(0.0, 0.075, 0.03), (0.01, 0.085, 0.15)], [(0.13, 0.08, 0.03), (0.12, 0.085, 0.15)]),
    ]


def _hull(*ends: list[tuple[float, float, float]]) -> trimesh.Trimesh:
    """Convex hull of cross-sections given as (x, full width in y, z)."""
    return trimesh.convex.convex_hull(np.array([(x, s * w / 2, z) for end in ends for x, w, z in end for s in (-1, 1)]))


def _bottle() -> list[trimesh.Trimesh]:
    """An oval bottle of 300 ml with shoulders, and its cap."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    oval = np.column_stack([0.033 * np.cos(angle), 0.020 * np.sin(angle)])
    body = [
        np.column_stack([scale * oval, np.full(24, z)])
        for scale, z in ((0.95, 0.0), (1, 0.01), (1, 0.13), (0.45, 0.16))
    ]
    cap = trimesh.creation.cylinder(radius=0.013, height=0.025, sections=24)
    cap.apply_translation((0, 0, 0.1725))
    return [trimesh.convex.convex_hull(np.concatenate(body)), cap]


def _duck(file: str) -> trimesh.Trimesh:
    import pybullet_data

    mesh = trimesh.load_mesh(Path(pybullet_data.getDataPath()) / file, process=False)
    mesh.apply_scale(DUCK_SCALE)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))  # its y is up
    return mesh


def _duck_parts() -> list[trimesh.Trimesh]:
    return [trimesh.convex.convex_hull(part.vertices) for part in _duck("duck_vhacd.obj").split(only_watertight=False)]


STAND_INS = {
    s.name: s
    for s in (
        StandIn("crochet_ball", 0.045, 0.8, (0.55, 0.20, 0.45), "yarn", _ball),
        StandIn("small_tire", 0.008, 0.8, (0.10, 0.10, 0.11), "tread", _ring(0.0432, 0.030, 0.014)),
        StandIn("large_tire", 0.075, 0.8, (0.10, 0.10, 0.11), "tread", _ring(0.0816, 0.050, 0.036)),
        StandIn("hiking_boot", 0.550, 0.6, (0.42, 0.28, 0.16), "label", _boot),
        StandIn("shampoo_bottle", 0.330, 0.3, (0.20, 0.62, 0.70), "label", _bottle),
        StandIn(
            "rubber_duck", 0.060, 0.4, (0.95, 0.80, 0.12), "plain", _duck_parts, lambda: _duck("duck.obj"),
            source="mesh that comes with PyBullet",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Everyday:
    """An object of the paper, the model or prism that stands for it, and how close that is."""

    name: str
    model: str | None
    note: str

    @property
    def shape(self) -> Prism | None:
        """The prism, where no mesh model is named."""
        return BLOCK if self.model is None else None


BLOCK = Prism(4, 0.045, 0.060, 0.050)  # not in the paper: as the training prisms, which were printed for the real cell
EVERYDAY = (
    Everyday("tennis ball", "tennis_ball", "YCB tennis ball"),
    Everyday("crochet ball", "crochet_ball", "sphere of 70 mm in a yarn's colours"),
    Everyday("small Lego tire", "small_tire", "ring of 43 x 14 mm"),
    Everyday("large Lego tire", "large_tire", "ring of 82 x 36 mm"),
    Everyday("can of beans", "tomato_soup_can", "YCB tomato soup can, 68 x 102 mm"),
    Everyday("rubber duck", "rubber_duck", "PyBullet's duck, 83 mm, yellow throughout"),
    Everyday("hiking boot", "hiking_boot", "three convex parts, 280 x 90 x 150 mm"),
    Everyday("power drill", "power_drill", "YCB power drill"),
    Everyday("shampoo bottle", "shampoo_bottle", "oval bottle of 66 x 40 x 185 mm (YCB's bleach bottle is far larger)"),
    Everyday("3-D printed block", None, "box of 45 x 60 x 50 mm"),
)


def everyday(name: str) -> Everyday:
    """Look an object up by the paper's name; raises ValueError naming what exists."""
    for o in EVERYDAY:
        if o.name == name:
            return o
    raise ValueError(f"unknown object {name!r}; objects: {', '.join(o.name for o in EVERYDAY)}")


ObjectNames = Annotated[tuple[str, ...], Field(min_length=1), each(everyday)]
