"""The poses of the two losses: the grasp among wrong ones (L_main), and neighbours of the trajectory (L_aux)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from dgrasp.poses import (
    ROTATIONS,
    Pose,
    check_box,
    check_poses,
    gripper_symmetric_angle,
    make_pose,
    uniform_poses,
)
from dgrasp.value.config import NegativeConfig, SlopeConfig

Bounds = tuple[Tensor, Tensor]


def half_turned(T_world_tcp: Pose) -> Pose:
    """The same grasp with the fingers exchanged: turned by pi about the approach axis."""
    return T_world_tcp * T_world_tcp.new_tensor([-1.0, -1.0, 1.0, 1.0])


def grasp_among_negatives(
    T_world_grasp: Float[Tensor, "*#batch 4 4"],
    n: int,
    config: NegativeConfig,
    bounds: Bounds,
    generator: Generator,
    blocked: Sequence[Float[Tensor, "_k 4 4"]] | None = None,
    refuted: Sequence[Float[Tensor, "_k 4 4"]] | None = None,
) -> Float[Tensor, "*#batch n 4 4"]:
    """The `n` poses of L_main for each grasp: the grasp first, then n - 1 wrong ones (near, turned, blocked, refuted,
    uniform).

    blocked: for each grasp (batches flattened) those of its scene that a neighbour blocks, needed where
    `config.blocked_share` is not 0; a scene without any has uniform poses in their place. refuted: likewise those that
    failed in physics, for `config.outcome_share`.
    Raises ValueError for grasps that are no poses, n below 2, bounds that are no box, and blocked grasps that are
    needed and not given, or not given for each grasp.
    """
    check_poses(T_world_grasp, "T_world_grasp")
    if n < 2:
        raise ValueError(f"n: expected 2 poses or more, the grasp and others to tell it from, got {n}")
    bounds = check_box(bounds)
    batch = T_world_grasp.shape[:-2]
    grasp = T_world_grasp.reshape(-1, 1, 4, 4)
    b, shares = len(grasp), (config.near_share, config.turned_share)
    near, turned = (round(share * (n - 1)) for share in shares)
    known = {"blocked": (config.blocked_share, blocked), "refuted": (config.outcome_share or 0.0, refuted)}
    for name, (share, sets) in known.items():
        _check_sets(name, round(share * (n - 1)), sets, b, config)
    draws: list[Tensor] = [
        grasp @ _near(b * near, config, generator).to(grasp).unflatten(0, (b, near)),
        grasp @ _turned(b * turned, config, generator).to(grasp).unflatten(0, (b, turned)),
    ]
    rest = _uniform(b, n - 1 - near - turned, config, bounds, generator).to(grasp)
    for share, sets in known.values():
        if count := round(share * (n - 1)):
            assert sets is not None
            draws.append(_blocked(rest[:, :count], sets, config, generator))
            rest = rest[:, count:]
    negatives = torch.cat([*draws, rest], dim=1)
    as_good = equivalent(grasp, negatives, config.positive_translation, config.positive_rotation)
    spare = _uniform(b, n - 1, config, bounds, generator).to(grasp)
    poses = torch.cat([grasp, torch.where(as_good[..., None, None], spare, negatives)], dim=1)
    return poses.reshape(*batch, n, 4, 4)


def _check_sets(name: str, count: int, sets: Sequence[Tensor] | None, b: int, config: NegativeConfig) -> None:
    if count and (sets is None or len(sets) != b):
        given = "none" if sets is None else f"{len(sets)} sets"
        share = {"blocked": "blocked_share", "refuted": "outcome_share"}[name]
        asked = getattr(config, share)
        raise ValueError(f"{name}: {share} is {asked}, expected a set for each of {b} grasps, got {given}")


def equivalent(T_1: Pose, T_2: Pose, translation: float, rotation: float) -> Bool[Tensor, "*#batch"]:
    """Which poses are one grasp for all purposes: closer than both bounds, the gripper's half turn allowed for."""
    distance = (T_1[..., :3, 3] - T_2[..., :3, 3]).norm(dim=-1)
    R_1, R_2 = torch.broadcast_tensors(T_1[..., :3, :3], T_2[..., :3, :3])
    return (distance < translation) & (gripper_symmetric_angle(R_1, R_2) < rotation)


def _uniform(b: int, n: int, config: NegativeConfig, bounds: Bounds, generator: Generator) -> Tensor:
    low, high = bounds
    margin = config.margin * (high - low)
    poses = uniform_poses(b * n, low - margin, high + margin, generator, ROTATIONS[config.rotations])
    return poses.unflatten(0, (b, n))


