"""What the arm measures counts, not what it was told: motions that are dropped, cut short or ignored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from robot_poses import top_down
from test_robot_led import CONFIG, AtOnce

from dgrasp.cell.following import Command, StepLimits, distance
from dgrasp.cell.interface import CellFault
from dgrasp.cell.model import PAPERS
from dgrasp.cell.outcome import Outcome
from dgrasp.robot.arming import CONFIRMATION
from dgrasp.robot.arrival import ARRIVED, AT_POSTURE, check_above_board
from dgrasp.robot.following import SteeredDevices
from dgrasp.robot.hardware import open_cell
from dgrasp.robot.limits import MODEL_ERROR, UNDER_TIPS, SafetyLimits
from dgrasp.robot.safety import HOME

GRASP = top_down(0.25, 0.1, 0.05)
STEPS = StepLimits(rate=2, patience=60)


class Sloppy(AtOnce):
    """Drops its next `dropped` straight motions, ends others `short` metres short; `turned`: rad, after joint motions.

    aside: metres by which what it says of its TCP is off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.well()

    def well(self) -> None:
        self.dropped, self.short, self.turned, self.aside = 0.0, 0.0, 0.0, 0.0
        self.q, self.width, self.lines, self.way = np.array(HOME), 0.14, [], []

    def tcp(self) -> np.ndarray:
        T = super().tcp()
        T[0, 3] += self.aside
        return T

    def move_joints(self, q: np.ndarray, *, speed: float, acceleration: float) -> None:
        super().move_joints(q, speed=speed, acceleration=acceleration)
        self.q = self.q + self.turned * np.eye(6)[0]

    def move_line(self, T_world_tcp: np.ndarray, *, speed: float, acceleration: float) -> None:
        T, now = T_world_tcp.copy(), self.tcp()
        self.lines.append(T_world_tcp)
        if self.dropped:
            self.dropped -= 1
            return
        metres = distance(now, T)[0]
        T[:3, 3] -= min(self.short, metres) / max(metres, 1e-9) * (T[:3, 3] - now[:3, 3])
        q = PAPERS.arm.near(T, self.q)
        assert q is not None
        self.q = q
        self.way.append((now, T))


@pytest.fixture(scope="module")
def part() -> Sloppy:
    return Sloppy()


@pytest.fixture(scope="module")
def opened(part: Sloppy) -> Iterator[SteeredDevices]:
    with open_cell(CONFIG, arm=part, gripper=part, cameras={"left": part, "right": part}) as cell:  # type: ignore[arg-type]
        yield cell  # type: ignore[misc]


@pytest.fixture
def cell(opened: SteeredDevices, part: Sloppy) -> Iterator[SteeredDevices]:
    part.well()
    opened.steps = STEPS
    yield opened
    opened.broken = ""  # the next test's, too


def to_grasp(views: object, T_world_tcp: np.ndarray) -> Command:
    return Command(GRASP, close=distance(T_world_tcp, GRASP)[0] < 0.004)


@pytest.mark.parametrize("led", [True, False], ids=["led", "straight"])
@pytest.mark.parametrize("dropped", [1, 6, np.inf])
def test_an_arm_that_drops_motions_is_a_fault_before_the_fingers_close(
    cell: SteeredDevices, part: Sloppy, led: bool, dropped: float
) -> None:
    part.dropped = dropped
    with cell.armed(CONFIRMATION), pytest.raises(CellFault) as raised:
        cell.follow(GRASP, to_grasp) if led else cell.execute(GRASP)
    said = str(raised.value)
    assert raised.value.phase == "approach" and cell.broken and "\n" not in said
    assert "allowed are 5 mm and 2.9 degrees; the arm was told to stop" in said
    assert f"{20.0 if led else 100.0} mm and 0.0 degrees off" in said
    assert len(part.lines) == 1 and part.width == 0.14


