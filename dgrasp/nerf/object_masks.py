"""Which pixels show an object: to measure quality where it matters, and to draw rays of training there."""

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


def pixels_of_objects(
    objects: Iterable[Solid],
    K: Float[np.ndarray, "3 3"],
    T_world_cam: Float[np.ndarray, "4 4"],
    count: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "count 2"]:
    """Pixels (u, v) of so many random points of the objects' surfaces, whatever an object's size; may lie outside.

    What stands in front of a point is not looked at: mostly an object, too. (0, 2) where there is no object.
    """
    solids = list(objects)
    if not solids:
        return np.zeros((0, 2))
    points = []
    for solid, chosen in zip(
        solids, np.bincount(random.integers(len(solids), size=count), minlength=len(solids)), strict=True
    ):
        corners = solid.shape.mesh()[0].reshape(-1, 3, 3)
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        a, b, c = corners[random.choice(len(corners), size=chosen, p=areas / areas.sum())].transpose(1, 0, 2)
        s, t = np.sqrt(random.uniform(size=(1, chosen, 1)))[0], random.uniform(size=(chosen, 1))  # even over a triangle
        p = (1 - s) * a + s * (1 - t) * b + s * t * c
        points.append(p @ solid.T_world_object[:3, :3].T + solid.T_world_object[:3, 3])
    uv, _ = project(*(torch.as_tensor(np.asarray(x, np.float64)) for x in (K, T_world_cam, np.concatenate(points))))
    return uv.numpy()