def _near(n: int, config: NegativeConfig, generator: Generator) -> Tensor:
    """Poses of near negatives in the frame of the grasp."""
    return _offsets(n, config.near_translation, config.near_rotation, generator)


def _offsets(n: int, translation: float, rotation: float, generator: Generator) -> Tensor:
    """Small motions: up to `rotation` about a random axis, up to `translation` along each axis."""
    import roma  # not above: see `dgrasp.poses`

    axis = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1)
    angle = rotation * torch.rand(n, 1, generator=generator)
    return make_pose(roma.rotvec_to_rotmat(axis * angle), translation * _symmetric(n, generator))


def _turned(n: int, config: NegativeConfig, generator: Generator) -> Tensor:
    """Poses of turned negatives in the frame of the grasp."""
    R_grasp_turned = ROTATIONS[config.rotations](n, generator)
    return make_pose(R_grasp_turned, config.turned_translation * _symmetric(n, generator))


def _blocked(
    spare: Float[Tensor, "b n 4 4"], blocked: Sequence[Tensor], config: NegativeConfig, generator: Generator
) -> Float[Tensor, "b n 4 4"]:
    """Poses near blocked grasps, with the fingers either way round; `spare` where a scene has none."""
    b, n = spare.shape[:2]
    u = torch.rand(b, n, generator=generator)
    turn = torch.rand(b, n, 1, 1, generator=generator) < 0.5
    offset = _offsets(b * n, config.blocked_translation, config.blocked_rotation, generator).unflatten(0, (b, n))
    rows = []
    for i, grasps in enumerate(blocked):
        if len(grasps) == 0:
            rows.append(spare[i])
            continue
        chosen = grasps.to(spare)[(u[i] * len(grasps)).long().clamp(max=len(grasps) - 1)]
        rows.append(torch.where(turn[i].to(spare.device), half_turned(chosen), chosen) @ offset[i].to(spare))
    return torch.stack(rows)


def around_trajectory(
    Ts_world_tcp: Float[Tensor, "steps 4 4"], config: SlopeConfig, generator: Generator
) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, "n 4 4"]]:
    """`around_trajectories` for one demonstration."""
    T_world_tcp, T_target = around_trajectories([Ts_world_tcp], config, generator)
    return T_world_tcp[0], T_target[0]


def around_trajectories(
    trajectories: Sequence[Float[Tensor, "_steps 4 4"]], config: SlopeConfig, generator: Generator
) -> tuple[Float[Tensor, "b n 4 4"], Float[Tensor, "b n 4 4"]]:
    """For each trajectory the `config.n_poses` augmented poses p_r of L_aux, and their targets p_t' (Sec. 3.2).

    The last row of a trajectory is the grasp. Raises ValueError for a trajectory of fewer than two poses, or of
    what is no pose, and if there is no trajectory.
    """
    if len(trajectories) == 0:
        raise ValueError("trajectories: expected 1 trajectory or more, got none")
    for i, trajectory in enumerate(trajectories):
        check_poses(trajectory, f"trajectories[{i}]", shape="(steps, 4, 4)", ndims=(3,))
    pairs = [_times(len(trajectory), config, generator) for trajectory in trajectories]
    T_recorded, T_target = (
        torch.stack([trajectory[t[k]] for trajectory, t in zip(trajectories, pairs, strict=True)]) for k in (0, 1)
    )
    b, n = T_recorded.shape[:2]
    return T_recorded @ _perturbations(b * n, config, generator).to(T_recorded).unflatten(0, (b, n)), T_target


def _times(steps: int, config: SlopeConfig, generator: Generator) -> tuple[Tensor, Tensor]:
    """Indices of the poses to augment, and of their targets."""
    last = steps - 1
    if last < 1:
        raise ValueError(f"trajectories: expected 2 poses or more in each, got {steps}")
    candidates = steps if config.include_grasp else last
    if config.consecutive:
        window = min(config.window, candidates)
        times = torch.randint(candidates - window + 1, (), generator=generator) + torch.arange(window)
    else:
        times = torch.randint(candidates, (config.window,), generator=generator)
    t = times.repeat_interleave(math.ceil(config.n_poses / len(times)))[: config.n_poses]
    return t, (t + config.target_offset).clamp(max=last)


def _perturbations(n: int, config: SlopeConfig, generator: Generator) -> Tensor:
    import roma

    angles = config.rotation * _symmetric(n, generator)
    return make_pose(roma.euler_to_rotmat("xyz", angles), config.translation * _symmetric(n, generator))


def _symmetric(n: int, generator: Generator) -> Tensor:
    """(n, 3) numbers uniform in [-1, 1)."""
    return 2 * torch.rand(n, 3, generator=generator) - 1
