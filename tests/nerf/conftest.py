"""Fixtures: a tiny Phi in double precision, and two encoded scenes of three views."""

import pytest
import torch
from nerf_helpers import calibrated, tiny_config

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF, build_nerf


@pytest.fixture(params=["camera", "world"])
def phi(request) -> MVNeRF:
    """With positions coded in either frame. Weights and biases are nowhere zero, so that errors show."""
    model = build_nerf(tiny_config(request.param), seed=3).double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model.requires_grad_(False)


@pytest.fixture
def enc(phi: MVNeRF) -> EncodedViews:
    generator = torch.Generator().manual_seed(11)
    images = torch.rand(2, 3, 3, 18, 24, generator=generator, dtype=torch.float64)
    return phi.encode(images, *calibrated(2, 3))
