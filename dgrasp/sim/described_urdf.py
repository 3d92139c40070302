"""A described cell's robot as one URDF: the arm from its own model, up to the flange, and a hand made of boxes.

Of the arm's links what collides is kept, as convex hulls, and drawn (robots' visual meshes are hundreds of times
finer than small images). The text and meshes are derived once and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import trimesh

from dgrasp.cache import build_once
from dgrasp.cell.description import ArmDescription, CellDescription
from dgrasp.cell.hand_model import Hand, hand_of
from dgrasp.cell.urdf import mesh_path, model_of_arm
from dgrasp.files import UserFileError, known_sha256
from dgrasp.sim.robot_urdf import COLOURS, HULL_FACES, SIDES, urdf_box, urdf_inertial, urdf_shape

VERSION = 1  # raise when the derivation below changes: it names the cache folder
SLIDES = tuple(f"{side}_slide" for side in SIDES)  # joints of the fingers: 0 is open, half of the opening is closed
BODY_MASS, FINGER_MASS = 0.7, 0.25  # kg; not in descriptions: like the Panda's hand, and motors' inertia with fingers
LARGEST = 3.0  # m: of a link of an arm
LIGHTEST = 0.01  # kg, of links without a mass of their own, which Bullet would not move


def described_urdf(cell: CellDescription) -> Path:
    """Path of the robot's URDF, built on first use. Raises UserFileError for a model that does not fit."""
    source = model_of_arm(cell.arm)
    about = f"{VERSION}{known_sha256(source)}{cell.arm.canonical()}{cell.gripper.canonical()}"
    key = hashlib.sha256(about.encode()).hexdigest()[:12]
    return build_once(f"robot-{key}", lambda folder: _build(cell, source, folder)) / "robot.urdf"


def efforts(arm: ArmDescription, urdf: Path) -> list[float]:
    """What the arm's joints give at most, N m, by its model."""
    joints = {joint.get("name"): joint.find("limit") for joint in ET.parse(urdf).getroot().findall("joint")}
    found = [joints[name] for name in arm.joints]
    return [float("inf") if limit is None else float(limit.get("effort", "inf")) for limit in found]


def _build(cell: CellDescription, source: Path, folder: Path) -> None:
    root = ET.parse(source).getroot()
    robot = ET.Element("robot", name="described")
    links, joints = _chain(root, cell.arm, source)
    for link in links:
        robot.append(_link(link, source, folder))
    for joint in joints:
        robot.append(joint)
    robot.extend(ET.fromstring(_hand_xml(cell, hand_of(cell.gripper))))
    ET.indent(robot)
    (folder / "robot.urdf").write_text(ET.tostring(robot, encoding="unicode"), encoding="utf-8")


def _chain(root: ET.Element, arm: ArmDescription, source: Path) -> tuple[list[ET.Element], list[ET.Element]]:
    """Links and joints from the base to the flange, in order; what hangs on them besides is left out."""
    above = {_end(joint, "child"): joint for joint in root.findall("joint")}
    joints: list[ET.Element] = []
    at = arm.flange
    while at != arm.base:
        if at not in above:
            raise UserFileError(f"arm: {source.name}: no joints lead from {arm.base} to {arm.flange}")
        joints.insert(0, above[at])
        at = _end(above[at], "parent")
    moving = [str(j.get("name")) for j in joints if j.get("type") != "fixed"]
    if moving != list(arm.joints):
        raise UserFileError(
            f"arm: joints: {', '.join(arm.joints)}; between {arm.base} and {arm.flange} {source.name} moves "
            f"{', '.join(moving)}"
        )
    named = {link.get("name"): link for link in root.findall("link")}
    return [named[arm.base], *(named[_end(joint, "child")] for joint in joints)], joints


def _end(joint: ET.Element, which: str) -> str:
    found = joint.find(which)
    return "" if found is None else str(found.get("link"))


def _link(link: ET.Element, source: Path, folder: Path) -> ET.Element:
    """The link with its mass and hulls, which are drawn as they collide."""
    made = ET.Element("link", name=str(link.get("name")))
    inertial = link.find("inertial")
    mass = None if inertial is None else inertial.find("mass")
    if inertial is not None and mass is not None and float(mass.get("value", 0)) > 0:
        made.append(inertial)
    else:
        made.append(ET.fromstring(urdf_inertial(LIGHTEST, (0.05, 0.05, 0.05))))
    for i, shape in enumerate(link.findall("collision") or link.findall("visual")):
        for kind in ("visual", "collision"):
            made.append(_hull(shape, kind, f"{link.get('name')}_{i}", source, folder))
    return made


