"""Another pose landscape without grasping: a jug that pours into a cup which a camera sees.

Not in the paper. Here the answer is another one in every picture: the spout a hand's breadth above the cup, the jug
tilted away from the robot. A network scores poses by where their points fall in the camera's picture of the cup,
demonstrations carry the jug upright and tilt it over the cup, and `slope_loss` teaches the way there. What the library
gives is `grasp_ranking_loss`, `slope_loss`, `optimize_poses`, and cameras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dgrasp import streams
from dgrasp.cameras import Intrinsics, look_at, project
from dgrasp.poses import make_pose, rotation_angle, transform_points
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import grasp_ranking_loss, slope_loss

LOW, HIGH = torch.tensor([-0.3, -0.3, 0.05]), torch.tensor([0.3, 0.3, 0.45])  # where spouts may be, metres
RIM, ABOVE, TILT = 0.10, 0.08, math.radians(80)  # height of the cup, of the spout above it, and the jug's tilt
ROBOT = torch.tensor([-0.7, 0.0])  # where the arm stands; it pours away from itself
CAMERA = look_at(torch.tensor([0.6, -0.6, 0.7]), torch.tensor([0.0, 0.0, 0.1]))
LENS = Intrinsics(48, 36, 46.0, 46.0, 24.0, 18.0)
JUG = torch.tensor([[0.0, 0.0, 0.0], [-0.10, 0.0, -0.05], [0.0, 0.05, 0.0], [0.0, 0.0, 0.05]])  # spout first, metres
CUPS_AT_ONCE, WRONG = 8, 31  # cups of a training step, and wrong poses of each
CLIMB = OptimizerConfig(
    steps=60, translation_rate=0.03, rotation_rate=0.15, translation_decay=0.95, rotation_decay=0.95,
    gradient_clip=None, chunk=500,
)  # fmt: skip

Value = Callable[[Tensor], Tensor]


def cups(n: int, seed: int, of: str) -> Float[Tensor, "n 3"]:
    """Middles of rims of cups on the table, metres; `of` names what they are for."""
    xy = torch.rand(n, 2, generator=streams.torch_generator(seed, "pouring", of)) * 0.36 - 0.18
    return torch.cat([xy, torch.full((n, 1), RIM)], dim=1)


def photograph(cup: Float[Tensor, "3"]) -> Float[Tensor, "h w"]:
    """The camera's picture, 0 to 1: the rim of a red cup, as a blot."""
    (uv,), _ = project(torch.tensor(LENS.matrix).float(), CAMERA, cup[None])
    v, u = torch.meshgrid(torch.arange(LENS.height), torch.arange(LENS.width), indexing="ij")
    return torch.exp(-((u - uv[0]).square() + (v - uv[1]).square()) / (2 * 2.0**2))


def seen(picture: Float[Tensor, "h w"]) -> Float[Tensor, "2"]:
    """Pixel (u, v) of the blot's middle: all that the network knows of the cup."""
    v, u = torch.meshgrid(torch.arange(LENS.height), torch.arange(LENS.width), indexing="ij")
    return torch.stack([(picture * u).sum(), (picture * v).sum()]) / picture.sum()


