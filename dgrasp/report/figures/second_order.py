"""The price of second order, measured live: plain create_graph against the exact scheme (notebook 3)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from torch import Tensor

from dgrasp import streams
from dgrasp.data.demonstrations import Demonstration
from dgrasp.nerf.precision import in_precision
from dgrasp.poses import Representation, representation
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.samples import around_trajectory
from dgrasp.value.training import build_value


def second_order_table(
    value: GraspValue,
    demo: Demonstration,
    config: ValueConfig,
    seed: int,
    sizes: Sequence[int] = (64, 512),
    repeats: int = 3,
) -> pd.DataFrame:
    """Gradients of the readout's weights at one observation, forward and backward, by number of poses.

    Columns: `poses`; seconds (median of `repeats`) of L_main and of L_aux by both schemes; `exact_over_plain`,
    `exact_over_main`; and `difference`, the relative distance of the two gradients of L_aux.
    """
    learning = build_value(config, value.phi, seed)  # the trained readout is frozen; this one has gradients
    learning.readout.load_state_dict(value.readout.state_dict())
    enc = learning.encode(demo.views[: config.views])
    rep = representation("quat")
    with in_precision(value.phi, "fp32"):  # second order is float32 whatever Phi's precision
        return pd.DataFrame([_row(learning, enc, _poses(demo, config, n, rep, seed), rep, repeats) for n in sizes])


def _poses(demo: Demonstration, config: ValueConfig, n: int, rep: Representation, seed: int) -> tuple[Tensor, Tensor]:
    trajectory = torch.as_tensor(demo.Ts_world_tcp, dtype=torch.get_default_dtype())
    generator = streams.torch_generator(seed, "second order", n)
    T, T_target = around_trajectory(trajectory, config.slope.model_copy(update={"n_poses": n}), generator)
    return rep.from_matrix(T), rep.from_matrix(T_target)


def _row(value, enc, poses: tuple[Tensor, Tensor], rep: Representation, repeats: int) -> dict[str, float]:  # type: ignore[no-untyped-def]
    p, target = poses
    weights = list(value.readout.parameters())

    def features(T: Tensor) -> Tensor:
        return value.activations(enc, T[None])[0]

    def main() -> Tensor:
        with torch.no_grad():
            a = features(rep.to_matrix(p))
        return grasp_ranking_loss(value.readout(a)[None])

    def plain() -> Tensor:
        return slope_loss(lambda T: value.readout(features(T)), p, target, rep)

    def exact() -> Tensor:
        return exact_slope_loss(features, value.readout, p, target, rep)

    seconds, gradients = {}, {}
    for loss in (main, plain, exact):
        seconds[loss.__name__], gradients[loss.__name__] = _timed(loss, weights, repeats)
    difference = (gradients["exact"] - gradients["plain"]).norm() / gradients["plain"].norm()
    ratios = {f"exact_over_{name}": seconds["exact"] / seconds[name] for name in ("plain", "main")}
    return {"poses": len(p), **seconds, **ratios, "difference": float(difference)}


def _timed(loss: Callable[[], Tensor], weights: list[Tensor], repeats: int) -> tuple[float, Tensor]:
    """Median seconds of a loss and its gradient, after one call to warm up; and that gradient.

    By `backward()`, as training loops do. Autograd that is asked for the weights' gradient alone (`autograd.grad`)
    leaves out Phi's second derivative by itself, and the plain scheme would be the exact one.
    """
    times = []
    for _ in range(repeats + 1):
        for w in weights:
            w.grad = None
        start = time.perf_counter()
        loss().backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - start)
    gradient = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    return statistics.median(times[1:]), torch.cat([g.flatten() for g in gradient])
