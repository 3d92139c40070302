"""Linear layers with frozen weights, as fast as the processor multiplies.

On CPUs in single precision a layer, its bias and its rectifier or sum are one operation of oneDNN, with weights in the
order that it reads them. Elsewhere, and where torch was built without it, they are torch's own operations: the same
numbers up to rounding. Derivatives are the caller's.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.nerf.fast.trunk import mean_of_views


class FrozenLayer:
    """`x @ weight.t() + bias` for rows of x. The weights are taken as they are now.

    weight: (out, in); bias: (out,) or None.
    """

    def __init__(self, weight: Float[Tensor, "out width"], bias: Float[Tensor, "out"] | None = None) -> None:
        self.weight, self.bias = weight.detach().contiguous(), None if bias is None else bias.detach()
        self.packed = _packed(self.weight)

    @classmethod
    def of(cls, layer: nn.Linear) -> FrozenLayer:
        """The layer of a network."""
        return cls(layer.weight, layer.bias)

    def transposed(self) -> FrozenLayer:
        """The pull back: from gradients of the layer's outputs to those of its inputs."""
        return FrozenLayer(self.weight.t())

    def __call__(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows out"]:
        if self.packed is None:
            return F.linear(x, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")

    def rectified(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows out"]:
        """relu of the layer."""
        if self.packed is None:
            return F.linear(x, self.weight, self.bias).clamp_min_(0)
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "relu", [], "")

    def plus(self, x: Float[Tensor, "rows width"], other: Float[Tensor, "rows out"]) -> Float[Tensor, "rows out"]:
        """The layer, added to `other`, which stays as it is."""
        if self.packed is None:
            return F.linear(x, self.weight, self.bias).add_(other)
        return torch.ops.mkldnn._linear_pointwise.binary(x, other, self.packed, self.bias, "add")


class FrozenBlock:
    """A residual block of rectified layers on frozen weights, forward and back."""

    def __init__(self, weights: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        w1, b1, w2, b2 = weights
        self.inner, self.outer = FrozenLayer(w1, b1), FrozenLayer(w2, b2)
        self.inner_back, self.outer_back = self.inner.transposed(), self.outer.transposed()

    def forward(self, z: Float[Tensor, "rows hidden"]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The block's output, and relu(z) and relu(h), which `backward` needs."""
        a = z.clamp_min(0)
        c = self.inner.rectified(a)
        return self.outer.plus(c, z), (a, c)

    def backward(self, g: Float[Tensor, "rows hidden"], kept: tuple[Tensor, Tensor]) -> Tensor:
        """From the gradient of the output, which is written over, to that of the input."""
        a, c = kept
        of_h = masked(self.outer_back(g), c)
        return g.add_(masked(self.inner_back(of_h), a))

    def forward_to_mean(self, z: Float[Tensor, "views rows hidden"]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The mean over views of the block's outputs; the outer layer is linear, so that it comes after the mean."""
        a = z.clamp_min(0).flatten(0, 1)
        c = self.inner.rectified(a)
        return self.outer.plus(mean_of_views(c.view_as(z)), mean_of_views(z)), (a, c)

    def backward_from_mean(self, g: Float[Tensor, "rows hidden"], kept: tuple[Tensor, Tensor], views: int) -> Tensor:
        """From the gradient of that mean, which is written over, to that of the inputs, view by view."""
        a, c = kept
        g = g.div_(views)
        of_h = masked(self.outer_back(g).repeat(views, 1), c)
        return masked(self.inner_back(of_h), a).view(views, *g.shape).add_(g).flatten(0, 1)


def masked(g: Tensor, activated: Tensor) -> Tensor:
    """Set `g` to zero where the rectifier stopped its input; returns it."""
    return torch.ops.aten.threshold_backward.grad_input(g, activated, 0, grad_input=g)


def _packed(weight: Tensor) -> Tensor | None:
    """The weights as oneDNN wants them; None where it cannot be used."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not _fused():
        return None
    return torch.ops.mkldnn._reorder_linear_weight(weight)


@cache
def _fused() -> bool:
    """Whether this build of torch has oneDNN's fused layers, tried once: they are not part of its public interface."""
    if not torch.backends.mkldnn.is_available():
        return False
    x, bias = torch.tensor([[1.0, -2.0]]), torch.tensor([0.5, -4.0])
    try:
        weight = torch.ops.mkldnn._reorder_linear_weight(torch.eye(2))
        y = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "relu", [], "")
        z = torch.ops.mkldnn._linear_pointwise.binary(x, x, weight, bias, "add")
    except (AttributeError, RuntimeError, TypeError):
        return False
    return y.tolist() == [[1.5, 0.0]] and z.tolist() == [[2.5, -8.0]]
