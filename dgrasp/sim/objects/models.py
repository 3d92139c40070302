"""Mesh models: convex parts to touch and a light mesh to see, derived once from installed geometry and cached."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pybullet as bullet
import trimesh

from dgrasp.cache import build_once
from dgrasp.files import UserFileError, read_json, write_json
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.appearance import bake_texture, coloured_points, dress_in_pattern, write_obj
from dgrasp.sim.objects.everyday import STAND_INS, StandIn
from dgrasp.sim.objects.everyday import VERSION as STAND_IN_VERSION
from dgrasp.sim.objects.parts import read_parts, write_parts
from dgrasp.sim.objects.shapes import Model

VERSION = 5  # raise when the derivation below changes: it names the cache folders
HULL_VERTICES = 120  # at most, of a convex object; Bullet keeps thousands otherwise and becomes seven times slower


@dataclass(frozen=True)
class MeshModel:
    """A derived model. Its frame: axes of the source mesh, origin at the centre of mass of the convex parts."""

    name: str
    collision: Path  # OBJ with one convex part per object
    corners: np.ndarray  # vertices (n, 3) of all convex parts
    visual: Path  # OBJ, textured or not
    texture: Path | None
    mass: float
    friction: float
    extents: tuple[float, float, float]
    source: str

    @property
    def shape(self) -> Model:
        """The shape a scene's object has."""
        return Model(self.name, self.extents, self.source)

    def bullet_shapes(self, client: int, rgba: list[float], scale: float = 1.0) -> tuple[int, int]:
        """Create Bullet's collision and visual shapes."""
        size = [scale] * 3
        shape = bullet.createCollisionShape(
            bullet.GEOM_MESH, fileName=str(self.collision), meshScale=size, physicsClientId=client
        )
        colour = rgba if self.texture is None else [1.0, 1.0, 1.0, 1.0]
        visual = bullet.createVisualShape(
            bullet.GEOM_MESH,
            fileName=str(self.visual),
            meshScale=size,
            rgbaColor=colour,
            specularColor=[0, 0, 0],
            physicsClientId=client,
        )
        return shape, visual


def load_model(name: str) -> MeshModel:
    """Model by name; derives it on first use (seconds, once). Raises ValueError naming what exists."""
    return _load(name, ycb.textures())


@lru_cache(maxsize=64)
def _load(name: str, textures: str | None) -> MeshModel:
    """textures: where they come from, which is part of what a model is: the same name in flat colours is another."""
    if name in STAND_INS:
        return _stand_in(STAND_INS[name])
    facts = ycb.facts(name)
    geometry = build_once(f"{name}-{_key(facts.faces, facts.convex)}", lambda folder: _derive(facts, folder))
    about = read_json(geometry / "about.json")
    collision = geometry / "parts.obj"
    corners = np.array([v for part in read_parts(collision) for v in part])
    visual, texture, source = _look(facts, geometry)
    return MeshModel(
        name, collision, corners, visual, texture, facts.mass, facts.friction, tuple(about["extents"]), source
    )


def _look(facts: ycb.Facts, geometry: Path) -> tuple[Path, Path | None, str]:
    """What is drawn of a model: mesh, texture, and where that comes from."""
    if facts.pattern is not None:
        look = build_once(f"{facts.name}-{_key(facts)}", lambda folder: _pattern(facts, geometry, folder))
        return look / "visual.obj", look / "texture.png", ycb.PATTERNED
    textured = ycb.textured_obj(facts.name)
    if textured is None:
        return geometry / "visual.obj", None, ycb.FLAT
    key = hashlib.sha256(textured.read_bytes() + ycb.texture_of(textured).read_bytes()).hexdigest()[:12]
    look = build_once(f"{facts.name}-{_key(facts.faces, key)}", lambda folder: _dress(geometry, textured, folder))
    return look / "visual.obj", look / "texture.png", ycb.TEXTURED


def _pattern(facts: ycb.Facts, geometry: Path, folder: Path) -> None:
    """The decimated mesh in the object's pattern."""
    assert facts.pattern is not None
    light = trimesh.load_mesh(geometry / "visual.obj")
    dress_in_pattern(trimesh.graph.smooth_shade(light, angle=0.7), facts.colour, facts.pattern, folder)


def _stand_in(s: StandIn) -> MeshModel:
    """One of our own stand-ins: nothing to decimate, and a texture of its own."""
    folder = build_once(f"{s.name}-{_key(STAND_IN_VERSION)}", lambda draft: _make(s, draft))
    corners = np.array([v for part in read_parts(folder / "parts.obj") for v in part])
    extents = tuple(float(e) for e in np.ptp(corners, axis=0))
    visual, texture = folder / "visual.obj", folder / "texture.png"
    source = f"{s.name}: {s.source}"
    return MeshModel(s.name, folder / "parts.obj", corners, visual, texture, s.mass, s.friction, extents, source)  # type: ignore[arg-type]


