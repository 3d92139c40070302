"""First-order rivals of L_aux: against autograd, and where the answer is known."""

import math

import pytest
import roma
import torch
from torch import nn

from dgrasp.poses import make_pose, representation, uniform_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.first_order import (
    climbable,
    direct_slope_loss,
    finite_difference_slope_loss,
    finite_difference_slopes,
    slopes_of_twists,
    trajectory_ranking_loss,
)
from dgrasp.slopes.losses import slope_loss, value_gradient

LOW, HIGH = torch.full((3,), -0.1).double(), torch.full((3,), 0.1).double()


def poses(n: int, seed: int) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ELU(), nn.Linear(8, 1), nn.Flatten(0)).double()


@pytest.mark.parametrize("name", ["quat", "6d", None])
def test_finite_differences_are_the_gradient_in_the_limit(name):
    value, T = network(), poses(5, 1)
    at = T if name else T.flatten(1)
    exact = value_gradient(value, at, name)
    coarse, fine = (
        (finite_difference_slopes(value, at, name, step=h, rotation_step=h) - exact).abs().max() for h in (2e-2, 2e-3)
    )
    assert fine < 1e-5 * exact.abs().max() and fine < coarse / 50  # second order in the step: a hundredth


@pytest.mark.parametrize("name", ["quat", "6d"])
def test_the_loss_by_finite_differences_teaches_what_the_exact_one_teaches(name):
    value, T, target = network(), poses(6, 1), poses(6, 2)
    weights = [p for p in value.parameters() if p.ndim > 1]
    exact = slope_loss(value, T, target, name)
    near = finite_difference_slope_loss(value, T, target, name, step=1e-4, rotation_step=1e-4)
    assert near.item() == pytest.approx(exact.item(), abs=1e-7)
    for a, b in zip(*(torch.autograd.grad(loss, weights) for loss in (exact, near)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["quat", "6d"])
def test_a_twist_says_how_much_is_gained_by_any_small_motion(name):
    """The slope's product with the change of the coordinates, along a motion in the pose's frame: twist . motion."""
    rep, T, h = representation(name), poses(3, 3), 1e-6
    twists, motion = (torch.randn(3, 6, generator=torch.Generator().manual_seed(k)).double() for k in (0, 1))
    moved = T @ make_pose(roma.rotvec_to_rotmat(h * motion[:, 3:]), h * motion[:, :3])
    p = rep.from_matrix(T)
    gained = (slopes_of_twists(p, twists, rep) * rep.displacement(p, rep.from_matrix(moved))).sum(-1) / h
    torch.testing.assert_close(gained, (twists * motion).sum(-1), rtol=1e-4, atol=1e-4)


def test_the_loss_of_slopes_said_outright_is_least_for_the_right_ones_and_reaches_them():
    T, target = poses(4, 1), poses(4, 2)
    twists = torch.zeros(4, 6).double().uniform_(generator=torch.Generator().manual_seed(0)).requires_grad_()
    adam = torch.optim.Adam([twists], lr=0.05)
    for _ in range(300):
        adam.zero_grad()
        loss = direct_slope_loss(twists, T, target, "quat")
        loss.backward()
        adam.step()
    # the displacement of unit quaternions leaves their sphere: its cosine with the best tangent: half the angle's
    p, q = (representation("quat").from_matrix(x)[:, 3:] for x in (T, target))
    dot = (p * q).sum(-1).abs().clamp(max=1)
    best = -1 - torch.cos(torch.acos(dot) / 2).mean()
    assert loss.item() == pytest.approx(best.item(), abs=2e-3)


def test_ranking_has_known_values_and_pushes_later_poses_up():
    zero = torch.zeros(3).requires_grad_()
    loss = trajectory_ranking_loss(zero, zero.detach())
    assert loss.item() == pytest.approx(math.log(2))
    (gradient,) = torch.autograd.grad(loss, zero)
    torch.testing.assert_close(gradient, torch.full((3,), 0.5 / 3))
    assert trajectory_ranking_loss(torch.zeros(2), torch.full((2,), 30.0)).item() < 1e-12


def test_a_field_is_climbed_although_its_scores_are_flat():
    """Twists that point to a pose lead there; the scores only rank."""
    goal = torch.tensor([0.05, -0.02, 0.03])

    def field(T: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        towards = (T[:, :3, :3].transpose(1, 2) @ (goal - T[:, :3, 3])[..., None]).squeeze(-1)
        return -(goal - T[:, :3, 3]).norm(dim=-1), torch.cat([towards, torch.zeros_like(towards)], dim=-1)

    starts = poses(16, 4).float()
    config = OptimizerConfig(steps=60, translation_rate=0.02, translation_decay=0.93, n_starts=16)
    found = optimize_poses(climbable(field), starts, config, bounds=(LOW.float(), HIGH.float()))
    assert (found.T_world_tcp[:, :3, 3] - goal).norm(dim=-1).max() < 0.015
    turned = found.T_world_tcp[:, :3, :3] - starts[found.start][:, :3, :3]
    assert turned.abs().max() < 1e-5, "no twist, no turn"


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="rotation_step: expected a positive number, got '5e-3'"):
        finite_difference_slopes(network(), poses(2, 1), "quat", rotation_step="5e-3")
    with pytest.raises(ValueError, match="step: expected a positive number, got 0"):
        finite_difference_slopes(network(), poses(2, 1), "quat", step=0)
    with pytest.raises(ValueError, match=r"step, rotation_step: 1e-30 is lost in torch.float64; expected"):
        finite_difference_slopes(network(), poses(2, 1), "quat", step=1e-30)
    with pytest.raises(ValueError, match=r"twists: expected torch.float64 on cpu, as the poses, got torch.float16"):
        direct_slope_loss(torch.zeros(2, 6).half(), poses(2, 1), poses(2, 2), "quat")
    assert trajectory_ranking_loss(torch.zeros(2).half(), torch.ones(2).half()).dtype == torch.float32
    with pytest.raises(ValueError, match="earlier, later: expected one shape"):
        trajectory_ranking_loss(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="twists: "):
        direct_slope_loss(torch.zeros(2, 5).double(), poses(2, 1), poses(2, 2), "quat")
    with pytest.raises(ValueError, match="one score per pose"):
        finite_difference_slopes(lambda T: T, poses(2, 1), "quat")
