"""Logits of L_main with derivatives written out, against the readout in autograd's operations."""

import pytest
import torch

from dgrasp.value import layers
from dgrasp.value.readout import ACTIVATIONS, GraspReadout, ReadoutConfig

SIZES = ReadoutConfig(activation_features=8, query_features=6, trunk_hidden=16, trunk_features=8)


def readout(activation: str = "elu") -> GraspReadout:
    config = SIZES.model_copy(update={"activation": activation})
    made = GraspReadout(config, queries=3, hidden=10, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for p in made.parameters():  # biases that are not zero
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()), dtype=p.dtype)
    return made


def at(n: int = 7) -> torch.Tensor:
    return torch.randn(2, n, 3, 4, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def gradients(scores: torch.Tensor, grad: torch.Tensor, model: GraspReadout) -> list[torch.Tensor]:
    return list(torch.autograd.grad(scores, list(model.parameters()), grad))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("chunk", [1, layers.CHUNK_BYTES])
def test_scores_and_gradients_are_the_readout_s(activation, chunk, monkeypatch):
    monkeypatch.setattr(layers, "CHUNK_BYTES", 5 * 8 * 32 if chunk == 1 else chunk)  # five rows, or all
    model, a = readout(activation), at()
    grad = torch.randn(2, 7, dtype=torch.float64)
    plain, fast = model(a), layers.logits(model, a)
    torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(fast, grad, model), gradients(plain, grad, model), rtol=1e-10, atol=1e-12)


def test_poses_without_a_gradient_worth_the_name_are_left_out():
    model, a, grad = readout(), at(), torch.ones(2, 7, dtype=torch.float64)
    grad[:, 2:] = 1e-9
    without = grad.where(grad > 1e-8, 0.0)
    found = gradients(layers.logits(model, a), grad, model)
    assert all(
        torch.equal(*pair) for pair in zip(found, gradients(layers.logits(model, a, 0.0), without, model), strict=True)
    )
    exact = gradients(layers.logits(model, a, 0.0), grad, model)
    assert not torch.equal(found[0], exact[0])
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-7)


def test_it_is_for_training_the_readout_alone():
    model, a = readout(), at().requires_grad_()
    with pytest.raises(ValueError, match=r"only GraspReadout\.forward gives"):
        layers.logits(model, a).sum().backward()


@pytest.mark.parametrize(("size", "expected"), [(0.0, 0.0), (float("nan"), float("nan"))])
def test_where_no_logit_has_a_gradient_no_weight_has_one_and_what_is_no_number_is_not_hidden(size, expected):
    model, a = readout(), at()
    found = gradients(layers.logits(model, a), torch.full((2, 7), size, dtype=torch.float64), model)
    for gradient in found:
        torch.testing.assert_close(gradient, torch.full_like(gradient, expected), equal_nan=True)
