"""A described cell held against its files and its arm: what fits, what does not, and how far the arm reaches."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float

from dgrasp.cameras import visible
from dgrasp.cell.description import ArmDescription, CellDescription, read_cell, shipped_or_path
from dgrasp.cell.kinematics import Kinematics, kinematics_of
from dgrasp.cell.transforms import inverse, transform, yaw
from dgrasp.files import UserFileError

GRID = (5, 5, 2)  # places of the workspace that are tried
YAWS = (0.0, np.pi / 4, np.pi / 2, -np.pi / 4)  # turns of the hand about the vertical; a half turn is the same grasp
FRICTION, GRAVITY = 0.5, 9.81  # of rubber on plastic, as `CellConfig.pad_friction` on an object; m/s^2
DOWN = np.diag([1.0, -1.0, -1.0])
APART = 1e-3  # rad by which limits may differ from the URDF's without a word


@dataclass
class Examined:
    """lines: what was found. problems: what is wrong, one line each. places: (n, 3) of the workspace, metres; reached:
    how many of `YAWS` the hand reaches there, pointing down."""

    cell: CellDescription
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    places: Float[np.ndarray, "n 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    reached: Float[np.ndarray, "n"] = field(default_factory=lambda: np.zeros(0))


def examine_cell(source: str | Path) -> Examined:
    """Read a cell's file and check it against its URDF. Raises UserFileError for a file that is none."""
    path = shipped_or_path(source)
    cell = read_cell(path)
    found = Examined(cell)
    found.lines += [f"{cell.name}: {cell.arm.name}, {cell.gripper.name}, {len(cell.cameras)} cameras"]
    found.lines.append(_held(cell))
    found.problems += _blind(cell)
    try:
        urdf = urdf_path(cell.arm.urdf, path.parent)
    except UserFileError as error:
        found.problems.append(str(error))
        return found
    wrong = _model_problems(cell.arm, urdf)
    found.problems += wrong + missing_meshes(urdf)
    if not wrong:
        _reach(found, kinematics_of(cell.arm, urdf))
    return found


def urdf_path(text: str, folder: Path) -> Path:
    """The file of an arm's model; raises UserFileError."""
    package, colon, inside = text.partition(":")
    if not colon or package not in ("example-robot-data", "pybullet_data"):
        path = (folder / text).resolve()
    elif package == "pybullet_data":
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin if spec and spec.origin else package).parent / inside
    else:
        files = importlib.metadata.files(package) or []
        path = next((Path(str(f.locate())) for f in files if f.as_posix().endswith(f"/{inside}")), Path(inside))
    if not path.is_file():
        raise UserFileError(f"arm: urdf: {text}: no such file")
    return path


def _model_problems(arm: ArmDescription, urdf: Path) -> list[str]:
    try:
        root = ET.parse(urdf).getroot()
    except ET.ParseError as error:
        return [f"{urdf}: not XML ({error})"]
    joints = {joint.get("name"): joint for joint in root.findall("joint")}
    links = {link.get("name") for link in root.findall("link")}
    problems = [f"arm: {name!r} is no link of {urdf.name}" for name in (arm.base, arm.flange) if name not in links]
    moving = [name for name, joint in joints.items() if joint.get("type") in ("revolute", "continuous")]
    for i, name in enumerate(arm.joints):
        if name not in moving:
            problems.append(f"arm: {name!r} is no hinge of {urdf.name}; hinges: {', '.join(map(str, moving))}")
        elif (limit := joints[name].find("limit")) is not None:
            low, high = float(limit.get("lower", -np.inf)), float(limit.get("upper", np.inf))
            if arm.lower[i] < low - APART or arm.upper[i] > high + APART:
                problems.append(
                    f"arm: {name}: limits of {arm.lower[i]:.4g} to {arm.upper[i]:.4g} rad, wider than the model's "
                    f"{low:.4g} to {high:.4g}"
                )
    return problems


def missing_meshes(urdf: Path) -> list[str]:
    """A line for each mesh that a URDF names and that is not there."""
    names = {str(mesh.get("filename")) for mesh in ET.parse(urdf).getroot().iter("mesh")}
    return [f"{urdf.name}: no mesh at {name}" for name in sorted(names) if not _mesh_is_there(name, urdf)]


def _mesh_is_there(name: str, urdf: Path) -> bool:
    if name.startswith("package://"):
        inside = Path(name.removeprefix("package://"))
        below = (inside, Path(*inside.parts[1:]))
        return any((parent / part).is_file() for parent in urdf.resolve().parents for part in below)
    return (urdf.parent / name.removeprefix("file://")).is_file()


def _held(cell: CellDescription) -> str:
    g = cell.gripper
    kilograms = 2 * FRICTION * g.force[1] / GRAVITY
    return (
        f"the hand holds objects of up to {1000 * g.opening:.0f} mm between its fingers, and {kilograms:.1f} kg at "
        f"{g.force[1]:g} N and a friction of {FRICTION:g}"
    )


def _blind(cell: CellDescription) -> list[str]:
    """Cameras that do not see all of the workspace's floor's middle half."""
    low, high = np.array(cell.workspace.low), np.array(cell.workspace.high)
    axes = [np.linspace(a + (b - a) / 4, b - (b - a) / 4, 5) for a, b in zip(low[:2], high[:2], strict=True)]
    places = torch.tensor([[x, y, low[2]] for x, y in itertools.product(*axes)])
    problems = []
    for camera in cell.cameras:
        K, T = torch.tensor(camera.intrinsics.matrix), torch.tensor(cell.view(camera))
        share = float(visible(K, T, places, (camera.width, camera.height)).double().mean())
        if share < 1:
            problems.append(f"cameras: {camera.name} sees {share:.0%} of the middle of the workspace, expected all")
    return problems


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


def _turns(cell: CellDescription, arm: Kinematics, place: Float[np.ndarray, "3"]) -> Bool[np.ndarray, "yaws"]:
    """Which turns of a hand that points down are reached at a place of the tool centre point."""
    T_base_world, T_tcp_flange = inverse(cell.arm.T_world_base), inverse(cell.gripper.T_flange_tcp)
    home = np.array(cell.arm.home)

    def reached(angle: float) -> bool:
        """By the hand, or by the hand turned by half, which is the same grasp to two fingers."""
        hands = (transform(yaw(turned) @ DOWN, place) for turned in (angle, angle + np.pi))
        return any(arm.inverse(T_base_world @ T @ T_tcp_flange, home) is not None for T in hands)

    return np.array([reached(angle) for angle in YAWS])
