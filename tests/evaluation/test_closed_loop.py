"""Attempts in closed loop are attempts like others, and paths are measured as they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dgrasp.cameras import Views
from dgrasp.cell.following import StepLimits
from dgrasp.cell.interface import Execution
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import transform
from dgrasp.evaluation.attempt import attempt
from dgrasp.evaluation.closed_loop import ClosedLoop, follows, path_measures
from dgrasp.policy.policies import Plan
from dgrasp.policy.servo import Servo
from dgrasp.slopes.climb import Optimized
from dgrasp.slopes.config import OptimizerConfig

GRASP = transform(np.diag([1.0, -1.0, -1.0]), (0.2, 0.0, 1.0))


class Followed:
    """A cell that notes who leads it where."""

    backend, dry_run, devices, calibration_id = "twin", False, {}, "exact"
    settings = {"limits": 1}  # noqa: RUF012
    steps, standing_views = StepLimits(), 1

    def observe(self) -> Views:
        return Views(np.zeros((1, 2, 3, 3), np.uint8), np.eye(3)[None], np.eye(4)[None])

    def rehearse(self, T_world_tcp: np.ndarray) -> None:
        self.rehearsed = T_world_tcp

    def execute(self, T_world_tcp: np.ndarray) -> Execution:
        raise AssertionError("an open loop")

    def follow(self, T_world_tcp: np.ndarray, pilot: Servo) -> Execution:
        self.led = T_world_tcp, pilot
        return Execution(T_world_tcp, moved=True, outcome=Outcome.SUCCESS, reason="held")

    def close(self) -> None:
        self.closed = True


class Planned:
    """Plans GRASP."""

    config = OptimizerConfig()

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        T = torch.from_numpy(GRASP)
        return Plan(T, 1.0, 0, Optimized(T[None], torch.ones(1), torch.zeros(1, dtype=torch.long)))


def test_an_attempt_in_closed_loop_is_led_by_the_policy() -> None:
    cell, policy = Followed(), Planned()
    loop = ClosedLoop(cell, policy)  # type: ignore[arg-type]
    made = attempt(loop, policy, torch.Generator())
    assert made.outcome is Outcome.SUCCESS and made.execution is not None
    T, pilot = cell.led
    assert np.array_equal(T, GRASP) and np.array_equal(cell.rehearsed, GRASP)
    assert pilot is loop.servo and pilot.policy is policy and np.array_equal(pilot.summit, GRASP)
    assert loop.settings["limits"] == 1 and loop.settings["steps"]["rate"] == 4.0
    assert loop.settings["ascent"]["settled"] == 2
    assert (loop.backend, loop.dry_run, loop.devices, loop.calibration_id) == ("twin", False, {}, "exact")
    loop.close()
    assert cell.closed


class Refitted:
    """Shows its policy's networks one row of each picture."""

    def __init__(self, policy: Planned) -> None:
        self.policy = policy

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        return self.policy.plan(self.as_seen(views), generator)

    def as_seen(self, views: Views) -> Views:
        return Views(views.images[:, :1], views.K, views.Ts_world_cam)


def test_of_several_policies_the_one_that_planned_leads() -> None:
    cell, first, second = Followed(), Planned(), Planned()
    loop = ClosedLoop(cell)
    led = [loop.led(first), loop.led(Refitted(second))]  # type: ignore[arg-type]
    for policy, leader, rows in ((led[0], first, 2), (led[1], second, 1), (led[0], first, 2)):
        assert attempt(loop, policy, torch.Generator()).outcome is Outcome.SUCCESS
        assert cell.led[1].policy is leader and policy.config is leader.config
        assert cell.led[1].as_seen(cell.observe()).images.shape == (1, rows, 3, 3)


def test_somebody_has_to_lead() -> None:
    with pytest.raises(ValueError, match=r"policy: none leads; .* loop\.led\(policy\)"):
        ClosedLoop(Followed()).execute(GRASP)


def test_cameras_on_the_arm_alone_lead_nobody_who_has_not_asked_for_it() -> None:
    cell = Followed()
    cell.standing_views = 0
    with pytest.raises(ValueError, match=r"cell: all of its cameras are on the arm, .* Add a standing camera, or say"):
        ClosedLoop(cell, Planned())  # type: ignore[arg-type]
    loop = ClosedLoop(cell, Planned(), near_views=True)  # type: ignore[arg-type]
    assert loop.execute(GRASP).outcome is Outcome.SUCCESS
    assert len(cell.led[1].as_seen(cell.observe())) == 1


def test_standing_cameras_lead_and_those_on_the_arm_where_it_is_asked() -> None:
    cell = Followed()
    cell.standing_views = 2
    three = Views(np.zeros((3, 2, 3, 3), np.uint8), np.stack([np.eye(3)] * 3), np.stack([np.eye(4)] * 3))
    for near_views, shown in ((False, 2), (True, 3)):
        loop = ClosedLoop(cell, Planned(), near_views=near_views)  # type: ignore[arg-type]
        loop.execute(GRASP)
        assert ("near_views" in loop.settings) == near_views, "no series goes on in the other's log"
        assert len(cell.led[1].as_seen(three)) == shown


def path(*points: tuple[float, float, float]) -> np.ndarray:
    return np.stack([transform(None, p) for p in points])


def test_paths_are_measured() -> None:
    corner = path((0, 0, 0), (0.03, 0, 0), (0.03, 0, 0), (0.03, 0.04, 0))
    measured = path_measures(corner)
    assert measured["length"] == pytest.approx(0.07)
    assert measured["detour"] == pytest.approx(1.4) and measured["smoothness"] == pytest.approx(0.0)
    straight = path_measures(path((0, 0, 0), (0, 0, -0.02), (0, 0, -0.05)))
    assert straight == {"length": pytest.approx(0.05), "detour": pytest.approx(1.0), "smoothness": pytest.approx(1.0)}
    assert math.isnan(path_measures(corner[:1])["smoothness"]) and path_measures(corner[:1])["length"] == 0


def test_motion_is_compared_with_the_displacement_shown_nearest_by() -> None:
    shown = path((0, 0, 0.2), (0, 0.1, 0.2), (0, 0.2, 0.2), (0, 0.2, 0.1), (0, 0.2, 0.0))
    assert follows(shown, shown) == pytest.approx(1.0)
    beside = shown @ transform(None, (0.02, 0, 0))
    assert follows(beside, shown) == pytest.approx(1.0)
    assert follows(path((0, 0, 0.2), (0, 0, 0.19)), shown) == pytest.approx(0.0)  # down, where it goes aside
    assert follows(beside[::-1], shown) < 0
    assert math.isnan(follows(shown[:1], shown))
