"""The unmodified drivers, steered: armed or still, step by step, and stopped when the pilot or a camera is silent.

Fixed ports (the controller's): these tests cannot run in parallel.
"""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from robot_poses import top_down

from dgrasp.cell.following import Command, FrozenPilot, StepLimits, distance
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import FrozenCamera, NotArmed, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.robot.arming import CONFIRMATION
from dgrasp.robot.following import check_waypoint
from dgrasp.robot.limits import SafetyLimits
from dgrasp.robot.safety import HOME

GRASP = top_down(0.25, 0.1, 0.05)
ASIDE = top_down(0.28, 0.08, 0.05)  # where the object has gone
STEPS = StepLimits(rate=2, step=0.05, patience=5, looks=20)


@pytest.fixture
def cell(loopback):
    loopback.cell.steps = STEPS
    return loopback.cell


class Leader:
    """A pilot that goes to `target` and closes there; `trouble`, if any, happens at the second look."""

    def __init__(self, target=ASIDE, trouble=lambda: None):
        self.target, self.trouble, self.path = target, trouble, []

    def __call__(self, views, T_world_tcp):
        self.path.append(T_world_tcp)
        if len(self.path) == 2:
            self.trouble()
        return Command(self.target, close=distance(T_world_tcp, self.target)[0] < 0.002)


def test_the_arm_is_led_to_where_the_object_has_gone(loopback, cell):
    loopback.gripper.tell(object=100)
    pilot = Leader()
    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, pilot)
    assert done.moved and done.holds and list(done.seconds)[-1] == "release"
    assert distance(done.T_world_tcp, ASIDE)[0] < 0.002
    assert pilot.path[0][2, 3] == pytest.approx(GRASP[2, 3] + 0.1, abs=2e-3)
    assert all(distance(a, b)[0] < STEPS.step + 2e-3 for a, b in zip(pilot.path, pilot.path[1:], strict=False))
    assert np.allclose(loopback.state()["q"], HOME, atol=1e-3)
    assert loopback.state()["events"].count("moveL") == len(pilot.path) - 1 + 3  # and up, down, back
    assert 0 < done.seconds["cycle"] <= done.seconds["longest cycle"] <= done.seconds["approach"]


def test_nobody_is_led_before_arming_and_a_dry_run_moves_nothing(loopback, cell):
    with pytest.raises(NotArmed):
        cell.follow(GRASP, Leader())
    cell.dry_run = True
    assert not cell.follow(GRASP, Leader()).moved
    assert loopback.state()["events"] == []


def stands_still(loopback):
    time.sleep(0.6)  # the controller's watchdog needs 0.5 s
    state = loopback.state()
    with pytest.raises(NotArmed, match="open it anew"), loopback.cell.armed(CONFIRMATION):
        pass
    return not state["moving"]


def test_a_frozen_planner_stops_the_arm_where_it_is(loopback, cell):
    cell.steps = STEPS.model_copy(update={"patience": 0.5})
    thaw = threading.Event()
    pilot = Leader(trouble=lambda: thaw.wait(30))
    with cell.armed(CONFIRMATION), pytest.raises(FrozenPilot, match=r"no answer within 0\.5 s; the arm was stopped"):
        cell.follow(GRASP, pilot)
    assert stands_still(loopback)
    assert distance(tcp_pose(np.array(loopback.state()["q"])), pilot.path[-1])[0] < 2e-3
    events = loopback.state()["events"]
    thaw.set()  # an answer that comes too late moves nothing
    time.sleep(0.1)
    assert loopback.state()["events"] == events


def test_a_camera_that_stops_in_the_loop_stops_the_arm(loopback, cell, monkeypatch):
    def stop():
        monkeypatch.setattr(loopback.camera, "timeout", 0.5)
        loopback.device.mode = "dead"

    with cell.armed(CONFIRMATION), pytest.raises(FrozenCamera) as raised:
        cell.follow(GRASP, Leader(trouble=stop))
    assert raised.value.phase == "approach" and "\n" not in str(raised.value)
    assert stands_still(loopback)


def test_a_camera_that_hangs_in_the_loop_stops_the_arm(loopback, cell, monkeypatch):
    cell.steps = STEPS.model_copy(update={"patience": 1.0})
    thaw = threading.Event()

    def hang():
        monkeypatch.setattr(loopback.camera, "capture", lambda: thaw.wait(30))

    pilot = Leader(trouble=hang)
    with cell.armed(CONFIRMATION), pytest.raises(FrozenCamera, match=r"camera left: no picture within 1 s") as raised:
        cell.follow(GRASP, pilot)
    thaw.set()
    assert raised.value.phase == "approach" and len(pilot.path) == 2
    assert stands_still(loopback)


@pytest.mark.parametrize(
    ("target", "outcome", "why"),
    [
        (top_down(0.25, 0.1, 0.005), Outcome.REFUSED, "below the minimum height"),
        (np.full((4, 4), np.nan), Outcome.REFUSED, "NaN"),
        (top_down(0.25, 0.1, 0.9), Outcome.REFUSED, "outside the workspace box"),
    ],
)
def test_where_the_arm_may_not_go_it_turns_back(loopback, cell, target, outcome, why):
    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, Leader(target))
        assert done.outcome is outcome and why in done.reason
        assert np.allclose(loopback.state()["q"], HOME, atol=1e-3)
        assert not cell.broken


def test_a_pilot_that_never_closes_goes_home_without_a_grasp(loopback, cell):
    cell.steps = StepLimits(rate=2, step=0.05, looks=2)
    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, lambda views, T: Command(None))
    assert done.outcome is Outcome.NO_GRASP and "not reached in 2 looks" in done.reason
    assert np.allclose(loopback.state()["q"], HOME, atol=1e-3)


def test_waypoints_are_a_little_above_the_workspace_and_no_more():
    limits = SafetyLimits()
    high = top_down(0.2, 0.0, 0.0)
    high[2, 3] = limits.high[2] + 0.1
    assert np.allclose(check_waypoint(high, limits, STEPS), high)
    high[2, 3] += 0.1
    with pytest.raises(UnsafePose, match="outside the workspace box"):
        check_waypoint(high, limits, STEPS)