def _make(s: StandIn, folder: Path) -> None:
    hulls = s.parts()
    centre = _centre_of_mass(hulls)
    drawn = s.drawn() if s.drawn else trimesh.util.concatenate(hulls)
    drawn.apply_translation(-centre)
    write_parts(folder / "parts.obj", hulls, centre)
    dress_in_pattern(trimesh.graph.smooth_shade(drawn, angle=0.7), s.colour, s.pattern, folder)


def _centre_of_mass(hulls: list[trimesh.Trimesh]) -> np.ndarray:
    volumes = np.array([h.volume for h in hulls])
    return (volumes[:, None] * np.array([h.center_mass for h in hulls])).sum(0) / volumes.sum()


def _key(*values: object) -> str:
    return hashlib.sha256(repr((VERSION, *values)).encode()).hexdigest()[:12]


def _derive(facts: ycb.Facts, folder: Path) -> None:
    """Convex parts and a decimated mesh, both about the centre of mass."""
    mesh = trimesh.load_mesh(ycb.mesh_path(facts.name))
    parts = [_extreme_points(mesh.vertices)] if facts.convex else decompose(mesh, folder)
    hulls = [trimesh.convex.convex_hull(p) for p in parts]
    centre = _centre_of_mass(hulls)
    light = mesh.simplify_quadric_decimation(face_count=facts.faces)
    light.apply_translation(-centre)
    write_obj(folder / "visual.obj", light)
    write_parts(folder / "parts.obj", hulls, centre)
    write_json(folder / "about.json", {"extents": mesh.extents.tolist(), "centre": centre.tolist()})


def _extreme_points(points: np.ndarray) -> np.ndarray:
    """The extremes in HULL_VERTICES evenly spread directions (Fibonacci's lattice): nearly the convex hull."""
    k = np.arange(HULL_VERTICES) + 0.5
    z, turn = 1 - 2 * k / HULL_VERTICES, np.pi * (1 + 5**0.5) * k
    directions = np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z], axis=1)
    directions = np.concatenate([directions, np.eye(3), -np.eye(3)])
    return points[np.unique(np.argmax(directions @ points.T, axis=1))]


def decompose(mesh: trimesh.Trimesh, folder: Path) -> list[np.ndarray]:
    """Convex decomposition by Bullet's V-HACD, in a process of its own because it talks on standard output."""
    source, target, log = folder / "in.obj", folder / "out.obj", folder / "log.txt"
    mesh.export(source)
    call = (
        "import pybullet, sys; pybullet.vhacd(*sys.argv[1:], resolution=1000000, concavity=0.0005, "
        "maxNumVerticesPerCH=32, depth=20)"
    )
    subprocess.run([sys.executable, "-c", call, str(source), str(target), str(log)], check=True, capture_output=True)
    _check_whole(target)
    parts = read_parts(target)
    for path in (source, target, log):
        path.unlink(missing_ok=True)
    return [np.array(part) for part in parts]


def _check_whole(path: Path) -> None:
    """V-HACD is silent on a full disk: its file ends then before the faces of the last part, or is not there."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    parts = [part.splitlines() for part in text.split("o ")[1:]]
    if not parts or not all(any(line.startswith("f ") for line in part) for part in parts):
        raise OSError(errno.ENOSPC, "a convex decomposition was cut off: is the disk full?", str(path))


def _dress(geometry: Path, textured: Path, folder: Path) -> None:
    """The decimated mesh with the source's texture baked into a small atlas."""
    light = trimesh.load_mesh(geometry / "visual.obj", process=False)
    centre = np.array(read_json(geometry / "about.json")["centre"])
    bake_texture(light, centre, _coloured_points(textured), folder)


def _coloured_points(textured: Path) -> tuple[np.ndarray, np.ndarray]:
    texture = ycb.texture_of(textured)
    try:
        return coloured_points(textured, texture)
    except Exception as error:  # trimesh and Pillow raise what their parsers meet, of any class
        raise UserFileError(
            f"{textured.parent}: {textured.name} and {texture.name} are not a mesh with its texture "
            f"({' '.join(str(error).split()) or type(error).__name__}); fetch the object again (`dgrasp ycb`), or "
            f"unset {ycb.ENVIRONMENT} to use flat colours"
        ) from error
