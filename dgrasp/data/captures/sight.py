"""Whether a capture's cameras look at the workspace, and if not, which common mistake would explain it."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float

from dgrasp.cameras import CV_TO_GL, Views, visible
from dgrasp.cell.description import FARTHEST
from dgrasp.cell.place import PAPERS, Place
from dgrasp.cell.sheet import NAME
from dgrasp.cell.transforms import inverse
from dgrasp.data.captures.document import CaptureError, shown
from dgrasp.data.captures.reader import Capture
from dgrasp.data.captures.source import COLMAP, SHEET

PER_MISTAKE = 0.05  # rad: another mistake must explain that much more
Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
Y_UP.setflags(write=False)

EXPECTED = (
    "Expected is camera to world, OpenGL's camera axes (x right, y up, z backwards), metres, in the cell's world "
    "frame (z up, the board's centre at {}) or in one whose pose is given as T_world_capture"
)

# What people write instead of what is expected. A pose is (n, 4, 4), camera to the capture's frame, OpenCV's axes, as
# read from OpenGL's; each mistake gives what was meant.
UNITS = {"": 1.0, "in millimetres": 1e-3, "in centimetres": 1e-2}
FORMS = {
    "": lambda Ts: Ts,
    "with OpenCV's camera axes (x right, y down, z forwards)": lambda Ts: Ts @ CV_TO_GL,
    "world to camera (the inverse)": lambda Ts: inverse(Ts @ CV_TO_GL) @ CV_TO_GL,
    "world to camera (the inverse), with OpenCV's camera axes": lambda Ts: inverse(Ts @ CV_TO_GL),
}
WORLDS = {"": np.eye(4), "in a world whose y axis points up": Y_UP}


def check_sight(capture: Capture, place: Place = PAPERS, views: Views | None = None) -> None:
    """Raise CaptureError unless every camera sees some of the workspace from above, at most 5 m off.

    views: checked instead, the capture sampled otherwise.
    """
    seen, low, high = views or capture, place.low, place.high
    for i, (K, T, size) in enumerate(zip(seen.K, seen.Ts_world_cam, _sizes(seen), strict=True)):
        if problem := _problem(K, T, size, low, high):
            frame = f"{capture.file}: frame {i} ({shown(capture.names[i])})"
            raise CaptureError(f"{frame}: {_blamed(capture, place, problem)}")


def _blamed(capture: Capture, place: Place, problem: str) -> str:
    """The problem with the key that is to be looked at, and what is expected there."""
    board = f"({', '.join(f'{v:g}' for v in place.middle)})"
    if capture.source == SHEET:
        x, y, z = capture.T_world_capture[:3, 3]
        return (
            f"{NAME}: place: {problem}, if the sheet's middle lies at ({x:g}, {y:g}, {z:g}); expected is where it lies "
            f"in the cell's world frame: x, y in metres, the board's centre being at {board}, and the turn of the page "
            "in degrees"
        )
    if capture.source == COLMAP:
        return (
            f"the COLMAP model: {problem}; COLMAP's scale and frame are arbitrary: lay the printed sheet on the table "
            f"(`dgrasp board`), or align the model: metres, z up, the board's centre at {board}"
        )
    guess = _guess(capture, place.low, place.high)
    hint = f"the poses look as if they were {guess}." if guess else "are the poses metric, and of this frame?"
    return f"transform_matrix: {problem}; {hint} {EXPECTED.format(board)}"


def _sizes(seen: Capture | Views) -> list[tuple[int, int]]:
    return [(image.shape[1], image.shape[0]) for image in seen.images]


def _problem(
    K: Float[np.ndarray, "3 3"], T: Float[np.ndarray, "4 4"], size: tuple[int, int], low: np.ndarray, high: np.ndarray
) -> str | None:
    axes = [torch.linspace(float(a), float(b), 8).double() for a, b in zip(low, high, strict=True)]
    if not visible(torch.tensor(K), torch.tensor(T), torch.cartesian_prod(*axes), size).any():
        return "the camera sees nothing of the workspace"
    if (off := float(np.linalg.norm(T[:3, 3] - (low + high) / 2))) > FARTHEST:
        return f"the camera is {off:.3g} m from the workspace, allowed are {FARTHEST:g}"
    if T[2, 3] < low[2]:
        return f"the camera is {low[2] - T[2, 3]:.3g} m below the board"
    return None


def _guess(capture: Capture, low: np.ndarray, high: np.ndarray) -> str:
    """The mistakes under which all cameras look at the workspace best, few before many; empty if they never do."""
    found = []
    for names in itertools.product(UNITS, FORMS, WORLDS):
        unit, form, world = names
        Ts = inverse(capture.T_world_capture) @ capture.Ts_world_cam
        Ts[:, :3, 3] *= UNITS[unit]
        Ts = capture.T_world_capture @ WORLDS[world] @ FORMS[form](Ts)
        if (off := _off_centre(capture, Ts, low, high)) is not None:
            found.append((off + PER_MISTAKE * sum(map(bool, names)), ", ".join(filter(None, names))))
    return min(found)[1] if found else ""


def _off_centre(
    capture: Capture, Ts_world_cam: Float[np.ndarray, "n 4 4"], low: np.ndarray, high: np.ndarray
) -> float | None:
    """Mean angle (rad) between optical axes and the workspace's centre; None if a camera does not even show that."""
    centre = (low + high) / 2
    for K, T, size in zip(capture.K, Ts_world_cam, _sizes(capture), strict=True):
        shows = visible(torch.tensor(K), torch.tensor(T), torch.tensor(centre)[None], size).all()
        if not shows or _problem(K, T, size, low, high):
            return None
    to_centre = centre - Ts_world_cam[:, :3, 3]
    cosines = (Ts_world_cam[:, :3, 2] * to_centre).sum(1) / np.linalg.norm(to_centre, axis=1)
    return float(np.arccos(np.clip(cosines, -1, 1)).mean())
