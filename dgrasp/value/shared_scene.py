"""What learners of one pass share: observations as Phi sees them, and its activations at the poses of both losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.precision import in_precision
from dgrasp.slopes.exact import FrozenActivations
from dgrasp.value.draws import Step, aux_key, main_key
from dgrasp.value.frozen import FrozenPhi
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe


class SharedScene:
    """Some observations of a step as Phi sees them: its activations at the poses of both losses, worked out once."""

    def __init__(self, value: GraspValue, step: Step, rows: slice) -> None:
        self.value, self.step, self.rows = value, step, rows
        self._main: dict[str, Tensor] = {}
        self._aux: dict[str, FrozenActivations] = {}

    def __len__(self) -> int:
        return len(self.step.enc[self.rows])

    @cached_property
    def enc(self) -> EncodedViews:
        return EncodedViews.concatenate(self.step.enc[self.rows]).to(self.step.grasps.dtype)

    def main(self, recipe: ValueRecipe) -> Tensor:
        """Activations at the poses of L_main."""
        key = main_key(recipe)
        if key not in self._main:
            with torch.no_grad():
                self._main[key] = self.value.activations(self.enc, self.step.main(recipe)[self.rows])
        return self._main[key]

    def poses_of_aux(self, recipe: ValueRecipe) -> tuple[Tensor, Tensor]:
        """Poses of L_aux and their targets, (observations, m, 4, 4) each."""
        T_aux, T_target = self.step.aux(recipe)
        return T_aux[self.rows], T_target[self.rows]

    def aux(self, recipe: ValueRecipe) -> FrozenActivations:
        """Activations at the poses of L_aux, differentiable in them.

        In float32 whatever Phi's precision: slopes are differences of its roundings.
        """
        key = aux_key(recipe.value.slope)
        if key not in self._aux:
            T_aux, _ = self.poses_of_aux(recipe)
            with self.full_precision():
                self._aux[key] = FrozenPhi(self.value, self.enc, T_aux)
        return self._aux[key]

    def aux_values(self, recipe: ValueRecipe) -> Tensor:
        """Activations (poses, ...) at the poses of L_aux, for losses that need no slopes."""
        if (known := self._aux.get(aux_key(recipe.value.slope))) is not None:
            return known.activations.detach()
        T_aux, _ = self.poses_of_aux(recipe)
        return self.at(T_aux).flatten(0, 1)

    def at(self, T_world_tcp: Tensor) -> Tensor:
        """Activations at any poses (observations, m, 4, 4) in float32, without derivatives in the poses."""
        with torch.no_grad(), self.full_precision():
            return self.value.activations(self.enc, T_world_tcp, rigid=False)

    @contextmanager
    def full_precision(self) -> Iterator[None]:
        """Phi in float32 within this context."""
        with in_precision(self.value.phi, "fp32"):
            yield
