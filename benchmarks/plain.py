"""The references that the benchmarks divide by, and what they share: sizes, scenes, clocks.

`PlainValue` is Psi on Phi as one writes it down first: every input column of Phi gathered for every query, torch's own
grid_sample, one linear layer of 379 columns, residual blocks, all in autograd and float32. Same weights, same numbers.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dgrasp.cameras import Intrinsics, pixels_of, view_from_sphere
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import invert, rotate_directions, transform_points
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout

CENTRE = torch.tensor([0.2, 0.0, 0.9605], dtype=torch.float64)


def paper_value() -> GraspValue:
    """Psi and Phi's fine network at the paper's sizes, untrained. The image encoder is left small: it is not timed."""
    phi = build_nerf(NerfConfig.model_validate({"encoder": {"kind": "convolution", "channels": 256, "width": 4}}))
    return value_on(phi, ValueConfig())


def value_on(phi, config: ValueConfig) -> GraspValue:  # type: ignore[no-untyped-def]
    """An untrained Psi on this Phi."""
    queries = QueryPoints.from_config(config.queries)
    readout = GraspReadout(
        config.readout, queries=len(queries), activations=phi.activation_count, hidden=phi.config.field.hidden
    )
    return GraspValue(phi, readout, queries, config.fusion)


def frozen(value: GraspValue) -> GraspValue:
    """As a policy loads it: no weight is trained any more."""
    value.readout.requires_grad_(False)
    return value


def encoded(value: GraspValue, views: int, width: int = 640, height: int = 480) -> EncodedViews:
    """Random feature maps of one scene seen by real cameras: timing does not depend on what is in the images."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, views, height // 2, width // 2, value.phi.encoder.channels)
    K = torch.tensor(Intrinsics.d415(width, height).matrix, dtype=torch.float32).expand(1, views, 3, 3)
    Ts = torch.stack([view_from_sphere(CENTRE, 0.8, 1.6 * i - 0.8, 0.7) for i in range(views)]).float()[None]
    rgb = torch.rand(1, views, height, width, 3, generator=generator)
    return value.phi.project(EncodedViews(rgb, torch.randn(shape, generator=generator), K, Ts))


class PlainValue:
    """`value.bind(enc)` for one scene, in ordinary autograd operations."""

    def __init__(self, value: GraspValue, enc: EncodedViews) -> None:
        self.value, self.enc = value, enc

    def __call__(self, T_world_tcp: Tensor) -> Tensor:
        return self.logits(T_world_tcp, self.enc.views)

    def logits(self, T_world_tcp: Tensor, views: int) -> Tensor:
        """Scores summed over the first `views` images."""
        points, directions = self.value.queries.in_world(T_world_tcp)
        each = (self._activations(points.flatten(0, 1), directions.flatten(0, 1), v) for v in range(views))
        return sum(self.value.readout(a.unflatten(0, points.shape[:2])) for a in each)  # type: ignore[return-value]

    def _activations(self, points: Tensor, directions: Tensor, view: int) -> Tensor:
        phi, c = self.value.phi, self.value.phi.config.field
        T_cam_world = invert(self.enc.Ts_world_cam[0, view])
        p_cam, d_cam = transform_points(T_cam_world, points), rotate_directions(T_cam_world, directions)
        uv = pixels_of(self.enc.K[0, view], p_cam)
        sampled = [_grid_sample(m[0, view], uv * s) for m, s in ((self.enc.rgb, 1.0), (self.enc.features, 0.5))]
        codes = [positional_code(p_cam, c.position_frequencies), positional_code(d_cam, c.direction_frequencies)]
        x = phi.fine.first(torch.cat([*codes, *sampled], dim=-1))
        for block in phi.fine.per_view:
            x = _block(block, x)
        out = [x]
        for block in phi.fine.shared:
            out.append(_block(block, out[-1]))
        return torch.stack(out, dim=-2)


def _block(block, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    return x + block.outer(F.relu(block.inner(F.relu(x))))


def _grid_sample(image: Tensor, uv: Tensor) -> Tensor:
    size = uv.new_tensor([image.shape[1] - 1, image.shape[0] - 1])
    grid = (uv / size * 2 - 1)[None, :, None]
    out = F.grid_sample(image.permute(2, 0, 1)[None], grid, padding_mode="border", align_corners=True)
    return out[0, :, :, 0].t()


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Median wall seconds, after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matmul_peak(dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations a second of large matrix products: the best of a few shapes and repeats."""
    best = 0.0
    for n, k, m in ((1024, 1024, 1024), (4096, 256, 256), (4096, 128, 128)):
        a, b = torch.randn(n, k, dtype=dtype), torch.randn(k, m, dtype=dtype)
        for _ in range(30):
            start = time.perf_counter()
            a @ b
            best = max(best, 2 * n * k * m / (time.perf_counter() - start))
    return best


def peak_mib_in_fresh_process(script: str, *arguments: str) -> float:
    """Peak memory in MiB beyond that after set-up, reported by `script` (it prints one number) run on its own."""
    command = [sys.executable, script, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def added_peak_mib(work: Callable[[], object]) -> float:
    """MiB that `work` needs at its peak on top of what is resident before it (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory_mib("VmRSS")
    work()
    return _memory_mib("VmHWM") - before


def resident_mib() -> float:
    """MiB that this process has now (Linux only)."""
    return _memory_mib("VmRSS")


def _memory_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def entry(value: float, unit: str, repeats: int) -> dict[str, object]:
    """One benchmark's result."""
    return {"value": value, "unit": unit, "repeats": repeats, "threads": torch.get_num_threads()}
