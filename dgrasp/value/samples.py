"""The poses of the two losses: the grasp among wrong ones (L_main), and neighbours of the trajectory (L_aux)."""

from __future__ import annotations

import math

import roma
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from dgrasp.poses import (
    Pose,
    euler_uniform_rotations,
    gripper_symmetric_angle,
    make_pose,
    uniform_poses,
    uniform_rotations,
)
from dgrasp.value.config import NegativeConfig, SlopeConfig

Bounds = tuple[Tensor, Tensor]
ROTATIONS = {"haar": uniform_rotations, "euler": euler_uniform_rotations}


def half_turned(T_world_tcp: Pose) -> Pose:
    """The same grasp with the fingers exchanged: turned by pi about the approach axis."""
    return T_world_tcp * T_world_tcp.new_tensor([-1.0, -1.0, 1.0, 1.0])


def grasp_among_negatives(
    T_world_grasp: Float[Tensor, "4 4"], n: int, config: NegativeConfig, bounds: Bounds, generator: Generator
) -> Float[Tensor, "n 4 4"]:
    """The `n` poses of L_main: the grasp first, then n - 1 wrong poses (uniform, near, turned)."""
    near, turned = round(config.near_share * (n - 1)), round(config.turned_share * (n - 1))
    draws = (
        _near(T_world_grasp, near, config, generator),
        _turned(T_world_grasp, turned, config, generator),
        _uniform(n - 1 - near - turned, config, bounds, generator),
    )
    negatives = torch.cat(draws).to(T_world_grasp)
    spare = _uniform(n - 1, config, bounds, generator).to(T_world_grasp)
    as_good = equivalent_to(T_world_grasp, negatives, config.positive_translation, config.positive_rotation)
    negatives = torch.where(as_good[:, None, None], spare, negatives)
    return torch.cat([T_world_grasp[None], negatives])


def equivalent_to(
    T_world_grasp: Float[Tensor, "4 4"], T_world_tcp: Float[Tensor, "n 4 4"], translation: float, rotation: float
) -> Tensor:
    """Which poses are the grasp for all purposes: closer than both bounds, the gripper's half turn allowed for."""
    distance = (T_world_tcp[:, :3, 3] - T_world_grasp[:3, 3]).norm(dim=-1)
    angle = gripper_symmetric_angle(T_world_tcp[:, :3, :3], T_world_grasp[:3, :3].expand(len(T_world_tcp), 3, 3))
    return (distance < translation) & (angle < rotation)


def _uniform(n: int, config: NegativeConfig, bounds: Bounds, generator: Generator) -> Tensor:
    low, high = bounds
    margin = config.margin * (high - low)
    return uniform_poses(n, low - margin, high + margin, generator, ROTATIONS[config.rotations])


def _near(T_world_grasp: Tensor, n: int, config: NegativeConfig, generator: Generator) -> Tensor:
    axis = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1)
    angle = config.near_rotation * torch.rand(n, 1, generator=generator)
    T_grasp_near = make_pose(roma.rotvec_to_rotmat(axis * angle), config.near_translation * _symmetric(n, generator))
    return T_world_grasp @ T_grasp_near.to(T_world_grasp)


def _turned(T_world_grasp: Tensor, n: int, config: NegativeConfig, generator: Generator) -> Tensor:
    R_grasp_turned = ROTATIONS[config.rotations](n, generator)
    T_grasp_turned = make_pose(R_grasp_turned, config.turned_translation * _symmetric(n, generator))
    return T_world_grasp @ T_grasp_turned.to(T_world_grasp)


def around_trajectory(
    Ts_world_tcp: Float[Tensor, "steps 4 4"], config: SlopeConfig, generator: Generator
) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, "n 4 4"]]:
    """The `config.n_poses` augmented poses p_r of L_aux and their targets p_t' (Sec. 3.2, last paragraph but two).

    The last row of the trajectory is the grasp. Raises ValueError for a trajectory of fewer than two poses.
    """
    last = len(Ts_world_tcp) - 1
    if last < 1:
        raise ValueError(f"Ts_world_tcp: expected a trajectory of 2 poses or more, got {len(Ts_world_tcp)}")
    candidates = last + 1 if config.include_grasp else last
    if config.consecutive:
        window = min(config.window, candidates)
        first = int(torch.randint(candidates - window + 1, (), generator=generator))
        times = torch.arange(first, first + window)
    else:
        times = torch.randint(candidates, (config.window,), generator=generator)
    t = times.repeat_interleave(math.ceil(config.n_poses / len(times)))[: config.n_poses]
    T_world_tcp = Ts_world_tcp[t] @ _perturbations(len(t), config, generator).to(Ts_world_tcp)
    return T_world_tcp, Ts_world_tcp[(t + config.target_offset).clamp(max=last)]


def _perturbations(n: int, config: SlopeConfig, generator: Generator) -> Tensor:
    angles = config.rotation * _symmetric(n, generator)
    return make_pose(roma.euler_to_rotmat("xyz", angles), config.translation * _symmetric(n, generator))


def _symmetric(n: int, generator: Generator) -> Tensor:
    """(n, 3) numbers uniform in [-1, 1)."""
    return 2 * torch.rand(n, 3, generator=generator) - 1
