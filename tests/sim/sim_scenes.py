"""Poses and little scenes for the simulator's tests."""

from __future__ import annotations

import numpy as np

from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import Scene, SceneObject


def top_down(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    """T_world_tcp with the approach axis down; z in metres above the board."""
    c, s = np.cos(yaw), np.sin(yaw)
    T = np.eye(4)
    T[:3, :3] = np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])
    T[:3, 3] = x, y, BOARD_TOP + z
    return T


def box(name: str = "box", at: tuple[float, float] = (0.2, 0.0), **changes: object) -> SceneObject:
    """An upright box of 50 x 60 x 70 mm, 0.15 kg; `size`, `mass`, `friction` may differ."""
    width, length, height = changes.get("size", (0.05, 0.06, 0.07))  # type: ignore[misc]
    T = np.eye(4)
    T[:3, 3] = *at, BOARD_TOP + height / 2
    mass, friction = float(changes.get("mass", 0.15)), float(changes.get("friction", 0.5))  # type: ignore[arg-type]
    return SceneObject(name, Prism(4, width, length, height), (0.8, 0.2, 0.2), mass, friction, T)


def scene_of(*objects: SceneObject) -> Scene:
    return Scene(tuple(objects))
