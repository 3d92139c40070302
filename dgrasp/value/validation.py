"""How good a landscape is on held-out demonstrations: does the grasp win, and do the slopes point to it?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.poses import Representation, representation
from dgrasp.slopes.losses import grasp_ranking_loss, part_cosines, value_gradient
from dgrasp.streams import torch_generator
from dgrasp.value.config import SlopeConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.samples import around_trajectory, grasp_among_negatives


def validate(recipe: ValueRecipe, value: GraspValue, observations: Observations, seed: int) -> dict[str, float]:
    """Mean metrics over the first `validation_scenes` demonstrations, on poses that are the same at every call.

    val_main: L_main. val_top1: share of demonstrations whose grasp has the highest score of its poses.
    val_cos_translation, val_cos_rotation: cosine of slope and displacement around the held-out trajectory, in the
    model's representation (quaternions for models without one).
    """
    config = recipe.value
    rep = recipe.representation or representation("quat")
    rows = []
    for i in range(min(config.validation_scenes, len(observations))):
        generator = torch_generator(seed, "value", "validation", i)
        enc = observations.views(i, list(range(config.views)))
        blocked = [observations.blocked(i)] if config.negatives.blocked_share else None
        refuted = [observations.refuted(i)] if config.negatives.outcome_share else None
        T = grasp_among_negatives(
            observations.grasp(i), config.n_poses, config.negatives, config.bounds, generator, blocked, refuted
        )
        with torch.no_grad():
            logits = value.bind(enc)(T)
        cosines = slope_cosines(value, enc, observations.trajectory(i), config.slope, rep, generator).mean(dim=0)
        top = (logits.argmax() == 0).to(logits)
        rows.append(torch.stack([grasp_ranking_loss(logits), top, cosines[0], cosines[1:].mean()]))
    names = ("val_main", "val_top1", "val_cos_translation", "val_cos_rotation")
    return dict(zip(names, torch.stack(rows).mean(dim=0).tolist(), strict=True)) if rows else {}


def slope_cosines(
    value: GraspValue,
    enc: EncodedViews,
    Ts_world_tcp: Float[Tensor, "steps 4 4"],
    config: SlopeConfig,
    rep: Representation,
    generator: torch.Generator,
) -> Float[Tensor, "n parts"]:
    """Cosine of slope and demonstrated displacement at augmented poses of one trajectory, part by part."""
    p, target = (rep.from_matrix(T) for T in around_trajectory(Ts_world_tcp, config, generator))
    return part_cosines(value_gradient(value.bind(enc), p, rep), rep.displacement(p, target), rep.parts, config.eps)
