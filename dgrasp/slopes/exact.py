"""L_aux with second-order gradients through the readout alone: exact, and Phi is never differentiated twice.

Phi is frozen and a = Phi(p) are the scene activations. With g = dPsi/da (the only place where Psi's weights w enter)
and J = da/dp, the slope is J^T g. For v = dL/dslope the chain rule gives

    dL/dw = v^T d(J^T g)/dw = d/dw <J v, g(w)>

so one Jacobian-transpose product (the slope), one Jacobian product u = J v, and a double backward through the small
readout do it (Eq. 5: the term with Phi's second derivative is zero). J v needs no forward-mode rules: the slope is
linear in g, so its derivative with respect to g, contracted with v, is J v, and only first derivatives of Phi occur.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.checks import check_finite, described
from dgrasp.poses import Representation
from dgrasp.poses import representation as _named
from dgrasp.slopes.losses import check_pairs, check_scores, cosine_loss
from dgrasp.slopes.modes import advise_on_second_derivatives, call_value, check_alone, own_modes, trackable

Features = Callable[[Tensor], Tensor]


class FrozenActivations:
    """Activations of a frozen Phi at some poses, worked out once for all readouts whose slopes they supervise.

    features: pose matrices (n, 4, 4) or, for points of any space, vectors (n, d) -> activations (n, ...); its
    parameters get no gradient. Raises ValueError for features that are not differentiable in the poses, that are not
    one row per pose or depend on other poses, and for activations in bfloat16 or float16: second-order gradients would
    be mostly rounding.
    """

    def __init__(self, features: Features, poses: Tensor) -> None:
        with own_modes():
            self.poses = trackable(poses).requires_grad_()
            self.activations = call_value(features, self.poses)
            _check_activations(features, self.activations, self.poses)

    def slope_loss(
        self,
        readout: Callable[[Tensor], Tensor],
        poses: Float[Tensor, "n d"],
        targets: Float[Tensor, "n d"],
        representation: Representation | None,
        eps: float,
    ) -> Float[Tensor, ""]:
        """L_aux of `readout` at the poses, here in the coordinates of the representation; see `exact_slope_loss`.

        Raises ValueError for a readout that is not differentiable in the activations, gives another number of scores
        or scores that depend on other poses, and for slopes that are not finite.
        """
        wanted = torch.is_grad_enabled()
        with own_modes():
            g = _readout_slope(readout, self.activations.detach().requires_grad_(), wanted)
            columns = [c.detach().requires_grad_() for c in self.columns(g.detach())]
            slope = self._slope(columns, poses, representation)
            check_finite(slope, "slopes of readout(features)")
            loss, v = _loss_and_slope_gradient(slope.detach(), poses, targets, representation, eps)
            if not wanted:
                return loss
            u = self.tangents(torch.autograd.grad(slope, columns, grad_outputs=v, retain_graph=True))  # J v
            surrogate = (u * g).sum()
            return loss + (surrogate - surrogate.detach())

    def columns(self, g: Tensor) -> list[Tensor]:
        """What the slope is worked out from: gradients of whatever stands between poses and activations; here g."""
        return [g]

    def slope_of(self, columns: list[Tensor]) -> Tensor:
        """J^T g in the entries of the poses, differentiable in the columns."""
        return torch.autograd.grad(self.activations, self.poses, grad_outputs=columns, create_graph=True)[0]

    def tangents(self, of_columns: Sequence[Tensor]) -> Tensor:
        """J v from tangents of what the columns are gradients of."""
        return of_columns[0]

    def _slope(self, columns: list[Tensor], poses: Tensor, representation: Representation | None) -> Tensor:
        """J^T g in the coordinates of the representation, differentiable in the columns."""
        slope = self.slope_of(columns)
        if representation is None:
            return slope
        p = trackable(poses).requires_grad_()
        return torch.autograd.grad(representation.to_matrix(p), p, grad_outputs=slope, create_graph=True)[0]


def exact_slope_loss(
    features: Features,
    readout: Callable[[Tensor], Tensor],
    poses: Float[Tensor, "n d"],
    targets: Float[Tensor, "n d"],
    representation: Representation | str | None,
    *,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """L_aux (Eq. 4) of `value(p) = readout(features(p))`, whose backward reaches the readout's weights only.

    `features` maps pose matrices (or, without a representation, pose vectors) to activations (n, ...) and is treated
    as frozen: its parameters get no gradient. `readout` maps activations to one score per pose. Value and gradient
    equal those of `slope_loss(lambda T: readout(features(T)), ...)`. Poses may be given as matrices, too. Several
    readouts on the same features and poses share their activations: see `FrozenActivations`.

    Inside, gradients are on and autocast is off; under `torch.no_grad` the result is the same number without a graph.

    Raises ValueError for poses and targets that do not go together, that are not finite or no rotations; for features
    that are not differentiable in the poses, a readout that is not in the activations, slopes that are not finite; for
    another number of activations or scores, and for those that depend on other poses (BatchNorm in training mode).
    Activations in bfloat16 or float16 are refused, too: second-order gradients would be mostly rounding. A readout
    without second derivatives is told so by backward.
    """
    with own_modes():
        rep = None if representation is None else _named(representation)
        poses, targets = check_pairs(poses, targets, rep, eps)
        at = poses if rep is None else rep.to_matrix(poses)
    return FrozenActivations(features, at).slope_loss(readout, poses, targets, rep, eps)


def _check_activations(features: Features, a: object, poses: Tensor) -> None:
    if not isinstance(a, Tensor) or not a.requires_grad:
        raise ValueError("features: not differentiable in the poses (no autograd path from activations to poses)")
    if a.dtype.itemsize < torch.float32.itemsize:
        raise ValueError(f"features: computed in {a.dtype}; second-order gradients need float32 or float64")
    if a.ndim == 0 or len(a) != len(poses):
        raise ValueError(
            f"features: expected activations of shape ({len(poses)}, ...), one row per pose, got {described(a)}"
        )
    check_alone(features, a, poses, "features", "activation")


def _readout_slope(readout: Callable[[Tensor], Tensor], a: Tensor, create_graph: bool) -> Tensor:
    """g = dPsi/da, as a function of Psi's weights if `create_graph`."""
    scores = readout(a)
    check_scores(scores, len(a), "readout")
    g = None
    if scores.requires_grad:
        check_alone(readout, scores, a, "readout")
        g = torch.autograd.grad(scores.sum(), a, create_graph=create_graph, allow_unused=True)[0]
    if g is None:
        raise ValueError("readout: not differentiable in the activations (no autograd path from scores to them)")
    if create_graph:
        advise_on_second_derivatives(g)
    return g


def _loss_and_slope_gradient(
    slope: Tensor, poses: Tensor, targets: Tensor, representation: Representation | None, eps: float
) -> tuple[Tensor, Tensor]:
    slope = slope.requires_grad_()
    loss = cosine_loss(slope, poses, targets, representation, eps)
    (v,) = torch.autograd.grad(loss, slope)
    return loss.detach(), v
