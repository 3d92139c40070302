"""Where a standing camera sees the arm: rendered from joint angles and calibration alone, as a real cell can."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation

from dgrasp.cameras import Intrinsics
from dgrasp.sim.render import Light, render
from dgrasp.sim.world import World

MARGIN = 0.015  # of the image's width, all round: a calibration is never exact, and edges of pixels are mixed


def arm_silhouettes(
    world: World, q: Float[np.ndarray, "6"], Ts_world_cam: Float[np.ndarray, "views 4 4"], lenses: list[Intrinsics]
) -> Bool[np.ndarray, "views h w"]:
    """The pixels of each view that the open robot covers at joint angles `q`, with a margin.

    world: one without objects, whose arm is put at `q`. All lenses have one size of image.
    """
    assert world.robot is not None
    robot = world.robot
    robot.place(q)
    robot.draw_inner_knuckles()
    bodies = [robot.body, *robot.inner_knuckles.values()]
    margin = max(1, round(MARGIN * lenses[0].width))
    around = np.ones((2 * margin + 1, 2 * margin + 1), bool)
    return np.stack(
        [
            binary_dilation(np.isin(render(world.client, world.config, T, lens, Light()).bodies, bodies), around)
            for T, lens in zip(Ts_world_cam, lenses, strict=True)
        ]
    )
