"""GraspReadout: the only trained part of Psi. Scene activations of all queries of a pose -> one logit.

Every query: each of its four scene activations through a dense layer of its own (128 -> 64), concatenated,
one more dense layer (256 -> 64). All queries flattened (42 x 64), two residual blocks, one linear layer.
582,337 weights at the paper's sizes (Soti et al. 2024, authors' published code).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.config import Config
from dgrasp.nerf.blocks import ResidualBlock

Activation = Literal["elu", "softplus", "silu", "relu"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,  # alpha = 1, the only ELU without a kink
    "softplus": F.softplus,
    "silu": F.silu,
    "relu": F.relu,
}


def activation_with_slope(name: Activation, x: Tensor) -> tuple[Tensor, Tensor]:
    """The activation of `x`, and its derivative there. For frozen weights: neither can be differentiated again."""
    if name == "elu":  # exp is four times faster than expm1, and exact to rounding; it is the derivative as well
        slope = x.clamp(-40, 0).exp_()  # exp(-40) is nothing beside 1, and no denormal number, which would be slow
        y = slope.sub(1)
        return torch.maximum(x, y, out=y), slope  # exp(x) - 1 lies above x on both sides, and is 0 where x > 0
    if name == "softplus":
        return F.softplus(x), x.sigmoid()
    if name == "silu":
        gate = x.sigmoid()
        y = x * gate
        return y, gate.add_(y * (1 - gate))
    return x.clamp(min=0), (x > 0).to(x)


class ReadoutConfig(Config):
    """Widths of GraspReadout. Defaults: Soti et al. 2024, authors' published code."""

    activation: Activation = Field(
        default="elu",
        description="C1 everywhere, the last layer included (Sec. 3.2; the authors' code leaves ReLU there); "
        "relu is for Base only, the slope loss refuses it",
    )
    last_activation: Literal["same", "relu"] = Field(
        default="same",
        description='before the last layer: "same" as elsewhere (ours: slopes are continuous up to the score), or '
        '"relu", which the authors\' code leaves there, also under the slope loss',
    )
    activation_features: int = Field(default=64, ge=1, description="outputs of the layer on each scene activation")
    query_features: int = Field(default=64, ge=1, description="features that describe one query")
    trunk_hidden: int = Field(default=128, ge=1, description="hidden width of the first residual block")
    trunk_features: int = Field(default=64, ge=1, description="output width of both residual blocks")

    @property
    def smooth(self) -> bool:
        """Whether slopes are continuous below the last layer, which the slope loss needs."""
        return self.activation != "relu"


class GraspReadout(nn.Module):
    """Scene activations (..., queries, activations, hidden) -> raw logits (...).

    `generator` makes the initial weights (He normal; biases zero) a function of a stream.
    """

    def __init__(
        self,
        config: ReadoutConfig | None = None,
        *,
        queries: int = 42,
        activations: int = 4,
        hidden: int = 128,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config = c = config or ReadoutConfig()
        self.shape = (queries, activations, hidden)
        self.activation = act = ACTIVATIONS[c.activation]
        self.per_activation = nn.ModuleList(nn.Linear(hidden, c.activation_features) for _ in range(activations))
        self.per_query = nn.Linear(activations * c.activation_features, c.query_features)
        self.trunk = nn.Sequential(
            ResidualBlock(queries * c.query_features, c.trunk_hidden, c.trunk_features, act),
            ResidualBlock(c.trunk_features, act=act),
        )
        self.last_activation = act if c.last_activation == "same" else ACTIVATIONS[c.last_activation]
        self.logit = nn.Linear(c.trunk_features, 1)
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator | None) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, scene_activations: Float[Tensor, "*n queries activations hidden"]) -> Float[Tensor, "*n"]:
        if scene_activations.shape[-3:] != self.shape:
            raise ValueError(
                f"scene_activations: expected shape (..., queries, activations, hidden) = (..., {self.shape[0]}, "
                f"{self.shape[1]}, {self.shape[2]}), got {tuple(scene_activations.shape)}"
            )
        a = scene_activations.to(self.logit.weight.dtype)  # they come in Phi's precision, Psi keeps its own
        parts = [layer(x) for layer, x in zip(self.per_activation, a.unbind(-2), strict=True)]
        queries = self.activation(self.per_query(self.activation(torch.cat(parts, dim=-1))))
        return self.score(queries.flatten(-2))

    def score(self, features: Float[Tensor, "*n queries_features"]) -> Float[Tensor, "*n"]:
        """Logits from the features of all queries of a pose, side by side."""
        return self.logit(self.last_activation(self.trunk(features))).squeeze(-1)