def pour(cup: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4 4"]:
    """The known answer: `T_world_jug` over a cup. The jug's x leads out of its spout, z up while it stands upright."""
    away = cup[..., :2] - ROBOT
    return make_pose(_upright(torch.atan2(away[..., 1], away[..., 0]), TILT), cup + torch.tensor([0.0, 0.0, ABOVE]))


def demonstrations(cup: Float[Tensor, "n 3"], seed: int, steps: int = 24) -> Float[Tensor, "n steps 4 4"]:
    """`Ts_world_jug`, one for each cup: carried upright to above it, then tilted and lowered."""
    start = jugs(len(cup), streams.torch_generator(seed, "pouring", "demonstrations"))
    over = pour(cup)
    away = cup[:, :2] - ROBOT
    above = make_pose(_upright(torch.atan2(away[:, 1], away[:, 0]), 0.0), cup + torch.tensor([0.0, 0.0, 2 * ABOVE]))
    return torch.cat([_straight(start, above, steps), _straight(above, over, steps // 2)[:, 1:]], dim=1)


def jugs(n: int, generator: torch.Generator) -> Float[Tensor, "n 4 4"]:
    """Upright jugs anywhere, turned anyhow."""
    p = LOW + torch.rand(n, 3, generator=generator) * (HIGH - LOW)
    return make_pose(_upright(torch.rand(n, generator=generator) * 2 * math.pi, 0.0), p)


class PouringValue(nn.Module):
    """Scores poses of a jug against a picture: where the jug's points fall, measured from the cup in the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(3 * len(JUG) + 2 + 9, 96), nn.ELU(), nn.Linear(96, 96), nn.ELU(), nn.Linear(96, 1)
        )

    def forward(self, T_world_jug: Float[Tensor, "n 4 4"], cup_uv: Float[Tensor, "#n 2"]) -> Float[Tensor, "n"]:
        """cup_uv: `seen` of the picture, one for all poses or one each."""
        uv, depth = project(torch.tensor(LENS.matrix).to(T_world_jug), CAMERA, transform_points(T_world_jug, JUG))
        from_cup = (uv - cup_uv[:, None]) / 10
        near = (cup_uv - torch.tensor([LENS.cx, LENS.cy])) / 10
        code = [from_cup.flatten(1), 5 * (depth - 1), near.expand(len(uv), 2), T_world_jug[:, :3, :3].flatten(1)]
        return self.network(torch.cat(code, dim=1)).squeeze(-1)


def train_pouring_value(
    cup: Float[Tensor, "n 3"], demos: Float[Tensor, "n steps 4 4"], slope_weight: float, seed: int, steps: int = 400
) -> PouringValue:
    """Fit the network to demonstrations by L_main + slope_weight * L_aux."""
    generator = streams.torch_generator(seed, "pouring", "training")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        value = PouringValue()
    adam = torch.optim.Adam(value.parameters(), lr=3e-3)
    known = torch.stack([seen(photograph(c)) for c in cup])
    for _ in range(steps):
        some = torch.randint(len(cup), (CUPS_AT_ONCE,), generator=generator)
        poses = torch.cat([demos[some, -1:], _anyhow(CUPS_AT_ONCE * WRONG, generator).view(-1, WRONG, 4, 4)], dim=1)
        scores = value(poses.flatten(0, 1), known[some].repeat_interleave(1 + WRONG, dim=0))
        loss = grasp_ranking_loss(scores.view(CUPS_AT_ONCE, -1))
        if slope_weight:
            which, poses, targets = _near_trajectories(demos, generator)
            loss = loss + slope_weight * slope_loss(partial(value, cup_uv=known[which]), poses, targets, "quat")
        adam.zero_grad()
        loss.backward()
        adam.step()
    return value.requires_grad_(False)


@dataclass(frozen=True)
class Pours:
    """Jugs that climbed to a cup: paths (steps, n, 4, 4), and where the answer is."""

    paths: Float[Tensor, "steps n 4 4"]
    cup: Float[Tensor, "3"]

    @property
    def poured(self) -> Bool[Tensor, "n"]:
        """Which jugs ended within 3 cm and 15 degrees of the answer."""
        T, answer = self.paths[-1], pour(self.cup)
        radians = rotation_angle(T[:, :3, :3], answer[:3, :3].expand_as(T[:, :3, :3]))
        return ((T[:, :3, 3] - answer[:3, 3]).norm(dim=-1) < 0.03) & (radians < math.radians(15))

    @property
    def spilled(self) -> Bool[Tensor, "n"]:
        """Which were tilted by more than 45 degrees somewhere further than 8 cm beside the cup."""
        tilted = self.paths[..., 2, 2] < math.cos(math.radians(45))
        beside = (self.paths[..., :2, 3] - self.cup[:2]).norm(dim=-1) > 0.08
        return (tilted & beside).any(dim=0)


def pour_into(value: PouringValue, cup: Float[Tensor, "3"], seed: int, n: int = 100) -> Pours:
    """Photograph the cup, and let n upright jugs climb the landscape of that picture; best final value first."""
    cup_uv = seen(photograph(cup))[None]
    starts = jugs(n, streams.torch_generator(seed, "pouring", "starts"))
    climbed = optimize_poses(partial(value, cup_uv=cup_uv), starts, CLIMB, bounds=(LOW, HIGH), record=True)
    assert climbed.paths is not None
    return Pours(climbed.paths[:, climbed.start], cup)


def _upright(yaw: Tensor, tilt: float) -> Float[Tensor, "*n 3 3"]:
    """Turned about the vertical, then tilted forwards."""
    zeros = torch.zeros_like(yaw)
    return roma.rotvec_to_rotmat(torch.stack([zeros, zeros, yaw], -1)) @ roma.rotvec_to_rotmat(
        torch.stack([zeros, zeros + tilt, zeros], -1)
    )


def _anyhow(n: int, generator: torch.Generator) -> Float[Tensor, "n 4 4"]:
    """Negatives: jugs anywhere, tilted by anything."""
    tilt = torch.rand(n, generator=generator) * math.pi
    zeros = torch.zeros(n)
    return jugs(n, generator) @ make_pose(roma.rotvec_to_rotmat(torch.stack([zeros, tilt, zeros], -1)), torch.zeros(3))


def _straight(T_1: Tensor, T_2: Tensor, steps: int) -> Float[Tensor, "n steps 4 4"]:
    """Straight lines from poses to poses, turning evenly the shorter way."""
    t = torch.linspace(0, 1, steps)
    turn = roma.rotmat_to_rotvec(T_1[:, :3, :3].mT @ T_2[:, :3, :3])[:, None]
    p = T_1[:, None, :3, 3] + t[:, None] * (T_2 - T_1)[:, None, :3, 3]
    return make_pose(T_1[:, None, :3, :3] @ roma.rotvec_to_rotmat(t[:, None] * turn), p)


def _near_trajectories(demos: Tensor, generator: torch.Generator, n: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of demonstrations, poses scattered about them (2 cm, 0.3 rad), and the pose three steps later of each."""
    which, step = (torch.randint(size, (n,), generator=generator) for size in demos.shape[:2])
    turn, shift = (scale * torch.randn(n, 3, generator=generator) for scale in (0.3, 0.02))
    target = demos[which, (step + 3).clamp(max=demos.shape[1] - 1)]
    return which, demos[which, step] @ make_pose(roma.rotvec_to_rotmat(turn), shift), target
