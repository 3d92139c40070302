"""A training set nearer to clutter and to flat objects than the simple task.

In a profile: `data: {task: "dgrasp.sim.tasks.crowded:Crowded"}`, or `Printed`. Not in the paper.
What it brought on validation scenes is in EXPERIMENT_LOG.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dgrasp.cell.model import PAPERS, CellModel
from dgrasp.sim.objects.prints import PRINTS
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import SceneObject
from dgrasp.sim.tasks.paper import UprightPrisms, positions_in
from dgrasp.sim.tasks.prisms import drawn_prism, is_held_upright, random_sides, scaled

# Sizes of prisms, metres; not in the paper: from what lies flat on the board to what fills most of the opening.
HEIGHTS = (0.022, 0.120)
WIDTHS = (0.022, 0.098)  # across the fingers
LONGEST = 0.122
SMALLEST_REGION = 0.45  # of the workspace's sides: from crowded to spread over the whole workspace
SHARE = 0.5  # of prisms that are printed in `Printed`


class Crowded(UprightPrisms):
    """Up to five upright monochrome prisms whose circles do not overlap, as in the authors' code, crowded to spread."""

    name = "crowded"
    scenes = 10
    objects = 5
    attempts = 5
    description = "up to five upright monochrome prisms, flat to wide, crowded to spread"

    def prism(self, rng: np.random.Generator) -> Prism:
        return varied_prism(rng, self.place.hand.scale)

    def positions(self, rng: np.random.Generator, radii: list[float]) -> list[tuple[float, float]] | None:
        return positions_in(random_region(rng, self.place), rng, radii, gap=0.0)


class Printed(Crowded):
    """The same, but half of the prisms wear a print instead of one colour."""

    name = "printed"
    description = "up to five upright prisms, half of them printed, flat to wide, crowded to spread"

    def arrange(self, rng: np.random.Generator, objects: int) -> list[SceneObject]:
        arranged = super().arrange(rng, objects)
        return [replace(o, printed=int(rng.integers(PRINTS))) if rng.uniform() < SHARE else o for o in arranged]


def varied_prism(rng: np.random.Generator, scale: float = 1.0) -> Prism:
    """A box, cylinder, hexagonal or octagonal prism with sides that the pads can hold; scale: as in `random_prism`."""
    sides = random_sides(rng)
    heights, widths = scaled(HEIGHTS, scale), scaled(WIDTHS, scale)
    while True:
        prism = drawn_prism(rng, sides, heights, widths, stretch=3.0, longest=scale * LONGEST)
        if is_held_upright(prism):
            return prism


def random_region(rng: np.random.Generator, place: CellModel = PAPERS) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corner (x, y), metres, of a part of the workspace, from `SMALLEST_REGION` of its sides to all."""
    whole = (place.high - place.low)[:2]
    sides = rng.uniform(SMALLEST_REGION, 1.0) * whole
    low = place.low[:2] + rng.uniform(0, 1, 2) * (whole - sides)
    return low, low + sides
