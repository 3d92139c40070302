"""Bilinear sampling against torch's own, and its derivatives of every kind against finite differences."""

import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from dgrasp.nerf.sampling import sample_bilinear


def _maps_and_pixels(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 7, 3, generator=generator, dtype=torch.float64).to(dtype)
    uv = torch.rand(2, 40, 2, generator=generator, dtype=torch.float64) * torch.tensor([9.0, 7.0]) - 1.5
    return maps, uv.to(dtype)


def test_equals_grid_sample_with_repeated_border():
    maps, uv = _maps_and_pixels()
    grid = uv / torch.tensor([6.0, 4.0]) * 2 - 1
    expected = F.grid_sample(maps.permute(0, 3, 1, 2), grid[:, :, None], padding_mode="border", align_corners=True)
    torch.testing.assert_close(sample_bilinear(maps, uv), expected[..., 0].transpose(1, 2), rtol=0, atol=1e-12)


def test_integer_pixels_are_the_map_itself():
    maps, _ = _maps_and_pixels()
    v, u = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    uv = torch.stack([u, v], -1).reshape(1, -1, 2).expand(2, -1, -1).double()
    torch.testing.assert_close(sample_bilinear(maps, uv), maps.flatten(1, 2), rtol=0, atol=0)


def test_outside_the_image_the_slope_is_zero():
    maps, _ = _maps_and_pixels()
    uv = torch.tensor([[[-3.0, 2.5], [1e6, -1e6]]] * 2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(sample_bilinear(maps, uv).sum(), uv)
    assert (slope[:, 0, 0] == 0).all() and (slope[:, 1] == 0).all()
    assert (slope[:, 0, 1] != 0).all()  # along the repeated border column the value does change with v


def test_first_second_and_forward_derivatives():
    maps, uv = _maps_and_pixels()
    uv = uv[:, :6].clamp(0.1, 3.9).requires_grad_()
    maps.requires_grad_()
    assert gradcheck(sample_bilinear, (maps, uv), check_forward_ad=True)
    assert gradgradcheck(sample_bilinear, (maps, uv))


def test_forward_mode_equals_reverse_mode():
    maps, uv = _maps_and_pixels()
    tangent = torch.ones_like(uv)
    _, forward = torch.func.jvp(lambda x: sample_bilinear(maps, x), (uv,), (tangent,))
    jacobian = torch.autograd.functional.jvp(lambda x: sample_bilinear(maps, x), uv, tangent)[1]
    torch.testing.assert_close(forward, jacobian)
