"""Sizes of the prisms that tasks show. Not in the paper; they follow the hand that is to hold them."""

from __future__ import annotations

import numpy as np

from dgrasp.sim.objects.shapes import Prism

BEAM = 0.072  # widest prism across the fingers, m


def random_prism(rng: np.random.Generator, scale: float = 1.0) -> Prism:
    """A box, cylinder, hexagonal or octagonal prism that the gripper can span. Sizes: not in the paper.

    scale: of all its sides, as the hand's opening is to the 2F-140's. Of another hand's, prisms whose faces have
    become too narrow for the pads are drawn again.
    """
    heights, widths = scaled((0.045, 0.095), scale), scaled((0.032, BEAM), scale)
    while True:
        prism = drawn_prism(rng, random_sides(rng), heights, widths, stretch=1.7)
        if scale == 1 or is_held_upright(prism):
            return prism


def is_held_upright(prism: Prism) -> bool:
    """Whether the pads hold it from above as it stands."""
    return any(not line.direction[2] and not line.closing[2] for line in prism.grasp_lines)


def scaled(span: tuple[float, float], scale: float) -> tuple[float, float]:
    """A range times a number."""
    return scale * span[0], scale * span[1]


def random_sides(rng: np.random.Generator) -> int:
    """Of a prism (0: a cylinder): two boxes for one of each other kind."""
    return int(rng.choice([4, 4, 0, 6, 8]))


def drawn_prism(
    rng: np.random.Generator,
    sides: int,
    heights: tuple[float, float],
    widths: tuple[float, float],
    stretch: float,
    longest: float = np.inf,
) -> Prism:
    """A prism with sizes drawn from ranges, metres. stretch: of a box's length over its width, at most; others: 1.3."""
    height, width = float(rng.uniform(*heights)), float(rng.uniform(*widths))
    length = width if sides == 0 else float(rng.uniform(1.0, stretch if sides == 4 else 1.3) * width)
    return Prism(sides, width, min(length, longest), height)
