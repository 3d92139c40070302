"""Volume rendering: depths along rays, compositing, and images of a scene from any camera."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.cameras import check_intrinsics, pixel_rays
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import RadianceField
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import check_poses

WEIGHT_FLOOR = 1e-5  # VisionNeRF: keeps importance samples defined where a ray met nothing


class Rendering(NamedTuple):
    """What rays saw: colour in [0, 1], expected depth along the ray (metres), and each sample's weight."""

    rgb: Float[Tensor, "*rays 3"]
    depth: Float[Tensor, "*rays"]
    weights: Float[Tensor, "*rays samples"]


def stratified_depths(
    near: float, far: float, samples: int, rays: tuple[int, ...], generator: torch.Generator | None
) -> Float[Tensor, "*rays samples"]:
    """One depth in each of `samples` equal strata of [near, far]: uniform with a generator, its centre without."""
    jitter = torch.rand(*rays, samples, generator=generator) if generator else torch.full((*rays, samples), 0.5)
    return near + (far - near) * (torch.arange(samples) + jitter) / samples


def importance_depths(
    near: float, far: float, weights: Float[Tensor, "*rays strata"], samples: int, generator: torch.Generator | None
) -> Float[Tensor, "*rays samples"]:
    """Depths distributed as the coarse weights: piecewise constant on equal strata of [near, far], ascending."""
    strata = weights.shape[-1]
    mass = weights.detach() + WEIGHT_FLOOR
    cdf = torch.cumsum(mass / mass.sum(-1, keepdim=True), dim=-1)
    shape = (*weights.shape[:-1], samples)
    jitter = torch.rand(shape, generator=generator) if generator else torch.full(shape, 0.5)
    quantile = ((torch.arange(samples) + jitter) / samples).to(cdf)
    stratum = torch.searchsorted(cdf, quantile, right=True).clamp(max=strata - 1)
    upper = cdf.gather(-1, stratum)
    share = mass.gather(-1, stratum) / mass.sum(-1, keepdim=True)
    inside = (1 - (upper - quantile) / share).clamp(0, 1)
    return near + (far - near) * (stratum + inside) / strata


def composite(
    rgb: Float[Tensor, "*rays samples 3"],
    density: Float[Tensor, "*rays samples"],
    depths: Float[Tensor, "*rays samples"],
) -> Rendering:
    """Alpha compositing with alpha = 1 - exp(-density dz); the last interval is as long as the one before.

    What no sample stopped stays black (no white background).
    """
    dz = torch.diff(depths)
    optical = density * torch.cat([dz, dz[..., -1:]], dim=-1)
    before = torch.cumsum(optical, dim=-1) - optical
    weights = torch.exp(-before) * -torch.expm1(-optical)
    return Rendering((weights[..., None] * rgb).sum(-2), (weights * depths).sum(-1), weights)


def render_rays(
    phi: MVNeRF,
    enc: EncodedViews,
    origins: Float[Tensor, "b n 3"],
    directions: Float[Tensor, "b n 3"],
    generator: torch.Generator | None = None,
) -> tuple[Rendering, Rendering]:
    """Coarse and fine rendering of rays (world, unit directions). Without a generator the samples are deterministic."""
    rays, shape = phi.config.rays, tuple(origins.shape[:2])
    coarse_map = phi.coarse.project(enc.features)
    fine_map = phi.fine.project(enc.features) if enc.fine is None else enc.fine
    depths = stratified_depths(rays.near, rays.far, rays.coarse_samples, shape, generator).to(origins)
    coarse = _render_field(phi, phi.coarse, enc, coarse_map, origins, directions, depths)
    more = importance_depths(rays.near, rays.far, coarse.weights, rays.fine_samples, generator)
    union = torch.sort(torch.cat([depths, more], dim=-1), dim=-1).values
    return coarse, _render_field(phi, phi.fine, enc, fine_map, origins, directions, union)


def _render_field(
    phi: MVNeRF,
    field: RadianceField,
    enc: EncodedViews,
    projected: Tensor,
    origins: Tensor,
    directions: Tensor,
    depths: Tensor,
) -> Rendering:
    points = origins[:, :, None] + directions[:, :, None] * depths[..., None]
    activations = phi.query(field, enc, projected, points, directions, last=True)
    return composite(*field.radiance(activations[..., -1, :]), depths)


@torch.no_grad()
def render_view(
    phi: MVNeRF,
    enc: EncodedViews,
    K: Float[Tensor, "3 3"],
    T_world_cam: Float[Tensor, "4 4"],
    width: int,
    height: int,
    rays_at_once: int = 512,
) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w"]]:
    """A novel view of one encoded scene: colours in [0, 1], and depth along the optical axis in metres.

    Deterministic. Raises ValueError unless `enc` holds exactly one scene and the camera is calibrated.
    """
    if len(enc) != 1:
        raise ValueError(f"enc: expected one scene, got {len(enc)}; select one with enc[i : i + 1]")
    for name, number in (("width", width), ("height", height), ("rays_at_once", rays_at_once)):
        if number < 1:
            raise ValueError(f"{name}: expected 1 or more, got {number}")
    check_intrinsics(K, "K", ndims=(2,))
    check_poses(T_world_cam, "T_world_cam", shape="(4, 4)", ndims=(2,))
    enc = phi.project(enc)
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    uv = torch.stack([u, v], dim=-1).reshape(-1, 2).to(K)
    origins, directions = pixel_rays(K, T_world_cam, uv)
    parts = [
        render_rays(phi, enc, o[None], d[None])[1]
        for o, d in zip(origins.split(rays_at_once), directions.split(rays_at_once), strict=True)
    ]
    rgb = torch.cat([part.rgb[0] for part in parts])
    along_axis = directions @ T_world_cam[:3, 2]
    depth = torch.cat([part.depth[0] for part in parts]) * along_axis
    return rgb.view(height, width, 3), depth.view(height, width)
