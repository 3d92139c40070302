"""The residual blocks in cache-sized chunks against the same blocks in autograd's operations."""

import pytest
import torch
from torch import nn

from dgrasp.nerf.blocks import ResidualBlock, initialise
from dgrasp.nerf.fast import layers
from dgrasp.nerf.fast import trunk as module
from dgrasp.nerf.fast.trunk import plain_trunk, trunk


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks per scene, the last one not full."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 3 * 6 * 8 * 2)


@pytest.fixture
def case():
    """Input, blocks per view, shared blocks, and their weights: double precision, no weight zero."""
    generator = torch.Generator().manual_seed(0)
    per_view, shared = (nn.ModuleList(ResidualBlock(6).double() for _ in range(k)) for k in (2, 3))
    for block in (*per_view, *shared):
        initialise(block, generator)
        for bias in (block.inner.bias, block.outer.bias):
            nn.init.normal_(bias, std=0.3, generator=generator)
    x = torch.randn(2, 2, 7, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = [w for block in (*per_view, *shared) for w in block.weights()]
    return x, per_view, shared, weights


def few_points(x):
    """Of one scene, in two chunks: finite differences take two passes for each number."""
    return x[:1, :, :4].detach().clone().requires_grad_()


def test_values_with_and_without_gradients(case):
    x, per_view, shared, weights = case
    expected = plain_trunk(x, 2, weights)
    assert expected.shape == (2, 7, 4, 6)
    torch.testing.assert_close(trunk(x, per_view, shared), expected, rtol=0, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(trunk(x, per_view, shared), expected, rtol=0, atol=1e-12)


def test_input_is_left_alone(case):
    x, per_view, shared, _ = case
    before = x.detach().clone()
    trunk(x, per_view, shared).sum().backward()
    assert torch.equal(x, before)


def test_gradients_of_input_and_weights(case):
    x, per_view, shared, weights = case
    upstream = torch.randn(2, 7, 4, 6, dtype=torch.float64)
    expected = torch.autograd.grad(plain_trunk(x, 2, weights), [x, *weights], upstream)
    found = torch.autograd.grad(trunk(x, per_view, shared), [x, *weights], upstream)
    for mine, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)


def test_the_last_output_alone(case):
    x, per_view, shared, weights = case
    upstream = torch.randn(2, 7, 1, 6, dtype=torch.float64)
    expected = plain_trunk(x, 2, weights)[:, :, -1:]
    found = trunk(x, per_view, shared, last=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for mine, reference in zip(
        torch.autograd.grad(found, [x, *weights], upstream),
        torch.autograd.grad(expected, [x, *weights], upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)
    x = few_points(x)
    assert torch.autograd.gradcheck(lambda x: trunk(x, per_view, shared, last=True), x, check_forward_ad=True)
    for w in weights:
        w.requires_grad_(False)
    assert torch.autograd.gradgradcheck(lambda x: trunk(x, per_view, shared, last=True).square(), x)


def test_frozen_blocks_pass_gradients_to_their_input(case):
    x, per_view, shared, weights = case
    (expected,) = torch.autograd.grad(plain_trunk(x, 2, weights).square().sum(), x)
    for w in weights:
        w.requires_grad_(False)
    (found,) = torch.autograd.grad(trunk(x, per_view, shared).square().sum(), x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_first_second_and_forward_derivatives_by_finite_differences(case):
    x, per_view, shared, _ = case
    x = few_points(x)

    def function(x):
        return trunk(x, per_view, shared)

    assert torch.autograd.gradcheck(function, x, check_forward_ad=True)
    # Piecewise linear blocks have no second derivative of their own; square the output so that there is one to check.
    assert torch.autograd.gradgradcheck(lambda x: function(x).square(), x)


def test_frozen_second_derivative_without_recomputation(case, monkeypatch):
    """J v by differentiating the slope in the incoming gradient: the exact slope loss, without the plain blocks."""
    x, per_view, shared, weights = case
    for w in weights:
        w.requires_grad_(False)
    g = torch.randn(2, 7, 4, 6, dtype=torch.float64, requires_grad=True)
    v = torch.randn_like(x)

    def pushed(out):
        (slope,) = torch.autograd.grad(out, x, g, create_graph=True)
        return torch.autograd.grad(slope, g, v)[0]

    expected = pushed(plain_trunk(x, 2, weights))
    monkeypatch.delattr(module, "plain_trunk")
    torch.testing.assert_close(pushed(trunk(x, per_view, shared)), expected, rtol=1e-10, atol=1e-10)


def test_second_derivatives_reach_the_weights(case):
    x, per_view, shared, weights = case

    def mixed(out):
        (slope,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), weights)

    for mine, reference in zip(mixed(trunk(x, per_view, shared)), mixed(plain_trunk(x, 2, weights)), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)


def test_bfloat16_sums_weight_gradients_in_float32(case):
    x, per_view, shared, weights = case
    x = x.detach().repeat(1, 1, 600, 1)
    reference = torch.autograd.grad(plain_trunk(x, 2, weights).sum(), weights)
    found = torch.autograd.grad(trunk(x.bfloat16(), per_view, shared).sum(), weights)
    for mine, expected in zip(found, reference, strict=True):
        assert (mine - expected).norm() < 0.03 * expected.norm()


def test_forward_mode_in_weights_is_refused(case):
    x, per_view, shared, _ = case
    primal = dict(per_view.named_parameters())

    def of_weights(values):
        return torch.func.functional_call(_Blocks(per_view, shared), {f"per_view.{k}": v for k, v in values.items()}, x)

    with pytest.raises(NotImplementedError, match="tangents of the blocks' input only"):
        torch.func.jvp(of_weights, (primal,), ({k: torch.ones_like(v) for k, v in primal.items()},))


class _Blocks(nn.Module):
    def __init__(self, per_view, shared):
        super().__init__()
        self.per_view, self.shared = per_view, shared

    def forward(self, x):
        return trunk(x, self.per_view, self.shared)


@pytest.mark.parametrize("fused", [True, False])
def test_frozen_layers_are_torchs_layers(fused, monkeypatch):
    """Where oneDNN has them as one operation, and where it has not."""
    monkeypatch.setattr(layers, "_fused", layers._fused if fused else lambda: False)
    torch.manual_seed(0)
    w, b, x, other = torch.randn(5, 7), torch.randn(5), torch.randn(9, 7), torch.randn(9, 5)
    layer, expected, kept = layers.FrozenLayer(w, b), x @ w.t() + b, other.clone()
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.rectified(x), expected.clamp(min=0))
    torch.testing.assert_close(layer.plus(x, other), expected + other)
    torch.testing.assert_close(layer.transposed()(other), other @ w)
    assert torch.equal(other, kept)
