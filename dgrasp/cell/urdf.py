"""The URDF behind a described arm: where it lies, whether it is the arm that is described, and where its meshes are."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from dgrasp.cell.chain import chain_problems
from dgrasp.cell.description import ArmDescription, CellDescription, read_cell, shipped_or_path
from dgrasp.files import UserFileError, known_sha256

PACKAGES = ("example-robot-data", "pybullet_data")
FARTHEST = 5.0  # m from joint to joint: no arm is longer, but millimetres are
APART = 1e-3  # rad, and rad/s, by which limits may differ from the URDF's without a word


def urdf_path(text: str, folder: Path) -> Path:
    """The file of an arm's model; raises UserFileError."""
    package, colon, inside = text.partition(":")
    if not colon or package not in PACKAGES:
        path = (folder / text).resolve()
    elif package == "pybullet_data":
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin if spec and spec.origin else package).parent / inside
    else:
        files = importlib.metadata.files(package) or []
        path = next((Path(str(f.locate())) for f in files if f.as_posix().endswith(f"/{inside}")), Path(inside))
    if not path.is_file():
        known = ", ".join(f"{name}:PATH" for name in PACKAGES)
        raise UserFileError(f"arm: urdf: {text}: no such file; expected a path from the cell's file on, or {known}")
    return path


def in_place(source: str | Path) -> CellDescription:
    """The description of a cell, to be kept apart from its file: a model of one's own by its full path and digest."""
    cell = read_cell(source)
    if cell.arm.urdf.partition(":")[0] in PACKAGES:
        return cell
    path = urdf_path(cell.arm.urdf, shipped_or_path(source).parent)
    arm = cell.arm.model_copy(update={"urdf": str(path), "urdf_sha256": known_sha256(path)})
    return cell.model_copy(update={"arm": arm})


def model_of_arm(arm: ArmDescription) -> Path:
    """The URDF of an arm that is described; raises UserFileError for one that is not its model, whole and unchanged."""
    path = urdf_path(arm.urdf, Path())
    if arm.urdf_sha256 is not None and known_sha256(path) != arm.urdf_sha256:
        raise UserFileError(f"arm: urdf: {path}: is not the file it was when the cell was described")
    problems = model_problems(arm, path) or missing_meshes(path)
    if problems:
        raise UserFileError("; ".join(problems))
    return path


def model_problems(arm: ArmDescription, urdf: Path) -> list[str]:
    """A line for each link, joint and limit that the URDF does not have; else for each joint that it has elsewhere."""
    try:
        root = _root(urdf)
    except ValueError as error:
        return [str(error)]
    joints = {joint.get("name"): joint for joint in root.findall("joint")}
    links = [link.get("name") for link in root.findall("link")]
    if not links and not joints:
        return [f"{urdf.name}: no link and no joint in it, so it is no URDF; a .xacro is made one by `xacro FILE`"]
    moving = [name for name, joint in joints.items() if joint.get("type") in ("revolute", "continuous")]
    problems = _lacking("link", (arm.base, arm.flange), links, urdf) + _lacking("hinge", arm.joints, moving, urdf)
    problems += _unlike_an_arm(joints, urdf)
    for i, name in enumerate(arm.joints):
        if name not in moving:
            continue
        if (limit := joints[name].find("limit")) is not None:
            low, high = _number(limit.get("lower", "-inf")), _number(limit.get("upper", "inf"))
            if np.isnan([low, high]).any():
                problems.append(f"{urdf.name}: joint {name}: its limits are no numbers: {dict(limit.items())}")
            elif arm.lower[i] < low - APART or arm.upper[i] > high + APART:
                problems.append(
                    f"arm: {name}: limits of {arm.lower[i]:.4g} to {arm.upper[i]:.4g} rad, wider than the model's "
                    f"{low:.4g} to {high:.4g}"
                )
            elif arm.speed[i] > (fastest := _number(limit.get("velocity", "inf")) or math.inf) + APART:  # 0: not stated
                problems.append(
                    f"arm: {name}: speed of {arm.speed[i]:.4g} rad/s, faster than the model's {fastest:.4g}"
                )
    return problems or chain_problems(arm, urdf)


def _lacking(kind: str, asked: Iterable[str], known: list[str | None], urdf: Path) -> list[str]:
    """A line of what the URDF does not have, and what it has."""
    missing = ", ".join(repr(name) for name in asked if name not in known)
    if not missing:
        return []
    are = "are no" if ", " in missing else "is no"
    return [
        f"arm: {missing} {are} {kind}{'s' * (are == 'are no')} of {urdf.name}; {kind}s: {', '.join(map(str, known))}"
    ]


def _unlike_an_arm(joints: Mapping[str | None, ET.Element], urdf: Path) -> list[str]:
    """A line for all joints that are metres apart, and for each hinge without limits, which no model is made of."""
    problems, far = [], []
    for name, joint in joints.items():
        origin = joint.find("origin")
        apart = [_number(v) for v in origin.get("xyz", "").split()] if origin is not None else []
        far += [(max(map(abs, apart)), name)] if apart and max(map(abs, apart)) > FARTHEST else []
        if joint.get("type") == "revolute" and joint.find("limit") is None:
            problems.append(f"{urdf.name}: joint {name}: no <limit>; expected lower, upper, effort and velocity")
    if far:
        metres, name = max(far)
        problems.append(
            f"{urdf.name}: joint {name} is {metres:g} m from the one before; allowed are {FARTHEST:g} m, are these "
            "millimetres, not metres?"
        )
    return problems


def _root(urdf: Path) -> ET.Element:
    """Raises ValueError naming the file, if it is not XML that can be read."""
    try:
        return ET.parse(urdf).getroot()
    except (ET.ParseError, ValueError, LookupError) as error:  # the last two of encodings
        raise ValueError(f"{urdf}: not XML that can be read ({error})") from error


def _number(text: str) -> float:
    """NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def missing_meshes(urdf: Path) -> list[str]:
    """A line for each mesh that a URDF names and that is not there; none of what `model_problems` cannot read."""
    try:
        names = {str(mesh.get("filename")) for mesh in _root(urdf).iter("mesh")}
    except ValueError:
        return []
    return [_missing(name, urdf) for name in sorted(names) if mesh_path(name, urdf) is None]


def _missing(name: str, urdf: Path) -> str:
    if name.startswith("package://"):
        return f"{urdf.name}: no mesh at {name}; looked for in {urdf.resolve().parent} and the folders above it"
    return f"{urdf.name}: no mesh at {name}; looked for at {_beside(name, urdf)}"


def _beside(name: str, urdf: Path) -> Path:
    return urdf.parent / name.removeprefix("file://")


def mesh_path(name: str, urdf: Path) -> Path | None:
    """The file that a URDF names; None where there is none."""
    if not name.startswith("package://"):
        path = _beside(name, urdf)
        return path if path.is_file() else None
    inside = Path(name.removeprefix("package://"))
    below = (inside, Path(*inside.parts[1:]))
    found = (parent / part for parent in urdf.resolve().parents for part in below)
    return next((path for path in found if path.is_file()), None)
