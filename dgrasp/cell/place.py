"""Where grasps are searched, and on what: what readers of photographs and imports need to know of a cell.

Told from its description alone: neither its arm's model nor the simulator is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from dgrasp.cell import gripper
from dgrasp.cell.description import CellDescription, read_cell
from dgrasp.cell.transforms import transform
from dgrasp.cell.workspace import BASE_POSITION, BOARD_CENTRE, BOUNDS_HIGH, BOUNDS_LOW


class Grip(NamedTuple):
    """What a grasp pose of a hand depends on: its opening, and how far the closed tips are ahead of the TCP; metres."""

    hand: str
    opening: float
    tip_ahead: float

    def fits(self, other: Grip) -> bool:
        """Whether a grasp of one is a grasp of the other: lengths agree to a tenth of a millimetre."""
        return bool(np.allclose(self[1:], other[1:], rtol=0, atol=1e-4))

    def __str__(self) -> str:
        return f"{self.hand} ({1000 * self.opening:.0f} mm open, tips {1000 * self.tip_ahead:.0f} mm ahead of the TCP)"


@dataclass(frozen=True, eq=False)
class Place:
    """low, high: corners of the TCP's workspace. middle: of the board's top. World frame, metres. grip: of its hand.

    T_world_base: where its arm's base link stands; none said: at the world's origin. tcp_ahead: of the hand's TCP from
    the flange, metres; 0: not known.
    """

    name: str
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    middle: Float[np.ndarray, "3"]
    grip: Grip | None = None
    T_world_base: Float[np.ndarray, "4 4"] = field(default_factory=lambda: np.eye(4))
    tcp_ahead: float = 0.0

    def inside(self, p_world: Float[np.ndarray, "*n 3"]) -> Bool[np.ndarray, "*n"]:
        """Whether points lie in the workspace."""
        return np.all((p_world >= self.low) & (p_world <= self.high), axis=-1)

    def holds(self, other: Place) -> bool:
        """Whether all of another workspace lies in this one, to a tenth of a millimetre."""
        return bool(np.all(other.low >= self.low - 1e-4) and np.all(other.high <= self.high + 1e-4))


PAPERS = Place(
    "the paper's cell",
    BOUNDS_LOW,
    BOUNDS_HIGH,
    BOARD_CENTRE,
    Grip("2F-140", gripper.OPENING, gripper.TIP_BEHIND),
    transform(None, BASE_POSITION),
    gripper.TOOL0_TCP,
)


def place_of(cell: CellDescription | None) -> Place:
    """That of a described cell; None: the paper's."""
    if cell is None:
        return PAPERS
    hand = cell.gripper
    grip = Grip(hand.name, hand.opening, hand.tip_ahead)
    low, high = np.array(cell.workspace.low), np.array(cell.workspace.high)
    return Place(cell.name, low, high, cell.bench.middle, grip, cell.arm.T_world_base, hand.tcp_ahead)


def read_place(source: str | Path | None) -> Place:
    """That of a cell's file, or of a shipped cell by its name; None: the paper's. Raises UserFileError."""
    return place_of(None if source is None else read_cell(source))
