"""Psi of several trainings on one Phi: their logits are added (not in the paper, which adds those of images)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, equal

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.value.function import GraspValue


class AddedValues(GraspValue):
    """A value function that is the sum of some; plans take as many times as long. Trained it is not.

    Raises ValueError for none, and for members on several Phi, with other queries or another fusion. Use `encode` and
    `bind`; `readout` is the first member's, for its dtype and device.
    """

    def __init__(self, members: Sequence[GraspValue]) -> None:
        if not members or any(member.phi is not members[0].phi for member in members):
            raise ValueError(f"members: expected 1 or more on the same Phi, got {len(members)} on several or none")
        first = members[0]
        for i, member in enumerate(members):
            if member.fusion != first.fusion:
                raise ValueError(
                    f"members: 0 has the fusion {first.fusion!r} and {i} has {member.fusion!r}; expected one"
                )
            ours, theirs = first.queries, member.queries
            if not (equal(ours.points, theirs.points) and equal(ours.directions, theirs.directions)):
                raise ValueError(f"members: 0 and {i} have other query points; expected the same")
        super().__init__(first.phi, first.readout, first.queries, first.fusion)
        self.members = tuple(members)

    def bind(self, enc: EncodedViews) -> Callable[[Float[Tensor, "n 4 4"]], Float[Tensor, "n"]]:
        """The sum of the members' landscapes over one encoded scene."""
        landscapes = [member.bind(enc) for member in self.members]

        def added(T_world_tcp: Tensor) -> Tensor:
            scores = landscapes[0](T_world_tcp)
            for landscape in landscapes[1:]:
                scores = scores + landscape(T_world_tcp)
            return scores

        return added

    def logits(self, enc: EncodedViews, T_world_tcp: Float[Tensor, "b n 4 4"]) -> Float[Tensor, "b n"]:
        """Raises NotImplementedError: `bind` adds."""
        raise NotImplementedError("logits: of one training alone; a sum of several scores by `bind`")

    def activations(
        self, enc: EncodedViews, T_world_tcp: Float[Tensor, "b n 4 4"], rigid: bool = True
    ) -> Float[Tensor, "b n queries activations hidden"]:
        """Raises NotImplementedError: each member has a readout of its own."""
        raise NotImplementedError("activations: of one training alone; ask the `members` of a sum of several")
