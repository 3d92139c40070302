"""Volume rendering against radiance fields whose integral has a closed form."""

import math

import numpy as np
import pytest
import torch
from nerf_helpers import calibrated

from dgrasp.cameras import pixel_rays
from dgrasp.nerf.config import NerfConfig, RayConfig
from dgrasp.nerf.rendering import (
    composite,
    depth_bounds,
    importance_depths,
    render_rays,
    render_view,
    stratified_depths,
    uniform,
)

NEAR, FAR = 0.3, 1.3


def _depths(samples):
    return stratified_depths(NEAR, FAR, samples, (1,), None).double()


def test_constant_density_slab():
    """Density s over [a, b], colour c: opacity 1 - exp(-s (b - a)), and the closed-form mean depth."""
    s, a, b = 7.0, 0.5, 0.9
    depths = _depths(20_000)
    density = s * ((depths >= a) & (depths < b)).double()
    colour = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)
    rendering = composite(colour.expand(*depths.shape, 3), density, depths)
    opacity = 1 - math.exp(-s * (b - a))
    depth = a + 1 / s - (b + 1 / s) * math.exp(-s * (b - a))  # integral of t s exp(-s (t - a)) over the slab
    torch.testing.assert_close(rendering.rgb[0], opacity * colour, rtol=0, atol=1e-3)
    assert rendering.depth.item() == pytest.approx(depth, abs=1e-3)
    assert rendering.weights.sum().item() == pytest.approx(opacity, abs=1e-3)


def test_colour_gradient_inside_a_slab():
    """Colour that grows linearly with depth integrates to the same linear function of the mean depth."""
    depths = _depths(20_000)
    density = torch.full_like(depths, 4.0)
    rendering = composite((0.5 * depths)[..., None].expand(*depths.shape, 3), density, depths)
    torch.testing.assert_close(rendering.rgb[:, 0], 0.5 * rendering.depth, rtol=1e-9, atol=0)


def test_sphere_of_constant_density():
    """A ray at distance r from the centre of a ball of radius R crosses 2 sqrt(R^2 - r^2) of it."""
    R, s, centre = 0.2, 5.0, 0.8
    depths = _depths(20_000)
    for r in (0.0, 0.1, 0.19):
        density = s * ((depths - centre).square() + r * r < R * R).double()
        rendering = composite(torch.ones(*depths.shape, 3, dtype=torch.float64), density, depths)
        assert rendering.rgb[0, 0].item() == pytest.approx(1 - math.exp(-s * 2 * math.sqrt(R * R - r * r)), abs=2e-3)


def test_an_opaque_wall_hides_what_is_behind():
    depths = _depths(100)
    density = torch.where(depths > 0.7, 1e5, 0.0).double()
    colour = torch.where(depths > 0.8, 1.0, 0.25)[..., None].expand(1, 100, 3).double()
    rendering = composite(colour, density, depths)
    torch.testing.assert_close(rendering.rgb, torch.full((1, 3), 0.25, dtype=torch.float64), rtol=0, atol=1e-6)
    assert rendering.depth.item() == pytest.approx(0.7, abs=0.02)


def test_nothing_there_is_black():
    depths = _depths(10)
    rendering = composite(torch.ones(1, 10, 3, dtype=torch.float64), torch.zeros_like(depths), depths)
    assert rendering.rgb.abs().max() == 0 and rendering.weights.abs().max() == 0


def test_stratified_depths_stay_in_their_strata():
    depths = stratified_depths(NEAR, FAR, 10, (500,), uniform(torch.Generator().manual_seed(0)))
    strata = ((depths - NEAR) / (FAR - NEAR) * 10).floor()
    assert (strata == torch.arange(10.0)).all()
    assert depths.std(0).min() > 0.02


def test_importance_depths_follow_the_weights():
    weights = torch.zeros(2000, 10)
    weights[:, 3], weights[:, 7] = 3.0, 1.0
    depths = importance_depths(NEAR, FAR, weights, 8, uniform(torch.Generator().manual_seed(0)))
    assert (depths.diff(dim=-1) >= 0).all()
    stratum = ((depths - NEAR) / (FAR - NEAR) * 10).floor().long()
    share = torch.bincount(stratum.flatten(), minlength=11)[:10] / stratum.numel()
    assert share[3].item() == pytest.approx(0.75, abs=0.01)
    assert share[7].item() == pytest.approx(0.25, abs=0.01)
    inside = depths[stratum == 3]
    middle = NEAR + 0.35 * (FAR - NEAR)
    assert inside.mean().item() == pytest.approx(middle, abs=2e-3)  # uniform within the stratum