def _hull(shape: ET.Element, kind: str, stem: str, source: Path, folder: Path) -> ET.Element:
    made = ET.Element(kind)
    if (origin := shape.find("origin")) is not None:
        made.append(origin)
    geometry = shape.find("geometry")
    assert geometry is not None
    mesh = geometry.find("mesh")
    if mesh is not None:
        geometry = ET.Element("geometry")
        ET.SubElement(geometry, "mesh", filename=_hull_file(mesh, stem, source, folder))
    made.append(geometry)
    if kind == "visual":
        ET.SubElement(ET.SubElement(made, "material", name="arm"), "color", rgba=COLOURS["arm"])
    return made


def _hull_file(mesh: ET.Element, stem: str, source: Path, folder: Path) -> str:
    """Name of the file with the mesh's convex hull, which is made once for what is drawn and what collides."""
    name = f"{stem}.obj"
    if not (folder / name).is_file():
        path = mesh_path(str(mesh.get("filename")), source)
        assert path is not None  # `model_of_arm` has looked
        try:
            hull = trimesh.load_mesh(path).convex_hull
        except ImportError as error:  # of the formats that arms come in, COLLADA alone needs another package
            advice = f"convert it to .stl or .obj, or install what reads {path.suffix} ({error})"
            raise UserFileError(f"arm: {path}: cannot be read here; {advice}") from error
        except Exception as error:  # whatever readers of a dozen formats raise at files that are none
            raise UserFileError(f"arm: {path}: not a mesh that can be read ({error})") from error
        hull.apply_scale([float(s) for s in mesh.get("scale", "1 1 1").split()])
        if (size := float(hull.extents.max())) > LARGEST:
            said = 'are these millimetres? Then the URDF states scale="0.001 0.001 0.001"'
            raise UserFileError(f"arm: {path}: {size:.4g} m large, expected {LARGEST:g} m or less; {said}")
        if len(hull.faces) > HULL_FACES:
            hull = hull.simplify_quadric_decimation(face_count=HULL_FACES).convex_hull
        smooth = trimesh.graph.smooth_shade(hull, angle=0.5)  # rad: edges sharper than this stay edges
        smooth.export(folder / name, include_normals=True)
    return name


def _hand_xml(cell: CellDescription, hand: Hand) -> str:
    """The body with x along the closing axis, and two fingers that slide along it (wrapped in one element)."""
    assert hand.body is not None
    x, y, _ = cell.gripper.closing_axis
    centre = f"0 0 {hand.body[2] / 2}"
    body = urdf_shape(urdf_box(hand.body), "dark", centre) + urdf_inertial(BODY_MASS, hand.body, centre)
    parts = [
        f'<link name="gripper_link">{body}</link>',
        f'<joint name="flange_joint" type="fixed"><parent link="{cell.arm.flange}"/><child link="gripper_link"/>'
        f'<origin xyz="0 0 0" rpy="0 0 {math.atan2(y, x)}"/></joint>',
    ]
    for side, sign in SIDES.items():
        parts += _finger(side, sign, hand)
    return "<parts>" + "".join(parts) + "</parts>"


def _finger(side: str, sign: float, hand: Hand) -> list[str]:
    thick, _, long = hand.finger
    assert hand.body is not None
    middle = f"{sign * thick / 2} 0 {long / 2}"
    link = urdf_shape(urdf_box(hand.finger), "metal", middle) + urdf_inertial(FINGER_MASS, hand.finger, middle)
    return [
        f'<link name="{side}_finger">{link}</link>',
        f'<joint name="{side}_slide" type="prismatic"><parent link="gripper_link"/><child link="{side}_finger"/>'
        f'<origin xyz="{sign * hand.opening / 2} 0 {hand.body[2]}" rpy="0 0 0"/><axis xyz="{-sign} 0 0"/>'
        f'<limit lower="0" upper="{hand.opening / 2}" effort="1000" velocity="{np.ceil(hand.speed[1])}"/></joint>',
    ]
