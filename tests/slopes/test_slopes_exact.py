"""The scheme without double backward through Phi: equal to plain second-order gradients, on a real Phi."""

import pytest
import torch
from value_scene import camera_views, workspace_poses

from dgrasp.nerf.config import ConvolutionEncoderConfig, FieldConfig, NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import REPRESENTATIONS, representation
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import slope_loss
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryConfig, QueryPoints
from dgrasp.value.readout import GraspReadout, ReadoutConfig

FIELD = FieldConfig(hidden=16, position_frequencies=4, direction_frequencies=2)


def small_value(dtype: torch.dtype, activation: str = "elu") -> GraspValue:
    phi = build_nerf(NerfConfig(encoder=ConvolutionEncoderConfig(channels=8, width=8), field=FIELD)).to(dtype)
    queries = QueryPoints.from_config(QueryConfig(points_per_line=2))
    readout = GraspReadout(
        ReadoutConfig(
            activation=activation, activation_features=8, query_features=8, trunk_hidden=16, trunk_features=8
        ),
        queries=len(queries),
        hidden=FIELD.hidden,
        generator=torch.Generator().manual_seed(0),
    ).to(dtype)
    return GraspValue(phi, readout, queries)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_equals_create_graph(dtype, tolerance, name):
    rep, value = representation(name), small_value(dtype)
    enc = value.encode(camera_views(1))
    p, target = (rep.from_matrix(workspace_poses(12, seed).to(dtype)) for seed in (0, 1))

    def features(T: torch.Tensor) -> torch.Tensor:
        return value.activations(enc, T[None])[0]

    weights = list(value.readout.parameters())
    plain = slope_loss(lambda T: value.readout(features(T)), p, target, rep)
    exact = exact_slope_loss(features, value.readout, p, target, rep)
    torch.testing.assert_close(exact, plain, rtol=tolerance, atol=0)
    expected, got = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights, materialize_grads=True)])
        for loss in (plain, exact)
    )
    assert float((got - expected).norm() / expected.norm()) < tolerance
    assert float(expected.norm()) > 0


def test_phi_and_poses_get_no_gradient():
    rep, value = representation("quat"), small_value(torch.float32)
    enc = value.encode(camera_views(1))
    p = rep.from_matrix(workspace_poses(4, 0)).requires_grad_()
    loss = exact_slope_loss(lambda T: value.activations(enc, T[None])[0], value.readout, p, p.detach().flip(0), rep)
    loss.backward()
    assert p.grad is None and all(w.grad is None for w in value.phi.parameters())
    assert any(w.grad is not None for w in value.readout.parameters())


def test_reduced_precision_is_refused():
    """Its roundings are larger than what second derivatives tell."""
    rep, value = representation("quat"), small_value(torch.float32)
    value.phi.with_precision("bf16")
    enc, p = value.encode(camera_views(1)), rep.from_matrix(workspace_poses(4, 0))
    with pytest.raises(ValueError, match=r"features: computed in torch\.bfloat16; .* need float32 or float64"):
        exact_slope_loss(lambda T: value.activations(enc, T[None])[0], value.readout, p, p.flip(0), rep)


def test_a_readout_without_a_way_back_or_with_nan_is_refused():
    T = workspace_poses(4, 0)
    with pytest.raises(ValueError, match="readout: not differentiable in the activations"):
        exact_slope_loss(lambda T: T, lambda a: a.new_zeros(len(a)), T, T.flip(0), "quat")
    with pytest.raises(ValueError, match=r"readout: expected one score per pose, shape \(4,\)"):
        exact_slope_loss(lambda T: T, lambda a: a[:, 0], T, T.flip(0), "quat")
    with pytest.raises(ValueError, match=r"slopes of readout\(features\): contains NaN"):
        exact_slope_loss(lambda T: T, lambda a: a.sum((1, 2)) * float("nan"), T, T.flip(0), "quat")