def test_depths_lie_between_the_heights():
    """Where a ray gets there: at both ends of its depths it is at one of the heights, or at near or far."""
    rays = RayConfig(near=0.3, far=1.3, heights=(0.93, 1.2))
    directions = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0, -1], [0.2, 0, -1], [1, 0, -0.1], [1, 0, 0]]), dim=-1
    )
    origins = torch.tensor([[0.0, 0, 1.5], [0.0, 0, 1.35], [0, 0, 1.25], [0, 0, 1.3]])
    near, far = depth_bounds(rays, origins, directions)
    z = torch.cat([origins[:, 2:] + t * directions[:, 2:] for t in (near, far)], dim=1)
    torch.testing.assert_close(z[0], torch.tensor([1.2, 0.93]))
    assert near[1].item() == pytest.approx(0.3) and z[1, 1].item() == pytest.approx(0.93)  # the camera is too near
    assert z[2, 0].item() == pytest.approx(1.2) and far[2].item() == pytest.approx(1.3)  # leaves them beyond far
    assert (near[3].item(), far[3].item()) == pytest.approx((0.3, 1.3))  # never gets there
    assert depth_bounds(RayConfig(near=0.3, far=1.3), origins, directions) == (0.3, 1.3)
    depths = stratified_depths(near, far, 10, (4,), None)
    assert ((depths > near) & (depths < far)).all()


def test_samples_keep_to_the_heights(phi, enc):
    """Coarse and fine samples of a rendering: nothing above or below the heights is asked of the field."""
    phi.config = NerfConfig.model_validate(phi.config.model_dump() | {"rays": {"heights": (0.95, 1.1)}})
    asked = []
    query = phi.query
    phi.query = lambda field, enc, projected, points, *rest, **more: (
        asked.append(points) or query(field, enc, projected, points, *rest, **more)
    )
    K, Ts = calibrated(2, 1)
    origins, directions = pixel_rays(K[:, 0], Ts[:, 0], torch.tensor([[[3.0, 9.0], [12.0, 9.0]]] * 2).double())
    render_rays(phi, enc, origins, directions)
    heights = torch.cat([points[..., 2].flatten() for points in asked])
    assert len(asked) == 2 and heights.min() > 0.95 and heights.max() < 1.1


def test_importance_samples_carry_no_gradient(phi, enc):
    K, Ts = calibrated(2, 1)
    uv = torch.tensor([[[3.0, 4.0], [12.0, 9.0]]] * 2, dtype=torch.float64)
    origins, directions = pixel_rays(K[:, 0], Ts[:, 0], uv)
    phi.requires_grad_(True)
    _, fine = render_rays(phi, enc, origins, directions, uniform(torch.Generator().manual_seed(0)))
    fine.rgb.sum().backward()
    assert all(p.grad is None for p in phi.coarse.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in phi.fine.parameters())
    assert fine.weights.shape[-1] == 8 + 6


def test_render_view(phi, enc):
    K, Ts = calibrated(1, 1)
    rgb, depth = render_view(phi, enc[:1], K[0, 0], Ts[0, 0], 24, 18, rays_at_once=100)
    again, _ = render_view(phi, enc[:1], K[0, 0], Ts[0, 0], 24, 18, rays_at_once=64)
    assert rgb.shape == (18, 24, 3) and depth.shape == (18, 24)
    assert rgb.min() >= 0 and rgb.max() <= 1 and depth.max() <= FAR
    torch.testing.assert_close(rgb, again, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="expected one scene, got 2"):
        render_view(phi, enc, K[0, 0], Ts[0, 0], 24, 18)
    for sizes, message in (
        ((8.5, 18), "width: expected a whole number of 1 or more, got 8.5"),
        ((24, "18"), "height: expected a whole number of 1 or more, got '18'"),
        ((24, 18, 0), "rays_at_once: expected a whole number of 1 or more, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            render_view(phi, enc[:1], K[0, 0], Ts[0, 0], *sizes)


def test_a_view_is_rendered_from_a_more_precise_camera(phi, enc):
    """As `Views` holds it: the weights are float32, the calibration float64."""
    K, Ts = calibrated(1, 1)
    phi, enc = phi.float(), enc._map(lambda x: x.float())
    precise = render_view(phi, enc[:1], K[0, 0], Ts[0, 0], np.int64(24), 18)
    for one, other in zip(precise, render_view(phi, enc[:1], K[0, 0].float(), Ts[0, 0].float(), 24, 18), strict=True):
        assert one.dtype == torch.float32 and torch.equal(one, other)
