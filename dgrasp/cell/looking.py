"""Whether a standing camera sees the workspace, and if not, what its pose may have been meant as."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from dgrasp.cameras import CV_TO_GL, Intrinsics, visible

OPENGL = "its axes look like OpenGL's, expected are x right, y down, z ahead"


def middle_of_floor(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]) -> Float[np.ndarray, "25 3"]:
    """Places in the middle half of a workspace's floor; its corners and the places in the world, metres."""
    axes = [np.linspace(a + (b - a) / 4, b - (b - a) / 4, 5) for a, b in zip(low[:2], high[:2], strict=True)]
    return np.array([[x, y, low[2]] for x, y in itertools.product(*axes)])


def share_seen(lens: Intrinsics, T_world_cam: Float[np.ndarray, "4 4"], p_world: Float[np.ndarray, "n 3"]) -> float:
    """Which share of places a camera has in its picture."""
    K, T, places = (torch.tensor(np.asarray(a, dtype=np.float64)) for a in (lens.matrix, T_world_cam, p_world))
    return float(visible(K, T, places, (lens.width, lens.height)).double().mean())


def meant(
    lens: Intrinsics,
    T_world_cam: Float[np.ndarray, "4 4"],
    p_world: Float[np.ndarray, "n 3"],
    others: Mapping[str, Float[np.ndarray, "4 4"]] | None = None,
) -> str:
    """ "; " and what the pose may have been meant as: OpenGL's axes, or one of `others` by its words; else nothing.

    A meaning fits if the camera then sees all of the places.
    """
    readings = {OPENGL: T_world_cam @ CV_TO_GL, **(others or {})}
    fits = [words for words, T in readings.items() if share_seen(lens, T, p_world) == 1]
    return f"; {fits[0]}" if fits else ""
