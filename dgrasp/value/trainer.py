"""Gradient steps on the readout: L_total = L_main + weight L_aux (Eq. 6); each is addressed by its number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.devices import Worker
from dgrasp.nerf.checkpoint import restore, save
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.precision import in_precision
from dgrasp.runs import Run
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss
from dgrasp.streams import torch_generator
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.samples import around_trajectories, grasp_among_negatives, half_turned


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's observations of a step, with the poses of both losses.

    enc: one scene each. T_main: (observations, poses, 4, 4), the grasp first. T_aux, T_target: (observations, aux
    poses, 4, 4), or None.
    """

    enc: list[EncodedViews]
    T_main: Float[Tensor, "b n 4 4"]
    T_aux: Float[Tensor, "b m 4 4"] | None
    T_target: Float[Tensor, "b m 4 4"] | None

    def __len__(self) -> int:
        return len(self.enc)

    def part(self, rows: slice) -> Batch:
        """Some of the observations."""
        aux, target = (None if T is None else T[rows] for T in (self.T_aux, self.T_target))
        return Batch(self.enc[rows], self.T_main[rows], aux, target)


class Trainer:
    """Step s depends on the weights, Adam's state and streams addressed by s, on nothing else.

    worker: this process, where several share each step; alone by default.
    """

    def __init__(
        self,
        recipe: ValueRecipe,
        value: GraspValue,
        observations: Observations,
        seed: int,
        worker: Worker | None = None,
    ) -> None:
        self.worker = worker or Worker(value.device)
        self.recipe, self.config = recipe, recipe.value
        self.value, self.observations, self.seed = value, observations, seed
        self.parameters = dict(value.readout.named_parameters())
        self.adam = torch.optim.Adam(self.parameters.values(), lr=self.config.learning_rate)

    def step(self, step: int) -> dict[str, float]:
        """One step; returns its mean losses. Gradients of groups of observations add up, which bounds memory."""
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate(step)
        self.adam.zero_grad()
        batch, totals = self.draw(step), {"main": 0.0}
        for first in range(0, len(batch), self.config.group):
            part = batch.part(slice(first, first + self.config.group))
            losses = self.losses(part)
            share = len(part) / self.config.batch
            weighted = losses["main"] + self.config.slope.weight * losses.get("aux", 0.0)
            (share * weighted).backward()
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0.0) + share * float(loss.detach())
        self.worker.add_gradients(self.parameters.values())
        torch.nn.utils.clip_grad_value_(self.parameters.values(), self.config.clip_value)
        self.adam.step()
        return self.worker.add_numbers(totals)

    def learning_rate(self, step: int) -> float:
        """Constant, or falling along half a cosine to `final_learning_rate` of its start."""
        low = self.config.final_learning_rate
        wave = 0.5 * (1 + math.cos(math.pi * step / self.config.steps))
        return self.config.learning_rate * (low + (1 - low) * wave)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """L_main and, for the dGrasp models, L_aux of a batch, each a mean over observations."""
        enc = EncodedViews.concatenate(batch.enc)
        with torch.no_grad():
            a = self.value.activations(enc, batch.T_main)
        losses = {"main": grasp_ranking_loss(self.value.readout(a), kind=self.config.main_loss)}
        if batch.T_aux is not None and batch.T_target is not None:
            losses["aux"] = self.slope_loss(enc, batch.T_aux, batch.T_target)
        return losses

    def slope_loss(self, enc: EncodedViews, T_aux: Tensor, T_target: Tensor) -> Tensor:
        """L_aux by the exact scheme, in float32 whatever Phi's precision: slopes are differences of its roundings."""
        rep = self.recipe.representation
        assert rep is not None
        b, m = T_aux.shape[:2]
        with in_precision(self.value.phi, "fp32"):
            return exact_slope_loss(
                lambda T: self.value.activations(enc, T.view(b, m, 4, 4)).flatten(0, 1),
                self.value.readout,
                rep.from_matrix(T_aux).flatten(0, 1),
                rep.from_matrix(T_target).flatten(0, 1),
                rep,
                eps=self.config.slope.eps,
            )

    def draw(self, step: int) -> Batch:
        """Observations and poses of a step; the same for all models as far as they share them.

        Everything is drawn for the whole batch; this process encodes, and gets, its share.
        """
        chosen = [self._demonstration(step, slot) for slot in range(self.config.batch)]
        generator = torch_generator(self.seed, "value", "main", step)
        views = [torch.randperm(self.config.policy_views, generator=generator) for _ in chosen]
        turn = (torch.rand(len(chosen), generator=generator) < 0.5).tolist()
        turned = [half_turned if t and self.config.half_turns else _unchanged for t in turn]
        grasps = torch.stack([f(self.observations.grasp(i)) for f, i in zip(turned, chosen, strict=True)])
        negatives = self.config.negatives
        blocked = [self.observations.blocked(i) for i in chosen] if negatives.blocked_share else None
        main = grasp_among_negatives(grasps, self.recipe.n_poses, negatives, self.config.bounds, generator, blocked)
        mine = self.worker.rows(len(chosen))
        seen = zip(chosen[mine], views[mine], strict=True)
        encs = [self.observations.views(i, v[: self.config.views].tolist()) for i, v in seen]
        aux = target = None
        if self.recipe.representation is not None and self.config.slope.weight > 0:
            trajectories = [f(self.observations.trajectory(i)) for f, i in zip(turned, chosen, strict=True)]
            generator = torch_generator(self.seed, "value", "aux", step)
            aux, target = (T[mine] for T in around_trajectories(trajectories, self.config.slope, generator))
        return Batch(encs, main[mine], aux, target)

    def _demonstration(self, step: int, slot: int) -> int:
        """Epoch by epoch, every demonstration once in an order of its own."""
        n = len(self.observations)
        epoch, place = divmod(step * self.config.batch + slot, n)
        if getattr(self, "_epoch", None) != epoch:
            self._epoch, self._order = (
                epoch,
                torch.randperm(n, generator=torch_generator(self.seed, "value", "order", epoch)),
            )
        return int(self._order[place])

    def checkpoint(self, run: Run, step: int) -> None:
        """Weights and Adam's state after `step` steps."""
        save(run, self.value.readout, self.adam, step)

    def restore(self, run: Run) -> int:
        """Continue from the run's checkpoint, if any; returns the number of steps already made."""
        return restore(run, self.value.readout, self.adam, self.worker)


def _unchanged(T: Tensor) -> Tensor:
    return T
