"""A slope explorer that needs no build: two small untrained models over scenes of noise."""

from __future__ import annotations

import numpy as np
import torch

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.data.demonstrations import Demonstration
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import uniform_poses
from dgrasp.report.explorer.explorer import Explorer
from dgrasp.sim.scene import Scene
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig
from dgrasp.value.training import build_value

NERF = NerfConfig.model_validate(
    {
        "encoder": {"kind": "convolution", "channels": 4, "width": 4},
        "field": {"hidden": 8, "position_frequencies": 3, "direction_frequencies": 2},
    }
)
VALUE = ValueConfig.model_validate({"queries": {"points_per_line": 1}})


def demonstration(seed: int) -> Demonstration:
    """Six random poses before two images of noise."""
    rng, centre = np.random.default_rng(seed), torch.tensor([0.2, 0.0, 0.96], dtype=torch.float64)
    images = rng.integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    K = np.stack([Intrinsics.d415(32, 24).matrix] * 2)
    Ts_cam = np.stack([view_from_sphere(centre, 0.8, a, 0.7).numpy() for a in (-1.0, 1.0)])
    Ts = uniform_poses(6, *VALUE.bounds, torch.Generator().manual_seed(seed)).double().numpy()
    return Demonstration(seed, 0, Views(images, K, Ts_cam), Ts[-1], Ts, "box", "success", Scene(()))


def small_explorer() -> Explorer:
    """Two demonstrations, two models, two settings."""
    phi = build_nerf(NERF)
    values = {name: build_value(VALUE, phi, seed) for seed, name in enumerate(("base", "dgrasp_quat"))}
    for value in values.values():
        value.readout.eval().requires_grad_(False)
    settings = {"profile": OptimizerConfig(steps=4), "dgrasp_6d_seq": OptimizerConfig(steps=3)}
    return Explorer([demonstration(0), demonstration(1)], values, VALUE.bounds, settings)
