"""Convex parts of an object in an OBJ file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh


def write_parts(path: Path, hulls: list[trimesh.Trimesh], centre: np.ndarray | float = 0.0) -> None:
    """One OBJ object per convex part, about `centre` (metres): Bullet reads it as a compound of hulls."""
    lines, first = [], 1
    for i, hull in enumerate(hulls):
        lines.append(f"o part{i:02d}")
        lines += [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in hull.vertices - centre]
        lines += [f"f {a} {b} {c}" for a, b, c in hull.faces + first]
        first += len(hull.vertices)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_parts(path: Path) -> list[list[list[float]]]:
    """Vertices of each object in an OBJ file."""
    parts: list[list[list[float]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("o "):
            parts.append([])
        elif line.startswith("v "):
            parts[-1].append([float(value) for value in line.split()[1:4]])
    return parts
