"""GraspReadout: the paper's size, the shapes it takes, and slopes without jumps."""

import pytest
import torch

from dgrasp.value.readout import GraspReadout, ReadoutConfig


def test_the_paper_s_number_of_weights():
    assert sum(p.numel() for p in GraspReadout().parameters()) == 582_337


def test_one_logit_per_pose_and_errors_that_name_the_shape():
    readout = GraspReadout(queries=6, hidden=8)
    assert readout(torch.randn(2, 5, 6, 4, 8)).shape == (2, 5)
    with pytest.raises(ValueError, match=r"scene_activations.*6, 4, 8"):
        readout(torch.randn(5, 7, 4, 8))


def test_weights_come_from_the_generator():
    a, b = (GraspReadout(queries=6, hidden=8, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    c = GraspReadout(queries=6, hidden=8, generator=torch.Generator().manual_seed(4))
    x = torch.randn(3, 6, 4, 8)
    assert torch.equal(a(x), b(x)) and not torch.equal(a(x), c(x))


def _largest_slope_jump(activation: str) -> float:
    """Along a line in input space, the largest difference of slopes between neighbours that are very close."""
    readout = GraspReadout(
        ReadoutConfig(activation=activation), queries=2, hidden=4, generator=torch.Generator().manual_seed(0)
    ).double()
    generator = torch.Generator().manual_seed(1)
    origin, along = torch.randn(2, 2, 4, 4, generator=generator, dtype=torch.float64)
    t = torch.linspace(-2, 2, 40_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(readout(origin + t[:, None, None, None] * along).sum(), t)
    return float((slope.diff().abs() / slope.abs().max()).max())


@pytest.mark.parametrize("activation", ["elu", "softplus", "silu"])
def test_slopes_are_continuous_up_to_the_last_layer(activation):
    assert _largest_slope_jump(activation) < 1e-2


def test_relu_slopes_jump_so_the_test_above_can_fail():
    assert _largest_slope_jump("relu") > 1e-2
