"""The fast landscape against the same function in autograd's operations."""

from dataclasses import replace

import pytest
import torch
from value_scene import camera_views, workspace_poses

import dgrasp.value.fast as landscape_module
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.sampling import bilinear_corners, bilinear_slopes
from dgrasp.poses import representation
from dgrasp.slopes.losses import scores_and_slopes
from dgrasp.value.fast import Landscape
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryConfig, QueryPoints
from dgrasp.value.readout import GraspReadout, ReadoutConfig


def psi(
    activation: str = "elu", frame: str = "camera", fusion: str = "sum", frozen: bool = True, authors: bool = False
) -> GraspValue:
    """authors: with the two places where their code differs from ours. Always the same weights."""
    torch.manual_seed(0)
    field = {"hidden": 8, "blocks_per_view": 2, "blocks_shared": 2, "frame": frame, "position_frequencies": 3}
    if authors:
        field["directions"] = "moved"
    config = {"encoder": {"kind": "convolution", "channels": 6, "width": 4}, "field": field}
    phi = build_nerf(NerfConfig.model_validate(config)).double()
    queries = QueryPoints.from_config(QueryConfig(points_per_line=2))
    last = "relu" if authors else "same"
    widths = {
        "last_activation": last,
        "activation_features": 5,
        "query_features": 7,
        "trunk_hidden": 6,
        "trunk_features": 4,
    }
    readout = GraspReadout(
        ReadoutConfig.model_validate({"activation": activation, **widths}), queries=12, activations=3, hidden=8
    ).double()
    return GraspValue(phi, readout.requires_grad_(not frozen), queries, fusion)


def poses(n: int = 7) -> torch.Tensor:
    return workspace_poses(n, seed=3).double()


def plain(value: GraspValue, enc):
    groups = enc.single_views() if value.fusion == "sum" else enc
    return lambda T: value.logits(groups, T.expand(len(groups), *T.shape)).sum(0)


@pytest.mark.parametrize("frame", ["camera", "world"])
@pytest.mark.parametrize("activation", ["elu", "softplus", "silu", "relu"])
@pytest.mark.parametrize(("rep", "fusion"), [("quat", "sum"), ("6d", "sum"), ("quat", "network")])
def test_scores_and_slopes_equal_autograds(activation, frame, rep, fusion, monkeypatch):
    value = psi(activation, frame, fusion)
    enc, coordinates = value.encode(camera_views(2)), representation(rep)
    vectors = coordinates.from_matrix(poses())
    expected, expected_slopes = scores_and_slopes(plain(value, enc), vectors, coordinates)
    for rows in (1, 3 * 12, 1000):  # one pose at a time, three (with a shorter rest), all at once
        monkeypatch.setattr(landscape_module, "CHUNK_BYTES", rows * 8 * 8)
        fast = value.bind(enc)
        assert isinstance(fast, Landscape)
        scores, slopes = scores_and_slopes(fast, vectors, coordinates)
        torch.testing.assert_close(scores, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(slopes, expected_slopes, rtol=1e-9, atol=1e-9)
        with torch.no_grad():
            torch.testing.assert_close(fast(coordinates.to_matrix(vectors)), expected.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("frame", ["camera", "world"])
@pytest.mark.parametrize("fusion", ["sum", "network"])
def test_calibration_may_be_more_precise_than_the_weights(frame, fusion):
    """As `Views` holds it."""
    value, views = psi(frame=frame, fusion=fusion), camera_views(2)
    value.phi.float()
    value.readout.float()
    enc, T = value.encode(views), poses().float()
    K, Ts_world_cam = (torch.from_numpy(a)[None] for a in (views.K, views.Ts_world_cam))
    scores = value.bind(replace(enc, K=K, Ts_world_cam=Ts_world_cam))(T)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, value.bind(enc)(T), rtol=1e-4, atol=1e-4)


def test_options_of_the_authors_code_are_heeded():
    ours, theirs = psi(), psi(authors=True)
    views, T = camera_views(2), poses()
    score = theirs.bind(theirs.encode(views))
    torch.testing.assert_close(score(T), plain(theirs, theirs.encode(views))(T), rtol=1e-10, atol=1e-10)
    theirs.readout.load_state_dict(ours.readout.state_dict())
    assert (score(T) - ours.bind(ours.encode(views))(T)).abs().max() > 1e-6


def test_slopes_are_finite_differences():
    value = psi()
    fast = value.bind(value.encode(camera_views(2)))
    coordinates = representation("quat")
    vectors = coordinates.from_matrix(poses(4))
    _, slopes = scores_and_slopes(fast, vectors, coordinates)
    step = 1e-8  # kinks (pixels, rectifiers) are rarely that near
    for k in range(7):
        offset = torch.zeros(7, dtype=torch.float64).index_fill_(0, torch.tensor([k]), step)
        ends = (fast(coordinates.to_matrix(vectors + s * offset)) for s in (1, -1))
        difference = torch.sub(*ends) / (2 * step)
        torch.testing.assert_close(slopes[:, k], difference, rtol=1e-4, atol=1e-4)


def test_single_precision_agrees_with_double():
    value = psi()
    views = camera_views(2)
    expected = value.bind(value.encode(views))(poses())
    value.phi.float()
    value.readout.float()
    torch.testing.assert_close(
        value.bind(value.encode(views))(poses().float()).double(), expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("fusion", ["sum", "network"])
def test_trained_weights_take_autograds_path(fusion):
    value = psi(frozen=False, fusion=fusion)
    score = value.bind(value.encode(camera_views(2)))
    assert not isinstance(score, Landscape)
    T = poses().requires_grad_()
    (slope,) = torch.autograd.grad(score(T).sum(), T, create_graph=True)
    assert slope.requires_grad  # and can be differentiated again


def test_a_second_differentiation_is_refused():
    value = psi()
    T = poses().requires_grad_()
    (slope,) = torch.autograd.grad(value.bind(value.encode(camera_views(1)))(T).sum(), T, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        slope.sum().backward()


def test_slopes_of_bilinear_weights():
    uv = torch.tensor([[0.3, 1.6], [2.5, 0.0], [-1.0, 0.5], [9.0, 9.0]], dtype=torch.float64)
    leaf = uv.clone().requires_grad_()
    _, weights = bilinear_corners(leaf[None], 4, 5)
    of_u, of_v = bilinear_slopes(uv, 4, 5)
    for k in range(4):
        (expected,) = torch.autograd.grad(weights[:, k].sum(), leaf, retain_graph=True)
        inside = (uv > 0) & (uv < torch.tensor([4.0, 3.0]))
        torch.testing.assert_close(torch.stack([of_u[:, k], of_v[:, k]], -1)[inside], expected[inside])
    assert not of_u[2:].any() and not of_v[3].any()
