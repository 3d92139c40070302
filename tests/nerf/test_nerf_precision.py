"""bfloat16 against the float32 reference."""

import pytest
import torch
from nerf_helpers import calibrated, random_queries

from dgrasp.nerf import NerfConfig, build_nerf
from dgrasp.nerf.precision import resolve_precision


def test_bfloat16_agrees_with_float32():
    config = NerfConfig.model_validate({"encoder": {"kind": "convolution", "channels": 16, "width": 8}})
    phi = build_nerf(config).requires_grad_(False)
    K, Ts = calibrated(2, 2, dtype=torch.float32)
    images = torch.rand(2, 2, 3, 18, 24, generator=torch.Generator().manual_seed(0))
    enc = phi.project(phi.encode(images, K, Ts))
    points, directions = random_queries(2, 200, dtype=torch.float32)
    points.requires_grad_()

    def evaluate(precision):
        activations = phi.with_precision(precision).activations(enc, points, directions)
        (slope,) = torch.autograd.grad(activations.float().square().sum(), points)
        return activations.detach(), slope

    (reference, slope), (rounded, rounded_slope) = evaluate("fp32"), evaluate("bf16")
    assert rounded.dtype == torch.bfloat16 and reference.dtype == torch.float32
    assert 0 < (rounded - reference).norm() < 0.01 * reference.norm()  # bfloat16 keeps 8 bits: 0.4 % per rounding
    cosine = torch.nn.functional.cosine_similarity(slope, rounded_slope, dim=-1)
    assert cosine.median() > 0.999


def test_precisions_by_name():
    assert resolve_precision("fp32") is None
    assert resolve_precision("bf16") is torch.bfloat16
    assert resolve_precision("auto") in (None, torch.bfloat16)
    with pytest.raises(ValueError, match="precisions: fp32, bf16, auto"):
        resolve_precision("fp8")
