"""What Phi knows of a scene: a held-out view with its depth, and activations along a ray (notebook 2)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.nerf import EncodedViews, MVNeRF, render_view


def encode(phi: MVNeRF, views: Views) -> EncodedViews:
    """All views of one scene, encoded together."""
    images = torch.as_tensor(views.images).permute(0, 3, 1, 2).float() / 255
    K, Ts_world_cam = torch.as_tensor(views.K).float(), torch.as_tensor(views.Ts_world_cam).float()
    with torch.no_grad():
        return phi.project(phi.encode(images[None], K[None], Ts_world_cam[None]))


def novel_view(
    phi: MVNeRF, views: Views, sources: int, target: int
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
    """View `target` rendered from the first `sources` views: colours in [0, 1] and depth in metres."""
    height, width = views.images.shape[1:3]
    K, T_world_cam = torch.as_tensor(views.K[target]).float(), torch.as_tensor(views.Ts_world_cam[target]).float()
    rgb, depth = render_view(phi, encode(phi, views[:sources]), K, T_world_cam, width, height)
    return rgb.numpy(), depth.numpy()


@torch.no_grad()
def along_ray(
    phi: MVNeRF, views: Views, sources: int, p_world: Float[np.ndarray, "3"], samples: int = 240
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n a"]]:
    """Depths (m), density (1/m) and change of each scene activation (norm per metre) on a ray through a world point.

    The ray starts at the first camera that is not a source.
    """
    encoded = encode(phi, views[:sources])
    eye = torch.as_tensor(views.Ts_world_cam[sources][:3, 3]).float()
    direction = torch.nn.functional.normalize(torch.as_tensor(p_world).float() - eye, dim=0)
    depths = torch.linspace(phi.config.rays.near, phi.config.rays.far, samples)
    points = eye + depths[:, None] * direction
    a = phi.activations(encoded, points[None, None], direction[None, None])[0, 0]
    density = phi.fine.radiance(a[:, -1])[1]
    change = torch.gradient(a, spacing=(depths,), dim=0)[0].norm(dim=-1)
    return depths.numpy(), density.squeeze(-1).numpy() if density.ndim > 1 else density.numpy(), change.numpy()
