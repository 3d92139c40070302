"""The two losses: known values, gradients in the weights, and use without any grasping."""

import math

import pytest
import torch
from torch import nn

from dgrasp.poses import REPRESENTATIONS, representation, uniform_poses
from dgrasp.slopes.losses import grasp_ranking_loss, part_cosines, slope_loss, value_gradient

GENERATOR = torch.Generator().manual_seed(0)
LOW, HIGH = torch.tensor([-1.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, 1.0])


def poses(n: int) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, GENERATOR).double()


class SmallValue(nn.Module):
    """A smooth function of twelve numbers of the pose matrix."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(12, 16), nn.ELU(), nn.Linear(16, 16), nn.ELU(), nn.Linear(16, 1)).double()

    def forward(self, T: torch.Tensor) -> torch.Tensor:
        return self.net(T[..., :3, :].flatten(-2)).squeeze(-1)


def test_value_loss_is_the_cross_entropy_of_the_first_pose():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [math.log(3.0), 0.0, 0.0, -1e9]])
    expected = (math.log(4) + math.log(5 / 3)) / 2
    assert float(grasp_ranking_loss(logits)) == pytest.approx(expected)
    assert float(grasp_ranking_loss(logits, kind="kl")) == pytest.approx(expected)


def test_kl_as_keras_computes_it_loses_its_gradient_where_the_grasp_is_hopeless():
    for gap, kind, moves in ((5.0, "kl", True), (30.0, "kl", False), (30.0, "cross_entropy", True)):
        logits = torch.tensor([0.0, gap], requires_grad=True)
        grasp_ranking_loss(logits, kind=kind).backward()
        assert bool(logits.grad.abs().sum() > 1e-6) is moves


def test_value_loss_needs_something_to_tell_the_grasp_from():
    with pytest.raises(ValueError, match=r"logits.*2 poses"):
        grasp_ranking_loss(torch.zeros(3, 1))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_slopes_equal_finite_differences(name):
    rep, value = representation(name), SmallValue()
    p = rep.from_matrix(poses(6))
    slope = value_gradient(value, p, rep)
    h = 1e-6
    for k in range(rep.dim):
        step = torch.zeros(rep.dim, dtype=torch.float64)
        step[k] = h
        difference = (value(rep.to_matrix(p + step)) - value(rep.to_matrix(p - step))) / (2 * h)
        torch.testing.assert_close(slope[:, k], difference.detach(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "best"), [("quat", -2.0), ("6d", -3.0)])
def test_the_best_loss_is_minus_the_number_of_parts(name, best):
    rep = representation(name)
    p, target = rep.from_matrix(poses(5)), rep.from_matrix(poses(5))
    displacement = rep.displacement(p, target)
    cosines = part_cosines(7.0 * displacement, displacement, rep.parts)
    torch.testing.assert_close(-cosines.mean(0).sum(), torch.tensor(best, dtype=torch.float64))
    torch.testing.assert_close(
        part_cosines(-displacement, displacement, rep.parts).sum(-1), torch.full((5,), best).double()
    )


def test_the_sign_of_a_target_quaternion_does_not_matter():
    rep, value = representation("quat"), SmallValue()
    p, target = rep.from_matrix(poses(5)), rep.from_matrix(poses(5))
    flipped = torch.cat([target[:, :3], -target[:, 3:]], dim=-1)
    torch.testing.assert_close(slope_loss(value, p, target, rep), slope_loss(value, p, flipped, rep))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_gradcheck_in_the_weights(name):
    rep, value = representation(name), SmallValue()
    p, target = rep.from_matrix(poses(3)), rep.from_matrix(poses(3))
    names, weights = zip(*value.named_parameters(), strict=True)

    def loss(*w: torch.Tensor) -> torch.Tensor:
        parameters = dict(zip(names, w, strict=True))
        return slope_loss(lambda T: torch.func.functional_call(value, parameters, T), p, target, rep)

    assert torch.autograd.gradcheck(loss, weights)


def test_a_landscape_on_the_plane_learns_to_point_at_its_target():
    """No grasping, no poses: the slope loss alone turns a random landscape towards the origin."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 32), nn.Softplus(), nn.Linear(32, 1))
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)

    def loss(n: int) -> torch.Tensor:
        points = 2 * torch.rand(n, 2) - 1
        return slope_loss(lambda p: net(p).squeeze(-1), points, torch.zeros_like(points))

    assert float(loss(500).detach()) > -0.5
    for _ in range(200):
        adam.zero_grad()
        loss(64).backward()
        adam.step()
    assert float(loss(500).detach()) < -0.95


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda T: T.detach()[:, 0, 0], "not differentiable"),
        (lambda T: torch.zeros(len(T), requires_grad=True), "not differentiable"),
        (lambda T: T[:, :3, 3], "one score per pose"),
        (lambda T: 1.0, "one score per pose"),
    ],
)
def test_unsuitable_values_are_named(value, message):
    rep = representation("quat")
    with pytest.raises(ValueError, match=message):
        value_gradient(value, rep.from_matrix(poses(4)), rep)


def test_poses_and_targets_must_match():
    with pytest.raises(ValueError, match="poses, targets"):
        slope_loss(SmallValue(), torch.zeros(3, 7), torch.zeros(4, 7), representation("quat"))


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_pose_matrices_are_as_good_as_vectors(name):
    rep, value = representation(name), SmallValue()
    T, T_target = poses(5), poses(5)
    p, target = rep.from_matrix(T), rep.from_matrix(T_target)
    assert torch.equal(slope_loss(value, T, T_target, name), slope_loss(value, p, target, rep))
    assert torch.equal(value_gradient(value, T, name), value_gradient(value, p, rep))


@pytest.mark.parametrize(
    ("wrong", "name", "message"),
    [
        (torch.zeros(3, 4, 4), None, r"poses: expected vectors of shape \(n, d\), got \(3, 4, 4\)"),
        (torch.zeros(7), "quat", r"poses: expected poses of shape \(n, 4, 4\) or \(n, 7\), got \(7,\)"),
        (torch.zeros(3, 9), "quat", r"poses: 'quat' vectors have shape \(n, 7\), got \(3, 9\)"),
        (torch.full((3, 7), torch.nan), "quat", "poses: contains NaN or infinite entries, first nan at index"),
        (torch.ones(3, 7), "quat", "poses: rotation part is up to 0.5 away from a 'quat' rotation"),
        (torch.ones(3, 9), "6d", "poses: rotation part is up to"),
        (2 * torch.eye(4).expand(3, 4, 4), "6d", "poses: rotation part is not a rotation"),
        (torch.zeros(0, 4, 4), "quat", "poses: empty"),
        ([1.0, 2.0], None, r"poses: expected vectors of shape \(n, d\), got list"),
        (torch.zeros(3, 7), "euler", "representations: quat, 6d"),
        (torch.zeros(3, 7), ["quat"], r"unknown pose representation \['quat'\]; representations: quat, 6d"),
    ],
)
def test_unsuitable_poses_are_named(wrong, name, message):
    with pytest.raises(ValueError, match=message):
        value_gradient(SmallValue(), wrong, name)
