"""Volume rendering: depths along rays, compositing, and images of a scene from any camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.cameras import check_intrinsics, pixel_rays
from dgrasp.nerf.config import RayConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import RadianceField
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import check_poses

Draw = Callable[[tuple[int, ...]], Tensor]  # shape -> uniform numbers in [0, 1)
Bound = float | Float[Tensor, "*#rays 1"]  # of depths: the same for all rays, or each ray's

SHORTEST = 0.001  # our choice, metres: a ray with less of it between the heights is sampled from near to far
WEIGHT_FLOOR = 1e-5  # VisionNeRF: keeps importance samples defined where a ray met nothing


def uniform(generator: torch.Generator) -> Draw:
    """Draws of a stream."""
    return lambda shape: torch.rand(shape, generator=generator)


class Rendering(NamedTuple):
    """What rays saw: colour in [0, 1], expected depth along the ray (metres), and each sample's weight."""

    rgb: Float[Tensor, "*rays 3"]
    depth: Float[Tensor, "*rays"]
    weights: Float[Tensor, "*rays samples"]


def depth_bounds(
    rays: RayConfig, origins: Float[Tensor, "*rays 3"], directions: Float[Tensor, "*rays 3"]
) -> tuple[Bound, Bound]:
    """First and last depth of samples along rays (world): where a ray lies between the heights, within near and far."""
    if rays.heights is None:
        return rays.near, rays.far
    low, high = ((z - origins[..., 2:]) / directions[..., 2:] for z in rays.heights)
    enters, leaves = (x.clamp(rays.near, rays.far) for x in (torch.minimum(low, high), torch.maximum(low, high)))
    gets_there = leaves - enters > SHORTEST  # not so for NaN, of a level ray at one of the heights
    return enters.where(gets_there, rays.near), leaves.where(gets_there, rays.far)


def stratified_depths(
    near: Bound, far: Bound, samples: int, rays: tuple[int, ...], draw: Draw | None
) -> Float[Tensor, "*rays samples"]:
    """One depth in each of `samples` equal strata of [near, far]: uniform with a `draw`, its centre without."""
    jitter = draw((*rays, samples)) if draw else torch.full((*rays, samples), 0.5)
    strata = torch.arange(samples) + jitter
    return near + (far - near) * (strata if isinstance(near, float) else strata.to(near)) / samples


def importance_depths(
    near: Bound, far: Bound, weights: Float[Tensor, "*rays strata"], samples: int, draw: Draw | None
) -> Float[Tensor, "*rays samples"]:
    """Depths distributed as the coarse weights: piecewise constant on equal strata of [near, far], ascending."""
    strata = weights.shape[-1]
    mass = weights.detach() + WEIGHT_FLOOR
    cdf = torch.cumsum(mass / mass.sum(-1, keepdim=True), dim=-1)
    shape = (*weights.shape[:-1], samples)
    jitter = draw(shape) if draw else torch.full(shape, 0.5)
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
    draw: Draw | None = None,
) -> tuple[Rendering, Rendering]:
    """Coarse and fine rendering of rays (world, unit directions). Without a `draw` samples are deterministic."""
    rays, shape = phi.config.rays, tuple(origins.shape[:2])
    coarse_map = phi.coarse.project(enc.features)
    fine_map = phi.fine.project(enc.features) if enc.fine is None else enc.fine
    near, far = depth_bounds(rays, origins, directions)
    depths = stratified_depths(near, far, rays.coarse_samples, shape, draw).to(origins)
    coarse = _render_field(phi, phi.coarse, enc, coarse_map, origins, directions, depths)
    more = importance_depths(near, far, coarse.weights, rays.fine_samples, draw)
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

    Deterministic, in the precision of Phi's weights whatever the camera's is. Raises ValueError unless `enc` holds
    exactly one scene, the camera is calibrated, and sizes are whole numbers of 1 or more.
    """
    if len(enc) != 1:
        raise ValueError(f"enc: expected one scene, got {len(enc)}; select one with enc[i : i + 1]")
    for name, number in (("width", width), ("height", height), ("rays_at_once", rays_at_once)):
        if not hasattr(number, "__index__") or number < 1:
            raise ValueError(f"{name}: expected a whole number of 1 or more, got {number!r}")
    check_intrinsics(K, "K", ndims=(2,))
    check_poses(T_world_cam, "T_world_cam", shape="(4, 4)", ndims=(2,))
    K, T_world_cam = (x.to(phi.fine.first.weight) for x in (K, T_world_cam))
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
