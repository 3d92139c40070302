"""The radiance field: its code, its parameter count, its first layer."""

import math

import pytest
import torch
from nerf_helpers import random_queries, unfused_activations

from dgrasp.nerf.config import FieldConfig
from dgrasp.nerf.field import RadianceField, positional_code


def test_positional_code_has_no_identity_and_starts_at_pi():
    x = torch.tensor([[0.25, 0.5, -0.125]], dtype=torch.float64)
    angles = [math.pi * f * c for f in (1, 2) for c in x[0].tolist()]
    expected = torch.tensor([[math.sin(a) for a in angles] + [math.cos(a) for a in angles]], dtype=torch.float64)
    torch.testing.assert_close(positional_code(x, 2), expected, rtol=0, atol=1e-14)


def test_parameter_count_of_the_paper():
    field = RadianceField(FieldConfig(), feature_channels=256)
    mlp = sum(p.numel() for name, p in field.named_parameters() if not name.startswith("readout"))
    assert field.first.in_features == 379
    assert mlp == 246_784
    assert sum(p.numel() for p in field.readout.parameters()) == 128 * 4 + 4


def test_every_density_scale_starts_from_the_same_density():
    activation = torch.zeros(1, 8)
    densities = []
    for scale in (1.0, 50.0):
        field = RadianceField(FieldConfig(hidden=8, density_scale=scale), feature_channels=4)
        torch.nn.init.zeros_(field.readout.bias)
        densities.append(field.radiance(activation)[1].item())
    assert densities == pytest.approx([math.log(2)] * 2)


def test_first_layer_piece_by_piece_equals_the_plain_order(phi, enc):
    points, directions = random_queries(2, 50)
    expected = unfused_activations(phi, enc, points, directions)
    torch.testing.assert_close(phi.activations(enc, points, directions), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(phi.activations(phi.project(enc), points, directions), expected, rtol=0, atol=1e-10)
