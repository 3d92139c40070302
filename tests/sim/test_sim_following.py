"""The steered arm and moving objects: off, nothing changes; on, they do what they say, and a pilot that sees wins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sim_scenes import box, scene_of, top_down

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.following import Command, NoSummit, StepLimits, distance
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import inverse, transform
from dgrasp.sim.disturbances import Disturbance
from dgrasp.sim.execution import GraspProtocol
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.planning import plan_motion
from dgrasp.sim.sight import pixel
from dgrasp.sim.simulated_cell import SimulatedCell

OBSERVER = Observer(views=2, width=64, height=48)
GRASP = top_down(0.2, 0.0, 0.035)
PUSH = Disturbance(kind="push", size=0.06)


@pytest.fixture(scope="module")
def steered() -> Iterator[SteeredSimulation]:
    with SteeredSimulation(CellConfig(), OBSERVER) as made:
        yield made


@pytest.fixture
def cell(steered: SteeredSimulation) -> SteeredSimulation:
    steered.disturbance, steered.E_cam, steered.disturbance_address = Disturbance(), np.eye(4), ("test", 0)
    steered.show(scene_of(box(size=(0.05, 0.05, 0.07)), box("other", at=(0.45, 0.25))))
    return steered


class Seer:
    """A pilot that knows where the box is, as a perfect landscape would: over it first, then down, then closes."""

    def __init__(self, cell: SteeredSimulation) -> None:
        self.cell, self.looks = cell, []

    def __call__(self, views: Views, T_world_tcp: np.ndarray) -> Command:
        self.looks.append(views)
        T = GRASP.copy()
        T[:2, 3] = self.cell._simulator.world.object_pose("box")[:2, 3]
        beside = float(np.linalg.norm(T_world_tcp[:2, 3] - T[:2, 3]))
        if distance(T_world_tcp, T)[0] < 0.004:
            return Command(None, close=True)
        T[2, 3] += min(0.1, 2 * max(0.0, beside - 0.004))
        return Command(T)


def test_undisturbed_grasps_are_the_simulations_own_to_the_byte(cell: SteeredSimulation) -> None:
    with SimulatedCell(CellConfig(), OBSERVER) as plain:
        plain.show(cell.scene)
        seen, done = plain.observe(), plain.execute(GRASP)
        after = plain.scene
    assert np.array_equal(cell.observe().images, seen.images)
    ours = cell.execute(GRASP)
    assert (ours.outcome, ours.duration, ours.seconds) == (done.outcome, done.duration, done.seconds)
    assert cell.scene.describe() == after.describe()


def test_a_trial_that_breaks_off_leaves_nothing_of_it_to_be_seen(
    cell: SteeredSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises, a driver or a pilot: the next look is at the scene as it was shown."""
    seen = cell.observe().images

    def breaks(views: Views, T_world_tcp: np.ndarray) -> Command:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        cell.follow(GRASP, breaks)
    assert np.array_equal(cell.observe().images, seen)
    whole = GraspProtocol.judge
    monkeypatch.setattr(GraspProtocol, "judge", lambda *all: whole(*all) and breaks(*all[:2]))
    with pytest.raises(InterruptedError):
        cell.execute(GRASP)
    assert np.array_equal(cell.observe().images, seen)


def test_a_pushed_object_is_missed_in_open_loop_and_lifted_in_closed_loop(cell: SteeredSimulation) -> None:
    scene = cell.scene
    cell.disturbance = PUSH
    assert cell.execute(GRASP).outcome is not Outcome.SUCCESS
    cell.show(scene)
    pilot = Seer(cell)
    done = cell.follow(GRASP, pilot)
    assert done.outcome is Outcome.SUCCESS and done.object == "box"
    assert np.linalg.norm(done.T_world_tcp[:2, 3] - GRASP[:2, 3]) == pytest.approx(0.06, abs=0.006)
    assert len(cell.led) == len(pilot.looks)
    for T, T_next in zip(cell.led, cell.led[1:], strict=False):
        assert distance(T, T_next)[0] <= cell.steps.step * 1.000001
    cell.show(scene)
    again = cell.follow(GRASP, Seer(cell))
    assert again.T_world_tcp.tobytes() == done.T_world_tcp.tobytes() and again.duration == done.duration


def test_a_board_that_drifts_carries_its_objects_until_they_are_touched(cell: SteeredSimulation) -> None:
    cell.disturbance = Disturbance(kind="drift", size=0.02)
    done = cell.follow(GRASP, Seer(cell))
    assert done.outcome is Outcome.SUCCESS
    moved = float(np.linalg.norm(cell.scene.object("other").T_world_object[:2, 3] - [0.45, 0.25]))
    before_closing = done.seconds["travel"] + done.seconds["approach"]
    assert 0.02 * before_closing - 0.001 < moved < 0.02 * (before_closing + done.seconds["close"]) + 0.001
    assert 0.03 < np.linalg.norm(done.T_world_tcp[:2, 3] - GRASP[:2, 3]) < 0.02 * before_closing + 0.004


