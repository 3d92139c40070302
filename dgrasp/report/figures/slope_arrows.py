"""Slopes beside demonstrations, on held-out trajectories: the numbers behind notebook 3 and Figure 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from dgrasp import streams
from dgrasp.data.demonstrations import Demonstration
from dgrasp.policy.diagnostics import slope_agreement
from dgrasp.poses import representation
from dgrasp.slopes.losses import value_gradient
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import MODELS
from dgrasp.value.observations import blocked_poses
from dgrasp.value.samples import around_trajectory, grasp_among_negatives

EVALUATED_IN = (
    "quat"  # Base has no representation of its own; every model is compared in the one it was trained in, or this
)


def slope_cosines(
    values: Mapping[str, GraspValue], demonstrations: Sequence[Demonstration], config: ValueConfig, seed: int
) -> pd.DataFrame:
    """One row per model and perturbed pose: cosine of slope and displacement, translation and rotation (6D: the mean).

    values: models by name, all on one Phi: each observation is encoded once. Poses and views are the same for all.
    """
    encoder = next(iter(values.values()))
    rows: dict[str, list[torch.Tensor]] = {model: [] for model in values}
    for i, demo in enumerate(demonstrations):
        generator = streams.torch_generator(seed, "slope cosines", i)
        T_r, T_target = around_trajectory(_tensor(demo.Ts_world_tcp), config.slope, generator)
        views = torch.randperm(config.policy_views, generator=generator)[: config.views].tolist()  # as in training
        enc = encoder.encode(demo.views[views])
        for model, value in values.items():
            rep = representation(MODELS[model] or EVALUATED_IN)
            rows[model].append(slope_agreement(value.bind(enc), T_r, T_target, rep))
    cosines = {model: torch.cat(found).numpy() for model, found in rows.items()}
    tables = [pd.DataFrame({"model": m, "translation": c[:, 0], "rotation": c[:, 1]}) for m, c in cosines.items()]
    return pd.concat(tables, ignore_index=True)


def one_per_method(models: Iterable[str]) -> dict[str, str]:
    """The first model of each method, by the method's name, for figures that have room for no more."""
    methods = {"Base": "base", "dGrasp": "dgrasp"}
    found = {method: [m for m in models if m.startswith(prefix)] for method, prefix in methods.items()}
    return {method: names[0] for method, names in found.items() if names}


@dataclass(frozen=True, eq=False)
class SlopeArrows:
    """Figure 2's ingredients, in the world frame and metres.

    T_world_grasp: (4, 4). Ts_negative: (m, 4, 4). p_world, displacement, and each of `slopes`: (n, 3).
    """

    T_world_grasp: np.ndarray
    Ts_negative: np.ndarray
    p_world: np.ndarray
    displacement: np.ndarray
    slopes: Mapping[str, np.ndarray]

    def table(self) -> pd.DataFrame:
        """The plotted vectors, one row per pose."""
        columns = {"p": self.p_world, "demonstrated": self.displacement, **self.slopes}
        return pd.DataFrame({f"{n}_{axis}": v[:, i] for n, v in columns.items() for i, axis in enumerate("xyz")})


def slope_arrows(
    values: Mapping[str, GraspValue],
    demo: Demonstration,
    config: ValueConfig,
    seed: int,
    negatives: int = 24,
    poses: int = 12,
) -> SlopeArrows:
    """Sampled poses of both losses around one demonstration, with each model's translational slopes there.

    Of many poses along the trajectory those are taken that lie far from each other, whatever their slopes.
    """
    generator = streams.torch_generator(seed, "figure 2")
    low, high = (torch.tensor(b) for b in config.workspace)
    grasp = _tensor(demo.T_world_grasp)
    blocked = [blocked_poses(demo)] if config.negatives.blocked_share else None
    among = grasp_among_negatives(grasp, negatives + 1, config.negatives, (low, high), generator, blocked)
    wide = config.slope.model_copy(update={"n_poses": 12 * poses, "window": len(demo.Ts_world_tcp)})
    T_r, T_target = around_trajectory(_tensor(demo.Ts_world_tcp), wide, generator)
    few = spread(T_r[:, :3, 3], poses)
    T_r, T_target = T_r[few], T_target[few]
    directions = {}
    for name, value in values.items():
        rep = representation(MODELS[name] or EVALUATED_IN)
        score = value.bind(value.encode(demo.views[: config.views]))
        directions[name] = value_gradient(score, rep.from_matrix(T_r), rep)[:, :3].numpy()
    displacement = (T_target - T_r)[:, :3, 3].numpy()
    return SlopeArrows(grasp.numpy(), among[1:].numpy(), T_r[:, :3, 3].numpy(), displacement, directions)


def spread(p: Float[torch.Tensor, "m 3"], n: int) -> Int[torch.Tensor, "n"]:
    """Indices of n points that lie far from each other: the first, then always the one farthest from those chosen."""
    chosen = [0]
    distance = (p - p[0]).norm(dim=-1)
    for _ in range(min(n, len(p)) - 1):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (p - p[chosen[-1]]).norm(dim=-1))
    return torch.tensor(chosen)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(array, dtype=torch.get_default_dtype())
