"""The idea in a plane: a value function of two coordinates, taught with and without its slopes (notebook 00).

Not in the paper: a teaching example with the paper's losses and optimizer on actions p in [-1, 1]^2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp import streams
from dgrasp.poses import make_pose
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss

Value = Callable[[Tensor], Tensor]
GOOD_ACTION = torch.tensor([0.45, 0.3])
STEPS = 400  # of training
OCTAVES = 5  # of the positional code that the network reads, as Psi reads a NeRF's: the reason why landscapes are bumpy


def positional_code(p: Float[Tensor, "n 2"]) -> Float[Tensor, "n 20"]:
    """Sines and cosines of pi 2^k p: what makes a landscape rough at small scale (Mildenhall et al. 2020)."""
    phase = p[..., None] * torch.pi * 2.0 ** torch.arange(OCTAVES)
    return torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(-2)


def demonstrations(n: int, seed: int, steps: int = 24) -> Float[Tensor, "n steps 2"]:
    """Curved paths from random starts to the good action, which is the last row of each."""
    generator = streams.torch_generator(seed, "plane", "demonstrations")
    start = torch.rand(n, 1, 2, generator=generator) * 2 - 1
    t = torch.linspace(0, 1, steps)[None, :, None]
    bend = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # sideways, vanishing at both ends
    straight = GOOD_ACTION - start
    return start + t * straight + 0.35 * torch.sin(torch.pi * t) * (straight @ bend.T)


def train_value_in_plane(
    paths: Float[Tensor, "n steps 2"], slope_weight: float, seed: int, steps: int = STEPS
) -> Value:
    """Fit a small ELU network on the positional code by L_main + slope_weight * L_aux; returns `value(p)`."""
    return deque(values_in_training(paths, slope_weight, seed, steps), maxlen=1).pop()


def values_in_training(
    paths: Float[Tensor, "n steps 2"], slope_weight: float, seed: int, steps: int = STEPS
) -> Iterator[Value]:
    """The value before the first step of that training and after each: always the same one, which goes on learning."""
    generator = streams.torch_generator(seed, "plane", "training")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(4 * OCTAVES, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def value(p: Tensor) -> Tensor:
        return network(positional_code(p)).squeeze(-1)

    yield value
    for _ in range(steps):
        negatives = torch.rand(63, 2, generator=generator) * 2 - 1
        loss = grasp_ranking_loss(value(torch.cat([paths[:1, -1], negatives])))
        if slope_weight:
            loss = loss + slope_weight * slope_loss(value, *_path_samples(paths, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield value


def climb(value: Value, seed: int, walkers: int = 40, steps: int = 60) -> Float[Tensor, "steps n 2"]:
    """Paths of walkers that climb `value` with Adam from random places of the square.

    The optimizer moves poses; a point of the plane is a pose of which the value reads two numbers.
    """
    generator = streams.torch_generator(seed, "plane", "walkers")
    p = F.pad(torch.rand(walkers, 2, generator=generator) * 2 - 1, (0, 1))
    config = OptimizerConfig(
        steps=steps, translation_rate=0.05, translation_decay=1.0, gradient_clip=None, clip_to_workspace=False
    )
    climbed = optimize_poses(lambda T: value(T[:, :2, 3]), make_pose(torch.eye(3), p), config, record=True)
    assert climbed.paths is not None
    return climbed.paths[:, :, :2, 3]


def plot_landscape(axes: Axes, value: Value, paths: Float[Tensor, "steps n 2"], title: str, levels: int = 20) -> None:
    """The landscape as contours, its slopes as arrows, and the walkers' paths."""
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 61)] * 2, indexing="xy"), dim=-1)
    with torch.no_grad():
        height = value(grid.reshape(-1, 2)).reshape(61, 61)
    coarse = grid[2::7, 2::7].reshape(-1, 2).clone().requires_grad_()
    slope = torch.autograd.grad(value(coarse).sum(), coarse)[0]
    slope = slope / slope.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    axes.contourf(grid[..., 0], grid[..., 1], height, levels=levels, cmap="YlGnBu")
    axes.quiver(*coarse.detach().T, *slope.T, color="0.35", scale=26, width=0.004)
    for walker in range(paths.shape[1]):
        axes.plot(*np.asarray(paths[:, walker]).T, color="#d95f02", lw=0.8, alpha=0.7)
    axes.plot(*GOOD_ACTION, marker="*", ms=14, color="#d7191c", mec="white")
    axes.set(title=title, xlim=(-1, 1), ylim=(-1, 1), xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
    axes.set(xlabel="first coordinate of the action", ylabel="second coordinate")


def _path_samples(paths: Tensor, generator: torch.Generator, n: int = 64, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """Poses near the demonstrated paths, and the next recorded pose of each (Sec. 3.2)."""
    which = torch.randint(len(paths), (n,), generator=generator)
    step = torch.randint(paths.shape[1] - 2, (n,), generator=generator)
    near = paths[which, step] + noise * torch.randn(n, 2, generator=generator)
    return near, paths[which, step + 2]