def test_a_push_goes_where_there_is_room(cell: SteeredSimulation) -> None:
    """Beside the edge of the workspace and a neighbour: never over either."""
    cell.disturbance = Disturbance(kind="push", size=0.08)
    grasp = top_down(0.48, 0.0, 0.035)
    for number in range(3):
        cell.disturbance_address = ("room", number)
        cell.show(scene_of(box(at=(0.48, 0.0)), box("other", at=(0.48, 0.1))))
        cell.execute(grasp)
        p = cell.scene.object("other").T_world_object[:2, 3]
        np.testing.assert_allclose(p, [0.48, 0.1], atol=2e-3)
        here = [o.T_world_object for o in cell.scene.objects if o.name == "box"]
        assert not here or here[0][0, 3] < 0.527


def test_cameras_that_are_off_say_where_they_were_meant_to_be(cell: SteeredSimulation) -> None:
    exact = cell.observe()
    cell.E_cam = transform(None, (0.02, 0.0, 0.0))
    off = cell.observe()
    assert np.array_equal(off.Ts_world_cam, exact.Ts_world_cam)
    assert (off.images != exact.images).mean() > 0.01


def test_pilots_are_shown_the_scene_without_the_arm(cell: SteeredSimulation) -> None:
    """The arm is over the box, and all that it covers looks as it did before the arm came."""
    clean, pilot = cell.observe().images.astype(int), Seer(cell)
    cell.steps, before = StepLimits(looks=4), cell.steps
    done = cell.follow(GRASP, pilot)
    cell.steps = before
    assert done.outcome is Outcome.NO_GRASP and "not reached in 4 looks" in done.reason
    for views in pilot.looks:
        assert (np.abs(views.images - clean).max(-1) > 8).mean() < 0.002
    cell.show(cell.scene)
    world = cell.simulated.world
    world.robot.place(plan_motion(world, GRASP).approach[0])
    cell._fresh = True  # what would be seen of an arm
    assert (np.abs(cell.observe().images - clean).max(-1) > 8).mean() > 0.01


@pytest.mark.parametrize(
    "E_cam", [transform(None, (0.012, -0.012, 0.01)), transform(Rotation.from_rotvec([0.05, -0.06, 0.04]))]
)
def test_cameras_that_are_off_are_put_right_by_the_hand(cell: SteeredSimulation, E_cam: np.ndarray) -> None:
    """20 mm, or 5 degrees: where the grasp is, a pilot is told of a fifth of it at most."""
    cell.E_cam, pilot = E_cam, Seer(cell)
    stated = cell.observer.Ts_world_cam
    true = stated @ inverse(E_cam)
    cell.follow(GRASP, pilot)
    for look in pilot.looks[:3]:
        for i, K in enumerate(look.K):
            seen, told, was = (pixel(K, T[i], GRASP[:3, 3]) for T in (true, look.Ts_world_cam, stated))
            assert np.linalg.norm(told - seen) < max(0.2 * np.linalg.norm(was - seen), 0.7)


def test_exact_cameras_are_left_alone(cell: SteeredSimulation) -> None:
    pilot = Seer(cell)
    cell.follow(GRASP, pilot)
    assert all(np.array_equal(look.Ts_world_cam, cell.observer.Ts_world_cam) for look in pilot.looks)
    cell.correct_cameras = False
    cell.show(scene_of(box()))
    pilot = Seer(cell)
    cell.follow(GRASP, pilot)
    cell.correct_cameras = True
    assert all(np.array_equal(look.Ts_world_cam, cell.observer.Ts_world_cam) for look in pilot.looks)


def test_a_pilot_that_leads_out_of_reach_is_refused_and_lifts_nothing(cell: SteeredSimulation) -> None:
    far = top_down(2.0, 0.0, 0.3)
    done = cell.follow(GRASP, lambda views, T: Command(far))
    assert done.outcome in (Outcome.REFUSED, Outcome.NO_GRASP) and "refused" in done.reason
    assert len(cell.scene.objects) == 2


def test_what_cannot_be_planned_is_an_outcome(cell: SteeredSimulation) -> None:
    done = cell.follow(top_down(2.0, 0.0, 0.1), lambda views, T: pytest.fail("was asked"))
    assert done.outcome is Outcome.UNREACHABLE and not done.moved
    assert cell.follow(np.full((4, 4), np.nan), lambda views, T: Command(None)).outcome is Outcome.UNREACHABLE


def test_a_pilot_that_finds_nothing_to_go_to_lifts_nothing(cell: SteeredSimulation) -> None:
    def lost(views: Views, T_world_tcp: np.ndarray) -> Command:
        raise NoSummit("none of the 6 candidates approaches from above")

    done = cell.follow(GRASP, lost)
    assert done.outcome is Outcome.NO_GRASP and done.reason == "none of the 6 candidates approaches from above"
    assert len(cell.scene.objects) == 2
