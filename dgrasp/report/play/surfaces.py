"""The known shapes of a scene as triangles with one colour each, for the page's view in three dimensions."""

from __future__ import annotations

import numpy as np
import trimesh
from PIL import Image

from dgrasp.sim.objects.models import load_model
from dgrasp.sim.objects.shapes import Made, Model, Prism
from dgrasp.sim.scene import Scene, SceneObject

FACES = 700  # of an object, at most: the page sorts and fills all of a scene's for every picture


def surfaces(scene: Scene) -> dict[str, np.ndarray]:
    """`vertices` (n, 3) in the world, metres; `faces` (m, 3), counter-clockwise from outside; `face_colours` (m, 3)."""
    parts = [_triangles(o) for o in scene.objects]
    first = np.cumsum([0, *(len(v) for v, _, _ in parts)])
    return {
        "vertices": _joined([v for v, _, _ in parts], np.float32),
        "faces": _joined([f + k for (_, f, _), k in zip(parts, first, strict=False)], np.int32),
        "face_colours": _joined([c for _, _, c in parts], np.uint8),
    }


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros((0, 3)), *parts]).astype(dtype)


def _triangles(o: SceneObject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices in the world, faces, and colours of an object."""
    flat = np.round(np.array(o.colour) * 255)
    if isinstance(o.shape, Prism | Made):
        corners, _ = o.shape.mesh()
        faces = np.arange(len(corners)).reshape(-1, 3)
        return _moved(corners, o), faces, np.tile(flat, (len(faces), 1))
    mesh, colours = _model(o.shape, flat)
    return _moved(mesh.vertices, o), np.asarray(mesh.faces), colours


def _moved(points: np.ndarray, o: SceneObject) -> np.ndarray:
    return points @ o.T_world_object[:3, :3].T + o.T_world_object[:3, 3]


def _model(shape: Model, flat: np.ndarray) -> tuple[trimesh.Trimesh, np.ndarray]:
    """A light mesh, and the colour of its texture nearest to each face."""
    model = load_model(shape.name)
    mesh = trimesh.load_mesh(model.visual, process=False)
    light = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)  # joins what a texture's seams tore apart
    if len(light.faces) > FACES:
        light = light.simplify_quadric_decimation(face_count=FACES)
    if model.texture is None:
        return light, np.tile(flat, (len(light.faces), 1))
    nearest = np.linalg.norm(light.triangles_center[:, None] - mesh.triangles_center[None], axis=-1).argmin(axis=1)
    uv = np.asarray(mesh.visual.uv)[mesh.faces].mean(axis=1)[nearest]  # type: ignore[union-attr]
    image = np.asarray(Image.open(model.texture, formats=("PNG", "JPEG")).convert("RGB"))
    rows = ((1 - uv[:, 1]) * image.shape[0]).astype(int).clip(0, image.shape[0] - 1)
    columns = (uv[:, 0] * image.shape[1]).astype(int).clip(0, image.shape[1] - 1)
    return light, image[rows, columns]
