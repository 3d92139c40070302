"""Pictures by Bullet's software renderer with this project's pinhole cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pybullet as bullet

from dgrasp.cameras import CV_TO_GL, Intrinsics
from dgrasp.cell.config import CellConfig
from dgrasp.cell.transforms import inverse

NEAR, FAR = 0.05, 5.0  # metres; not in the paper, wide enough for the whole cell
Numbers = np.ndarray | Sequence[float]


@dataclass(frozen=True)
class Picture:
    """RGB uint8 (h, w, 3), Bullet's depth buffer (h, w) in [0, 1], Bullet body ids (h, w; -1 for nothing)."""

    rgb: np.ndarray
    buffer: np.ndarray
    bodies: np.ndarray

    @property
    def depth(self) -> np.ndarray:
        """In metres along the optical axis (h, w); inf where nothing is."""
        return np.where(self.bodies < 0, np.inf, FAR * NEAR / (FAR - (FAR - NEAR) * self.buffer.astype(np.float64)))


@dataclass(frozen=True)
class Light:
    """Shares of light; the default is what all training images have. Shadows double the time of a picture."""

    ambient: float = 0.55
    diffuse: float = 0.45
    specular: float = 0.0
    shadow: bool = False


def projection(intrinsics: Intrinsics) -> np.ndarray:
    """OpenGL projection with pixel centres at integer coordinates, where TinyRenderer samples (rows from below)."""
    k = intrinsics
    P = np.zeros((4, 4))
    P[0, 0], P[0, 2] = 2 * k.fx / k.width, 1 - 2 * k.cx / k.width
    P[1, 1], P[1, 2] = 2 * k.fy / k.height, 2 * (k.cy + 1) / k.height - 1
    P[2, 2], P[2, 3] = -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    P[3, 2] = -1.0
    return P


def render(client: int, config: CellConfig, T_world_cam: np.ndarray, intrinsics: Intrinsics, light: Light) -> Picture:
    """One picture of the world as it stands."""
    view = CV_TO_GL @ inverse(T_world_cam)
    _, _, rgba, z, bodies = bullet.getCameraImage(
        intrinsics.width,
        intrinsics.height,
        viewMatrix=view.T.ravel().tolist(),
        projectionMatrix=projection(intrinsics).T.ravel().tolist(),
        lightDirection=config.light_direction,
        lightColor=[1.0, 1.0, 1.0],
        lightAmbientCoeff=light.ambient,
        lightDiffuseCoeff=light.diffuse,
        lightSpecularCoeff=light.specular,
        shadow=int(light.shadow),
        renderer=bullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    return _picture(rgba, z, bodies, (intrinsics.height, intrinsics.width), config.background)


def _picture(
    rgba: Numbers, z: Numbers, bodies: Numbers, shape: tuple[int, int], background: Sequence[float]
) -> Picture:
    """From what Bullet returns: arrays, or flat tuples of Python's numbers where it was built without NumPy."""
    seen = np.asarray(bodies, np.int32).reshape(shape)
    rgb = np.array(rgba, np.uint8).reshape(*shape, 4)[..., :3].copy()
    nothing = seen < 0
    rgb[nothing] = np.round(np.array(background) * 255).astype(np.uint8)
    return Picture(rgb, np.asarray(z, np.float32).reshape(shape), seen)
