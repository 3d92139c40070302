"""Which pixels show an object: needed only to measure quality where it matters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from skimage.draw import polygon

from dgrasp.cameras import check_intrinsics, project
from dgrasp.poses import check_poses


class Solid(Protocol):
    """A posed object with a triangle mesh: 3 vertices per triangle, object frame, metres."""

    @property
    def shape(self) -> Any: ...
    @property
    def T_world_object(self) -> np.ndarray: ...


def object_mask(
    objects: Iterable[Solid],
    K: Float[np.ndarray, "3 3"],
    T_world_cam: Float[np.ndarray, "4 4"],
    height: int,
    width: int,
) -> Bool[np.ndarray, "h w"]:
    """Pixels covered by the projected meshes (the robot may hide some of them; it is not looked at)."""
    check_intrinsics(torch.tensor(K), "K", ndims=(2,))
    check_poses(torch.tensor(T_world_cam), "T_world_cam", shape="(4, 4)", ndims=(2,))
    mask = np.zeros((height, width), dtype=bool)
    for solid in objects:
        vertices = solid.shape.mesh()[0] @ solid.T_world_object[:3, :3].T + solid.T_world_object[:3, 3]
        uv, _ = project(*(torch.as_tensor(np.asarray(x, dtype=np.float64)) for x in (K, T_world_cam, vertices)))
        for triangle in uv.numpy().reshape(-1, 3, 2):
            rows, columns = polygon(triangle[:, 1], triangle[:, 0], (height, width))
            mask[rows, columns] = True
    return mask
