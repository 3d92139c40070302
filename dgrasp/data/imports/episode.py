"""One demonstration as other tools keep it, and what is refused of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
CENTIMETRES = 300.0  # a bench in millimetres is rarely smaller than this, in centimetres never larger
STILL = 1e-3, 0.01  # m and rad: a hand that moves less all the way shows noise, and no motion
# The gripper changes when its command goes by a share of its whole range, which must itself be more than noise is: an
# absolute floor (a millimetre, in metres), and a share of the largest command, in whatever unit it is.
CHANGE, LEAST, LEAST_SHARE = 0.1, 1e-3, 0.02
LEVEL = 0.01  # m: two heights are one, if they differ by less: of the gripper's kinds of changes, of a last step


class ImportRefused(UserFileError):
    """Demonstrations that cannot be used: file, episode and column, what was found, what is allowed; one line."""


@dataclass(frozen=True, eq=False)
class Episode:
    """A demonstration: the scene before the grasp, and the TCP's way there.

    views: all cameras at the first step. Ts_world_tcp: (steps, 4, 4), metres; the last row is the grasp. object: its
    name, or the task's text. split: "train" or "validation". source: where it stands, for messages. recorded: steps
    with those after the grasp, 0 where nobody says. changes: of the gripper, in all of them; 0: the last step is taken
    for the grasp.
    """

    source: str
    views: Views
    Ts_world_tcp: Float[np.ndarray, "steps 4 4"]
    object: str = ""
    split: str = "train"
    recorded: int = 0
    changes: int = 0

    @property
    def name(self) -> str:
        """The end of where it stands: its folder's name, or file and number."""
        return Path(self.source).name or self.source


class Way(NamedTuple):
    """The hand's way to the grasp, and what it was cut from: the recorded steps, and the gripper's changes in them."""

    Ts_world_tcp: Float[np.ndarray, "steps 4 4"]
    recorded: int
    changes: int


def check_choice(what: str, given: object, allowed: Collection[str], called: str) -> None:
    """Raise ImportRefused for an option's value that is none of those allowed. called: what these are, for messages."""
    if not isinstance(given, str) or given not in allowed:
        raise ImportRefused(f"{what}: unknown {given!r}; {called}: {', '.join(allowed)}")


def named(episodes: Sequence[Episode], most: int = 5) -> str:
    """The episodes by name, for messages; of many the first ones."""
    more = f" and {len(episodes) - most} more" if len(episodes) > most else ""
    return ", ".join(e.name for e in episodes[:most]) + more


def poses_of(columns: Mapping[str, Sequence[float]], unit: str, source: str) -> Float[np.ndarray, "steps 4 4"]:
    """Poses from x, y, z and a unit quaternion qx qy qz qw, or a rotation vector rx ry rz (rad).

    unit: of positions, "m" or "mm". Raises ImportRefused for another one, for columns that are missing or no numbers,
    for millimetres that are not stated, and for quaternions that are not of length 1.
    """
    check_choice("unit", unit, UNITS, "units")
    turn = next((names for names in (QUATERNION, TURN) if set(names) <= set(columns)), None)
    missing = [name for name in "xyz" if name not in columns] + ([] if turn else ["qx, qy, qz, qw (or rx, ry, rz)"])
    if missing or turn is None:
        raise ImportRefused(f"{source}: lacks {', '.join(missing)}; columns: {', '.join(columns) or 'none'}")
    p = UNITS[unit] * np.stack([np.asarray(columns[name], dtype=np.float64) for name in "xyz"], axis=-1)
    turned = np.stack([np.asarray(columns[name], dtype=np.float64) for name in turn], axis=-1)
    if not len(p):
        raise ImportRefused(f"{source}: the trajectory is empty")
    if len(bad := np.argwhere(~np.isfinite(np.hstack([p, turned])))):
        step, column = bad[0]
        raise ImportRefused(f"{source}: step {step}: {(*'xyz', *turn)[column]} is NaN or infinite, expected a number")
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
        look = f"they look like millimetres; {say}"
        if off < CENTIMETRES:
            look = f"they look like centimetres: give metres (if they are millimetres, {say})"
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


def grasp_step(
    gripper: Sequence[float] | None, z: Float[np.ndarray, "steps"], source: str = "gripper"
) -> tuple[int, int]:
    """The step of the grasp, and how often the gripper changes. z: heights of the hand, metres.

    The grasp is the last change of the kind that closes; without any, the last step. Which kind that is no format says:
    it is the one that happens lower, or the first one where both happen at one height. Raises ImportRefused for
    commands that are no numbers, or not one for each step.
    """
    steps = len(z)
    if gripper is None or not len(gripper):
        return steps - 1, 0
    values = np.asarray(gripper, dtype=np.float64)
    if values.shape != (steps,) or not np.isfinite(values).all():
        found = f"{len(values)} values" if values.shape != (steps,) else "NaN or infinite entries"
        raise ImportRefused(f"{source}: the gripper's commands: expected {steps} finite numbers, got {found}")
    changes = _changes(values)
    kinds = changes[::2], changes[1::2]  # one opens, the other closes
    if not changes:
        return steps - 1, 0
    second_is_lower = bool(kinds[1]) and z[kinds[1]].mean() < z[kinds[0]].mean() - LEVEL
    return (kinds[1] if second_is_lower else kinds[0])[-1], len(changes)


def _changes(values: Float[np.ndarray, "steps"]) -> list[int]:
    """Steps where the command has gone half of its way up or down, alternately; ways of a noise's size are none."""
    reach = float(np.ptp(values))
    if reach < max(LEAST, LEAST_SHARE * float(np.abs(values).max())):
        return []
    turns, sign = [0], 0.0
    last = 0  # the farthest step of the way that is gone
    for i in range(1, len(values)):
        gone = values[i] - values[last]
        if sign * gone > 0:
            last = i
        elif abs(gone) >= CHANGE * reach:
            if sign:
                turns.append(last)
            last, sign = i, float(np.sign(gone))
    ways = zip(turns, [*turns[1:], last], strict=True)
    return [a + int(np.argmax(np.abs(values[a : b + 1] - values[a]) > abs(values[b] - values[a]) / 2)) for a, b in ways]


def until_grasp(Ts: Float[np.ndarray, "steps 4 4"], gripper: Sequence[float] | None, source: str) -> Way:
    """The way to the grasp: what comes after it (the lift, say) is no demonstration of an approach.

    Raises ImportRefused for a way of one step, and one that stays where it is: no slope is learned from it.
    """
    if len(Ts) < 2:
        raise ImportRefused(f"{source}: the trajectory has one step; expected are 2 or more, the last one at the grasp")
    grasp, changes = grasp_step(gripper, Ts[:, 2, 3], source)
    way = Ts[: grasp + 1]
    moved = np.linalg.norm(way[:, :3, 3] - way[-1, :3, 3], axis=1).max()
    turned = Rotation.from_matrix(way[-1, :3, :3].T @ way[:, :3, :3]).magnitude().max()
    if moved < STILL[0] and turned < STILL[1]:
        raise ImportRefused(
            f"{source}: the hand moves by {1000 * moved:.2g} mm in the {len(way)} steps to the grasp; expected a motion"
        )
    return Way(way, len(Ts), changes)


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
