"""Where grasps are searched, and on what: what readers of photographs and imports need to know of a cell.

Told from its description alone: neither its arm's model nor the simulator is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from dgrasp.cell.description import CellDescription, read_cell
from dgrasp.cell.workspace import BOARD_CENTRE, BOUNDS_HIGH, BOUNDS_LOW


@dataclass(frozen=True, eq=False)
class Place:
    """low, high: corners of the TCP's workspace. middle: of the board's top. World frame, metres."""

    name: str
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    middle: Float[np.ndarray, "3"]

    def inside(self, p_world: Float[np.ndarray, "*n 3"]) -> Bool[np.ndarray, "*n"]:
        """Whether points lie in the workspace."""
        return np.all((p_world >= self.low) & (p_world <= self.high), axis=-1)

    def holds(self, other: Place) -> bool:
        """Whether all of another workspace lies in this one, to a tenth of a millimetre."""
        return bool(np.all(other.low >= self.low - 1e-4) and np.all(other.high <= self.high + 1e-4))


PAPERS = Place("the paper's cell", BOUNDS_LOW, BOUNDS_HIGH, BOARD_CENTRE)


def place_of(cell: CellDescription | None) -> Place:
    """That of a described cell; None: the paper's."""
    if cell is None:
        return PAPERS
    return Place(cell.name, np.array(cell.workspace.low), np.array(cell.workspace.high), cell.bench.middle)


def read_place(source: str | Path | None) -> Place:
    """That of a cell's file, or of a shipped cell by its name; None: the paper's. Raises UserFileError."""
    return place_of(None if source is None else read_cell(source))
