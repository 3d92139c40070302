"""Analytic views of coloured spheres on a grey floor: what pre-training is tested on, without a simulator."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
import trimesh
from nerf_helpers import CENTRE

from dgrasp.cameras import Intrinsics, Views, pixel_rays, view_from_sphere
from dgrasp.streams import rng

FLOOR = 0.9605


@dataclass(frozen=True)
class Scene:
    """Has what Phi needs of a demonstration: views, and (for the mask) a state with objects."""

    views: Views
    state: SimpleNamespace


def scene(index: int, views: int = 4, width: int = 16, height: int = 12) -> Scene:
    """A sphere of random place, size and colour, seen from random cameras."""
    random = rng(0, "synthetic", index)
    centre = CENTRE + torch.tensor([random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15), 0.05])
    radius, colour = random.uniform(0.04, 0.09), random.uniform(0.2, 1.0, size=3)
    K = torch.as_tensor(Intrinsics.d415(width, height).matrix)
    Ts = torch.stack([view_from_sphere(CENTRE, 0.8, random.uniform(-2.6, 2.6), 0.7) for _ in range(views)])
    images = np.stack([_render(K, T, width, height, centre, radius, colour) for T in Ts])
    ball = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    T_world_object = np.eye(4)
    T_world_object[:3, 3] = centre.numpy()
    shape = SimpleNamespace(mesh=lambda: (ball.triangles.reshape(-1, 3), None))
    state = SimpleNamespace(objects=[SimpleNamespace(shape=shape, T_world_object=T_world_object)])
    return Scene(Views(images, np.stack([K.numpy()] * views), Ts.numpy()), state)


def _render(K, T_world_cam, width, height, centre, radius, colour) -> np.ndarray:
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    o, d = pixel_rays(K, T_world_cam, torch.stack([u, v], -1).reshape(-1, 2).double())
    along = ((centre - o) * d).sum(-1)
    distance = ((centre - o) - along[:, None] * d).norm(dim=-1)
    floor = o + d * ((FLOOR - o[:, 2]) / d[:, 2])[:, None]
    grey = 0.35 + 0.1 * ((floor[:, :2] * 10).floor().sum(-1) % 2)
    image = torch.where((distance < radius)[:, None], torch.as_tensor(colour), grey[:, None].expand(-1, 3))
    return (image * 255).round().to(torch.uint8).view(height, width, 3).numpy()
