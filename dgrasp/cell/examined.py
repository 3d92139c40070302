"""A described cell held against its files and its arm: what fits, what does not, and how far the arm reaches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from dgrasp.cell.description import CameraDescription, CellDescription, read_cell, shipped_or_path
from dgrasp.cell.kinematics import Kinematics, kinematics_of
from dgrasp.cell.looking import meant, middle_of_floor, share_seen
from dgrasp.cell.simulable import lens_notes, simulator_problems
from dgrasp.cell.transforms import inverse, pose_matrix, transform, yaw
from dgrasp.cell.urdf import missing_meshes, model_problems, urdf_path
from dgrasp.files import UserFileError

GRID = (5, 5, 2)  # places of the workspace that are tried
YAWS = (0.0, np.pi / 4, np.pi / 2, -np.pi / 4)  # turns of the hand about the vertical; a half turn is the same grasp
FRICTION, GRAVITY = 0.5, 9.81  # of rubber on plastic, as `CellConfig.pad_friction` on an object; m/s^2
FINE = 2.0  # pixels to a centimetre; the shipped cells' cameras have 8
SHOWN = 2  # missing meshes that are named
DOWN = np.diag([1.0, -1.0, -1.0])


@dataclass
class Examined:
    """lines: what was found. notes: what is no fault, but to be known. problems: what is wrong, one line each.

    places: (n, 3) of the workspace, metres; reached: how many of `YAWS` the hand reaches there, pointing down.
    """

    cell: CellDescription
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    places: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    reached: Float[np.ndarray, "n"] = field(default_factory=lambda: np.zeros(0))


def examine_cell(source: str | Path) -> Examined:
    """Read a cell's file; check it against its URDF, and against what the simulator asks of a cell.

    Raises UserFileError for a file that is none.
    """
    path = shipped_or_path(source)
    cell = read_cell(path)
    found = Examined(cell)
    found.lines += [f"{cell.name}: {cell.arm.name}, {cell.gripper.name}, {len(cell.cameras)} cameras"]
    found.lines.append(_held(cell))
    found.notes += lens_notes(cell) + _coarse(cell)
    found.problems += _blind(cell) + simulator_problems(cell)
    try:
        urdf = urdf_path(cell.arm.urdf, path.parent)
    except UserFileError as error:
        found.problems.append(str(error))
        return found
    wrong = model_problems(cell.arm, urdf)
    found.problems += wrong + _few(missing_meshes(urdf))
    if not wrong:
        arm = kinematics_of(cell.arm, urdf)
        _reach(found, arm)
        found.problems += _never_there(cell, arm)
    return found


def _few(missing: list[str]) -> list[str]:
    """The first of many alike."""
    more = len(missing) - SHOWN
    return missing if more <= 1 else [*missing[:SHOWN], f"arm.urdf: {more} more meshes are missing"]


def _held(cell: CellDescription) -> str:
    g = cell.gripper
    kilograms = 2 * FRICTION * g.force[1] / GRAVITY
    return (
        f"the hand holds objects of up to {1000 * g.opening:.0f} mm between its fingers, and {kilograms:.1f} kg at "
        f"{g.force[1]:g} N and a friction of {FRICTION:g}"
    )


def _blind(cell: CellDescription) -> list[str]:
    """Views that do not have all of the workspace's floor's middle half."""
    places = middle_of_floor(np.array(cell.workspace.low), np.array(cell.workspace.high))
    problems = []
    for name, camera, T_world_cam in cell.views:
        share = share_seen(camera.intrinsics, T_world_cam, places)
        if share < 1:
            said = f"cameras: {name} sees {share:.0%} of the middle of the workspace, expected all"
            problems.append(said + _meant(camera, places))
    return problems


def _coarse(cell: CellDescription) -> list[str]:
    """Views in whose pictures an object of the table is a few pixels."""
    places = middle_of_floor(np.array(cell.workspace.low), np.array(cell.workspace.high))
    notes = []
    for name, camera, T_world_cam in cell.views:
        away = float(np.linalg.norm(places.mean(0) - T_world_cam[:3, 3]))
        if (pixels := 0.01 * min(camera.fx, camera.fy) / away) < FINE:
            notes.append(
                f"cameras: {name} shows a centimetre of the workspace's middle in {pixels:.1f} pixels, from {away:.2f} "
                f"m; {FINE:g} and more are better"
            )
    return notes


def _meant(camera: CameraDescription, places: Float[np.ndarray, "n 3"]) -> str:
    """What a standing camera's pose may have been meant as: OpenGL's axes, or a quaternion that begins with w."""
    if camera.mounted or camera.position is None or camera.orientation is None:
        return ""
    w, x, y, z = camera.orientation
    turned = pose_matrix((*camera.position, x, y, z, w))
    others = {"its quaternion looks like w, x, y, z, expected is x, y, z, w": turned}
    return meant(camera.intrinsics, camera.T_carrier_cam, places, others)


def _reach(found: Examined, arm: Kinematics) -> None:
    cell = found.cell
    low, high = np.array(cell.workspace.low), np.array(cell.workspace.high)
    axes = [np.linspace(a, b, n) for a, b, n in zip(low, high, GRID, strict=True)]
    found.places = np.array(list(itertools.product(*axes)))
    found.reached = np.array([_turns(cell, arm, place).sum() for place in found.places], dtype=np.float64)
    share = float(found.reached.mean()) / len(YAWS)
    some = float((found.reached > 0).mean())
    found.lines.append(
        f"reach: {share:.0%} of hands that point down in the workspace, {some:.0%} of its places in some turn"
    )
    if some < 1:
        off = found.places[found.reached == 0][0]
        where = ", ".join(f"{v:.3f}" for v in off)
        found.problems.append(f"workspace: {1 - some:.0%} of it are out of the arm's reach, first at ({where})")


def _never_there(cell: CellDescription, arm: Kinematics) -> list[str]:
    """Looks to which the arm does not bring its camera, neither upright nor upside down."""
    T_base_world, home = inverse(cell.arm.T_world_base), np.array(cell.arm.home)
    problems = []
    for name, camera, T_world_cam in cell.views:
        if camera.mounted is None:
            continue
        T_cam_flange = inverse(camera.T_carrier_cam)
        turned = (T_world_cam @ transform(yaw(turn)) @ T_cam_flange for turn in (0.0, np.pi))
        if all(arm.inverse(T_base_world @ T, home) is None for T in turned):
            problems.append(
                f"cameras: the arm cannot bring {name} to where it is to look from; another azimuth, a smaller polar "
                "angle or another distance may be in reach"
            )
    return problems


def _turns(cell: CellDescription, arm: Kinematics, place: Float[np.ndarray, "3"]) -> Bool[np.ndarray, "yaws"]:
    """Which turns of a hand that points down are reached at a place of the tool centre point."""
    T_base_world, T_tcp_flange = inverse(cell.arm.T_world_base), inverse(cell.gripper.T_flange_tcp)
    home = np.array(cell.arm.home)

    def reached(angle: float) -> bool:
        """By the hand, or by the hand turned by half, which is the same grasp to two fingers."""
        hands = (transform(yaw(turned) @ DOWN, place) for turned in (angle, angle + np.pi))
        return any(arm.inverse(T_base_world @ T @ T_tcp_flange, home) is not None for T in hands)

    return np.array([reached(angle) for angle in YAWS])
