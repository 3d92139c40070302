"""Numbers that say what "better slopes" do to a plan: how candidates converge, and where they get stuck."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dgrasp.poses import check_poses, gripper_symmetric_angle

NEAR_METRES, NEAR_RADIANS = 0.02, math.radians(15.0)  # not in the paper: a grasp this close would usually hold


def grasp_errors(
    T_world_tcp: Float[Tensor, "n 4 4"], T_world_grasps: Float[Tensor, "m 4 4"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Distance (metres) and angle (radians, modulo the gripper's half turn) to the nearest of the valid grasps.

    Nearest counts 2 cm like 15 degrees, so that both numbers belong to one grasp.
    """
    check_poses(T_world_grasps, "T_world_grasps")
    distance, angle = _pairwise(T_world_tcp, T_world_grasps)
    nearest = torch.maximum(distance / NEAR_METRES, angle / NEAR_RADIANS).argmin(dim=1, keepdim=True)
    return distance.gather(1, nearest).squeeze(1), angle.gather(1, nearest).squeeze(1)


def share_near_grasps(
    paths: Float[Tensor, "steps n 4 4"],
    T_world_grasps: Float[Tensor, "m 4 4"],
    metres: float = NEAR_METRES,
    radians: float = NEAR_RADIANS,
) -> Float[Tensor, "steps"]:
    """Share of candidates within both bounds of a valid grasp, step by step."""
    shares = []
    for T_world_tcp in paths:
        distance, angle = _pairwise(T_world_tcp, T_world_grasps)
        shares.append(((distance <= metres) & (angle <= radians)).any(dim=1).float().mean())
    return torch.stack(shares)


def in_corner(
    T_world_tcp: Float[Tensor, "n 4 4"], bounds: tuple[Tensor, Tensor], metres: float = 0.005
) -> Bool[Tensor, "n"]:
    """Which poses sit in one of the workspace's eight corners: within `metres` of a face in all three coordinates.

    A known failure of implicit grasp policies (Soti et al. 2024).
    """
    p, (low, high) = T_world_tcp[:, :3, 3], bounds
    return torch.minimum(p - low.to(p), high.to(p) - p).le(metres).all(dim=-1)


def _pairwise(T_1: Tensor, T_2: Tensor) -> tuple[Tensor, Tensor]:
    distance = torch.cdist(T_1[:, :3, 3], T_2[:, :3, 3].to(T_1), compute_mode="donot_use_mm_for_euclid_dist")
    n, m = distance.shape
    R_1 = T_1[:, None, :3, :3].expand(n, m, 3, 3)
    R_2 = T_2[None, :, :3, :3].to(T_1).expand(n, m, 3, 3)
    return distance, gripper_symmetric_angle(R_1, R_2)
