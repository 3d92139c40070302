"""What the numbers of a recording are in: the cell's world or its arm's base, and which axis crosses the fingers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.cell.place import Place
from dgrasp.data.imports.episode import Episode, check_choice

FRAMES = ("world", "base")
_QUARTER = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # about z: our x is the recording's y
# Of the recorded hand's frame: the pose of ours in it. A quarter turn the other way is the same grasp, half a turn on.
CLOSING = {"x": np.eye(4), "y": _QUARTER}


def T_world_frame(frame: str, place: Place) -> Float[np.ndarray, "4 4"]:
    """Where a recording's frame lies: "world", or "base" of the place's arm; metres. Raises ImportRefused."""
    check_choice("frame", frame, FRAMES, "frames")
    return place.T_world_base if frame == "base" else np.eye(4)


def in_the_cell(e: Episode, T_world_frame: Float[np.ndarray, "4 4"], closing: str) -> Episode:
    """The same episode in the cell's world, with x of the hand across its fingers.

    e: hand and cameras in one frame, which lies at `T_world_frame`. closing: the hand's axis ("x" or "y") along which
    the fingers close; its sense is of no weight, since a half turn about z is the same grasp to two fingers. Raises
    ImportRefused for another axis.
    """
    check_choice("closing", closing, CLOSING, "axes")
    views = Views(e.views.images, e.views.K, T_world_frame @ e.views.Ts_world_cam)
    return replace(e, views=views, Ts_world_tcp=T_world_frame @ e.Ts_world_tcp @ CLOSING[closing])
