"""Pouring into a cup that a camera sees: the answer is known, and both losses are needed to find it."""

from __future__ import annotations

import math

import pytest
import torch

from dgrasp.examples import pouring
from dgrasp.poses import check_poses, transform_points

CUPS = pouring.cups(40, seed=0, of="demonstrations")


@pytest.fixture(scope="module")
def poured() -> dict[float, list[pouring.Pours]]:
    """On cups that no demonstration was of."""
    demos, new = pouring.demonstrations(CUPS, seed=0), pouring.cups(3, seed=0, of="test")
    values = {w: pouring.train_pouring_value(CUPS, demos, w, seed=0, steps=300) for w in (0.0, 1.0)}
    return {w: [pouring.pour_into(value, cup, seed=0, n=30) for cup in new] for w, value in values.items()}


def test_jugs_taught_with_slopes_find_cups_that_they_see_for_the_first_time(poured) -> None:
    share = {w: sum(float(p.poured.float().mean()) for p in found) / len(found) for w, found in poured.items()}
    assert share[1.0] > 0.75 and share[0.0] < 0.3  # 400 steps, two seeds: 1.00 and 0.00 to 0.03


def test_they_spill_less_on_their_way(poured) -> None:
    share = {w: sum(float(p.spilled.float().mean()) for p in found) / len(found) for w, found in poured.items()}
    assert share[1.0] < 0.8 * share[0.0]


def test_the_answer_stands_over_the_cup_and_leans_away_from_the_robot() -> None:
    T = check_poses(pouring.pour(CUPS))
    torch.testing.assert_close(T[:, :3, 3] - CUPS, torch.tensor([0.0, 0.0, pouring.ABOVE]).expand(40, 3))
    assert torch.allclose(T[:, 2, 2], torch.tensor(math.cos(pouring.TILT)), atol=1e-5)
    spout, handle = transform_points(T, pouring.JUG)[:, 0], transform_points(T, pouring.JUG)[:, 1]
    assert ((spout - handle)[:, 2] < 0).all()  # the spout is the lowest
    out = spout[:, :2] - pouring.ROBOT
    assert (torch.nn.functional.cosine_similarity(T[:, :2, 2], out) > 0.999).all()


def test_demonstrations_pour_and_spill_nothing() -> None:
    demos = check_poses(pouring.demonstrations(CUPS, seed=1))
    for i, cup in enumerate(CUPS[:5]):
        shown = pouring.Pours(demos[i][:, None], cup)
        assert shown.poured.all() and not shown.spilled.any()
    assert (demos[:, 0, 2, 2] > 0.999).all()


def test_the_camera_sees_where_the_cup_is() -> None:
    uv = torch.stack([pouring.seen(pouring.photograph(cup)) for cup in CUPS])
    lens = torch.tensor(pouring.LENS.matrix).float()
    expected = torch.stack([pouring.project(lens, pouring.CAMERA, cup[None])[0][0] for cup in CUPS])
    assert (uv - expected).norm(dim=-1).max() < 0.5
    assert torch.pdist(uv).max() > 8
