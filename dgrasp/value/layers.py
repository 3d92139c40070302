"""Logits of L_main with a backward pass for those poses alone that have something to teach.

A readout that has learned a little gives most wrong poses no probability worth the name, and L_main's gradient in their
logits is nothing beside the others': of a trained one's, nine tenths are below a 100-millionth of the largest. What is
smaller than float32 rounds the sum to is left out of the sum. The forward pass has all poses, and keeps what backward
needs. `GraspReadout.forward` is the same function in autograd's operations: the reference of the tests.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dgrasp.value.readout import GraspReadout, activation_with_slope

# Of the largest gradient of a logit: 256 poses that are each so small move the sum by less than float32 rounds it (6e-8
# for each of thousands of addends).
NEGLIGIBLE = 1e-8
CHUNK_BYTES = 2 * 1024 * 1024  # of one layer's rows on a CPU; our choice, by measurement


def logits(
    readout: GraspReadout, scene_activations: Float[Tensor, "*n queries activations hidden"], least: float = NEGLIGIBLE
) -> Float[Tensor, "*n"]:
    """`readout(scene_activations)`, differentiable once, and in the weights alone.

    least: poses whose logit has a gradient of at most this fraction of the largest are left out of backward; 0: none
    that has any gradient. Backward raises ValueError where the activations want a gradient, and torch's RuntimeError
    for second derivatives.
    """
    a = scene_activations.to(readout.logit.weight.dtype)
    return _Logits.apply(a.flatten(0, -4), readout, least, *readout.parameters()).view(a.shape[:-3])


class _Logits(torch.autograd.Function):
    """Scene activations (poses, queries, activations, hidden) -> logits (poses,)."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, readout: GraspReadout, least: float, *weights: Tensor) -> Tensor:
        ctx.inner, ctx.readout, ctx.least = _Inner.of(readout, a), readout, least
        return readout.score(ctx.inner.features(readout))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.needs_input_grad[0]:
            raise ValueError("scene_activations: a gradient is wanted in them, which only GraspReadout.forward gives")
        size = grads[0].abs()
        kept = (~(size <= ctx.least * size.max())).nonzero().squeeze(1)  # all, where one is not a number
        found = _weight_gradients(ctx.readout, ctx.inner.of_poses(kept), grads[0][kept])
        return None, None, None, *(found.get(name) for name, _ in ctx.readout.named_parameters())


def _weight_gradients(readout: GraspReadout, inner: _Inner, grad: Float[Tensor, "poses"]) -> dict[str, Tensor]:
    """From the gradient of some logits to those of the readout's weights, by name."""
    head = {name: p for name, p in readout.named_parameters() if name.startswith(("trunk.", "logit."))}
    with torch.enable_grad():
        features = inner.features(readout).requires_grad_()
        score = readout.score(features)
        of_features, *of_head = torch.autograd.grad(score, [features, *head.values()], grad)
    return dict(zip(head, of_head, strict=True)) | inner.weight_gradients(readout, of_features)


class _Inner:
    """What is kept of the layers on single queries: their results before the nonlinearity.

    a: scene activations (poses, queries, activations, hidden). mixed: of the layers on activations, side by side.
    """

    def __init__(self, a: Tensor, mixed: Float[Tensor, "rows parts"], query: Float[Tensor, "rows features"]) -> None:
        self.a, self.mixed, self.query = a, mixed, query

    @classmethod
    def of(cls, readout: GraspReadout, a: Float[Tensor, "poses queries activations hidden"]) -> _Inner:
        """Work them out: the rows of a chunk stay in cache from one layer to the next."""
        rows, per_query = a.flatten(0, 1), readout.per_query
        mixed, query = (a.new_empty(len(rows), n) for n in (per_query.in_features, per_query.out_features))
        for of_a, of_mixed, of_query in zip(*(x.split(_at_once(mixed)) for x in (rows, mixed, query)), strict=True):
            for k, (layer, part) in enumerate(_parts(readout, of_mixed)):
                torch.addmm(layer.bias, of_a[:, k], layer.weight.t(), out=part)
            y, _ = activation_with_slope(readout.config.activation, of_mixed)
            torch.addmm(per_query.bias, y, per_query.weight.t(), out=of_query)
        return cls(a, mixed, query)

    def features(self, readout: GraspReadout) -> Float[Tensor, "poses queries_features"]:
        """The features of all queries of a pose, side by side."""
        return activation_with_slope(readout.config.activation, self.query)[0].view(
            len(self.a), self.a.shape[1] * self.query.shape[1]
        )

    def of_poses(self, kept: Tensor) -> _Inner:
        """What belongs to some poses."""
        if len(kept) == len(self.a):
            return self
        mixed, query = (x.view(len(self.a), -1)[kept].view(-1, x.shape[1]) for x in (self.mixed, self.query))
        return _Inner(self.a[kept], mixed, query)

    def weight_gradients(self, readout: GraspReadout, of_features: Tensor) -> dict[str, Tensor]:
        """From the gradient of the features to those of the weights of the layers on queries."""
        layers = [f"per_activation.{k}" for k in range(len(readout.per_activation))] + ["per_query"]
        sums = {name: torch.zeros_like(p) for name, p in readout.named_parameters() if name.startswith(tuple(layers))}
        columns = (self.a.flatten(0, 1), self.mixed, self.query, of_features.view_as(self.query))
        for a, mixed, query, g in zip(*(x.split(_at_once(self.mixed)) for x in columns), strict=True):
            y, mixed_slope = activation_with_slope(readout.config.activation, mixed)
            g = activation_with_slope(readout.config.activation, query)[1].mul_(g)
            _add(sums, "per_query", g, y)
            of_mixed = torch.mm(g, readout.per_query.weight).mul_(mixed_slope)
            for k, (_, part) in enumerate(_parts(readout, of_mixed)):
                _add(sums, layers[k], part, a[:, k])
        return sums


def _parts(readout: GraspReadout, mixed: Tensor) -> list[tuple[nn.Linear, Tensor]]:
    """The layer on each activation with its columns."""
    layers = [cast(nn.Linear, layer) for layer in readout.per_activation]
    return list(zip(layers, mixed.split([layer.out_features for layer in layers], dim=1), strict=True))


def _add(sums: dict[str, Tensor], layer: str, g: Tensor, x: Tensor) -> None:
    sums[f"{layer}.weight"].addmm_(g.t(), x)
    sums[f"{layer}.bias"].add_(g.sum(0))


def _at_once(mixed: Float[Tensor, "rows parts"]) -> int:
    """Rows of a chunk; all of them where launching many small operations would cost more."""
    rows = CHUNK_BYTES // (mixed.shape[1] * mixed.element_size())
    return max(1, rows if mixed.device.type == "cpu" else len(mixed))
