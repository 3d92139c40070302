"""What a step of training sees: observations drawn once, and poses for every learner that asks for the same kind.

Everything is addressed by the step, so that a learner alone gets what it gets beside others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.cell.miscalibration import misstated
from dgrasp.devices import Worker
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.streams import rng, torch_generator
from dgrasp.value.config import SlopeConfig, ValueConfig
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.samples import around_trajectories, grasp_among_negatives, half_turned

Seen = tuple[int, list[int]]  # a demonstration, and the views that are seen of it
Pair = tuple[Float[Tensor, "b m 4 4"], Float[Tensor, "b m 4 4"]]
# What learners of one pass must share; whatever else differs is theirs.
SHARED = ("queries", "fusion", "views", "policy_views", "half_turns", "workspace", "batch", "reuse", "block", "maps",
          "calibration", "tried_share", "group", "cache_gib", "scenes_in_memory", "validation_scenes")  # fmt: skip


@dataclass(eq=False)
class Step:
    """One step's observations; each process has its share of the views, and draws poses for all.

    enc: one scene each, of this process's share. grasps: (observations, 4, 4), all of the step's.
    """

    number: int
    config: ValueConfig
    observations: Observations
    seed: int
    share: slice
    chosen: list[int]
    enc: list[EncodedViews]
    grasps: Float[Tensor, "b 4 4"]
    turns: Sequence[Callable[[Tensor], Tensor]]
    after_views: Tensor  # the generator's state, where poses of L_main are drawn from
    _main: dict[str, Tensor] = field(default_factory=dict)
    _aux: dict[str, Pair] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.enc)

    def main(self, recipe: ValueRecipe) -> Float[Tensor, "b n 4 4"]:
        """Poses of L_main, the grasp first."""
        key = main_key(recipe)
        if key not in self._main:
            negatives, generator = recipe.value.negatives, torch.Generator()
            generator.set_state(self.after_views)
            blocked = [self.observations.blocked(i) for i in self.chosen] if negatives.blocked_share else None
            refuted = [self.observations.refuted(i) for i in self.chosen] if negatives.outcome_share else None
            bounds = self.config.bounds
            T = grasp_among_negatives(self.grasps, recipe.n_poses, negatives, bounds, generator, blocked, refuted)
            self._main[key] = T[self.share]
        return self._main[key]

    def aux(self, recipe: ValueRecipe) -> Pair:
        """Poses of L_aux and their targets."""
        slope = recipe.value.slope
        key = aux_key(slope)
        if key not in self._aux:
            generator = torch_generator(self.seed, "value", "aux", self.number)
            T_aux, T_target = around_trajectories(self._trajectories, slope, generator)
            self._aux[key] = T_aux[self.share], T_target[self.share]
        return self._aux[key]

    @cached_property
    def _trajectories(self) -> list[Float[Tensor, "_steps 4 4"]]:
        return [f(self.observations.trajectory(i)) for f, i in zip(self.turns, self.chosen, strict=True)]


class Draws:
    """The observations of every step, for learners that share `SHARED`.

    after: steps of an earlier round with the same seed, whose draws are not repeated.
    """

    def __init__(
        self, config: ValueConfig, observations: Observations, seed: int, worker: Worker, after: int = 0
    ) -> None:
        self.config, self.observations, self.seed, self.worker, self.after = config, observations, seed, worker, after
        self._epoch, self._order = -1, torch.empty(0)
        self._block: _Block | None = None

    def __call__(self, step: int) -> Step:
        """Draw everything for the whole batch; encode this process's share."""
        step += self.after
        generator = torch_generator(self.seed, "value", "main", step)
        seen = self._seen(step, generator)
        chosen = [i for i, _ in seen]
        turn = (torch.rand(len(chosen), generator=generator) < 0.5).tolist()
        turns = [half_turned if t and self.config.half_turns else _unchanged for t in turn]
        share = self.worker.rows(len(chosen))
        return Step(
            number=step,
            config=self.config,
            observations=self.observations,
            seed=self.seed,
            share=share,
            chosen=chosen,
            enc=[self._encoded(step, slot, *seen[slot]) for slot in range(len(seen))[share]],
            grasps=torch.stack([f(self.observations.grasp(i)) for f, i in zip(turns, chosen, strict=True)]),
            turns=turns,
            after_views=generator.get_state(),
        )

    def _encoded(self, step: int, slot: int, demonstration: int, views: list[int]) -> EncodedViews:
        """An observation as Phi sees it, with its cameras as a calibration would state them."""
        enc, errors = self.observations.views(demonstration, views), self.config.calibration
        if errors is None:
            return enc
        random = rng(self.seed, "value", "calibration", step, slot)
        K, Ts = (x[0].double().cpu().numpy() for x in (enc.K, enc.Ts_world_cam))
        K, Ts = misstated(K, Ts, enc.rgb.shape[3], errors, random)
        return replace(enc, K=torch.from_numpy(K)[None].to(enc.K), Ts_world_cam=torch.from_numpy(Ts)[None].to(enc.K))

    def demonstration(self, step: int, slot: int) -> int:
        """Epoch by epoch, every demonstration once in an order of its own."""
        return self._in_order(step * self.config.batch + slot)

    def _seen(self, step: int, generator: torch.Generator) -> list[Seen]:
        """The demonstrations of a step, each with its views; views that are used once are drawn by `generator`."""
        c = self.config
        if c.reuse > 1:
            steps = c.block // c.batch * c.reuse
            if self._block is None or self._block.number != step // steps:
                self._block = self._new_block(step // steps)
                self.observations.keep({(i, view) for i, views in self._block.members for view in views})
            return self._block.seen(step % steps, c.batch)
        chosen = [self.demonstration(step, slot) for slot in range(c.batch)]
        views = [torch.randperm(c.policy_views, generator=generator)[: c.views].tolist() for _ in chosen]
        return list(zip(chosen, views, strict=True))

    def _new_block(self, number: int) -> _Block:
        """The next demonstrations in order, with views of their own."""
        c = self.config
        generator = torch_generator(self.seed, "value", "views", number)
        views = [torch.randperm(c.policy_views, generator=generator)[: c.views].tolist() for _ in range(c.block)]
        chosen = [self._in_order(number * c.block + k) for k in range(c.block)]
        return _Block(number, self.seed, list(zip(chosen, views, strict=True)))

    def _in_order(self, k: int) -> int:
        """The k-th demonstration of all epochs; for a share of k one whose scene has refuted grasps, at random."""
        if self.config.tried_share and (tried := self.observations.tried):
            generator = torch_generator(self.seed, "value", "tried", k)
            if float(torch.rand(1, generator=generator)) < self.config.tried_share:
                return tried[int(torch.randint(len(tried), (1,), generator=generator))]
        epoch, place = divmod(k, len(self.observations))
        if self._epoch != epoch:
            generator = torch_generator(self.seed, "value", "order", epoch)
            self._epoch, self._order = epoch, torch.randperm(len(self.observations), generator=generator)
        return int(self._order[place])


@dataclass(frozen=True)
class _Block:
    """Observations that are used again and again, in rounds: in each every one once.

    Each place of a batch has members of its own, so that processes that share batches encode none that another does.
    """

    number: int
    seed: int
    members: list[Seen]

    def seen(self, step: int, batch: int) -> list[Seen]:
        """The batch of a step, counted from the block's first."""
        each = len(self.members) // batch
        turn, row = divmod(step, each)
        generator = torch_generator(self.seed, "value", "block", self.number, turn)
        order = torch.rand(each, batch, generator=generator).argsort(dim=0)[row].tolist()
        return [self.members[k * batch + slot] for slot, k in enumerate(order)]


def main_key(recipe: ValueRecipe) -> str:
    """Learners with one key have the same poses of L_main."""
    return f"{recipe.n_poses} {recipe.value.negatives.canonical()}"


def aux_key(slope: SlopeConfig) -> str:
    """Learners with one key have the same poses of L_aux."""
    same = {"weight": 1.0, "eps": 1.0, "share_poses": False, "how": "second_order", "difference": (1.0, 1.0)}
    return slope.model_copy(update=same).canonical()


def _unchanged(T: Tensor) -> Tensor:
    return T
