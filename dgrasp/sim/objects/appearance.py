"""Light meshes that keep their looks: flat OBJ files, and textures baked into an atlas with one cell per triangle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

CELL = 8  # texels a side per triangle; a triangle of 1,200 covers about 6 mm on an object of 100 mm
SAMPLES = 200_000  # coloured points on the source's surface


def write_obj(path: Path, mesh: trimesh.Trimesh) -> None:
    """Write a mesh with normals, smooth but for edges sharper than 0.7 rad (else the renderer draws it black)."""
    shaded = trimesh.graph.smooth_shade(mesh, angle=0.7)
    path.write_text(
        trimesh.exchange.obj.export_obj(shaded, include_normals=True, include_texture=False), encoding="utf-8"
    )


def bake_texture(
    light: trimesh.Trimesh, centre: np.ndarray, source: tuple[np.ndarray, np.ndarray], folder: Path
) -> None:
    """Write `visual.obj`, `visual.mtl`, `texture.png`: the light mesh coloured by the nearest point of the source.

    source: its points and their colours. `centre` is what was subtracted from the source's coordinates to get the
    light mesh's.
    """
    points, colours = source
    faces = light.triangles  # (n, 3, 3)
    side = int(np.ceil(np.sqrt(len(faces))))
    size = side * CELL
    u, v = np.meshgrid((np.arange(CELL) - 1) / (CELL - 3), (np.arange(CELL) - 1) / (CELL - 3))
    u, v = np.clip(u, 0, 1), np.clip(v, 0, 1)
    over = np.maximum(u + v, 1.0)
    weights = np.stack([1 - u / over - v / over, u / over, v / over], axis=-1)
    where = np.einsum("vuk,nkc->nvuc", weights, faces) + centre
    nearest = cKDTree(points).query(where.reshape(-1, 3))[1]
    cells = colours[nearest].reshape(len(faces), CELL, CELL, 3)
    atlas = np.zeros((size, size, 3), dtype=np.uint8)
    uv = np.zeros((len(faces), 3, 2))
    corner = np.array([[1.5, 1.5], [CELL - 1.5, 1.5], [1.5, CELL - 1.5]])
    for i, cell in enumerate(cells):
        row, column = divmod(i, side)
        atlas[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = cell
        uv[i] = (np.array([column, row]) * CELL + corner) / size
    Image.fromarray(atlas).save(folder / "texture.png")
    write_textured_obj(folder, light, uv)


def coloured_points(textured: Path, texture: Path) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spread points on the textured mesh and their colours (RGB uint8); raises what trimesh and Pillow do."""
    mesh = trimesh.load_mesh(textured, process=False, maintain_order=True)
    points, index = trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)
    weights = trimesh.triangles.points_to_barycentric(mesh.triangles[index], points)
    corners = np.asarray(mesh.visual.uv)[mesh.faces[index]]  # type: ignore[union-attr]
    uv = np.einsum("nk,nkc->nc", weights, corners)
    image = np.asarray(Image.open(texture, formats=("PNG", "JPEG")).convert("RGB"))
    height, width = image.shape[:2]
    columns = np.clip((uv[:, 0] % 1.0) * width, 0, width - 1).astype(int)
    rows = np.clip((1 - uv[:, 1] % 1.0) * height, 0, height - 1).astype(int)
    colours = image[rows, columns]
    seen = colours.max(axis=1) > 3  # black is the atlas between its patches, met along seams
    return points[seen], colours[seen]


def write_textured_obj(folder: Path, mesh: trimesh.Trimesh, uv: np.ndarray) -> None:
    """OBJ with a texture coordinate per corner; v counts from the image's lower edge."""
    normals = mesh.vertex_normals
    lines = ["mtllib visual.mtl"]
    lines += [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in mesh.vertices]
    lines += [f"vn {x:.5f} {y:.5f} {z:.5f}" for x, y, z in normals]
    lines += [f"vt {u:.6f} {1 - v:.6f}" for u, v in uv.reshape(-1, 2)]
    lines.append("usemtl texture")
    for i, face in enumerate(mesh.faces + 1):
        lines.append("f " + " ".join(f"{vertex}/{3 * i + k + 1}/{vertex}" for k, vertex in enumerate(face)))
    (folder / "visual.obj").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "visual.mtl").write_text("newmtl texture\nKd 1 1 1\nmap_Kd texture.png\n", encoding="utf-8")


def dress_in_pattern(mesh: trimesh.Trimesh, colour: tuple[float, float, float], pattern: str, folder: Path) -> None:
    """Write `visual.obj`, `visual.mtl`, `texture.png`: a mesh in one colour with a pattern wrapped round its z axis.

    pattern: "yarn" (slanting stripes), "tread" (bars), "label" (a lighter band), "plain" (slight stains only).
    """
    points = mesh.triangles - mesh.bounds.mean(axis=0)  # (n, 3, 3)
    u = np.arctan2(points[..., 1], points[..., 0]) / (2 * np.pi) + 0.5
    u = np.where(np.ptp(u, axis=1, keepdims=True) > 0.5, np.where(u < 0.5, 0.999, u), u)  # triangles across the seam
    v = (points[..., 2] - points[..., 2].min()) / max(float(np.ptp(points[..., 2])), 1e-9)
    texels = np.clip(pattern_image(colour, pattern), 0, 1)
    Image.fromarray((255 * texels).round().astype(np.uint8)).save(folder / "texture.png")
    write_textured_obj(folder, mesh, np.stack([u, v], axis=-1).clip(0.002, 0.998))


def pattern_image(colour: tuple[float, float, float], pattern: str, size: int = 128) -> np.ndarray:
    """RGB texture in [0, 1], (size, size, 3); always the same. Raises ValueError for an unknown pattern."""
    v, u = np.mgrid[0:size, 0:size] / size
    shades = {
        "yarn": 1.0 + 0.35 * np.sign(np.sin(2 * np.pi * (8 * u + 6 * v))),
        "tread": 1.0 + 0.8 * (np.sin(2 * np.pi * 24 * u) > 0.3),
        "label": np.where((v > 0.35) & (v < 0.65), 1.6, 1.0),
        "plain": np.ones((size, size)),
    }
    if pattern not in shades:
        raise ValueError(f"unknown pattern {pattern!r}; patterns: {', '.join(shades)}")
    stains = np.random.default_rng(0).normal(1.0, 0.06, (16, 16)).repeat(size // 16, 0).repeat(size // 16, 1)
    return (shades[pattern] * stains)[..., None] * np.array(colour)
