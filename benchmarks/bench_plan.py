"""How fast a grasp is planned: at the paper's sizes against the plain reference, and with the laptop profile.

    python benchmarks/bench_plan.py             the numbers of build/bench.json
    python benchmarks/bench_plan.py growth      CSV: seconds and MiB against poses, queries, images and width

The paper's plan has 4,096 starts, 32 steps and two images. It is timed on 512 starts and 2 steps (cost is linear in
both, see `growth`); the plain reference evaluates 512 poses at a time.
"""

from __future__ import annotations

import csv
import sys

import torch
from plain import (
    PlainValue,
    added_peak_mib,
    encoded,
    entry,
    frozen,
    matmul_peak,
    paper_value,
    peak_mib_in_fresh_process,
    seconds,
    value_on,
)

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import uniform_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue

STARTS, STEPS, VIEWS = 512, 2, 2
PLAIN_CHUNK = 512
PAPER_STARTS, PAPER_STEPS = 4096, 32
PRUNED = ((2, 1024), (8, 256))  # 4,096 -> 1,024 -> 256
BOUNDS = ValueConfig().bounds


def benchmarks() -> dict[str, dict[str, object]]:
    value = frozen(paper_value())
    enc = encoded(value, VIEWS)
    score, repeats = value.bind(enc), 3
    ours = seconds(lambda: plan(score), repeats)
    plain = seconds(lambda: plan(PlainValue(value, enc), chunk=PLAIN_CHUNK), repeats)
    # The paper's plan at an eighth of its starts, pruned in the same proportions.
    pruned = seconds(lambda: plan(score, steps=PAPER_STEPS, keep=tuple((s, n // 8) for s, n in PRUNED)), 1)
    step_of_all = plain / (STEPS + 1 / 3)  # the final ranking is one forward pass, a third of a step
    flops = 2 * multiply_adds(value) * VIEWS * STARTS * (2 * STEPS + 1)
    laptop_seconds = seconds(laptop_plan(), repeats)
    return {
        "plan_speedup_exact": entry(plain / ours, "x", repeats),
        "plan_speedup_pruned": entry(step_of_all * (PAPER_STEPS + 1 / 3) / pruned, "x", 1),
        "plan_share_of_peak": entry(flops / ours / matmul_peak(), "of fp32 peak", repeats),
        "plan_peak_mib": entry(peak_mib_in_fresh_process(__file__, "peak", str(PAPER_STARTS)), "MiB", 1),
        "plan_seconds_laptop": entry(laptop_seconds, "s", repeats),
    }


def plan(score, starts: int = STARTS, steps: int = STEPS, chunk: int | None = None, keep=()):  # type: ignore[no-untyped-def]
    """One optimization from random starts; the chunk defaults to ours."""
    settings = {"steps": steps, "pruning": keep} | ({} if chunk is None else {"chunk": chunk})
    poses = uniform_poses(starts, *BOUNDS, torch.Generator().manual_seed(0))
    return optimize_poses(score, poses, OptimizerConfig.model_validate(settings), bounds=BOUNDS)


def multiply_adds(value: GraspValue) -> int:
    """In matrix products of one forward pass per pose and image, as ours computes them; backward costs as many."""
    fine, readout, queries = value.phi.fine, value.readout, len(value.queries)
    position = fine.columns[0] + fine.columns[2]
    per_query = position * fine.config.hidden + sum(
        w.numel() for blocks in (fine.per_view, fine.shared) for b in blocks for w in (b.inner.weight, b.outer.weight)
    )
    shared_layers = [*readout.per_activation, readout.per_query]
    per_query += sum(layer.weight.numel() for layer in shared_layers)
    per_line = fine.columns[1] * fine.config.hidden
    trunk = sum(p.numel() for p in readout.trunk.parameters() if p.ndim == 2) + readout.logit.weight.numel()
    return queries * per_query + value.queries.points.shape[0] * per_line + trunk


def laptop_plan():  # type: ignore[no-untyped-def]
    """A plan with the laptop profile's Phi, queries, images and optimizer (untrained weights, 1,024 starts or more)."""
    from dgrasp.experiment.profiles import load_profile

    profile = load_profile("laptop")
    if profile.optimizer.n_starts < 1024:
        raise ValueError(f"laptop profile: {profile.optimizer.n_starts} starts; the benchmark is about 1,024 or more")
    value = frozen(value_on(build_nerf(profile.nerf), profile.value))
    score = value.bind(encoded(value, VIEWS, profile.data.width, profile.data.height))
    poses = uniform_poses(profile.optimizer.n_starts, *BOUNDS, torch.Generator().manual_seed(0))
    return lambda: optimize_poses(score, poses, profile.optimizer, bounds=BOUNDS)


def peak(starts: int) -> float:
    """MiB that a plan needs on top of what its inputs take."""
    value = frozen(paper_value())
    score = value.bind(encoded(value, VIEWS))
    plan(score, starts=8, steps=1)
    return added_peak_mib(lambda: plan(score, starts=starts, steps=1))


GROWTH_BASE = {"poses": 512, "queries": 42, "images": 2, "width": 128}
GROWTH_RANGES = {"poses": (128, 512, 2048), "queries": (6, 18, 42), "images": (1, 2, 4), "width": (32, 64, 128, 256)}


def growth() -> None:
    """Seconds of one step and MiB, one quantity varied at a time round `GROWTH_BASE`.

    mib: what a plan needs on top of its inputs, at its peak, in a process of its own. maps_mib: the encoded images that
    it reads, which are there for as long as the scene is.
    """
    writer = csv.writer(sys.stdout)
    writer.writerow(["varied", *GROWTH_BASE, "seconds", "mib", "maps_mib"])
    for varied, values in GROWTH_RANGES.items():
        for number in values:
            size = {**GROWTH_BASE, varied: number}
            score, maps = growth_score(**size)
            elapsed = seconds(lambda s=score, n=size["poses"]: plan(s, starts=n, steps=1), 1)
            mib = peak_mib_in_fresh_process(__file__, "growth-peak", *map(str, size.values()))
            writer.writerow([varied, *size.values(), f"{elapsed:.3f}", f"{mib:.1f}", f"{maps:.1f}"])
            sys.stdout.flush()


def growth_score(poses: int, queries: int, images: int, width: int):  # type: ignore[no-untyped-def]
    """A landscape of that size, and the MiB of the maps it reads."""
    encoder = {"kind": "convolution", "channels": 64, "width": 4}
    config = NerfConfig.model_validate({"encoder": encoder, "field": {"hidden": width}})
    settings = ValueConfig.model_validate({"queries": {"points_per_line": queries // 6}})
    value = frozen(value_on(build_nerf(config), settings))
    enc = encoded(value, images)
    assert enc.fine is not None
    return value.bind(enc), sum(m.numel() * m.element_size() for m in (enc.rgb, enc.fine)) / 2**20


def growth_peak(poses: int, queries: int, images: int, width: int) -> float:
    """MiB that one step needs on top of what its inputs take."""
    score, _ = growth_score(poses, queries, images, width)
    plan(score, starts=8, steps=1)
    return added_peak_mib(lambda: plan(score, starts=poses, steps=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(peak(int(sys.argv[2])))
    elif sys.argv[1:2] == ["growth-peak"]:
        print(growth_peak(*map(int, sys.argv[2:])))
    elif sys.argv[1:2] == ["growth"]:
        growth()
    else:
        for name, row in benchmarks().items():
            print(name, row)
