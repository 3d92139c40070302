"""One demonstration as other tools keep it, and what is refused of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Views
from dgrasp.cell.transforms import transform
from dgrasp.files import UserFileError

GRIPPER = "gripper"
QUATERNION, TURN = ("qx", "qy", "qz", "qw"), ("rx", "ry", "rz")
UNITS = {"m": 1.0, "mm": 1e-3}
FAR = 10.0  # m from the world's origin: no arm of a bench reaches there, but millimetres do
NEAR = 0.02  # m: all of a hand's way, or all cameras, are never so close to it, but metres that are read as millimetres
WIDEST_TURN = 2 * np.pi + 0.1  # rad: the length of a rotation vector; degrees are longer
UNIT_LENGTH = 0.01  # a quaternion's length may be off by so much: it was rounded


class ImportRefused(UserFileError):
    """Demonstrations that cannot be used: file, episode and column, what was found, what is allowed; one line."""


@dataclass(frozen=True, eq=False)
class Episode:
    """A demonstration: the scene before the grasp, and the TCP's way there.

    views: all cameras at the first step. Ts_world_tcp: (steps, 4, 4), metres; the last row is the grasp. object: its
    name, or the task's text. split: "train" or "validation". source: where it stands, for messages.
    """

    source: str
    views: Views
    Ts_world_tcp: Float[np.ndarray, "steps 4 4"]
    object: str = ""
    split: str = "train"


def problem_as_a_run(episodes: Sequence[Episode]) -> str | None:
    """Why these episodes together are none to train on; None where they are."""
    if len(shapes := {e.views.images.shape for e in episodes}) > 1:
        return f"episodes differ in views or sizes: {sorted(shapes)}; expected the same for all"
    if all(e.split != "train" for e in episodes):
        return "no episode is to be trained on; expected one or more of split 'train'"
    return None


def poses_of(columns: Mapping[str, Sequence[float]], unit: str, source: str) -> Float[np.ndarray, "steps 4 4"]:
    """Poses from x, y, z and a unit quaternion qx qy qz qw, or a rotation vector rx ry rz (rad).

    Raises ImportRefused for columns that are missing or no numbers, for millimetres that are not stated, and for
    quaternions that are not of length 1.
    """
    turn = next((names for names in (QUATERNION, TURN) if set(names) <= set(columns)), None)
    missing = [name for name in "xyz" if name not in columns] + ([] if turn else ["qx, qy, qz, qw (or rx, ry, rz)"])
    if missing or turn is None:
        raise ImportRefused(f"{source}: lacks {', '.join(missing)}; columns: {', '.join(columns) or 'none'}")
    p = UNITS[unit] * np.stack([np.asarray(columns[name], dtype=np.float64) for name in "xyz"], axis=-1)
    turned = np.stack([np.asarray(columns[name], dtype=np.float64) for name in turn], axis=-1)
    if not len(p) or not (np.isfinite(p).all() and np.isfinite(turned).all()):
        raise ImportRefused(f"{source}: the trajectory {'is empty' if not len(p) else 'has NaN or infinite entries'}")
    check_unit(p, unit, source)
    if turn == TURN:
        if (widest := float(np.linalg.norm(turned, axis=1).max())) > WIDEST_TURN:
            raise ImportRefused(f"{source}: rx, ry, rz are up to {widest:.4g} long; expected are radians, not degrees")
        R = Rotation.from_rotvec(turned)
    else:
        off = np.abs(np.linalg.norm(turned, axis=1) - 1)
        if off.max() > UNIT_LENGTH:
            i = int(off.argmax())
            length = np.linalg.norm(turned[i])
            raise ImportRefused(f"{source}: step {i}: qx, qy, qz, qw have length {length:.4g}, expected 1")
        R = Rotation.from_quat(turned)
    return np.stack([transform(r, at) for r, at in zip(R.as_matrix(), p, strict=True)])


def check_unit(p: Float[np.ndarray, "n 3"], unit: str, source: str, say: str = "say --unit mm") -> None:
    """Raise ImportRefused for positions (already in metres, from `unit`) that are of no bench. say: how to state mm."""
    off = float(np.linalg.norm(p, axis=1).max())
    if unit == "mm" and off < NEAR:
        raise ImportRefused(
            f"{source}: positions are stated in millimetres and at most {1000 * off:.3g} mm from the origin; they look "
            "like metres: trajectories and cameras must be in one unit"
        )
    if off > FAR:
        look = f"they look like millimetres; {say} (centimetres: give metres)"
        hint = look if unit == "m" else "are they millimetres?"
        raise ImportRefused(f"{source}: positions are up to {off:.4g} m from the origin, allowed are {FAR:g}; {hint}")


def gripper_of(columns: Mapping[str, Any], source: str) -> Any:
    """The gripper's commands: the column `gripper`, or the only one with that word in its name (`gripper.pos`).

    None where there is none. Raises ImportRefused where it could be several.
    """
    found = [GRIPPER] if GRIPPER in columns else [name for name in columns if GRIPPER in name.lower()]
    if len(found) > 1:
        raise ImportRefused(
            f"{source}: each of {', '.join(found)} could be the gripper's commands; call the right one {GRIPPER!r}"
        )
    return columns[found[0]] if found else None


def grasp_step(gripper: Sequence[float] | None, steps: int, source: str = "gripper") -> int:
    """The step of the grasp: where the gripper's command first changes sides; the last one without it.

    Raises ImportRefused for commands that are no numbers, or not one for each step.
    """
    if gripper is None or not len(gripper):
        return steps - 1
    values = np.asarray(gripper, dtype=np.float64)
    if values.shape != (steps,) or not np.isfinite(values).all():
        found = f"{len(values)} values" if values.shape != (steps,) else "NaN or infinite entries"
        raise ImportRefused(f"{source}: the gripper's commands: expected {steps} finite numbers, got {found}")
    high = values > (values.max() + values.min()) / 2
    changed = np.flatnonzero(high != high[0])
    return int(changed[0]) if len(changed) else steps - 1


def until_grasp(
    Ts: Float[np.ndarray, "steps 4 4"], gripper: Sequence[float] | None, source: str
) -> Float[np.ndarray, "steps 4 4"]:
    """The way to the grasp: what comes after it (the lift, say) is no demonstration of an approach.

    Raises ImportRefused for a way of one step: it shows no motion, and no slope is learned from it.
    """
    if len(Ts) < 2:
        raise ImportRefused(f"{source}: the trajectory has one step; expected are 2 or more, the last one at the grasp")
    return Ts[: grasp_step(gripper, len(Ts), source) + 1]


def check_times(times: Sequence[float], source: str) -> None:
    """Raise ImportRefused for steps that do not stand in the order of their times."""
    values = np.asarray(times, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ImportRefused(f"{source}: expected finite numbers, got NaN or infinite entries")
    if (back := np.flatnonzero(np.diff(values) < 0)).size:
        i = int(back[0])
        raise ImportRefused(
            f"{source}: step {i + 1} is at {values[i + 1]:g}, before step {i} at {values[i]:g}; sort the steps by time"
        )
