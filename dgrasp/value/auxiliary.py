"""What teaches Psi the way to the grasp: L_aux by second order, or one of three first-order rivals in its place.

All of them see the same poses around demonstrated trajectories, and the same targets (`SlopeConfig.how` says which).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from torch import Tensor

from dgrasp.poses import Representation
from dgrasp.slopes.first_order import direct_slope_loss, finite_difference_slope_loss, trajectory_ranking_loss
from dgrasp.value.layers import logits
from dgrasp.value.models import ValueRecipe
from dgrasp.value.readout import GraspReadout
from dgrasp.value.shared_scene import SharedScene
from dgrasp.value.steered import SteeredReadout


def second_order(readout: GraspReadout, recipe: ValueRecipe, scene: SharedScene) -> Tensor:
    """L_aux (Eq. 4), whose backward goes through slopes."""
    p, target, rep = _pairs(recipe, scene)
    frozen = scene.aux(recipe)
    with scene.full_precision():
        return frozen.slope_loss(readout, p, target, rep, recipe.value.slope.eps)


def finite_differences(readout: GraspReadout, recipe: ValueRecipe, scene: SharedScene) -> Tensor:
    """L_aux with slopes from values beside each pose."""
    p, target, rep = _pairs(recipe, scene)
    slope = recipe.value.slope

    def value(T: Tensor) -> Tensor:
        return logits(readout, scene.at(T.unflatten(0, (len(scene), -1))), least=0.0).flatten()

    step, rotation_step = slope.difference
    return finite_difference_slope_loss(value, p, target, rep, step=step, rotation_step=rotation_step, eps=slope.eps)


def trajectory_ranking(readout: GraspReadout, recipe: ValueRecipe, scene: SharedScene) -> Tensor:
    """Each target is to score higher than the pose it is the target of."""
    _, T_target = scene.poses_of_aux(recipe)
    earlier = logits(readout, scene.aux_values(recipe), least=0.0)
    return trajectory_ranking_loss(earlier, logits(readout, scene.at(T_target), least=0.0).flatten())


def slope_head(readout: GraspReadout, recipe: ValueRecipe, scene: SharedScene) -> Tensor:
    """Slopes that the second readout says, against the displacements."""
    p, target, rep = _pairs(recipe, scene)
    twists = cast(SteeredReadout, readout).twist(scene.aux_values(recipe))
    return direct_slope_loss(twists, p, target, rep, eps=recipe.value.slope.eps)


AUXILIARY: Mapping[str, Callable[[GraspReadout, ValueRecipe, SharedScene], Tensor]] = {
    "second_order": second_order,
    "finite_differences": finite_differences,
    "trajectory_ranking": trajectory_ranking,
    "slope_head": slope_head,
}


def _pairs(recipe: ValueRecipe, scene: SharedScene) -> tuple[Tensor, Tensor, Representation]:
    """Poses of L_aux and their targets, side by side, in the model's coordinates."""
    rep = recipe.representation
    assert rep is not None
    p, target = (rep.from_matrix(T.flatten(0, 1)) for T in scene.poses_of_aux(recipe))
    return p, target, rep
