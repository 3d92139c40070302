"""The cell of devices led by policies: the real checks and the real pilot, and an arm that is at once where it is told.

The controller's own pace is in `test_robot_following.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from threading import Event, current_thread
from types import SimpleNamespace

import numpy as np
import pytest
from landscapes import Cone, policy_on
from robot_poses import top_down
from robot_stand_ins import BOARD, HEIGHT, WIDTH, standing_calibration

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.following import Command, NoSummit, StepLimits, distance
from dgrasp.cell.hand import tcp_pose
from dgrasp.cell.interface import Execution, FrozenCamera, UnsafePose
from dgrasp.cell.model import PAPERS
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.closed_loop import ClosedLoop
from dgrasp.experiment.plan_from_images import ResizeToTraining
from dgrasp.policy.policies import NoGraspError
from dgrasp.robot.arming import CONFIRMATION
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.following import SteeredDevices
from dgrasp.robot.hardware import HardwareConfig, open_cell
from dgrasp.robot.safety import HOME, MotionConfig
from dgrasp.robot.trials import Presentation, TrialProtocol, Verdict, for_real_robot, run_trials
from dgrasp.robot.viewpoints import Viewpoint
from dgrasp.slopes.config import OptimizerConfig

GRASP, ASIDE = top_down(0.25, 0.1, 0.05), top_down(0.2, -0.05, 0.06)
CONFIG = HardwareConfig(
    arm="127.0.0.1",
    cameras={"left": "none", "right": "neither"},
    board_heights=BOARD,
    viewpoints=(Viewpoint(camera="left"), Viewpoint(camera="right")),
    calibration=standing_calibration(),
    motion=MotionConfig(acceleration=1.5, hold_seconds=0.0),
)


class AtOnce:
    """Arm, gripper and camera in one. lines: `T_world_tcp` that it was sent to straight."""

    peer, real, serial = Peer("127.0.0.1", True), None, ""

    def __init__(self) -> None:
        self.q, self.width, self.lines = np.array(HOME), 0.14, []

    def joints(self) -> np.ndarray:
        return self.q

    def tcp(self) -> np.ndarray:
        return tcp_pose(self.q)

    def move_joints(self, q: np.ndarray, *, speed: float, acceleration: float) -> None:
        self.q = np.array(q)

    def move_line(self, T_world_tcp: np.ndarray, *, speed: float, acceleration: float) -> None:
        self.q = PAPERS.arm.near(T_world_tcp, self.q)
        self.lines.append(T_world_tcp)

    def activate(self) -> None: ...

    def move(self, width: float, *, speed: float, force: float) -> float:
        self.width = max(width, 0.05)
        return self.width

    def holds(self) -> bool:
        return self.width == 0.05

    def capture(self) -> np.ndarray:
        return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)

    def stop(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[SteeredDevices, AtOnce]]:
    part = AtOnce()
    with open_cell(CONFIG, arm=part, gripper=part, cameras={"left": part, "right": part}) as cell:  # type: ignore[arg-type]
        yield cell, part  # type: ignore[misc]


@pytest.fixture
def cell(opened: tuple[SteeredDevices, AtOnce]) -> SteeredDevices:
    opened[0].steps, opened[1].lines = StepLimits(rate=2, patience=60), []
    return opened[0]


@pytest.mark.parametrize("error", [NoSummit, NoGraspError])
def test_a_pilot_that_finds_nothing_to_go_to_is_an_outcome_and_no_fault(
    error: type[Exception], cell: SteeredDevices
) -> None:
    looks = []

    def lost(views: Views, T_world_tcp: np.ndarray) -> Command:
        looks.append(T_world_tcp)
        if len(looks) == 3:
            raise error("none of the 6 candidates approaches from above")
        return Command(GRASP)

    with cell.armed(CONFIRMATION):
        done = cell.follow(GRASP, lost)
        assert done.outcome is Outcome.NO_GRASP and "from above" in done.reason and done.moved
        assert np.allclose(cell.arm.joints(), HOME) and not cell.broken
    assert 0 < done.seconds["cycle"] <= done.seconds["longest cycle"]


def test_where_the_way_home_is_refused_nothing_has_moved(
    cell: SteeredDevices, opened: tuple[SteeredDevices, AtOnce], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = opened[1]
    monkeypatch.setattr(part, "q", part.q + 0.1)

    def refuse(q_from: np.ndarray, q_to: np.ndarray) -> None:
        raise UnsafePose("refused: the arm would touch the table")

    monkeypatch.setattr(cell, "observe", lambda: observed)  # whose own way home is not what this is about
    observed = cell._pictures(["left", "right"])
    with monkeypatch.context() as refusing, cell.armed(CONFIRMATION):
        refusing.setattr(cell.safety, "joint_motion", refuse)
        done = cell.follow(GRASP, lambda views, T: Command(GRASP))
    assert done.outcome is Outcome.REFUSED and not done.moved and "touch the table" in done.reason


def test_steps_fit_in_a_cycle_of_an_arm_that_starts_and_stops(
    cell: SteeredDevices, opened: tuple[SteeredDevices, AtOnce]
) -> None:
    cell.steps = StepLimits(rate=4, looks=4)
    with cell.armed(CONFIRMATION):
        cell.follow(GRASP, lambda views, T: Command(GRASP))
    lines = opened[1].lines
    steps = [distance(a, b)[0] for a, b in pairwise(lines[:4])]
    assert steps == pytest.approx([0.1 * (0.25 - 0.1 / 1.5)] * 3)


class Judge:
    """An operator who notes where grasps ended."""

    def __init__(self) -> None:
        self.reached: list[np.ndarray] = []

    def present(self, presentation: Presentation) -> None: ...

    def verdict(self, presentation: Presentation, execution: Execution) -> Verdict:
        self.reached.append(execution.T_world_tcp)
        return Verdict(Outcome.SUCCESS)


def test_the_page_says_how_a_series_is_led_by_the_slopes(
    cell: SteeredDevices, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REAL_CELL.md's own lines: each policy leads to the summit of its own landscape."""
    text = (root / "REAL_CELL.md").read_text(encoding="utf-8")
    found = re.search(r"## Led by the slopes\n.*?```python\n(.*?)```", text, re.S)
    assert found is not None
    climb = OptimizerConfig(steps=30, translation_rate=0.03, rotation_rate=0.15, gradient_clip=None, n_starts=24)
    cones = {"base_quat_sync": Cone(GRASP), "dgrasp_quat_sync": Cone(ASIDE)}
    half = (Intrinsics.d415(WIDTH // 2, HEIGHT // 2),)
    ready = {name: ResizeToTraining(for_real_robot(policy_on(cone, climb, name)), half) for name, cone in cones.items()}
    protocol = TrialProtocol(policies=tuple(ready), objects=("box",), presentations=1)
    judge = Judge()
    names = {
        "open_cell": lambda config: nullcontext(cell),
        "CONFIRMATION": CONFIRMATION,
        "AskingOperator": lambda: judge,
        "run_trials": run_trials,
    }
    given = {"ready": ready, "protocol": protocol, "runs": {}, "config": CONFIG, "Path": Path}
    monkeypatch.chdir(tmp_path)
    exec(found.group(1), {"robot": SimpleNamespace(**names), **given})
    for trial, T in zip(protocol.trials(), judge.reached, strict=True):
        summit = cones[trial.policy].summit.copy()
        summit[2, 3] -= 0.01  # Sec. 5.2
        assert distance(T, summit)[0] < 0.007, trial
    assert all(set(cone.widths) == {WIDTH // 2} and len(cone.widths) > 3 for cone in cones.values())
    assert (tmp_path / "led.jsonl").is_file()


def test_a_camera_that_hangs_ends_the_series_with_the_fault_on_record(
    cell: SteeredDevices, opened: tuple[SteeredDevices, AtOnce], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, thaw, looks = opened[1], Event(), []

    def capture() -> np.ndarray:
        looks.append(current_thread())
        if len(looks) > 6:  # two views each: for the plan, without the arm, and the first look
            thaw.wait(30)
        return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)

    monkeypatch.setattr(part, "capture", capture)
    cell.steps = StepLimits(rate=2, patience=0.3)
    policy = policy_on(Cone(GRASP), OptimizerConfig(steps=2, n_starts=4), "base_quat_sync")
    protocol, log = TrialProtocol(policies=("base_quat_sync",), objects=("box",), presentations=1), tmp_path / "l.jsonl"
    monkeypatch.setattr(type(cell), "_stop", lambda self: part.lines.append(None))
    try:
        with cell.armed(CONFIRMATION), pytest.raises(FrozenCamera, match=r"left: no picture within 0\.3 s"):
            ready = {"base_quat_sync": for_real_robot(policy)}
            loop = ClosedLoop(cell)
            run_trials(loop, {n: loop.led(p) for n, p in ready.items()}, Judge(), protocol, log, runs={})
    finally:
        thaw.set()
        broken, cell.broken = cell.broken, ""  # the other tests' cell, too
    assert part.lines[-1] is None and "no picture" in broken
    assert "camera left: no picture within 0.3 s" in log.read_text(encoding="utf-8").splitlines()[-1]
