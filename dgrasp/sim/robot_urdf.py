"""The robot as one URDF: UR10 from `example-robot-data`, with a 2F-140 and a D415 made of primitives.

The text and low-poly meshes are derived once and kept in the user's cache: convex hulls of 100 faces for
collision, 400 faces a link for rendering (the published visuals have 116,000, and make small images ten times slower).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import trimesh

from dgrasp.cache import build_once
from dgrasp.cell import gripper as g
from dgrasp.cell import ur10
from dgrasp.cell.hand import CAMERA_CENTRE, CAMERA_SIZE

VISUAL_FACES = 400
HULL_FACES = 100
MODEL_VERSION = 5  # raise when the derivation below changes: it names the cache folder
SIDES = {"left": -1.0, "right": 1.0}  # sign of x
CRANKS = tuple(f"{side}_crank_joint" for side in SIDES)  # outer knuckles; the left one is driven
FINGERS = tuple(f"{side}_finger_joint" for side in SIDES)
INNER_KNUCKLE = (0.010, 0.026, 0.106)  # drawn size, bounds of the published mesh
COLOURS = {
    "arm": "0.72 0.75 0.78 1",
    "dark": "0.16 0.17 0.19 1",
    "metal": "0.55 0.56 0.58 1",
    "camera": "0.82 0.82 0.84 1",
}
# Masses: real gripper about 1.0 kg (product sheet); the ROS model's links sum to 0.364, so its base is made heavier.
MASSES = {"gripper": 0.90, "crank": 0.031, "finger": 0.033, "camera": 0.072}
# kg m^2 added to the links' own inertia: what a geared motor reflects to its output. Without it the solver cannot pass
# the motor's torque through so light a linkage (16 N instead of 60 N at the pads); with it the force is the set one.
ARMATURE = {"crank": 0.004, "finger": 0.001}


@cache
def robot_urdf() -> Path:
    """Path of the complete robot's URDF (built on first use)."""
    text = _gripper_xml()
    key = hashlib.sha256(
        f"{MODEL_VERSION}{text}{importlib.metadata.version('example-robot-data')}".encode()
    ).hexdigest()
    return build_once(f"robot-{key[:12]}", _build) / "robot.urdf"


def _source_urdf() -> Path:
    files = importlib.metadata.files("example-robot-data") or []
    found = [f for f in files if f.as_posix().endswith("ur_description/urdf/ur10_robot.urdf")]
    if not found:
        raise FileNotFoundError(
            "example-robot-data is installed without ur_description/urdf/ur10_robot.urdf; reinstall it"
        )
    return Path(str(found[0].locate()))


def _build(folder: Path) -> None:
    source = _source_urdf()
    robot = ET.fromstring(source.read_text(encoding="utf-8"))
    dropped = {
        "ee_link",
        "base",
        "tool0",
        "ee_fixed_joint",
        "base_link-base_fixed_joint",
        "wrist_3_link-tool0_fixed_joint",
    }
    for element in list(robot):
        if element.tag not in ("link", "joint") or element.get("name") in dropped:
            robot.remove(element)
    for link in robot.findall("link"):
        _simplify_meshes(link, source.parents[1] / "meshes" / "ur10" / "collision", folder)
    robot.extend(ET.fromstring(_gripper_xml()))
    ET.indent(robot)
    (folder / "robot.urdf").write_text(ET.tostring(robot, encoding="unicode"), encoding="utf-8")


def _simplify_meshes(link: ET.Element, meshes: Path, folder: Path) -> None:
    for kind, faces in (("visual", VISUAL_FACES), ("collision", HULL_FACES)):
        for element in link.findall(kind):
            mesh = element.find("geometry/mesh")
            assert mesh is not None
            stem = re.sub(r".*/(\w+)\.\w+$", r"\1", mesh.get("filename", ""))
            shape = trimesh.load_mesh(meshes / f"{stem}.stl")
            shape = shape.convex_hull if kind == "collision" else shape
            if len(shape.faces) > faces:
                shape = shape.simplify_quadric_decimation(face_count=faces)
            shape = shape.convex_hull if kind == "collision" else shape
            if kind == "visual":
                shape = trimesh.graph.smooth_shade(shape, angle=0.5)  # rad: edges sharper than this stay edges
            shape.export(folder / f"{stem}_{kind}.obj", include_normals=True)
            mesh.set("filename", f"{stem}_{kind}.obj")
            if kind == "visual":
                ET.SubElement(element, "material", name=f"{stem}_colour").append(
                    ET.Element("color", rgba=COLOURS["arm"])
                )


def urdf_inertial(
    mass: float, size: tuple[float, float, float], xyz: str = "0 0 0", rpy: str = "0 0 0", armature: float = 0.0
) -> str:
    x, y, z = (armature + mass / 12 * (sum(s * s for s in size) - size[i] ** 2) for i in range(3))
    return (
        f'<inertial><origin xyz="{xyz}" rpy="{rpy}"/><mass value="{mass}"/>'
        f'<inertia ixx="{x:.4e}" iyy="{y:.4e}" izz="{z:.4e}" ixy="0" ixz="0" iyz="0"/></inertial>'
    )


