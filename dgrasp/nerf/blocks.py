"""Residual MLP blocks, and weights drawn from an explicit generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]


def linear(layer: nn.Linear, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
    """The layer in the precision of its input."""
    return F.linear(x, layer.weight.to(x.dtype), None if layer.bias is None else layer.bias.to(x.dtype))


class ResidualBlock(nn.Module):
    """`y = shortcut(x) + W2 act(W1 act(x))`, pre-activation; the shortcut is projected where the widths differ."""

    def __init__(self, width: int, hidden: int | None = None, out: int | None = None, act: Activation = F.relu) -> None:
        super().__init__()
        hidden, out = hidden or width, out or width
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, out)
        self.shortcut = None if out == width else nn.Linear(width, out, bias=False)
        self.act = act

    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inner weight and bias, outer weight and bias."""
        return self.inner.weight, self.inner.bias, self.outer.weight, self.outer.bias

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
        residual = linear(self.outer, self.act(linear(self.inner, self.act(x))))
        return residual + (x if self.shortcut is None else linear(self.shortcut, x))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all linear and convolution weights anew: Glorot uniform, as the predecessor; biases zero.

    Modules with a method `draw(generator)` draw what else they hold.
    """
    for layer in module.modules():
        draw = getattr(layer, "draw", None)
        if callable(draw):
            draw(generator)
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
