import math

import pytest
import torch

from dgrasp.policy import grasp_errors, in_corner, share_near_grasps
from dgrasp.poses import make_pose, uniform_poses

BOUNDS = (torch.tensor([-0.1, -0.3, 0.96]), torch.tensor([0.5, 0.3, 1.06]))


def about_z(angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def test_errors_are_to_one_grasp_modulo_the_half_turn():
    grasps = torch.stack([make_pose(torch.eye(3), torch.zeros(3)), make_pose(about_z(1.0), torch.ones(3))])
    T = make_pose(about_z(math.pi + 0.1), torch.tensor([0.01, 0.0, 0.0]))[None]
    metres, radians = grasp_errors(T, grasps)
    assert float(metres) == pytest.approx(0.01, abs=1e-6)
    assert float(radians) == pytest.approx(0.1, abs=1e-4)


def test_share_near_grasps_follows_the_path():
    grasp = uniform_poses(1, *BOUNDS, torch.Generator().manual_seed(0))
    far = grasp @ make_pose(torch.eye(3), torch.tensor([0.05, 0.0, 0.0]))
    turned = grasp @ make_pose(about_z(0.5), torch.zeros(3))
    paths = torch.stack([torch.cat([far, turned]), torch.cat([grasp, turned]), torch.cat([grasp, grasp])])
    torch.testing.assert_close(share_near_grasps(paths, grasp), torch.tensor([0.0, 0.5, 1.0]))


def test_corners_are_not_edges():
    low, high = BOUNDS
    corner = make_pose(torch.eye(3), torch.stack([low[0] + 0.004, high[1], low[2]]))
    edge = make_pose(torch.eye(3), torch.stack([low[0], high[1], low[2] + 0.05]))
    assert in_corner(torch.stack([corner, edge]), BOUNDS).tolist() == [True, False]
