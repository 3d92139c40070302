"""The simulator as a robot's cell: what it shows, refuses, judges and leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dgrasp.cell.interface import BACKENDS, RobotCell, UnsafePose, banner
from dgrasp.cell.observer import Observer
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.sim.cell import Cell
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task

OBSERVER = Observer(views=2, width=64, height=48)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return task("simple").scene(split="validation", index=0, seed=0)


@pytest.fixture(scope="module")
def cell() -> Iterator[SimulatedCell]:
    with SimulatedCell(observer=OBSERVER) as cell:
        yield cell


def grasp_of(scene: Scene) -> np.ndarray:
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = scene.objects[0].T_world_object[:3, 3]
    T[2, 3] = max(T[2, 3], 0.975)
    return T


def test_it_is_a_cell_and_says_that_no_robot_moves(cell: SimulatedCell) -> None:
    it: RobotCell = cell
    assert it.backend in BACKENDS and "no robot moved" in banner(it.backend)
    assert not it.dry_run and not it.devices and it.settings["observer"]["width"] == 64


def test_views_and_verdicts_are_the_simulators(cell: SimulatedCell, scene: Scene) -> None:
    """Whether a grasp was rehearsed or not changes nothing: the world is built anew after a rehearsal."""
    T, done = grasp_of(scene), []
    for rehearse in (False, True):
        cell.show(scene)
        views = cell.observe()
        if rehearse:
            cell.rehearse(T)
        done.append(cell.execute(T))
    with Cell() as plain:
        plain.reset(scene)
        expected = plain.observe(evaluation_viewpoints(2), OBSERVER.intrinsics)
        trial = plain.execute(T)
    np.testing.assert_array_equal(views.images, expected.images)
    np.testing.assert_array_equal(views.Ts_world_cam, expected.Ts_world_cam)
    for execution in done:
        assert (execution.outcome, execution.reason, execution.object) == (trial.outcome, trial.reason, trial.object)
        assert (execution.duration, dict(execution.seconds)) == (trial.simulated_seconds, trial.phases)
        assert execution.moved and execution.holds is trial.success
    assert cell.scene.digest() == trial.scene_after.digest() != scene.digest()


def test_what_cannot_be_reached_is_refused_by_the_rehearsal_and_else_an_outcome(
    cell: SimulatedCell, scene: Scene
) -> None:
    cell.show(scene)
    away = grasp_of(scene)
    away[0, 3] = 3.0
    with pytest.raises(UnsafePose, match="refused: no joint angles"):
        cell.rehearse(away)
    with pytest.raises(UnsafePose, match=r"refused: .* not a rotation"):
        cell.rehearse(2 * away)
    execution = cell.execute(away)
    assert (execution.outcome, execution.moved, execution.duration) == ("unreachable", False, 0.0)
    assert cell.scene is not None and len(cell.scene) == len(scene)


def test_an_empty_cell_says_so() -> None:
    with SimulatedCell(observer=OBSERVER) as empty, pytest.raises(RuntimeError, match="show a scene"):
        empty.observe()
