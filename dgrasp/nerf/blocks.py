"""Residual MLP blocks, and weights drawn from an explicit generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]


class ResidualBlock(nn.Module):
    """`y = shortcut(x) + W2 act(W1 act(x))`, pre-activation; the shortcut is projected where the widths differ."""

    def __init__(self, width: int, hidden: int | None = None, out: int | None = None, act: Activation = F.relu) -> None:
        super().__init__()
        hidden, out = hidden or width, out or width
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, out)
        self.shortcut = nn.Identity() if out == width else nn.Linear(width, out, bias=False)
        self.act = act

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
        return self.shortcut(x) + self.outer(self.act(self.inner(self.act(x))))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all linear and convolution weights anew: Glorot uniform, as the predecessor; biases zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
