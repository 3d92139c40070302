"""The check of the open fingers against the NeRF's density: known answers, and off by default."""

from __future__ import annotations

import pytest
import torch
from landscapes import networks
from test_policy_policies import BOUNDS, CONFIG, generator, policy, views

from dgrasp.nerf.encoded import EncodedViews
from dgrasp.policy import fingers
from dgrasp.policy.fingers import FingerCheck, finger_points, first_free
from dgrasp.policy.policies import GraspPolicy, policy_spec


class Wall:
    """Stands for Phi: dense where x is above 0.3 m, empty elsewhere."""

    fine: Wall

    def __init__(self) -> None:
        self.fine = self

    def activations(self, enc, points, directions):  # type: ignore[no-untyped-def]
        assert torch.allclose(directions.norm(dim=-1), torch.ones(1))
        return points[..., None, :]

    def radiance(self, activation):  # type: ignore[no-untyped-def]
        return activation, 400.0 * (activation[..., 0] > 0.3)


def at(*xs: float) -> torch.Tensor:
    T = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).repeat(len(xs), 1, 1)
    T[:, 0, 3], T[:, 2, 3] = torch.tensor(xs), 1.0
    return T


@pytest.fixture
def enc() -> EncodedViews:
    return networks().encode(views())


def test_points_lie_in_the_open_fingers() -> None:
    points = finger_points()
    assert points[:, 0].abs().min() > 0.07 and points[:, 2].max() < 0, "open fingers end behind the TCP"
    assert torch.equal(points[:, 0].sort().values, -points[:, 0].sort(descending=True).values)


def test_the_best_whose_fingers_are_free_is_taken(enc: EncodedViews) -> None:
    ranked = at(0.31, 0.25, 0.2, 0.1)  # a finger at 0.25 + 0.0735 is in the wall, one at 0.2 + 0.0875 is not
    assert first_free(Wall(), enc, ranked, FingerCheck()) == 2  # type: ignore[arg-type]
    assert first_free(Wall(), enc, ranked, FingerCheck(candidates=2)) == 0, "none is free: the one with least matter"
    matter = fingers.matter_at_fingers(Wall(), enc, ranked)  # type: ignore[arg-type]
    assert matter.tolist() == pytest.approx([0.982, 0.982, 0, 0], abs=1e-3)


def test_plans_are_as_ever_unless_the_check_is_asked_for() -> None:
    plain = policy().plan(views(), generator())
    parts = policy_spec("dgrasp_quat_sync"), networks(), CONFIG, BOUNDS
    lenient = GraspPolicy(*parts, FingerCheck(opacity=1.0)).plan(views(), generator())
    assert plain.chosen == lenient.chosen == 0 and torch.equal(plain.T_world_tcp, lenient.T_world_tcp)
    strict = GraspPolicy(*parts, FingerCheck(opacity=1e-6, candidates=24)).plan(views(), generator())
    enc = networks().encode(views())
    matter = fingers.matter_at_fingers(parts[1].phi, enc, plain.candidates.T_world_tcp)
    assert strict.chosen == int(matter.argmin())
