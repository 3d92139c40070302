"""The hand as planning, demonstrations and the simulator's judgement need it: sizes, and points on its surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dgrasp.cell import gripper
from dgrasp.cell.description import GripperDescription
from dgrasp.cell.transforms import transform

ABOVE_THE_BOARD = 0.003  # m that closed fingertips keep from the board
PRESSING = 0.8  # of the length from the TCP to the closed tips, along which closed pads still press: 12 of 15 mm


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand of two parallel fingers. Lengths in metres; the TCP's frame has z ahead and x along the closing axis.

    scale: of its opening to that of the paper's 2F-140, by which sizes of objects and query lines follow the hand.
    points: (n, 3) of the open hand's surface in the TCP's frame, close enough together to notice boxes of 25 mm.
    body: across the fingers, along their width, and from the flange to where the fingers begin; None: the 2F-140.
    depth: from the TCP back to the body; infinite for the 2F-140, between whose cranks all prisms find room.
    """

    name: str
    opening: float
    tip_ahead: float
    finger: tuple[float, float, float]
    force: tuple[float, float]
    speed: tuple[float, float]
    T_flange_tcp: Float[np.ndarray, "4 4"]
    points: Float[np.ndarray, "n 3"]
    pads_below: float
    scale: float = 1.0
    body: tuple[float, float, float] | None = None
    depth: float = math.inf

    @property
    def tip_clearance(self) -> float:
        """Least height of the TCP above the board."""
        return self.tip_ahead + ABOVE_THE_BOARD


def papers_hand() -> Hand:
    """The 2F-140 with a D415 beside it, whose closing fingers grow 24 mm longer."""
    return Hand(
        name="2F-140",
        opening=gripper.OPENING,
        tip_ahead=gripper.TIP_BEHIND,
        finger=gripper.PAD_SIZE,
        force=gripper.FORCE_RANGE,
        speed=gripper.SPEED_RANGE,
        T_flange_tcp=transform(None, (0.0, 0.0, gripper.TOOL0_TCP)),
        points=_papers_points(),
        pads_below=0.012,
    )


def hand_of(described: GripperDescription) -> Hand:
    """A described hand: fingers that stay parallel and as long as they are, on a body that is a box."""
    length = described.tcp_ahead + described.tip_ahead
    across = described.opening + 2 * described.finger[0]
    body = (*(described.body or (across, 2 * described.finger[1])), length - described.finger[2])
    return Hand(
        name=described.name,
        opening=described.opening,
        tip_ahead=described.tip_ahead,
        finger=described.finger,
        force=described.force,
        speed=described.speed,
        T_flange_tcp=described.T_flange_tcp,
        points=_points(described, body[:2]),
        pads_below=PRESSING * described.tip_ahead,
        scale=described.opening / gripper.OPENING,
        body=body,
        depth=described.finger[2] - described.tip_ahead,
    )


def _points(described: GripperDescription, body: tuple[float, float]) -> Float[np.ndarray, "n 3"]:
    thick, wide, long = described.finger
    inner, tip = described.opening / 2, described.tip_ahead
    levels = tip - np.linspace(0.0, long, 2 + int(long / 0.025))
    xs = np.array([-inner - thick, -inner, inner, inner + thick])
    ys = np.array([-wide / 2, 0.0, wide / 2])
    fingers = np.stack(np.meshgrid(xs, ys, levels, indexing="ij"), -1).reshape(-1, 3)
    across = np.linspace(-body[0] / 2, body[0] / 2, 2 + int(body[0] / 0.025))
    front = np.stack(np.meshgrid(across, [-body[1] / 2, 0.0, body[1] / 2], [tip - long], indexing="ij"), -1)
    return np.concatenate([fingers, front.reshape(-1, 3)])


def _papers_points() -> Float[np.ndarray, "n 3"]:
    tip = gripper.tip_height(0.0) - gripper.tip_height(gripper.Q_CLOSED) + gripper.TIP_BEHIND
    points = []
    for s in (-1.0, 1.0):
        for x in (0.070, 0.0875):  # pad face, finger's back
            for y in (-0.0135, 0.0, 0.0135):
                points += [(s * x, y, tip - z) for z in (0.0, 0.025, 0.05, 0.08)]
        points += [(s * 0.100, y, tip - 0.10) for y in (-0.012, 0.012)]  # outer knuckle
    palm = -(gripper.TOOL0_TCP - gripper.COUPLING - 0.0925)
    points += [(x, y, palm) for x in (-0.04, 0.0, 0.04) for y in (-0.012, 0.012)]
    camera = -(gripper.TOOL0_TCP - 0.040)
    points += [(x, y, camera) for x in (-0.05, 0.0, 0.05) for y in (0.05, 0.0735)]
    return np.array(points)
