"""Speed of pre-training: rays a second on one core at a fixed size, and what chunks and sums of rows bring to it.

Run alone: `python benchmarks/bench_nerf.py`. Ratios compare two ways to compute the same number in one process.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.cameras import Intrinsics, pixel_rays, view_from_sphere
from dgrasp.nerf.batches import RayBatch
from dgrasp.nerf.blocks import ResidualBlock
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.fast.trunk import plain_trunk, trunk
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.precision import bfloat16_gain
from dgrasp.nerf.pretrain import ViewSynthesis, build_optimizer
from dgrasp.nerf.rendering import uniform
from dgrasp.nerf.sampling import sample_bilinear

SCENES, RAYS, VIEWS, SIZE, REPEATS = 4, 256, 2, 96, 5
CONFIG = {
    "encoder": {"kind": "convolution", "channels": 64, "width": 32},
    "field": {"hidden": 128, "blocks_per_view": 3, "blocks_shared": 2},
    "rays": {"coarse_samples": 16, "fine_samples": 8},  # 16 + (16 + 8) = 40 evaluations of a network per ray
}


def benchmarks() -> dict[str, dict]:
    """Name -> value, unit, repeats, threads. Everything runs on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        results = {
            "nerf_rays_per_second": (_rays_per_second("auto"), "rays/s/core"),
            "nerf_rays_per_second_fp32": (_rays_per_second("fp32"), "rays/s/core"),
            "nerf_bfloat16_gain": (bfloat16_gain(), "ratio"),
            "nerf_trunk_speedup_forward": (_trunk_speedup("forward"), "ratio"),
            "nerf_trunk_speedup_slope": (_trunk_speedup("slope"), "ratio"),
            "nerf_trunk_speedup_training": (_trunk_speedup("training"), "ratio"),
            "nerf_sampling_speedup": (_sampling_speedup(), "ratio"),
        }
    finally:
        torch.set_num_threads(threads)
    return {n: {"value": value, "unit": unit, "repeats": REPEATS, "threads": 1} for n, (value, unit) in results.items()}


def _rays_per_second(precision: str) -> float:
    """Whole optimizer steps: encoding, coarse and fine rendering, both backward passes, Adam."""
    phi = build_nerf(NerfConfig.model_validate(CONFIG | {"precision": precision}))
    model, optimizer, batch = ViewSynthesis(phi), build_optimizer(phi), _batch()

    def step() -> None:
        loss, _ = model(batch, uniform(torch.Generator().manual_seed(0)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(phi.parameters(), 1.0)
        optimizer.step()

    return SCENES * RAYS / _seconds(step)


def _batch() -> RayBatch:
    """Random images from calibrated cameras on the sphere round the board, and rays through another view."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.tensor([0.2, 0.0, 0.9605])
    azimuths = torch.linspace(-2, 2, SCENES * (VIEWS + 1)).tolist()
    Ts = torch.stack([view_from_sphere(centre, 0.8, a, math.radians(45)) for a in azimuths]).view(SCENES, -1, 4, 4)
    K = torch.as_tensor(Intrinsics.d415(SIZE, SIZE).matrix, dtype=torch.float32).expand(SCENES, VIEWS + 1, 3, 3)
    uv = torch.rand(SCENES, RAYS, 2, generator=generator) * (SIZE - 1)
    origins, directions = pixel_rays(K[:, -1], Ts[:, -1], uv)
    images = torch.rand(SCENES, VIEWS, 3, SIZE, SIZE, generator=generator)
    rgb = torch.rand(SCENES, RAYS, 3, generator=generator)
    return RayBatch(images, K[:, :VIEWS], Ts[:, :VIEWS], origins, directions, rgb)


def _trunk_speedup(mode: str) -> float:
    """Autograd's own operations over cache-sized chunks, at the paper's width and depth and one view."""
    hidden, rows = 128, 42 * 256
    per_view, shared = (nn.ModuleList(ResidualBlock(hidden) for _ in range(3)) for _ in range(2))
    weights = [w for block in (*per_view, *shared) for w in block.weights()]
    x, upstream = torch.randn(1, 1, rows, hidden), torch.randn(1, rows, 4, hidden)
    for w in weights:
        w.requires_grad_(mode == "training")

    def run(function: Callable[[Tensor], Tensor]) -> None:
        if mode == "forward":
            with torch.no_grad():
                function(x)
        else:
            function(x.clone().requires_grad_()).backward(upstream)

    plain = _seconds(lambda: run(lambda z: plain_trunk(z, 3, weights)))
    return plain / _seconds(lambda: run(lambda z: trunk(z, per_view, shared)))


def _sampling_speedup() -> float:
    """torch's grid_sample over sums of rows, at 128 channels and half resolution."""
    maps, uv = torch.randn(1, 48, 48, 128), torch.rand(1, 40_000, 2) * 47
    image, grid = maps.permute(0, 3, 1, 2).contiguous(), (uv / 47 * 2 - 1)[:, :, None]
    plain = _seconds(lambda: F.grid_sample(image, grid, padding_mode="border", align_corners=True))
    return plain / _seconds(lambda: sample_bilinear(maps, uv))


def _seconds(run: Callable[[], object]) -> float:
    """Least wall seconds of several repeats after one to warm up."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(benchmarks(), indent=2))
