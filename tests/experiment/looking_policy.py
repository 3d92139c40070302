"""A policy that needs no training and yet depends on everything in a capture: pixels, intrinsics and poses."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dgrasp.cameras import Intrinsics, Views, look_at, project
from dgrasp.cell.workspace import BOARD_CENTRE, BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.slopes.config import OptimizerConfig

TARGETS = torch.tensor([[0.30, 0.10, 1.00], [0.10, -0.10, 1.00]])


class TwoSummits(nn.Module):
    """A value with summits at two places, the first higher, and best when pointing down.

    How bright the views are where they show the summits is added to all scores: a calibration error changes it.
    """

    device = "cpu"

    def __init__(self) -> None:
        super().__init__()
        self.readout = nn.Linear(1, 1)  # whose weights say in which precision poses are drawn

    def encode(self, views: Views):
        assert views.images.dtype == np.uint8
        return views

    def bind(self, views: Views):
        bright = 3 * brightness(views)

        def value(T):
            distance = torch.cdist(T[:, :3, 3], TARGETS)
            return (torch.tensor([2.0, 1.5]) * torch.exp(-((distance / 0.08) ** 2))).amax(1) - 0.2 * T[:, 2, 2] + bright

        return value


def brightness(views: Views) -> float:
    """Mean of the colours at the summits in all views, 0 to 1, bilinear."""
    K, T = torch.from_numpy(views.K).float(), torch.from_numpy(views.Ts_world_cam).float()
    uv, _ = project(K, T, TARGETS.expand(len(views), 2, 3))
    height, width = views.images.shape[1:3]
    at = (uv + 0.5) / torch.tensor([width, height]) * 2 - 1
    images = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    return float(nn.functional.grid_sample(images, at[:, None], padding_mode="border", align_corners=False).mean())


def looking_policy(starts: int = 32, steps: int = 6) -> GraspPolicy:
    rates = {"translation_rate": 0.02, "rotation_rate": 0.1, "translation_decay": 0.93}
    config = OptimizerConfig(n_starts=starts, steps=steps, **rates)  # type: ignore[arg-type]
    low, high = (torch.tensor(b, dtype=torch.float32) for b in (BOUNDS_LOW, BOUNDS_HIGH))
    return GraspPolicy(policy_spec("dgrasp_quat_sync"), TwoSummits(), config, (low, high))  # type: ignore[arg-type]


def two_views(width: int = 64, height: int = 48) -> Views:
    """Two photographs of the board from opposite sides, drawn, not rendered: smooth colours, another in each corner."""
    centre = torch.tensor(BOARD_CENTRE, dtype=torch.float64)
    eyes = [centre + torch.tensor(offset, dtype=torch.float64) for offset in ((0.1, -0.56, 0.57), (0.1, 0.56, 0.57))]
    v, u = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    images = [np.stack([200 * u + 20, 180 * v + 30 + 20 * i, 120 * (1 - u) + 40], axis=-1) for i in range(2)]
    lens = Intrinsics(width, height, 0.964 * width, 0.964 * width, (width - 1) / 2, (height - 1) / 2)
    return Views(
        np.stack(images).astype(np.uint8),
        np.stack([lens.matrix] * 2),
        torch.stack([look_at(eye, centre) for eye in eyes]).numpy(),
    )
