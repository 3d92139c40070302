"""Rivals of L_aux that need first derivatives alone: what would one do without second-order gradients?

    finite_difference_slope_loss   Eq. 4 with slopes from values beside each pose (as in Pang et al., arXiv 2007.03317)
    trajectory_ranking_loss        later poses of a trajectory score higher than earlier ones: values alone
    direct_slope_loss              Eq. 4 for slopes that a network says outright, and that are climbed with `climbable`
                                   (as in equilibrium matching, arXiv 2510.02300)

None is in the paper. Like the rest of this folder they know nothing of grasping, images or files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dgrasp.checks import check_finite, check_like, check_numbers, described
from dgrasp.poses import Representation
from dgrasp.poses import representation as _named
from dgrasp.slopes.losses import (
    Value,
    check_callable,
    check_pairs,
    check_positive,
    check_scores,
    cosine_loss,
    pose_vectors,
)
from dgrasp.slopes.modes import call_value, no_autocast, own_modes

Field = Callable[[Tensor], tuple[Tensor, Tensor]]
STEP, ROTATION_STEP = 1e-3, 5e-3  # our choice: a millimetre; half a degree. In float32 a tenth of it drowns in rounding


def finite_difference_slopes(
    value: Value,
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    representation: Representation | str | None = None,
    *,
    step: float = STEP,
    rotation_step: float = ROTATION_STEP,
) -> Float[Tensor, "n d"]:
    """`value_gradient` by central differences: two values for each of the d coordinates, and no derivative.

    The result is differentiable in the parameters of `value`, once. step: of each coordinate, in the poses' unit
    (metres); rotation_step: of the rotation's coordinates. Raises ValueError for steps that are not positive, and for
    poses and scores as `value_gradient` does.
    """
    check_callable(value)
    for name, size in (("step", step), ("rotation_step", rotation_step)):
        check_positive(size, name)
    rep = None if representation is None else _named(representation)
    with no_autocast():
        p = pose_vectors(poses, rep, "poses").detach()
        sizes = p.new_full((p.shape[1],), step)
        if rep is not None:
            sizes[3:] = rotation_step
        _check_felt(p, sizes)
        beside = (p[:, None] + torch.cat([sizes.diag(), -sizes.diag()])).flatten(0, 1)
        scores = call_value(value, beside if rep is None else rep.to_matrix(beside))
        check_scores(scores, len(beside))
        check_finite(scores, "value(poses)")
        above, below = scores.unflatten(0, (len(p), 2, -1)).unbind(1)
        return (above - below) / (2 * sizes)


def _check_felt(p: Tensor, sizes: Tensor) -> None:
    """Raise ValueError for a step that rounding swallows: every slope would be 0."""
    least = float(p.abs().max()) * torch.finfo(p.dtype).eps
    if (smallest := float(sizes.min())) < least:
        raise ValueError(f"step, rotation_step: {smallest:.2g} is lost in {p.dtype}; expected {least:.2g} or more here")


def finite_difference_slope_loss(
    value: Value,
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    targets: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    representation: Representation | str | None = None,
    *,
    step: float = STEP,
    rotation_step: float = ROTATION_STEP,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """`slope_loss` with slopes by `finite_difference_slopes`: its limit as both steps go to 0.

    Costs 2 d values for each pose (14 for quaternions) and their first derivatives in the parameters; `value` may have
    ReLUs. Raises ValueError as `slope_loss` and `finite_difference_slopes` do.
    """
    rep = None if representation is None else _named(representation)
    p, p_target = check_pairs(poses, targets, rep, eps)
    slope = finite_difference_slopes(value, p, rep, step=step, rotation_step=rotation_step)
    return cosine_loss(slope, p, p_target, rep, eps)


def trajectory_ranking_loss(earlier: Float[Tensor, "n"], later: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    """Pairwise ranking along trajectories: minus the log probability that the later pose is the better one.

    earlier, later: scores of pairs of poses; that probability is the logistic function of their difference (Bradley and
    Terry 1952; RankNet). Says which way is up between two poses, and nothing of the slope at either.
    Scores in half precision are taken to float32 first. Raises ValueError for scores that are not finite, or not of one
    shape.
    """
    for name, scores in (("earlier", earlier), ("later", later)):
        check_numbers(scores, name, "(pairs,)", (1,))
    if earlier.shape != later.shape:
        raise ValueError(f"earlier, later: expected one shape, got {described(earlier)} and {described(later)}")
    earlier, later = (s if s.dtype.itemsize >= torch.float32.itemsize else s.float() for s in (earlier, later))
    return F.softplus(earlier - later).mean()


def direct_slope_loss(
    twists: Float[Tensor, "n 6"],
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    targets: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    representation: Representation | str,
    *,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """Eq. 4 for slopes that a network says outright, as `twists` (see `twist_gradient`); differentiable in them.

    They are taken to the representation's coordinates first, so that the loss compares what `slope_loss` compares.
    """
    rep = _named(representation)
    with own_modes():
        p, p_target = check_pairs(poses, targets, rep, eps)
        check_numbers(twists, "twists", f"({len(p)}, 6)", (2,), (len(p), 6))
        check_like(twists, "twists", p, "the poses")
        return cosine_loss(slopes_of_twists(p, twists, rep), p, p_target, rep, eps)


def slopes_of_twists(
    poses: Float[Tensor, "n d"], twists: Float[Tensor, "n 6"], representation: Representation
) -> Float[Tensor, "n d"]:
    """Twists as slopes in the coordinates of the representation; differentiable in the twists.

    In "6d" they are one of many slopes that a twist allows, since six numbers turn with three degrees of freedom.
    """
    with own_modes():
        p = poses.detach().clone().requires_grad_()
        T = representation.to_matrix(p)
        return torch.autograd.grad(T, p, grad_outputs=twist_gradient(T.detach(), twists), create_graph=True)[0]


def twist_gradient(T: Float[Tensor, "n 4 4"], twists: Float[Tensor, "n 6"]) -> Float[Tensor, "n 4 4"]:
    """Derivatives, in the entries of the poses, of a function that rises along `twists`.

    twists: steepest ascent in each pose's own frame, per metre along its axes and per radian about them: a function f
    with f(T exp(x)) = f(T) + twist . x to first order.
    """
    moved, turned = twists[:, :3], twists[:, 3:]
    x, y, z = turned.unbind(-1)
    o = torch.zeros_like(x)
    skew = torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=-1).unflatten(-1, (3, 3))
    R = T[:, :3, :3]
    top = torch.cat(
        [R @ skew / 2, R @ moved[..., None]], dim=-1
    )  # the product of two such matrices counts entries twice
    return torch.cat([top, torch.zeros_like(top[:, :1])], dim=1)


def climbable(field: Field) -> Value:
    """A value for `optimize_poses` whose slopes are those that `field` says, and not derivatives of its scores.

    field: pose matrices (n, 4, 4) -> scores (n,), which rank candidates, and twists (n, 6), which move them. The slopes
    need not be those of any function.
    """

    def value(T: Tensor) -> Tensor:
        with torch.no_grad():
            scores, twists = field(T.detach())
            gradient = twist_gradient(T.detach(), twists)
        directed: Tensor = _Directed.apply(T, scores, gradient)
        return directed

    return value


class _Directed(torch.autograd.Function):
    """Scores with the derivatives that are given."""

    @staticmethod
    def forward(ctx: Any, T: Tensor, scores: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return scores.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grads[0][:, None, None] * gradient, None, None
