"""Where cameras stand: 0.8 m from the board's centre, away from the robot's side, looking at the centre."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float

from dgrasp.cameras import view_from_sphere
from dgrasp.cell.workspace import BOARD_CENTRE

RADIUS = 0.8  # m, predecessor's sampler
AZIMUTH = math.radians(150)  # uniform in +-150 degrees about +x; the robot's side is left out
POLAR = (math.radians(30), math.radians(60))  # from the vertical, uniform in its cosine
# Where the paper's cameras stand is not stated. From here each of them sees all places where objects stand: 99 % of
# the workspace, of which the rest is its corners' outermost 3 cm (azimuth, polar; degrees).
TWO_VIEWS = ((-80.0, 45.0), (80.0, 45.0))
THREE_VIEWS = ((-100.0, 45.0), (0.0, 45.0), (100.0, 45.0))


def viewpoint(
    azimuth: float, polar: float, radius: float = RADIUS, middle: Float[np.ndarray, "3"] = BOARD_CENTRE
) -> Float[np.ndarray, "4 4"]:
    """`T_world_cam` at the angles (radians), looking at the board's centre."""
    centre = torch.tensor(middle, dtype=torch.float64)
    return view_from_sphere(centre, radius, azimuth, polar).numpy()


def evaluation_viewpoints(n: int = 2) -> Float[np.ndarray, "n 4 4"]:
    """The fixed views: 2 for our policies, 3 for the reported baseline, 5 for both sets (the three first)."""
    sets = {2: TWO_VIEWS, 3: THREE_VIEWS, 5: THREE_VIEWS + TWO_VIEWS}
    if n not in sets:
        raise ValueError(f"there is no fixed set of {n} views; sets: {', '.join(map(str, sets))}")
    return np.stack([viewpoint(math.radians(a), math.radians(p)) for a, p in sets[n]])


def sample_viewpoints(
    rng: np.random.Generator,
    n: int,
    middle: Float[np.ndarray, "3"] = BOARD_CENTRE,
    radius: float = RADIUS,
    front: float = 0.0,
) -> Float[np.ndarray, "n 4 4"]:
    """Random views (none, if n is 0) as the predecessor draws them; the arm looks to `front` (azimuth, radians)."""
    azimuths = rng.uniform(-AZIMUTH, AZIMUTH, n) + front
    polars = np.arccos(rng.uniform(math.cos(POLAR[1]), math.cos(POLAR[0]), n))
    views = [viewpoint(a, p, radius, middle) for a, p in zip(azimuths, polars, strict=True)]
    return np.array(views).reshape(n, 4, 4)