def test_an_arm_that_lags_by_millimetres_grasps_where_it_is_measured(cell: SteeredDevices, part: Sloppy) -> None:
    """And is led no further than from there: no step is longer than the limit."""
    part.short = 0.003
    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, to_grasp)
    steps = [distance(*way)[0] for way in part.way[:-3]]  # then come up, down, back
    told = [distance(T_from, T)[0] for (T_from, _), T in zip(part.way[:-3], part.lines, strict=False)]
    assert len(steps) > 4 and max(told) <= STEPS.step + 1e-9 and max(steps) <= STEPS.step - 0.003 + 1e-9
    assert all(np.allclose(a[1], b[0]) for a, b in pairwise(part.way))
    assert done.holds and distance(done.T_world_tcp, part.way[-4][1])[0] < 1e-6
    assert 0.002 < distance(done.T_world_tcp, GRASP)[0] < 0.004
    with cell.armed(CONFIRMATION):
        assert cell.execute(GRASP).holds


def test_an_arm_that_lags_by_more_than_is_allowed_is_a_fault(cell: SteeredDevices, part: Sloppy) -> None:
    part.short = ARRIVED[0] + 0.001
    for act in (lambda: cell.execute(GRASP), lambda: cell.follow(GRASP, to_grasp)):
        with cell.armed(CONFIRMATION), pytest.raises(CellFault, match=r": 6\.0 mm and 0\.0 degrees off, allowed are 5"):
            act()
        cell.broken, part.q = "", np.array(HOME)


def test_steps_too_short_to_be_missed_get_an_arm_that_stands_nowhere(cell: SteeredDevices, part: Sloppy) -> None:
    """They gather up to nothing: the pilot is told of the measured pose, and never of the grasp."""
    cell.steps, part.dropped = StepLimits(rate=2, step=0.002, looks=30, patience=60), np.inf
    seen = []

    def pilot(views: object, T_world_tcp: np.ndarray) -> Command:
        seen.append(T_world_tcp)
        return to_grasp(views, T_world_tcp)

    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, pilot)
    assert done.outcome is Outcome.NO_GRASP and part.width == 0.14
    assert len(seen) == 30 and all(np.allclose(T, seen[0]) for T in seen)


@pytest.mark.parametrize(("at_the_end", "when"), [(False, "before a step"), (True, "before closing")])
def test_an_arm_that_is_pushed_while_the_pilot_thinks_is_a_fault(
    cell: SteeredDevices, part: Sloppy, at_the_end: bool, when: str
) -> None:
    def pilot(views: object, T_world_tcp: np.ndarray) -> Command:
        command = to_grasp(views, T_world_tcp)
        if command.close is at_the_end:
            part.q = part.q + 0.02 * np.eye(6)[0]
        return command

    with cell.armed(CONFIRMATION), pytest.raises(CellFault, match=rf"arm: {when}, its TCP is to be at \(0\.2"):
        cell.follow(GRASP, pilot)
    assert part.width == 0.14


def test_joint_motions_end_where_they_were_to(cell: SteeredDevices, part: Sloppy) -> None:
    part.turned = AT_POSTURE / 2
    with cell.armed(CONFIRMATION):
        assert cell.execute(GRASP).holds
        part.turned = 2 * AT_POSTURE
        with pytest.raises(CellFault, match=r"up to 1\.1 degrees off, allowed are 0\.6; the arm was told to stop"):
            cell.execute(GRASP)


def test_a_driver_with_another_tool_than_the_cells_is_found_before_a_straight_motion(
    cell: SteeredDevices, part: Sloppy
) -> None:
    part.aside = MODEL_ERROR[0] + 0.005
    with cell.armed(CONFIRMATION), pytest.raises(CellFault, match=r"the cell's model has its TCP at .*: 15\.0 mm"):
        cell.execute(GRASP)
    assert part.lines == []
    cell.broken, part.aside, part.q = "", np.nan, np.array(HOME)
    with cell.armed(CONFIRMATION), pytest.raises(CellFault, match="its measured TCP is no pose"):
        cell.execute(GRASP)


def test_fingers_do_not_close_where_they_would_meet_the_board() -> None:
    limits = SafetyLimits()
    T = top_down(0.25, 0.1, 0.05)
    T[2, 3] = limits.minimum_height - 0.9 * UNDER_TIPS
    check_above_board(T, limits)
    T[2, 3] = limits.minimum_height - 1.1 * UNDER_TIPS
    with pytest.raises(CellFault, match=r"would meet the board; allowed are 0\.9755 m and more"):
        check_above_board(T, limits)