def urdf_shape(geometry: str, colour: str, xyz: str = "0 0 0", rpy: str = "0 0 0", collides: bool = True) -> str:
    origin = f'<origin xyz="{xyz}" rpy="{rpy}"/><geometry>{geometry}</geometry>'
    visual = f'<visual>{origin}<material name="{colour}"><color rgba="{COLOURS[colour]}"/></material></visual>'
    return visual + (f"<collision>{origin}</collision>" if collides else "")


def urdf_box(size: tuple[float, float, float]) -> str:
    return f'<box size="{size[0]} {size[1]} {size[2]}"/>'


def _joint(
    name: str, parent: str, child: str, xyz: str, axis: str = "", rpy: str = "0 0 0", driven: bool = False
) -> str:
    """Fixed without an axis; followers of the linkage are continuous, since their gears limit them."""
    kind = ("revolute" if driven else "continuous") if axis else "fixed"
    limit = f'<limit lower="0" upper="{g.Q_CLOSED:.6f}" effort="100" velocity="{g.CRANK_SPEED}"/>' if driven else ""
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{xyz}" rpy="{rpy}"/>{f"""<axis xyz="{axis}"/>""" if axis else ""}{limit}</joint>'
    )


def _gripper_xml() -> str:
    """Gripper and camera as links of the merged URDF (wrapped in one element)."""
    camera = " ".join(map(str, CAMERA_CENTRE))
    body = (
        urdf_shape('<cylinder radius="0.0375" length="0.0499"/>', "dark", "0 0 0.02495")
        + urdf_shape(urdf_box((0.0848, 0.024, 0.0565)), "dark", "0 0 0.07815")
        + urdf_shape(urdf_box(CAMERA_SIZE), "camera", camera)
        + urdf_shape(urdf_box((0.030, 0.030, 0.006)), "dark", "0 0.045 0.030", collides=False)  # bracket
        + urdf_inertial(MASSES["gripper"] + MASSES["camera"], (0.075, 0.085, 0.1), "0 0.005 0.05")
    )
    parts = [
        f'<link name="gripper_link">{body}</link>',
        # the flange (tool0 of the URDF), z out of it
        _joint("flange_joint", "wrist_3_link", "gripper_link", f"0 {ur10.D6} 0", rpy=f"{-math.pi / 2} 0 0"),
    ]
    for side, s in SIDES.items():
        parts += _finger(side, s)
    return "<parts>" + "".join(parts) + "</parts>"


def _finger(side: str, s: float) -> list[str]:
    """Outer knuckle (the crank) and finger with its pad. The inner knuckle carries nothing here: it is only drawn."""
    tilt, outward, up = s * g.CRANK_TILT, s * g.CRANK * math.sin(g.CRANK_TILT), g.CRANK * math.cos(g.CRANK_TILT)
    middle, size = f"{outward / 2} 0 {up / 2}", (0.0165, 0.024, 0.098)  # bounds of the published mesh
    crank = urdf_shape(urdf_box(size), "metal", middle, f"0 {tilt} 0")
    crank += urdf_inertial(MASSES["crank"], size, middle, f"0 {tilt} 0", ARMATURE["crank"])
    bar = (0.010, 0.022, g.PAD_HEIGHT + g.PAD_SIZE[2] / 2 - 0.001)  # behind the pad; published mesh, simplified
    bar_at = f"{-s * (g.PAD_INSET - g.PAD_SIZE[0] - bar[0] / 2)} 0 {bar[2] / 2 - 0.0005}"
    finger = (
        urdf_shape(urdf_box(g.PAD_SIZE), "dark", f"{-s * (g.PAD_INSET - g.PAD_SIZE[0] / 2)} 0 {g.PAD_HEIGHT}")
        + urdf_shape(urdf_box(bar), "metal", bar_at)
        + urdf_shape(urdf_box((0.026, 0.021, 0.018)), "metal", f"{-s * 0.009} 0 0.003", collides=False)
        + urdf_inertial(MASSES["finger"], bar, bar_at, armature=ARMATURE["finger"])
    )
    pivot = f"{s * g.OUTER_PIVOT[0]} 0 {g.COUPLING + g.OUTER_PIVOT[1]}"
    return [
        f'<link name="{side}_crank">{crank}</link>',
        f'<link name="{side}_finger">{finger}</link>',
        _joint(f"{side}_crank_joint", "gripper_link", f"{side}_crank", pivot, f"0 {-s} 0", driven=True),
        _joint(f"{side}_finger_joint", f"{side}_crank", f"{side}_finger", f"{outward} 0 {up}", f"0 {s} 0"),
    ]
