"""Gradient steps on readouts: L_total = L_main + weight L_aux (Eq. 6); each is addressed by its number.

Several readouts learn side by side on the same frozen Phi: each observation is encoded once, and Phi is asked once at
the poses that learners share. Whatever differs between them is their loss (or what else their recipes say).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dgrasp.devices import Worker
from dgrasp.nerf.checkpoint import restore, save
from dgrasp.runs import Run
from dgrasp.slopes.losses import grasp_ranking_loss
from dgrasp.value.auxiliary import AUXILIARY
from dgrasp.value.draws import SHARED, Draws, Step
from dgrasp.value.function import GraspValue
from dgrasp.value.layers import logits
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.readout import GraspReadout
from dgrasp.value.shared_scene import SharedScene


class Learner:
    """One readout with its recipe and its optimizer."""

    def __init__(self, recipe: ValueRecipe, value: GraspValue) -> None:
        self.recipe, self.config, self.value = recipe, recipe.value, value
        self.parameters = dict(value.readout.named_parameters())
        self.adam = torch.optim.Adam(self.parameters.values(), lr=self.config.learning_rate)
        self.average = None
        if self.config.averaged is not None:
            self.average = AveragedModel(value.readout, multi_avg_fn=get_ema_multi_avg_fn(self.config.averaged))

    @property
    def learned(self) -> GraspValue:
        """What training has come to: Psi with the last step's weights, or with their average."""
        if self.average is None:
            return self.value
        readout = self.average.module
        assert isinstance(readout, GraspReadout)
        return type(self.value)(self.value.phi, readout, self.value.queries, self.value.fusion)

    @property
    def supervises_slopes(self) -> bool:
        """Whether L_aux takes part."""
        return self.recipe.representation is not None and self.config.slope.weight > 0

    def begin(self, step: int) -> None:
        """Ready for the gradients of a step."""
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate(step)
        self.adam.zero_grad()

    def end(self, worker: Worker) -> None:
        """Move the weights."""
        worker.add_gradients(self.parameters.values())
        torch.nn.utils.clip_grad_value_(self.parameters.values(), self.config.clip_value)
        self.adam.step()
        if self.average is not None:
            self.average.update_parameters(self.value.readout)

    def learning_rate(self, step: int) -> float:
        """Constant, or falling along half a cosine to `final_learning_rate` of its start."""
        low = self.config.final_learning_rate
        wave = 0.5 * (1 + math.cos(math.pi * step / self.config.steps))
        return self.config.learning_rate * (low + (1 - low) * wave)

    def losses(self, scene: SharedScene) -> dict[str, Tensor]:
        """L_main and, for the dGrasp models, L_aux, each a mean over observations."""
        scores = logits(self.value.readout, scene.main(self.recipe))
        losses = {"main": grasp_ranking_loss(scores, kind=self.config.main_loss)}
        if self.supervises_slopes:
            losses["aux"] = AUXILIARY[self.config.slope.how](self.value.readout, self.recipe, scene)
        return losses

    def checkpoint(self, run: Run, step: int) -> None:
        """Weights and Adam's state after `step` steps."""
        save(run, self._state, self.adam, step)

    def restore(self, run: Run, worker: Worker) -> int:
        """Continue from the run's checkpoint, if any; returns the number of steps already made."""
        return restore(run, self._state, self.adam, worker)

    @property
    def _state(self) -> nn.Module:
        """All weights that a checkpoint holds."""
        readout = self.value.readout
        return readout if self.average is None else nn.ModuleDict({"readout": readout, "average": self.average})


class Trainer:
    """Step s depends on each learner's weights, Adam's state and streams addressed by s, on nothing else.

    recipes, values: of the readouts that learn side by side, on one Phi. worker: this process, where several share each
    step; alone by default. after: steps of an earlier round, whose draws are not repeated. Raises ValueError for
    recipes that do not see the same observations.
    """

    def __init__(
        self,
        recipes: Sequence[ValueRecipe],
        values: Sequence[GraspValue],
        observations: Observations,
        seed: int,
        worker: Worker | None = None,
        after: int = 0,
    ) -> None:
        check_one_pass(recipes)
        self.worker = worker or Worker(values[0].device)
        self.learners = [Learner(recipe, value) for recipe, value in zip(recipes, values, strict=True)]
        self.config, self.value, self.observations = recipes[0].value, values[0], observations
        self.draw = Draws(self.config, observations, seed, self.worker, after)

    def step(self, step: int, learners: Sequence[Learner] | None = None) -> list[dict[str, float]]:
        """One step of all learners (or of some); returns the mean losses of each.

        Gradients of groups of observations add up, which bounds memory.
        """
        learners = self.learners if learners is None else learners
        for learner in learners:
            learner.begin(step)
        totals: list[dict[str, float]] = [{"main": 0.0} for _ in learners]
        for scene in self._scenes(self.draw(step)):
            share = len(scene) / self.config.batch
            for learner, total in zip(learners, totals, strict=True):
                for name, loss in _backward(learner, scene, share).items():
                    total[name] = total.get(name, 0.0) + share * loss
        for learner in learners:
            learner.end(self.worker)
        return [self.worker.add_numbers(total) for total in totals]

    def _scenes(self, drawn: Step) -> Iterator[SharedScene]:
        for first in range(0, len(drawn), self.config.group):
            yield SharedScene(self.value, drawn, slice(first, first + self.config.group))


def check_one_pass(recipes: Sequence[ValueRecipe]) -> None:
    """Raise ValueError unless the recipes see the same observations, so that one pass can train them."""
    first = recipes[0].value
    for recipe in recipes[1:]:
        for name in SHARED:
            one, other = getattr(first, name), getattr(recipe.value, name)
            if one != other:
                raise ValueError(
                    f"value.{name}: {one} for {recipes[0].model!r} and {other} for {recipe.model!r}; models that are "
                    f"trained in one pass share {', '.join(SHARED)}"
                )


def _backward(learner: Learner, scene: SharedScene, share: float) -> dict[str, float]:
    """Add this group's gradients to the learner's; returns its losses."""
    losses = learner.losses(scene)
    weighted = losses["main"] + learner.config.slope.weight * losses.get("aux", 0.0)
    (share * weighted).backward()
    return {name: float(loss.detach()) for name, loss in losses.items()}
