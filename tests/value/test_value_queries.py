"""The 42 queries: their published geometry, and what happens to them under a pose."""

import pytest
import torch

from dgrasp.poses import make_pose, uniform_poses
from dgrasp.value.queries import QueryConfig, QueryPoints


def test_the_published_lines():
    q = QueryPoints.from_config()
    points, directions = q.in_world(torch.eye(4))
    assert points.shape == directions.shape == (42, 3) and len(q) == 42
    first_line = torch.stack([torch.zeros(7), torch.full((7,), 0.015), torch.linspace(-0.015, 0.015, 7)], dim=-1)
    torch.testing.assert_close(points[:7], first_line)
    torch.testing.assert_close(points[14], torch.tensor([-0.035, 0.015, 0.0125]))  # left-front, along +x
    torch.testing.assert_close(points[20], torch.tensor([-0.005, 0.015, 0.0125]))
    torch.testing.assert_close(points[21], torch.tensor([0.035, 0.015, 0.0125]))  # right-front, along -x
    torch.testing.assert_close(points[41], torch.tensor([0.005, -0.015, 0.0125]))
    torch.testing.assert_close(directions[::7, 0], torch.tensor([0.0, 0.0, 1.0, -1.0, 1.0, -1.0]))
    torch.testing.assert_close(directions[::7, 2], torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]))


def test_lines_advance_along_their_direction():
    q = QueryPoints.from_config(QueryConfig(points_per_line=4))
    along = torch.einsum("lsd,ld->ls", q.points, q.directions)
    assert (along.diff(dim=-1) > 0).all()


def test_a_line_of_one_point_sits_at_its_centre():
    q = QueryPoints.from_config(QueryConfig(points_per_line=1))
    torch.testing.assert_close(q.points[2, 0], torch.tensor([-0.02, 0.015, 0.0125]))


def test_directions_are_rotated_only():
    T = uniform_poses(5, torch.zeros(3), torch.ones(3), torch.Generator().manual_seed(0))
    q = QueryPoints.from_config()
    points, directions = q.in_world(T)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(5, 42))
    shift = make_pose(torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))
    moved_points, moved_directions = q.in_world(shift @ T)
    torch.testing.assert_close(moved_directions, directions)
    torch.testing.assert_close(moved_points, points + torch.tensor([1.0, 2.0, 3.0]))


def test_grouped_and_flat_queries_agree():
    T = uniform_poses(3, torch.zeros(3), torch.ones(3), torch.Generator().manual_seed(1))
    q = QueryPoints.from_config(QueryConfig(points_per_line=3))
    points, directions = q.lines_in_world(T)
    flat_points, flat_directions = q.in_world(T)
    torch.testing.assert_close(points.reshape(3, 18, 3), flat_points)
    torch.testing.assert_close(directions[:, :, None].expand(3, 6, 3, 3).reshape(3, 18, 3), flat_directions)


def test_nonsense_is_refused_by_name():
    with pytest.raises(ValueError, match="points_per_line"):
        QueryConfig(points_per_line=0)
