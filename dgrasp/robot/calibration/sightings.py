"""Sightings of the printed board on a real cell: a person guides the arm by hand, from picture to picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from dgrasp.cell.gripper import TIP_BEHIND, TOOL0_TCP
from dgrasp.cell.interface import Camera
from dgrasp.cell.workspace import BASE_POSITION
from dgrasp.robot.calibration.board import Board, Sighting, find_board
from dgrasp.robot.drivers.ur import UrArm


def measured_flange(arm: str) -> Float[np.ndarray, "4 4"]:
    """`T_world_tool0` where the arm stands, by the controller's kinematics. Nothing moves.

    arm: address of the controller. It is connected to for this reading only: the teach pendant does not release the arm
    for guiding by hand while a program runs on the controller. Raises ConnectionLost, CellFault, ImportError.
    """
    opened = UrArm(arm)
    try:
        T_world_tool0 = opened.tcp()
    finally:
        opened.close()
    T_world_tool0[:3, 3] -= TOOL0_TCP * T_world_tool0[:3, 2]
    return T_world_tool0


def touched_height(arm: str) -> float:
    """z of the closed fingertips in the arm's base frame (`base_link`), metres: of what they touch. Nothing moves.

    For `HardwareConfig.board_heights`: close the fingers, guide them straight down until they touch, let go, call.
    arm, errors: as for `measured_flange`.
    """
    T_world_tool0 = measured_flange(arm)
    tip = T_world_tool0[:3, 3] + (TOOL0_TCP + TIP_BEHIND) * T_world_tool0[:3, 2]
    return float(tip[2] - BASE_POSITION[2])


def collect_sightings(
    board: Board,
    camera: Camera,
    flange: Callable[[], Float[np.ndarray, "4 4"]],
    *,
    views: int = 20,
    ask: Callable[[str], str] = input,
) -> list[Sighting]:
    """Take pictures of the board until `views` of them show it; what `calibrate` needs.

    flange: measures `T_world_tool0`, as `measured_flange` does. ask: shows a line and returns when the person is ready.
    Pictures without a corner do not count, and the next line says so. Raises FrozenCamera and what `flange` raises.
    """
    if views < 1:
        raise ValueError(f"views: expected 1 or more, got {views}")
    found: list[Sighting] = []
    last = ""
    while len(found) < views:
        ask(f"{last}Picture {len(found) + 1} of {views}: guide the arm, let go, wait until it is still, then Enter: ")
        image = camera.capture()
        sighting = find_board(board, image, flange())
        if sighting is None:
            last = "No corner of the board was seen, this one does not count. "
            continue
        found.append(sighting)
        last = f"{len(sighting.ids)} of {len(board.corners)} corners. "
    return found
