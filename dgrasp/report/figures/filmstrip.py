"""A grasp trial as a filmstrip (notebook 1, Figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from dgrasp.cameras import Intrinsics, view_from_sphere
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import GraspResult

MIDDLE = BOARD_CENTRE + np.array([-0.1, 0.0, 0.2])  # of what a trial moves through, metres in the world
Frame = tuple[str, UInt8[np.ndarray, "h w 3"]]


def film(
    cell: Cell,
    T_world_tcp: Float[np.ndarray, "4 4"],
    phases: Sequence[str] = ("travel", "approach", "close", "lift", "hold"),
    T_world_cam: Float[np.ndarray, "4 4"] | None = None,
    finer: int = 1,
    after: bool = False,
) -> tuple[list[Frame], GraspResult]:
    """Execute a grasp in the cell's scene and keep the last picture of each phase, seen from the side (or a camera).

    finer: pixels rendered for each that is shown, along each side. after: with what is there when the arm has gone.
    """
    if T_world_cam is None:
        T_world_cam = view_from_sphere(torch.from_numpy(MIDDLE), 1.4, np.radians(60), np.radians(72)).numpy()
    camera = T_world_cam[None]

    def picture() -> UInt8[np.ndarray, "h w 3"]:
        fine = cell.observe(camera, Intrinsics.d415(320 * finer, 240 * finer)).images[0]
        return np.asarray(Image.fromarray(fine).reduce(finer))

    last: dict[str, np.ndarray] = {"home": picture()}
    seen: dict[str, int] = {}

    def watch(phase: str) -> None:
        seen[phase] = seen.get(phase, 0) + 1
        if phase in phases and seen[phase] % 6 == 0:  # every fifth of a second: pictures cost more than physics
            last[phase] = picture()

    trial = cell.execute(T_world_tcp, watch=watch)
    if after:
        last["afterwards"] = picture()
    return list(last.items()), trial
