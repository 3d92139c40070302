"""The end of Psi's readout, from the features of a pose's queries to its score, with the derivative written out."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dgrasp.nerf.blocks import ResidualBlock
from dgrasp.nerf.fast.layers import FrozenLayer
from dgrasp.value.readout import Activation, GraspReadout, activation_with_slope


class Head:
    """`GraspReadout.score` on frozen weights."""

    def __init__(self, readout: GraspReadout) -> None:
        config = readout.config
        self.blocks = [_Block(cast(ResidualBlock, block), config.activation) for block in readout.trunk]
        self.last: Activation = config.activation if config.last_activation == "same" else "relu"
        self.logit = readout.logit

    def __call__(
        self, features: Float[Tensor, "n queries_features"], slopes: bool
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n queries_features"] | None]:
        """Scores, and their gradients in the features."""
        x, kept = features, []
        for block in self.blocks:
            x, of_block = block.forward(x)
            kept.append(of_block)
        y, slope = activation_with_slope(self.last, x)
        scores = torch.addmv(self.logit.bias.detach(), y, self.logit.weight.detach()[0])
        if not slopes:
            return scores, None
        g = slope * self.logit.weight.detach()
        for block, of_block in zip(reversed(self.blocks), reversed(kept), strict=True):
            g = block.backward(g, of_block)
        return scores, g


class _Block:
    """A residual block whose activation may be any of the readout's."""

    def __init__(self, block: ResidualBlock, activation: Activation) -> None:
        self.activation = activation
        self.inner, self.outer = FrozenLayer.of(block.inner), FrozenLayer.of(block.outer)
        self.inner_back, self.outer_back = self.inner.transposed(), self.outer.transposed()
        self.shortcut = None if block.shortcut is None else FrozenLayer.of(cast(nn.Linear, block.shortcut))
        self.shortcut_back = None if self.shortcut is None else self.shortcut.transposed()

    def forward(self, x: Float[Tensor, "n width"]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The block's output, and the derivatives of its two activations."""
        a, of_x = activation_with_slope(self.activation, x)
        c, of_h = activation_with_slope(self.activation, self.inner(a))
        return self.outer.plus(c, x if self.shortcut is None else self.shortcut(x)), (of_x, of_h)

    def backward(self, g: Float[Tensor, "n out"], kept: tuple[Tensor, Tensor]) -> Float[Tensor, "n width"]:
        """From the gradient of the output to that of the input."""
        of_x, of_h = kept
        through = self.inner_back(self.outer_back(g).mul_(of_h)).mul_(of_x)
        return through.add_(g) if self.shortcut_back is None else self.shortcut_back.plus(g, through)
