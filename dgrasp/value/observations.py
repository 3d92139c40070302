"""What training sees of a demonstration set: poses as tensors, and images encoded by the frozen Phi once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.data.demonstrations import Demonstration, places
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.sim.oracle import blocked_grasps
from dgrasp.value.function import GraspValue

GIB = 2**30


def blocked_poses(demonstration: Demonstration, name: str = "the demonstration") -> Float[Tensor, "n 4 4"]:
    """Annotated grasps of a demonstration's scene that the open hand does not reach past the neighbours.

    Raises ValueError, with the demonstration's `name`, where it has no simulator state.
    """
    if demonstration.state is None:
        raise ValueError(
            f"negatives.blocked_share: {name} has no simulator state, which alone tells blocked grasps; expected 0 for "
            "such demonstrations"
        )
    return torch.as_tensor(blocked_grasps(demonstration.state), dtype=torch.get_default_dtype())


class Observations:
    """Demonstrations with their views encoded when first drawn, and kept as long as `cache_gib` lasts.

    Images are always encoded one at a time, so that an encoded view does not depend on when or with what it was drawn.
    Poses are small and stay in memory. failed: grasps that physics refuted, by scene and stage of the demonstrations.
    """

    def __init__(
        self,
        demonstrations: Sequence[Demonstration],
        value: GraspValue,
        cache_gib: float,
        maps: Literal["fp32", "fp16"] = "fp32",
        failed: Mapping[tuple[int, int], Tensor] | None = None,
    ) -> None:
        self.failed = failed
        self.demonstrations, self.value, self.maps = demonstrations, value, maps
        self.budget = cache_gib * GIB
        self.cache: dict[tuple[int, int], EncodedViews] = {}
        self.poses: dict[int, tuple[Tensor, Tensor]] = {}
        self.blocked_poses: dict[int, Tensor] = {}
        self.stages: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.demonstrations)

    def grasp(self, i: int) -> Float[Tensor, "4 4"]:
        """`T_world_grasp`."""
        return self._demonstrated(i)[0]

    def trajectory(self, i: int) -> Float[Tensor, "steps 4 4"]:
        """`Ts_world_tcp`; the last one is the grasp."""
        return self._demonstrated(i)[1]

    def blocked(self, i: int) -> Float[Tensor, "n 4 4"]:
        """Annotated grasps of the demonstration's scene that the open hand does not reach past the neighbours.

        Raises ValueError for a demonstration without the simulator's state.
        """
        if i not in self.blocked_poses:
            Ts = blocked_poses(self.demonstrations[i], f"demonstration {i}")
            self.blocked_poses[i] = Ts.to(self.value.device)
        return self.blocked_poses[i]

    def refuted(self, i: int) -> Float[Tensor, "n 4 4"]:
        """Grasps of the policies' own that failed in physics on the demonstration's scene; may be none.

        Raises ValueError where no outcomes were given.
        """
        failed = self._failed
        if i not in self.stages:
            self.stages[i] = self.demonstrations[i].scene, self.demonstrations[i].stage
        none = torch.zeros(0, 4, 4)
        return failed.get(self.stages[i], none).to(self.value.device, torch.get_default_dtype())

    @cached_property
    def tried(self) -> list[int]:
        """The demonstrations for which `refuted` has grasps; raises as it does."""
        return [i for i, place in enumerate(places(self.demonstrations)) if place in self._failed]

    @property
    def _failed(self) -> Mapping[tuple[int, int], Tensor]:
        if self.failed is None:
            raise ValueError("negatives.outcome_share: needs the run of outcomes that the second round is trained with")
        return self.failed

    def views(self, i: int, views: Sequence[int]) -> EncodedViews:
        """The chosen views of one demonstration, as one scene."""
        single = [self._view(i, view) for view in views]
        if len(single) == 1:
            return single[0]
        as_views = EncodedViews.concatenate(single)  # one scene per view; to one scene with all of them
        return EncodedViews(**{name: tensor.transpose(0, 1) for name, tensor in vars(as_views).items()})

    def keep(self, views: set[tuple[int, int]]) -> None:
        """Forget all encoded views but these: pairs of demonstration and view."""
        for key in self.cache.keys() - views:
            self.budget += _size(self.cache.pop(key))

    def _view(self, i: int, view: int) -> EncodedViews:
        if (i, view) in self.cache:
            return self.cache[i, view]
        enc = self.value.encode(self.demonstrations[i].views[[view]])
        enc = replace(enc, features=enc.features.new_empty(*enc.features.shape[:-1], 0))  # only `fine` is read
        if self.maps == "fp16":
            enc = enc.to(torch.float16)
        size = _size(enc)
        if size <= self.budget:
            self.budget -= size
            self.cache[i, view] = enc
        return enc

    def _demonstrated(self, i: int) -> tuple[Tensor, Tensor]:
        if i not in self.poses:
            d = self.demonstrations[i]
            grasp, trajectory = (
                torch.as_tensor(T, dtype=torch.get_default_dtype()).to(self.value.device)
                for T in (d.T_world_grasp, d.Ts_world_tcp)
            )
            self.poses[i] = grasp, trajectory
        return self.poses[i]


def _size(enc: EncodedViews) -> int:
    """Bytes."""
    return sum(t.numel() * t.element_size() for t in vars(enc).values())
