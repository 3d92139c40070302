"""The examples of notebook 00: what they show is true, and both losses are needed for it."""

import matplotlib.pyplot as plt
import pytest
import torch

from dgrasp.examples import peg_in_hole, plane
from dgrasp.poses import check_poses


@pytest.fixture(scope="module")
def paths():
    demos = peg_in_hole.demonstrations(12, seed=0)
    return {
        w: peg_in_hole.insert(peg_in_hole.train_insertion_value(demos, w, seed=0), seed=0, n=150) for w in (0.0, 1.0)
    }


def test_plugs_taught_with_slopes_find_the_socket_from_anywhere(paths):
    share = {w: float(peg_in_hole.inserted(p[-1]).float().mean()) for w, p in paths.items()}
    assert share[1.0] > 0.7 and share[0.0] < 0.2  # four seeds gave 0.86 to 0.98 and 0.02 to 0.06


def test_a_peg_is_in_the_hole_if_it_is_there_and_turned_right():
    T = peg_in_hole.HOLE.repeat(3, 1, 1)
    T[1, 0, 3] += 0.03  # beside the hole
    T[2, :3, :3] = T[2, :3, :3] @ torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert peg_in_hole.placed(T).tolist() == [True, False, True]
    assert peg_in_hole.turned(T).tolist() == [True, True, False]
    assert peg_in_hole.inserted(T).tolist() == [True, False, False]


def test_demonstrations_end_in_the_socket_and_come_from_the_front():
    demos = check_poses(peg_in_hole.demonstrations(5, seed=1))
    torch.testing.assert_close(demos[:, -1], peg_in_hole.HOLE.expand(5, 4, 4), atol=1e-5, rtol=0)
    assert peg_in_hole.inserted(demos[:, -1]).all() and not peg_in_hole.inserted(demos[:, 0]).any()
    last = demos[:, -10:, :3, 3]
    torch.testing.assert_close(last[..., :2], peg_in_hole.HOLE[:2, 3].expand(5, 10, 2), atol=1e-5, rtol=0)
    assert (last[..., 2].diff(dim=1) < 0).all()


def test_the_docking_figure_and_its_table(paths):
    _, ax = plt.subplots()
    peg_in_hole.plot_insertion(ax, paths[1.0], "title", shown=10)
    assert len(ax.lines) == 21
    table = peg_in_hole.insertion_table(paths[1.0], "both")
    assert len(table) == len(paths[1.0]) and table["docked"].iloc[0] < 0.05 < table["docked"].iloc[-1]


def test_walkers_in_the_plane_climb_with_the_pose_optimizer():
    """A cone: every walker ends at its tip, wherever it started."""
    ends = plane.climb(lambda p: -(p - plane.GOOD_ACTION).square().sum(-1), seed=0, steps=120)
    assert ends.shape == (121, 40, 2)
    assert (ends[0].abs() <= 1).all()
    assert ((ends[-1] - plane.GOOD_ACTION).norm(dim=-1) < 0.02).all()
