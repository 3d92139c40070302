"""Values whose summit is known, and small networks at random: for policies and pilots that climb them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dgrasp.cameras import Views
from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.nerf.config import ConvolutionEncoderConfig, FieldConfig, NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.policy.policies import POLICIES, GraspPolicy
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryConfig, QueryPoints
from dgrasp.value.readout import GraspReadout, ReadoutConfig


class Cone:
    """A `GraspValue` of a landscape that falls off evenly from `summit`, by metres and by the entries of the rotation.

    steepness: per metre. flat: metres along the summit's y that make no difference. widths: of images encoded so far.
    """

    def __init__(self, summit: np.ndarray, steepness: float = 400.0, flat: float = 0.0) -> None:
        self.summit, self.steepness, self.flat = summit, steepness, flat
        self.readout = nn.Linear(1, 1)
        self.widths: list[int] = []

    def encode(self, views: Views) -> Views:
        self.widths.append(views.images.shape[2])
        return views

    def bind(self, views: Views):  # type: ignore[no-untyped-def]
        top = torch.from_numpy(self.summit).float()

        def score(T: torch.Tensor) -> torch.Tensor:
            away = (T[:, :3, 3] - top[:3, 3]) @ top[:3, :3]
            along = away[:, 1].abs().sub(self.flat).clamp(min=0)
            metres = torch.stack([away[:, 0], along, away[:, 2]], -1).square().sum(-1).add(1e-8).sqrt()
            turned = (T[:, :3, :3] - top[:3, :3]).square().sum((1, 2))
            return -self.steepness * metres - 20 * turned

        return score


def networks(fusion: str = "sum") -> GraspValue:
    """Small ones, untrained."""
    field = FieldConfig(hidden=8, position_frequencies=3, direction_frequencies=2)
    phi = build_nerf(NerfConfig(encoder=ConvolutionEncoderConfig(channels=4, width=4), field=field))
    queries = QueryPoints.from_config(QueryConfig(points_per_line=1))
    config = ReadoutConfig(activation_features=4, query_features=4, trunk_hidden=8, trunk_features=4)
    readout = GraspReadout(config, queries=6, hidden=8, generator=torch.Generator().manual_seed(0))
    return GraspValue(phi, readout, queries, fusion)


def policy_on(value: GraspValue | Cone, config: OptimizerConfig, name: str = "dgrasp_quat_sync") -> GraspPolicy:
    """A policy that climbs this value in the paper's workspace."""
    bounds = tuple(torch.tensor(corner, dtype=torch.float32) for corner in (BOUNDS_LOW, BOUNDS_HIGH))
    return GraspPolicy(POLICIES[name], value, config, bounds)  # type: ignore[arg-type]
