"""What the doors of Psi and of the losses refuse, and that their errors say where it went wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from value_scene import HIGH, LOW, camera_views, workspace_poses

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import representation
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss, value_gradient
from dgrasp.value.config import ValueConfig
from dgrasp.value.fast import Landscape
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryConfig, QueryPoints
from dgrasp.value.readout import GraspReadout, ReadoutConfig
from dgrasp.value.samples import around_trajectories, grasp_among_negatives

NAN, INF = float("nan"), float("inf")
T = workspace_poses(5, seed=0).double()
FACTOR_OF_ROTATION = torch.nn.functional.pad(torch.ones(3, 3, dtype=torch.float64), (0, 1, 0, 1), value=0.0)


def with_pose(index: int, pose: torch.Tensor) -> torch.Tensor:
    changed = T.clone()
    changed[index] = pose
    return changed


SCALED = with_pose(3, T[3] * (1 + 0.2 * FACTOR_OF_ROTATION))
MIRRORED = with_pose(1, T[1] * T.new_tensor([-1.0, 1.0, 1.0, 1.0]))
AFFINE = with_pose(4, torch.cat([T[4, :3], torch.ones(1, 4).double()]))
WITH_NAN = with_pose(2, T[2] * NAN)


@pytest.fixture(scope="module")
def psi() -> GraspValue:
    field = {"hidden": 8, "blocks_per_view": 1, "blocks_shared": 1, "position_frequencies": 3}
    encoder = {"kind": "convolution", "channels": 4, "width": 4}
    phi = build_nerf(NerfConfig.model_validate({"encoder": encoder, "field": field})).double()
    queries = QueryPoints.from_config(QueryConfig(points_per_line=1))
    config = ReadoutConfig(activation_features=4, query_features=4, trunk_hidden=6, trunk_features=4)
    return GraspValue(phi, GraspReadout(config, queries=6, activations=2, hidden=8).double(), queries)


@pytest.fixture(scope="module")
def enc(psi):
    return psi.encode(camera_views(2))


@pytest.fixture(params=["fast", "autograd", "logits"])
def door(request, psi, enc):
    """The three ways from poses to scores."""
    psi.readout.requires_grad_(request.param != "fast")
    if request.param == "logits":
        return lambda T: psi.logits(enc, T[None])
    score = psi.bind(enc)
    assert isinstance(score, Landscape) is (request.param == "fast")
    return score


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (T[:, :3], r"4, 4\), got \((1, )?5, 3, 4\)"),
        (T[0], r"expected a tensor of shape \((scenes, )?n, 4, 4\), got"),
        (torch.zeros(5, 7).double(), r"got \((1, )?5, 7\)"),
        (T[:0], "empty"),
        (WITH_NAN, r"contains NaN or infinite entries, first nan at index \[(0, )?2, 0, 0\]"),
        (with_pose(1, T[1] * INF), r"first -?(nan|inf) at index \[(0, )?1, "),
        (SCALED, r"not a rotation at index \[(0, )?3\]: \|R\^T R - I\| up to 0.44, allowed 0.001"),
        (MIRRORED, r"not a rotation at index \[(0, )?1\]: .* determinant -1, must be 1"),
        (AFFINE, r"last row is not \(0, 0, 0, 1\) at index \[(0, )?4\], got \[1.0, 1.0, 1.0, 1.0\]"),
        (T.float(), "expected torch.float64 on cpu, as the weights of Phi, got torch.float32 on cpu"),
        (T.long(), "expected floating-point numbers, got torch.int64"),
        (T.numpy(), r"got array of shape \((1, )?5, 4, 4\)"),
    ],
)
def test_what_is_no_pose_gets_no_score(door, wrong, message):
    assert torch.isfinite(door(T)).all()
    with pytest.raises(ValueError, match="^T_world_tcp: .*" + message):
        door(wrong)


def test_rounding_is_forgiven(door):
    assert torch.isfinite(door(T * (1 + 1e-4 * FACTOR_OF_ROTATION))).all()


@pytest.mark.parametrize(
    ("views", "got"), [(None, "NoneType"), (np.zeros((2, 4, 4, 3)), "array of shape"), ([1], "list")]
)
def test_images_without_calibration_are_not_encoded(psi, views, got):
    with pytest.raises(ValueError, match=rf"views: expected Views \(images with their calibration\), got {got}"):
        psi.encode(views)


def test_images_too_small_to_interpolate_are_refused(psi):
    with pytest.raises(ValueError, match=r"images: .* 4 pixels or more, got \(2, 8\)"):
        psi.encode(camera_views(1, (8, 2)))


@pytest.mark.parametrize("frozen", [True, False])
def test_what_was_not_encoded_by_this_phi_is_not_bound(psi, enc, frozen):
    psi.readout.requires_grad_(not frozen)
    with pytest.raises(ValueError, match=r"enc: expected EncodedViews, .* got Views"):
        psi.bind(camera_views(2))
    with pytest.raises(ValueError, match="enc: expected the views of one scene, got 2 scenes"):
        psi.bind(enc[[0, 0]])
    with pytest.raises(ValueError, match="enc: projected for a field of width 5, this one has 8"):
        psi.bind(replace(enc, fine=enc.fine[..., :5]))(T)


def test_scenes_and_poses_must_match_and_fusion_exist(psi, enc):
    with pytest.raises(ValueError, match="T_world_tcp: expected poses of 1 scenes as in enc, got 3"):
        psi.logits(enc, T.expand(3, 5, 4, 4))
    with pytest.raises(ValueError, match="unknown fusion 'mean'; fusions: sum, network"):
        GraspValue(psi.phi, psi.readout, psi.queries, "mean")


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.tensor([[0.0, 1.0], [0.0, NAN]]), r"contains NaN or infinite entries, first nan at index \[1, 1\]"),
        (torch.tensor([0.0, INF]), r"first inf at index \[1\]"),
        (torch.tensor(0.0), r"shape \(..., poses\), got \(\)"),
        (torch.zeros(3, 1), r"2 poses or more, got \(3, 1\)"),
        (torch.zeros(0, 4), "empty"),
        (torch.zeros(3, 4).long(), "floating-point"),
        ([0.0, 1.0], "got list"),
    ],
)
def test_unsuitable_logits_are_named(logits, message):
    with pytest.raises(ValueError, match="^logits: .*" + message):
        grasp_ranking_loss(logits)


def test_an_unknown_main_loss_is_refused():
    with pytest.raises(ValueError, match="unknown kind 'mse'; kinds: cross_entropy, kl"):
        grasp_ranking_loss(torch.zeros(2, 3), kind="mse")


def height(T: torch.Tensor) -> torch.Tensor:
    return T[:, 2, 3]


@pytest.mark.parametrize("loss", [value_gradient, lambda value, T, rep: slope_loss(value, T, T.flip(0), rep)])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda T: height(T).detach(), "value: not differentiable"),
        (lambda T: height(T.detach()) + torch.zeros(len(T), requires_grad=True), "value: not differentiable"),
        (lambda T: T[:, :2, 3], r"value: expected one score per pose, shape \(5,\), got \(5, 2\)"),
        (lambda T: height(T)[:, None], r"shape \(5,\), got \(5, 1\)"),
        (lambda T: height(T) / (T[:, 0, 0] * 0), r"value\(poses\): contains NaN or infinite .* at index \[0\]"),
        (lambda T: (height(T) * 0).abs().sqrt(), r"slopes of value: contains NaN or infinite entries, first nan"),
        (lambda T: T.detach().numpy(), "value: .* got array"),
        (None, "value: expected a function .* got NoneType"),
    ],
)
def test_a_value_without_slopes_is_named(loss, value, message):
    with pytest.raises(ValueError, match=message):
        loss(value, T, "quat")


PAIRS = [
    (WITH_NAN, T, "poses: contains NaN"),
    (T, WITH_NAN, "targets: contains NaN"),
    (T, SCALED, "targets: rotation part is not a rotation at index"),
    (T, T[:3], r"poses, targets: expected one shape, got \(5, 4, 4\) and \(3, 4, 4\)"),
    (T, T.float(), "targets: expected torch.float64 on cpu, as the poses, got torch.float32"),
    (T.long(), T.long(), "poses: expected floating-point numbers"),
]


@pytest.mark.parametrize(("poses", "targets", "message"), PAIRS)
def test_pairs_that_do_not_go_together_are_named_by_both_slope_losses(poses, targets, message):
    for loss in (slope_loss, lambda value, *rest: exact_slope_loss(lambda T: T, value, *rest)):
        with pytest.raises(ValueError, match=message):
            loss(height, poses, targets, "6d")
    with pytest.raises(ValueError, match="eps: expected a positive number, got 0"):
        slope_loss(height, T, T, "quat", eps=0)


def test_whole_numbers_have_no_slopes():
    with pytest.raises(ValueError, match=r"poses: expected floating-point numbers, got torch\.int64"):
        value_gradient(lambda p: p.sum(-1), torch.ones(3, 2, dtype=torch.int64))


def test_the_exact_slope_loss_takes_matrices_and_refuses_features_without_a_way_back():
    rep = representation("quat")
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    pairs = (T, T.flip(0), "quat"), (rep.from_matrix(T), rep.from_matrix(T.flip(0)), rep)
    by_name, by_vector = (exact_slope_loss(lambda T: T, lambda a: weight * height(a), *pair) for pair in pairs)
    assert torch.equal(by_name, by_vector)
    with pytest.raises(ValueError, match="features: not differentiable in the poses"):
        exact_slope_loss(lambda T: T.detach(), height, T, T.flip(0), "quat")
    with pytest.raises(ValueError, match="readout: expected one score per pose"):
        exact_slope_loss(lambda T: T, lambda a: a[:, 0], T, T.flip(0), "quat")


# --- queries and samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "directions", "message"),
    [
        (torch.zeros(6, 1, 3), torch.ones(6, 3), r"directions: expected unit length, got 1.732 at index \[0\]"),
        (torch.zeros(6, 3), torch.eye(3).repeat(2, 1), r"points: expected a tensor of shape \(lines, per_line, 3\)"),
        (torch.zeros(6, 1, 3), torch.eye(3), r"directions: expected a tensor of shape \(6, 3\), got \(3, 3\)"),
        (torch.full((6, 1, 3), NAN), torch.eye(3).repeat(2, 1), "points: contains NaN"),
    ],
)
def test_query_lines_have_points_and_a_unit_direction(points, directions, message):
    with pytest.raises(ValueError, match=message):
        QueryPoints(points, directions)


def test_samples_are_drawn_round_poses_in_a_box():
    config, generator = ValueConfig(), torch.Generator().manual_seed(0)

    def draw(grasp=T, n=8, bounds=(LOW, HIGH)):
        return grasp_among_negatives(grasp, n, config.negatives, bounds, generator)

    assert draw().shape == (5, 8, 4, 4)
    for change, message in (
        ({"grasp": SCALED}, r"T_world_grasp: rotation part is not a rotation at index \[3\]"),
        ({"n": 1}, "n: expected 2 poses or more"),
        ({"bounds": (HIGH, LOW)}, "bounds: low lies above high in x, 0.527 > -0.127 m"),
    ):
        with pytest.raises(ValueError, match=message):
            draw(**change)
    with pytest.raises(ValueError, match=r"trajectories\[1\]: contains NaN"):
        around_trajectories([T, WITH_NAN], config.slope, generator)
    with pytest.raises(ValueError, match="trajectories: expected 1 trajectory or more"):
        around_trajectories([], config.slope, generator)
