"""The two losses. L_main tells the demonstrated grasp from other poses; L_aux teaches the landscape its slopes.

Both stand alone. `slope_loss` takes any differentiable `value(pose) -> score`: Psi, or a function on the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dgrasp.poses import Representation

Value = Callable[[Tensor], Tensor]
KERAS_EPSILON = 1e-7  # Keras' KLDivergence clips both distributions to [1e-7, 1]


def value_loss(
    logits: Float[Tensor, "*batch poses"], *, kind: Literal["cross_entropy", "kl"] = "cross_entropy"
) -> Float[Tensor, ""]:
    """L_main, Eq. 2: softmax over the poses of a scene, of which the FIRST is the demonstrated grasp; mean over scenes.

    "cross_entropy" is `-log softmax(logits)[0]`. "kl" is the divergence of that softmax from the one-hot label as
    Keras computes it (Sec. 3.2, end): equal to the cross entropy until the grasp's probability falls below 1e-7,
    where clipping takes its gradient away.
    Raises ValueError when there are fewer than two poses, since one pose has nothing to be told from.
    """
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(f"logits: expected shape (..., poses) with 2 poses or more, got {tuple(logits.shape)}")
    log_probability = F.log_softmax(logits, dim=-1)[..., 0]
    if kind == "kl":
        return -log_probability.exp().clamp(KERAS_EPSILON, 1.0).log().mean()
    return -log_probability.mean()


def slopes(
    value: Value,
    poses: Float[Tensor, "n d"],
    representation: Representation | None = None,
    *,
    create_graph: bool = False,
) -> Float[Tensor, "n d"]:
    """`grad_p value(p)` in the coordinates of the representation: the uphill direction for every pose.

    With a representation, `poses` are its pose vectors (metres; unit rotation part) and `value` takes pose matrices
    `T_world_tcp` (n, 4, 4); without one, `value` takes the vectors themselves. `value` returns one score per pose,
    and a pose's score must depend on that pose alone. Raises ValueError for another shape of scores, or if they do
    not depend on the poses through autograd.
    """
    return scores_and_slopes(value, poses, representation, create_graph=create_graph)[1]


def scores_and_slopes(
    value: Value,
    poses: Float[Tensor, "n d"],
    representation: Representation | None = None,
    *,
    create_graph: bool = False,
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
    """The scores of one forward pass and their `slopes`."""
    p = poses.detach().requires_grad_()
    with torch.enable_grad():
        scores = value(p if representation is None else representation.to_matrix(p))
    if not isinstance(scores, Tensor) or scores.shape != p.shape[:-1]:
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"value: expected one score per pose, shape {tuple(p.shape[:-1])}, got {got}")
    gradient = None
    if scores.requires_grad:
        gradient = torch.autograd.grad(scores.sum(), p, create_graph=create_graph, allow_unused=True)[0]
    if gradient is None:
        raise ValueError("value: not differentiable in the poses (no autograd path from the scores back to them)")
    return scores, gradient


def part_cosines(
    slope: Float[Tensor, "*n d"], displacement: Float[Tensor, "*n d"], parts: Sequence[slice], eps: float = 1e-6
) -> Float[Tensor, "*n parts"]:
    """Cosine similarity of slope and displacement, one per part (translation; quaternion, or each 6D column).

    `eps` is added to the slope's squared norm: the cosine's gradient grows as 1 / |slope|, and this bounds it where the
    landscape is flat (not in the paper).
    """
    cosines = []
    for part in parts:
        s, d = slope[..., part], displacement[..., part]
        norms = (s.square().sum(-1) + eps**2).sqrt() * d.square().sum(-1).clamp_min(eps**2).sqrt()
        cosines.append((s * d).sum(-1) / norms)
    return torch.stack(cosines, dim=-1)


def slope_loss(
    value: Value,
    poses: Float[Tensor, "n d"],
    targets: Float[Tensor, "n d"],
    representation: Representation | None = None,
    *,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """L_aux, Eq. 4: minus the cosine between the slope at each pose and the displacement to its target.

    The cosine is taken part by part, averaged over the poses and summed over the parts, so the best possible loss is
    minus the number of parts: -2 for quaternions (translation, rotation; q' is replaced by -q' where that is
    nearer), -3 for "6d" (translation and each column on its own, Sec. 3.3), -1 without a representation.

    Backward through the result reaches the parameters of `value` by second-order gradients, the plain way
    (`create_graph=True`); `dgrasp.value.exact_slope_loss` gives the same gradient cheaper when poses enter through a
    frozen Phi.

    Args:
        value: differentiable score of a pose; see `slopes` for what it is given.
        poses: p_t, metres and rotation coordinates.
        targets: p_t', same layout.
        representation: "quat" or "6d" from `dgrasp.poses.representation`; None for plain vectors.
    """
    if poses.shape != targets.shape or poses.ndim != 2:
        raise ValueError(
            f"poses, targets: expected one shape (n, d), got {tuple(poses.shape)} and {tuple(targets.shape)}"
        )
    slope = slopes(value, poses, representation, create_graph=True)
    return cosine_loss(slope, poses, targets, representation, eps)


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
