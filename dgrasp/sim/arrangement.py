"""How objects lie and look in a scene, as numbers: what tells the simple task's scenes from all others."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import Scene


def closest(scene: Scene) -> float | None:
    """Least distance, metres, between the circles that encompass two upright objects; None for fewer than two."""
    places = [(o.T_world_object[:2, 3], o.shape.radius) for o in scene.objects]
    gaps = [float(np.hypot(*(p - q))) - r - s for (p, r), (q, s) in combinations(places, 2)]
    return min(gaps) if gaps else None


def tilt(scene: Scene) -> float:
    """Largest angle, radians, between an object's own z axis and the vertical; 0 for an empty board."""
    cosines = [float(np.clip(o.T_world_object[2, 2], -1, 1)) for o in scene.objects]
    return float(np.arccos(min(cosines, default=1.0)))


def textured(scene: Scene) -> int:
    """Objects that are no prisms of one colour: printed ones, and all mesh models."""
    return sum(o.printed is not None or not isinstance(o.shape, Prism) for o in scene.objects)
