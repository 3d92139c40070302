"""What of a profile follows from the cell that it describes, where the profile does not say otherwise.

In a profile, `cell: {description: panda_hand}`, or the path of a cell's file, from the profile's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.cell.hand_model import Hand, hand_of
from dgrasp.cell.model import PAPERS
from dgrasp.experiment.choices import merged
from dgrasp.policy.fingers import FingerCheck
from dgrasp.value.queries import QueryConfig


def with_cell(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings with the workspace, the query lines and the fingers of the described cell; as they are without one.

    Raises UserFileError or ValueError for a cell that is none.
    """
    own = dict(values)
    cell = own.get("cell")
    if not isinstance(cell, dict) or cell.get("description") is None:
        return own
    description = cell["description"]
    if isinstance(description, str) and (folder / description).is_file():
        description = folder / description
    config = CellConfig.model_validate({"description": description})
    if config.description is None:
        return own | {"cell": {key: value for key, value in cell.items() if key != "description"}}
    own["cell"] = cell | {"description": config.description}
    fingers = {"fingers": {"shape": fingers_of(config.description).shape}} if own.get("fingers") is not None else {}
    derived: dict[str, Any] = merged(_derived(config.description) | fingers, own)
    return derived


def _derived(cell: CellDescription) -> dict[str, Any]:
    box = cell.workspace.low, cell.workspace.high
    return {"value": {"workspace": box, "queries": query_lines(hand_of(cell.gripper))}}


def fingers_of(cell: CellDescription | None) -> FingerCheck:
    """The check of the open fingers of a cell's hand; None: the paper's."""
    if cell is None:
        return FingerCheck()
    inner, (thick, wide, _) = cell.gripper.opening / 2, cell.gripper.finger
    return FingerCheck(shape=(inner, inner + thick, wide / 2, cell.gripper.tip_ahead))


def query_lines(hand: Hand) -> dict[str, float]:
    """Lengths of the query lines (Soti et al. 2024) for another hand: across the fingers as its opening is to the
    2F-140's, along their width as its fingers' width, ahead as the reach of its tips."""
    usual, papers = QueryConfig(), PAPERS.hand
    wide, ahead = hand.finger[1] / papers.finger[1], hand.tip_ahead / papers.tip_ahead
    return {
        "half_length": hand.scale * usual.half_length,
        "finger_offset": hand.scale * usual.finger_offset,
        "width_offset": wide * usual.width_offset,
        "depth_offset": ahead * usual.depth_offset,
    }
