"""A pose landscape that has nothing to do with grasping: bringing a peg into a hole (notebook 00).

Not in the paper. What another project would write is what is here: a network that scores poses, a handful of
trajectories, `grasp_ranking_loss` and `slope_loss` to train it, `optimize_poses` to use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import roma
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from torch import Tensor, nn

from dgrasp import streams
from dgrasp.poses import make_pose, rotation_angle, uniform_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss

LOW, HIGH = torch.tensor([-0.3, -0.3, 0.0]), torch.tensor([0.3, 0.3, 0.4])  # where pegs may be, metres
HOLE = make_pose(roma.euler_to_rotmat("xyz", torch.tensor([math.pi, 0.0, 0.5])), torch.tensor([0.1, 0.05, 0.0]))
STANDOFF = 0.12  # metres in front of the hole, from where demonstrations go straight in
OCTAVES = 3  # of the positional code, whose shortest wave is 0.2 m
CLIMB = OptimizerConfig(
    steps=60, translation_rate=0.03, rotation_rate=0.15, translation_decay=0.95, rotation_decay=0.95,
    gradient_clip=None, chunk=500,
)  # fmt: skip

Value = Callable[[Tensor], Tensor]
Paths = Float[Tensor, "steps n 4 4"]


def demonstrations(n: int, seed: int, steps: int = 24) -> Float[Tensor, "n steps 4 4"]:
    """`Ts_world_peg` from random poses: turn on the way to a place in front of the hole, then straight in."""
    start = uniform_poses(n, LOW, HIGH, streams.torch_generator(seed, "docking", "demonstrations"))
    before = HOLE.clone()
    before[:3, 3] -= STANDOFF * HOLE[:3, 2]
    before, hole = before.expand(n, 4, 4), HOLE.expand(n, 4, 4)
    return torch.cat([_straight(start, before, steps), _straight(before, hole, steps // 2)[:, 1:]], dim=1)


def train_insertion_value(
    demos: Float[Tensor, "n steps 4 4"], slope_weight: float, seed: int, steps: int = 400
) -> Value:
    """Fit a small network to the trajectories by L_main + slope_weight * L_aux; returns `value(T_world_peg)`."""
    generator = streams.torch_generator(seed, "docking", "training")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(9 + 6 * OCTAVES, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 1))
    adam = torch.optim.Adam(network.parameters(), lr=3e-3)

    def value(T_world_peg: Tensor) -> Tensor:
        phase = T_world_peg[:, :3, 3:] / 0.4 * torch.pi * 2.0 ** torch.arange(OCTAVES)
        code = torch.cat([phase.sin(), phase.cos(), T_world_peg[:, :3, :3]], dim=-1)
        return network(code.flatten(1)).squeeze(-1)

    for _ in range(steps):
        wrong = uniform_poses(127, LOW, HIGH, generator)
        loss = grasp_ranking_loss(value(torch.cat([demos[:1, -1], wrong])))
        if slope_weight:
            poses, targets = _near_trajectories(demos, generator)
            loss = loss + slope_weight * slope_loss(value, poses, targets, "quat")
        adam.zero_grad()
        loss.backward()
        adam.step()
    return value


def insert(value: Value, seed: int, n: int = 500) -> Float[Tensor, "steps n 4 4"]:
    """Paths of n pegs that climb `value` from random poses, best final value first."""
    starts = uniform_poses(n, LOW, HIGH, streams.torch_generator(seed, "docking", "starts"))
    climbed = optimize_poses(value, starts, CLIMB, bounds=(LOW, HIGH), record=True)
    assert climbed.paths is not None
    return climbed.paths[:, climbed.start]


def inserted(T_world_peg: Float[Tensor, "*n 4 4"]) -> Bool[Tensor, "*n"]:
    """Which pegs are in the hole: within 2 cm and 15 degrees."""
    return placed(T_world_peg) & turned(T_world_peg)


def placed(T_world_peg: Float[Tensor, "*n 4 4"]) -> Bool[Tensor, "*n"]:
    """Which tips are within 2 cm of the place in the hole, however the pegs are turned."""
    return (T_world_peg[..., :3, 3] - HOLE[:3, 3]).norm(dim=-1) < 0.02


def turned(T_world_peg: Float[Tensor, "*n 4 4"]) -> Bool[Tensor, "*n"]:
    """Which pegs are turned as in the hole, within 15 degrees, wherever they are."""
    radians = rotation_angle(T_world_peg[..., :3, :3], HOLE[:3, :3].expand_as(T_world_peg[..., :3, :3]))
    return radians < math.radians(15)


def plot_insertion(axes: Axes, paths: Float[Tensor, "steps n 4 4"], title: str, shown: int = 60) -> None:
    """Paths from the side, metres: blue if they end in the hole, else orange; short lines are final directions."""
    arrived = inserted(paths[-1])
    for i in range(min(shown, paths.shape[1])):
        colour = "#0077BB" if arrived[i] else "#EE7733"  # blue and orange of Tol's vibrant set
        x, z = np.asarray(paths[:, i, 0, 3]), np.asarray(paths[:, i, 2, 3])
        axes.plot(x, z, color=colour, lw=0.8, alpha=0.6)
        back = -0.03 * np.asarray(paths[-1, i, :3, 2])
        axes.plot([x[-1], x[-1] + back[0]], [z[-1], z[-1] + back[2]], color=colour, lw=1.8)
    axes.plot(float(HOLE[0, 3]), float(HOLE[2, 3]), marker="*", ms=13, color="#d7191c", mec="white", zorder=5)
    axes.set(title=title, xlabel="x (m)", ylabel="height (m)", xlim=(-0.32, 0.32), ylim=(-0.02, 0.42), aspect="equal")


def insertion_table(paths: Float[Tensor, "steps n 4 4"], losses: str) -> pd.DataFrame:
    """The share of pegs in the hole, step by step."""
    share = inserted(paths).float().mean(dim=1)
    return pd.DataFrame({"losses": losses, "step": range(len(share)), "docked": share.tolist()})


def _straight(T_1: Tensor, T_2: Tensor, steps: int) -> Float[Tensor, "n steps 4 4"]:
    """Straight lines from poses to poses, turning evenly the shorter way."""
    t = torch.linspace(0, 1, steps)
    R_1, R_2 = T_1[:, None, :3, :3], T_2[:, None, :3, :3]
    turn = roma.rotmat_to_rotvec(R_1.transpose(-1, -2) @ R_2)
    p = T_1[:, None, :3, 3] + t[:, None] * (T_2 - T_1)[:, None, :3, 3]
    return make_pose(R_1 @ roma.rotvec_to_rotmat(t[:, None] * turn), p)


def _near_trajectories(demos: Tensor, generator: torch.Generator, n: int = 64) -> tuple[Tensor, Tensor]:
    """Poses scattered about the trajectories (2 cm, 0.3 rad), and the pose three steps later of each."""
    which, step = (torch.randint(size, (n,), generator=generator) for size in demos.shape[:2])
    turn, shift = (scale * torch.randn(n, 3, generator=generator) for scale in (0.3, 0.02))
    target = demos[which, (step + 3).clamp(max=demos.shape[1] - 1)]
    return demos[which, step] @ make_pose(roma.rotvec_to_rotmat(turn), shift), target
