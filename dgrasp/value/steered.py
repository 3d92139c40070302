"""A Psi whose slopes are no derivatives: a second readout says outright where each pose should move.

A first-order rival of L_aux (not in the paper; as in equilibrium matching, arXiv 2510.02300, where a network says the
gradient that is then followed). The first readout, trained by L_main alone, ranks the candidates that the second moves.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.slopes.first_order import climbable
from dgrasp.slopes.modes import no_autocast
from dgrasp.value.function import GraspValue
from dgrasp.value.readout import GraspReadout, ReadoutConfig

TWIST = 6  # three along the axes of the TCP, three about them


class TwistReadout(GraspReadout):
    """A readout with six outputs: scene activations (..., queries, activations, hidden) -> twists (..., 6)."""

    def __init__(self, config: ReadoutConfig | None = None, *, generator: torch.Generator | None = None, **sizes: int):
        super().__init__(config, generator=generator, **sizes)
        self.logit = nn.Linear(self.config.trunk_features, TWIST)
        nn.init.kaiming_normal_(self.logit.weight, generator=generator)
        nn.init.zeros_(self.logit.bias)

    def score(self, features: Float[Tensor, "*n queries_features"]) -> Float[Tensor, "*n 6"]:
        """Twists from the features of all queries of a pose, side by side."""
        return self.logit(self.last_activation(self.trunk(features)))


class SteeredReadout(GraspReadout):
    """The readout that ranks, with the one that steers beside it; of equal seeds it ranks as `GraspReadout` does."""

    def __init__(self, config: ReadoutConfig | None = None, *, generator: torch.Generator | None = None, **sizes: int):
        super().__init__(config, generator=generator, **sizes)
        self.twist = TwistReadout(config, generator=generator, **sizes)


class SteeredValue(GraspValue):
    """`GraspValue` with a `SteeredReadout`: scores of the first readout, slopes of the second."""

    readout: SteeredReadout

    def bind(self, enc: EncodedViews) -> Callable[[Float[Tensor, "n 4 4"]], Float[Tensor, "n"]]:
        """What `optimize_poses` climbs; logits and twists of several images add up where they are not fused."""
        groups = self._groups(enc)

        @no_autocast()
        def field(T_world_tcp: Tensor) -> tuple[Tensor, Tensor]:
            a = self._activations_of(groups, T_world_tcp)
            return self.readout(a).sum(dim=0), self.readout.twist(a).sum(dim=0)

        return climbable(field)
