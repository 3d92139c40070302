"""The two losses. L_main tells the demonstrated grasp from other poses; L_aux teaches the landscape its slopes.

Both stand alone. `slope_loss` takes any differentiable `value(pose) -> score`: Psi, or a function on the plane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dgrasp.checks import check_finite, check_full_precision, check_like, check_numbers, check_plain, described
from dgrasp.poses import Representation, check_poses
from dgrasp.poses import representation as _named
from dgrasp.slopes.modes import advise_on_second_derivatives, call_value, check_alone, own_modes, trackable

Value = Callable[[Tensor], Tensor]
MainLoss = Literal["cross_entropy", "kl"]
KERAS_EPSILON = 1e-7  # Keras' KLDivergence clips both distributions to [1e-7, 1]


def grasp_ranking_loss(logits: Float[Tensor, "*batch poses"], *, kind: MainLoss = "cross_entropy") -> Float[Tensor, ""]:
    """L_main, Eq. 2: softmax over the poses of a scene, of which the FIRST is the demonstrated grasp; mean over scenes.

    "cross_entropy" is `-log softmax(logits)[0]`. "kl" is the divergence of that softmax from the one-hot label as
    Keras computes it (Sec. 3.2, end): equal to the cross entropy until the grasp's probability falls below 1e-7,
    where clipping takes its gradient away. Logits in half precision are taken to float32 first.
    Raises ValueError for logits that are not finite, for another `kind`, and when there are fewer than two poses,
    since one pose has nothing to be told from.
    """
    check_numbers(logits, "logits", "(..., poses)", (max(1, getattr(logits, "ndim", 1)),))
    if logits.shape[-1] < 2:
        raise ValueError(f"logits: expected shape (..., poses) with 2 poses or more, got {tuple(logits.shape)}")
    if kind not in get_args(MainLoss):
        raise ValueError(f"unknown kind {kind!r}; kinds: {', '.join(get_args(MainLoss))}")
    precise = logits if logits.dtype.itemsize >= torch.float32.itemsize else logits.float()
    log_probability = F.log_softmax(precise, dim=-1)[..., 0]
    if kind == "kl":
        return -log_probability.exp().clamp(KERAS_EPSILON, 1.0).log().mean()
    return -log_probability.mean()


def value_gradient(
    value: Value,
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    representation: Representation | str | None = None,
    *,
    create_graph: bool = False,
) -> Float[Tensor, "n d"]:
    """`grad_p value(p)` in the coordinates of the representation: the uphill direction for every pose.

    With a representation ("quat", "6d"), `poses` are pose matrices or its pose vectors (metres; unit rotation part),
    and `value` takes pose matrices `T_world_tcp` (n, 4, 4). Without one, `poses` are plain vectors (n, d) of anything,
    and `value` takes them as they are. `value` returns one score per pose, and a pose's score must depend on that
    pose alone (no BatchNorm in training mode, no attention across poses). Gradients are on and autocast is off inside,
    whatever the caller has set. Raises ValueError for poses or scores of another shape or in half precision, poses that
    are not finite or not on the representation's manifold, scores that do not depend on the poses through autograd or
    depend on other poses, and scores or slopes that are not finite.
    """
    with own_modes():
        rep = None if representation is None else _named(representation)
        return finite_slopes(value, pose_vectors(poses, rep, "poses"), rep, create_graph=create_graph)


def finite_slopes(
    value: Value, poses: Float[Tensor, "n d"], representation: Representation | None, *, create_graph: bool
) -> Float[Tensor, "n d"]:
    """`value_gradient` of pose vectors that have been checked."""
    scores, slope = scores_and_slopes(value, poses, representation, create_graph=create_graph)
    check_finite(scores, "value(poses)")
    check_finite(slope, "slopes of value")
    return slope


def pose_vectors(
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"], representation: Representation | None, name: str
) -> Float[Tensor, "n d"]:
    """Pose matrices as vectors of the representation; vectors as they are, once they have proved to be such.

    Raises ValueError that names the argument, what it was and what is expected.
    """
    rep = representation
    got = described(poses)
    if not isinstance(poses, Tensor) or poses.ndim not in (2, 3) or (rep is None and poses.ndim == 3):
        expected = "vectors of shape (n, d)" if rep is None else f"poses of shape (n, 4, 4) or (n, {rep.dim})"
        raise ValueError(f"{name}: expected {expected}, got {got}")
    if len(poses) == 0:
        raise ValueError(f"{name}: empty, shape {got}; expected 1 pose or more")
    check_full_precision(poses, name)
    if rep is not None and poses.ndim == 3:
        return rep.from_matrix(check_poses(poses, name))
    check_numbers(poses, name, "(n, d)", (2,))
    if rep is not None:
        _check_vectors(poses, rep, name)
    return poses


def _check_vectors(poses: Tensor, rep: Representation, name: str, tolerance: float = 1e-3) -> None:
    if poses.shape[1] != rep.dim:
        raise ValueError(f"{name}: {rep.name!r} vectors have shape (n, {rep.dim}), got {tuple(poses.shape)}")
    error = float((rep.normalize(poses.detach()) - poses.detach()).abs().max())
    if not error <= tolerance:
        raise ValueError(
            f"{name}: rotation part is up to {error:.2g} away from a {rep.name!r} rotation, allowed {tolerance:g}; "
            "see Representation.normalize"
        )


def scores_and_slopes(
    value: Value,
    poses: Float[Tensor, "n d"],
    representation: Representation | None = None,
    *,
    create_graph: bool = False,
    alone: bool = False,
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
    """The scores of one forward pass and their slopes; in modes of its own (`own_modes`).

    alone: whether each score is known to depend on its own pose alone.
    """
    check_callable(value)
    with own_modes():
        p = trackable(poses).requires_grad_()
        scores = call_value(value, p if representation is None else representation.to_matrix(p))
        check_scores(scores, len(p))
        gradient = None
        if scores.requires_grad:
            if not alone:
                check_alone(value, scores, p)
            gradient = torch.autograd.grad(scores.sum(), p, create_graph=create_graph, allow_unused=True)[0]
    if gradient is None:
        raise ValueError("value: not differentiable in the poses (no autograd path from the scores back to them)")
    return scores, gradient


def check_callable(value: object) -> None:
    """Raise ValueError unless `value` is a function."""
    if not callable(value):
        raise ValueError(f"value: expected a function from poses to one score per pose, got {described(value)}")


def check_positive(number: object, name: str) -> None:
    """Raise ValueError unless it is one number, positive and finite."""
    try:
        positive = not isinstance(number, bool) and bool(0 < number < math.inf)  # type: ignore[operator]
    except (TypeError, ValueError, RuntimeError):  # what cannot be compared, and several numbers
        positive = False
    if not positive:
        raise ValueError(f"{name}: expected a positive number, got {number!r}")


def check_scores(scores: object, n: int, name: str = "value") -> None:
    """Raise ValueError unless `scores` are one per pose in full precision; name: the function that returned them."""
    if not isinstance(scores, Tensor) or scores.shape != (n,):
        raise ValueError(f"{name}: expected one score per pose, shape ({n},), got {described(scores)}")
    check_plain(scores, name)
    check_full_precision(scores, name)


def part_cosines(
    slope: Float[Tensor, "*n d"], displacement: Float[Tensor, "*n d"], parts: Sequence[slice], eps: float = 1e-6
) -> Float[Tensor, "*n parts"]:
    """Cosine similarity of slope and displacement, one per part (translation; quaternion, or each 6D column).

    `eps` is added to the slope's squared norm: the cosine's gradient grows as 1 / |slope|, and this bounds it where the
    landscape is flat (not in the paper). Vectors are scaled before they are squared: no slope that the dtype holds is
    too large.
    """
    cosines = []
    for part in parts:
        s, s_floor = _in_own_unit(slope[..., part], eps)
        d, d_floor = _in_own_unit(displacement[..., part], eps)
        norms = (s.square().sum(-1) + s_floor).sqrt() * d.square().sum(-1).clamp_min(d_floor).sqrt()
        cosines.append((s * d).sum(-1) / norms)
    return torch.stack(cosines, dim=-1)


def _in_own_unit(x: Float[Tensor, "*n d"], eps: float) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n"]]:
    """Each vector, and `eps` squared, in a unit near the larger of the two.

    Units are powers of two, so that nothing is rounded: a cosine has the same bits as without.
    """
    power = math.ldexp(0.5, math.frexp(eps)[1])  # of two: eps or a little less
    largest = x.detach().abs().amax(-1, keepdim=True).clamp_min(power)
    unit = largest / (2 * torch.frexp(largest).mantissa)
    floor = (power / unit).square() * (eps / power) ** 2
    return x / unit, floor.squeeze(-1)


def slope_loss(
    value: Value,
    poses: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    targets: Float[Tensor, "n d"] | Float[Tensor, "n 4 4"],
    representation: Representation | str | None = None,
    *,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """L_aux, Eq. 4: minus the cosine between the slope at each pose and the displacement to its target.

    The cosine is taken part by part, averaged over the poses and summed over the parts, so the best possible loss is
    minus the number of parts: -2 for quaternions (translation, rotation; q' is replaced by -q' where that is
    nearer), -3 for "6d" (translation and each column on its own, Sec. 3.3), -1 without a representation.

    Backward through the result reaches the parameters of `value` by second-order gradients, the plain way
    (`create_graph=True`); `exact_slope_loss` gives the same gradient cheaper when poses enter through a
    frozen Phi. Inside, gradients are on and autocast is off, whatever the caller has set; under `torch.no_grad` the
    result is the same number without a graph.

    What `value` needs: smooth activations (ELU, softplus, SiLU; the slopes of ReLU jump), scores in float32 or float64
    that depend on their own pose alone, and operations with a second derivative: attention by
    `sdpa_kernel(SDPBackend.MATH)`, no `torch.compile` (but its backend "eager"). Backward says so where it is missing.

    Args:
        value: differentiable score, one per pose. With a representation it takes pose matrices (n, 4, 4), without one
            the vectors (n, d) themselves.
        poses: p_t, as matrices (metres) or as vectors of the representation; without one, n points of any d-dimensional
            space in any unit.
        targets: p_t', a later pose of the same trajectory for each of `poses`, same layout.
        representation: "quat", "6d", or None for plain vectors.

    Raises:
        ValueError: poses and targets differ in shape or dtype, are in half precision, not finite or not rotations;
            `eps` is not positive or too small for their dtype; see `value_gradient` for `value`.
    """
    wanted = torch.is_grad_enabled()
    with own_modes():
        rep = None if representation is None else _named(representation)
        p, p_target = check_pairs(poses, targets, rep, eps)
        slope = finite_slopes(value, p, rep, create_graph=wanted)
        if wanted:
            advise_on_second_derivatives(slope)
        return cosine_loss(slope, p, p_target, rep, eps)


def check_pairs(
    poses: Tensor, targets: Tensor, representation: Representation | None, eps: float
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Poses and targets of L_aux as vectors, once they have proved to go together."""
    check_positive(eps, "eps")
    if getattr(poses, "shape", None) != getattr(targets, "shape", None):
        raise ValueError(f"poses, targets: expected one shape, got {described(poses)} and {described(targets)}")
    p, p_target = (pose_vectors(x, representation, name) for x, name in ((poses, "poses"), (targets, "targets")))
    check_like(p_target, "targets", p, "the poses")
    if eps < (smallest := torch.finfo(p.dtype).tiny):
        raise ValueError(f"eps: expected {smallest:.2g} or more, the least that {p.dtype} holds, got {eps}")
    return p, p_target


def cosine_loss(
    slope: Float[Tensor, "n d"],
    poses: Float[Tensor, "n d"],
    targets: Float[Tensor, "n d"],
    representation: Representation | None,
    eps: float,
) -> Float[Tensor, ""]:
    """Eq. 4 for slopes already computed: minus the mean cosine, summed over the parts."""
    displacement = targets - poses if representation is None else representation.displacement(poses, targets)
    parts = (slice(None),) if representation is None else representation.parts
    return -part_cosines(slope, displacement.detach(), parts, eps).mean(dim=0).sum()
