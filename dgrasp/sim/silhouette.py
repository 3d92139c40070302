"""Where a standing camera sees the arm: rendered from joint angles and calibration alone, as a real cell can."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from dgrasp.cameras import Intrinsics
from dgrasp.sim.render import Light, render
from dgrasp.sim.world import World


def arm_silhouettes(
    world: World, q: Float[np.ndarray, "joints"], Ts_world_cam: Float[np.ndarray, "views 4 4"], lenses: list[Intrinsics]
) -> Bool[np.ndarray, "views h w"]:
    """The pixels of each view that the open robot covers at joint angles `q`.

    world: one without objects, whose arm is put at `q`. All lenses have one size of image.
    """
    assert world.robot is not None
    robot = world.robot
    robot.place(q)
    robot.draw_inner_knuckles()
    return np.stack(
        [
            np.isin(render(world.client, world.config, T, lens, Light()).bodies, list(robot.bodies))
            for T, lens in zip(Ts_world_cam, lenses, strict=True)
        ]
    )
