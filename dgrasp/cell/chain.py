"""The way from an arm's base to its flange, by its URDF: whether a description's joints are those on it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dgrasp.cell import ur10
from dgrasp.cell.description import ArmDescription
from dgrasp.cell.transforms import transform

APART = 5e-3  # m between the closed form's flange and the model's: another arm, not another edition of the same one
POSTURE = np.array([0.3, -1.1, 0.9, -0.7, 0.5, 0.4])  # rad: no two links in line, so that each length shows


def chain_problems(arm: ArmDescription, urdf: Path) -> list[str]:
    """A line for each joint that is not where the description has it; none where it fits.

    The URDF must be XML with the arm's links and joints: `dgrasp.cell.urdf.model_problems` looks at them first.
    """
    root = ET.parse(urdf).getroot()
    if problem := _numbers_problem(root):
        return [f"{urdf.name}: {problem}"]
    way = _way(root, arm.base, arm.flange)
    if way is None:
        return [f"arm: base: the way from {arm.flange!r} back does not lead to {arm.base!r} in {urdf.name}"]
    moving = [str(joint.get("name")) for joint in way if joint.get("type") != "fixed"]
    between = f"between {arm.base!r} and {arm.flange!r}"
    problems = [f"arm: joints: {name!r} is not {between}" for name in arm.joints if name not in moving]
    problems += [
        f"arm: joints: lack {name!r}, which is {between}; list it, or make it fixed in {urdf.name}"
        for name in moving
        if name not in arm.joints
    ]
    if not problems and moving != list(arm.joints):
        problems.append(f"arm: joints: expected in the order from base to flange: {', '.join(moving)}")
    return problems or _closed_form_problems(arm, way, urdf)


def _numbers_problem(root: ET.Element) -> str | None:
    """The first place or axis that is none: Pinocchio would write a page about it."""
    for element in root.iter():
        for part in (*element.findall("origin"), *element.findall("axis")):
            for key in ("xyz", "rpy"):
                try:
                    _three(part, key, "1 0 0")
                except ValueError as error:
                    name = f"{element.tag} {element.get('name') or ''}".strip()
                    return f"{name}: {part.tag}: expected three numbers, got {key}={part.get(key)!r} ({error})"
    return None


def _way(root: ET.Element, base: str, flange: str) -> list[ET.Element] | None:
    """The joints from base to flange; None where there is no such way."""
    above = {child.get("link"): joint for joint in root.iter("joint") if (child := joint.find("child")) is not None}
    way: list[ET.Element] = []
    link: str | None = flange
    while link != base:
        joint = above.get(link)
        parent = None if joint is None else joint.find("parent")
        if joint is None or parent is None or joint in way:  # the last: links in a circle
            return None
        way.insert(0, joint)
        link = parent.get("link")
    return way


def _closed_form_problems(arm: ArmDescription, way: list[ET.Element], urdf: Path) -> list[str]:
    if arm.closed_form is None:
        return []
    leave = f"leave closed_form out: {arm.closed_form} is another arm"
    if len(arm.joints) != len(POSTURE):
        return [f"arm: closed_form: has {len(POSTURE)} joints, the arm {len(arm.joints)}; {leave}"]
    off = float(np.linalg.norm(_forward(way, POSTURE)[:3, 3] - ur10.forward(POSTURE)[:3, 3]))
    if not off <= APART:
        return [f"arm: closed_form: its flange is {1000 * off:.0f} mm from that of {urdf.name}; {leave}"]
    return []


def _forward(way: list[ET.Element], q: Float[np.ndarray, "joints"]) -> Float[np.ndarray, "4 4"]:
    """`T_base_flange` by the model, the joints at `q` (radians)."""
    T, angles = np.eye(4), iter(q)
    for joint in way:
        origin = joint.find("origin")
        turn = Rotation.from_euler("xyz", _three(origin, "rpy", "0 0 0"))
        T = T @ transform(turn, tuple(_three(origin, "xyz", "0 0 0")))
        if joint.get("type") != "fixed":
            axis = _three(joint.find("axis"), "xyz", "1 0 0")
            T = T @ transform(Rotation.from_rotvec(next(angles) * axis / np.linalg.norm(axis)), (0.0, 0.0, 0.0))
    return T


def _three(element: ET.Element | None, key: str, default: str) -> Float[np.ndarray, "3"]:
    text = default if element is None else element.get(key, default)
    numbers = np.array([float(part) for part in text.split()])
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError("not three finite numbers")
    return numbers
