"""A cell has one hand: motions of two threads never mix, and after a fault or the end nothing moves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from robot_poses import top_down
from robot_stand_ins import HEIGHT, WIDTH, standing_calibration

from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import CellFault, NotArmed, UnsafePose
from dgrasp.cell.model import PAPERS
from dgrasp.robot.devices import CONFIRMATION, DeviceCell
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.limits import MotionConfig
from dgrasp.robot.safety import HOME, SafetyCheck
from dgrasp.robot.viewpoints import Viewpoint

GRASP = top_down(0.25, 0.1, 0.05)
HERE = Peer("127.0.0.1", here=True)


class Parts:
    """Arm, gripper and camera in one, which note what they are told and by whom."""

    serial = "stand-in"

    def __init__(self) -> None:
        self.q = HOME.copy()
        self.calls: list[tuple[str, str]] = []  # what, and the name of the thread
        self.stopped = threading.Event()
        self.during: dict[str, Callable[[], None]] = {}  # what happens in the next call of a kind

    def note(self, what: str) -> None:
        self.calls.append((what, threading.current_thread().name))
        self.during.pop(what, lambda: None)()

    @property
    def moves(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] in ("joints", "line", "grip", "activate")]

    def joints(self) -> np.ndarray:
        return self.q.copy()

    def tcp(self) -> np.ndarray:
        return tcp_pose(self.q)

    def move_joints(self, q: np.ndarray, **how: float) -> None:
        self.note("joints")
        self.q = q

    def move_line(self, T: np.ndarray, **how: float) -> None:
        self.note("line")
        q = PAPERS.arm.near(T, self.q)
        assert q is not None
        self.q = q

    def stop(self) -> None:
        self.note("stop")
        self.stopped.set()

    def activate(self) -> None:
        self.note("activate")

    def move(self, width: float, **how: float) -> float:
        self.note("grip")
        return width

    def holds(self) -> bool:
        return False

    def capture(self) -> np.ndarray:
        self.note("capture")
        return np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def close(self) -> None:
        self.note("close")


@pytest.fixture(scope="module")
def safety() -> Iterator[SafetyCheck]:
    with SafetyCheck(motion=MotionConfig(hold_seconds=0.0)) as check:
        yield check


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def cell(parts: Parts, safety: SafetyCheck, monkeypatch: pytest.MonkeyPatch) -> DeviceCell:
    monkeypatch.setattr(safety, "close", lambda: None)  # the next test's, too
    return DeviceCell(
        parts, parts, {"left": parts, "right": parts}, (Viewpoint(camera="left"), Viewpoint(camera="right")),
        standing_calibration(), peers={"arm": HERE, "gripper": HERE}, real=False, serials={}, safety=safety,
    )  # fmt: skip


@contextmanager
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix="other") as pool:
        yield pool


def test_only_the_thread_that_armed_it_moves_it(cell: DeviceCell, parts: Parts) -> None:
    with cell.armed(CONFIRMATION), other_thread() as other:
        with pytest.raises(NotArmed, match=r"armed by the thread 'MainThread'; no other moves it"):
            other.submit(cell.execute, GRASP).result()
        with pytest.raises(NotArmed, match="no other moves it"):
            other.submit(cell.let_go).result()
        assert parts.moves == []
        assert cell.execute(GRASP).moved
    assert {thread for _, thread in parts.moves} == {"MainThread"}


def test_it_is_armed_once_at_a_time(cell: DeviceCell, parts: Parts) -> None:
    def arm() -> None:
        with cell.armed(CONFIRMATION):
            cell.execute(GRASP)

    with cell.armed(CONFIRMATION), other_thread() as other:
        with pytest.raises(NotArmed, match="armed already, by the thread 'MainThread': it has one hand"):
            other.submit(arm).result()
        with pytest.raises(NotArmed, match="armed already"):
            arm()
    with other_thread() as other:
        other.submit(arm).result()
    assert {thread for _, thread in parts.moves} == {"other_0"}


def test_motions_of_two_threads_never_mix(cell: DeviceCell, parts: Parts) -> None:
    """Each arms in turn, as soon as it may; a grasp that has begun is made to its end, views wait for it."""
    grasp = ["activate", "grip", "joints", "line", "grip", "line", "line", "grip", "line", "joints"]

    def work() -> None:
        made = 0
        while made < 3:
            try:
                with cell.armed(CONFIRMATION):
                    cell.execute(GRASP)
                made += 1
            except NotArmed:
                pass

    parts.during["line"] = lambda: looking.start()  # in mid-grasp a third one wants to see
    looking = threading.Thread(target=cell.observe, name="looking")
    with ThreadPoolExecutor(2, thread_name_prefix="worker") as pool:
        for job in [pool.submit(work) for _ in range(2)]:
            job.result()
    looking.join()
    assert len(parts.moves) == 6 * len(grasp)
    for i in range(6):
        turn = parts.moves[i * len(grasp) : (i + 1) * len(grasp)]
        assert [what for what, _ in turn] == grasp and len({thread for _, thread in turn}) == 1
    first = parts.calls.index(("capture", "looking"))
    assert len([call for call in parts.calls[:first] if call in parts.moves]) % len(grasp) == 0, "between two grasps"


@pytest.mark.parametrize("error", [CellFault("arm: it met something"), RuntimeError("vendor: bad handshake")])
def test_after_a_fault_nobody_arms_it_again(cell: DeviceCell, parts: Parts, error: Exception) -> None:
    def fail() -> None:
        raise error

    parts.during["line"] = fail
    with cell.armed(CONFIRMATION):
        with pytest.raises(type(error)):
            cell.execute(GRASP)
        before = parts.moves
        with pytest.raises(NotArmed, match="open it anew"):
            cell.execute(GRASP)
    with pytest.raises(NotArmed, match=f"close it and open it anew .*{error}"), cell.armed(CONFIRMATION):
        pass
    assert parts.moves == before and parts.calls[-1][0] == "stop"


def test_after_the_end_nothing_is_done_with_it(cell: DeviceCell, parts: Parts) -> None:
    cell.close()
    closed = list(parts.calls)
    with pytest.raises(NotArmed, match=r"open it anew \(it was closed\)"), cell.armed(CONFIRMATION):
        pass
    for act in (cell.observe, cell.let_go, lambda: cell.execute(GRASP), lambda: cell.rehearse(GRASP)):
        with pytest.raises(NotArmed, match="the cell was closed; open it anew"):
            act()
    assert parts.calls == closed
    cell.close()  # as often as one likes


def test_an_interrupt_disarms_and_a_person_may_arm_again(cell: DeviceCell, parts: Parts) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    parts.during["line"] = interrupt
    with cell.armed(CONFIRMATION):
        with pytest.raises(KeyboardInterrupt):
            cell.execute(GRASP)
        assert parts.calls[-1][0] == "stop"
        with pytest.raises(NotArmed):
            cell.execute(GRASP)
    with cell.armed(CONFIRMATION):
        assert cell.execute(GRASP).moved


def test_closing_stops_a_motion_of_another_thread_and_waits_for_it(cell: DeviceCell, parts: Parts) -> None:
    under_way = threading.Event()

    def drive() -> None:  # as an arm does: until it stands
        under_way.set()
        assert parts.stopped.wait(10)

    def grasp() -> None:
        with cell.armed(CONFIRMATION):
            cell.execute(GRASP)

    parts.during["line"] = drive
    with other_thread() as other:
        job = other.submit(grasp)
        assert under_way.wait(10)
        cell.close()
        with pytest.raises(CellFault, match="disarmed in mid-motion: it was closed"):
            job.result()
    assert [what for what, _ in parts.moves].count("line") == 1, "the next motion was not begun"
    last = max(i for i, (what, _) in enumerate(parts.calls) if what == "line")
    assert "close" not in [what for what, _ in parts.calls[:last]]


def test_closing_ends_the_hold(cell: DeviceCell, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell.safety, "motion", MotionConfig(hold_seconds=500.0))

    def grasp() -> None:
        with cell.armed(CONFIRMATION):
            cell.execute(GRASP)

    with other_thread() as other:
        job = other.submit(grasp)
        while [what for what, _ in parts.moves].count("line") < 2:
            threading.Event().wait(0.01)
        cell.close()
        with pytest.raises(CellFault, match=r"disarmed in mid-motion.*may still hold the object"):
            job.result(timeout=10)


def test_whatever_fails_to_close_the_rest_is_closed(cell: DeviceCell, parts: Parts) -> None:
    def fail() -> None:
        raise RuntimeError("the first one's")

    parts.during["close"] = fail
    with pytest.raises(RuntimeError, match="the first one's"):
        cell.close()
    assert [what for what, _ in parts.calls].count("close") == 4


def test_a_refusal_ends_nothing(cell: DeviceCell, parts: Parts) -> None:
    with cell.armed(CONFIRMATION):
        for T in (top_down(0.6, 0.0, 0.05), np.full((4, 4), np.nan), np.full((4, 4), np.inf)):
            with pytest.raises(UnsafePose):
                cell.execute(T)
        assert parts.moves == []
        assert cell.execute(GRASP).moved


def test_a_process_forked_from_an_armed_one_has_no_hand(cell: DeviceCell, parts: Parts) -> None:
    with cell.armed(CONFIRMATION):
        child = os.fork()
        if child == 0:
            try:
                cell._check_armed()
            except NotArmed:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
