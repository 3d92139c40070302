"""The steered twin is the twin, and sees what the twin sees: the arm out of its views, noise and errors in them."""

from __future__ import annotations

import numpy as np
import pytest
from landscapes import networks, policy_on

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.following import Command, StepLimits
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import transform
from dgrasp.evaluation.closed_loop import ClosedLoop
from dgrasp.experiment.plan_from_images import ResizeToTraining
from dgrasp.robot.trials import for_real_robot
from dgrasp.sim.disturbances import Disturbance
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.following import SteeredTwin

OBSERVER = Observer(views=2, width=64, height=48)


def test_the_twin_is_led_and_its_objects_may_move() -> None:
    with SteeredTwin(cell=CellConfig(), observer=OBSERVER) as steered, TwinCell(observer=OBSERVER) as twin:
        scene = steered.present("tennis ball", 0)
        twin.present("tennis ball", 0)
        grasp = transform(np.diag([1.0, -1.0, -1.0]), scene.objects[0].T_world_object[:3, 3])
        plain, ours = twin.execute(grasp), steered.execute(grasp)
        assert (ours.outcome, ours.duration) == (plain.outcome, plain.duration)
        steered.present("tennis ball", 0)
        clean, seen = steered.observe().images.astype(int), []

        def straight(views: Views, T: np.ndarray) -> Command:
            seen.append(views.images.astype(int))
            return Command(grasp, close=bool(np.linalg.norm(T[:3, 3] - grasp[:3, 3]) < 1e-3))

        done = steered.follow(grasp, straight)
        assert done.outcome is plain.outcome is Outcome.SUCCESS
        assert len(seen) == 6  # 10 cm in steps of 2
        assert (np.abs(seen[2] - clean).max(-1) > 40).mean() < 0.01  # shadows of the arm move, the arm is not there
        steered.present("tennis ball", 0)
        steered.disturbance = Disturbance(kind="push", size=0.08)
        assert steered.follow(grasp, straight).outcome is not Outcome.SUCCESS
        low = grasp.copy()
        low[2, 3] -= 0.1
        with pytest.raises(UnsafePose):
            steered.follow(low, straight)


def test_each_look_of_a_trial_has_noise_of_its_own() -> None:
    """The first is the twin's, and a trial that is repeated sees the same again."""
    with SteeredTwin(observer=OBSERVER) as steered, TwinCell(observer=OBSERVER) as twin:
        twin.present("tennis ball", 0)
        looks = []
        for _ in range(2):
            steered.present("tennis ball", 0)
            looks.append([steered.observe().images for _ in range(3)])
        assert np.array_equal(looks[0], looks[1]) and np.array_equal(looks[0][0], twin.observe().images)
        apart = [(looks[0][i] != looks[0][j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
        assert min(apart) > 0.2
        assert np.array_equal(twin.observe().images, twin.observe().images)


def test_networks_lead_the_twin_and_see_images_of_their_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    value = networks()
    encode, widths = value.encode, []
    monkeypatch.setattr(value, "encode", lambda views: widths.append(views.images.shape[2]) or encode(views))
    policy = for_real_robot(policy_on(value, OptimizerConfig(n_starts=4, steps=2)))
    with SteeredTwin(observer=OBSERVER, steps=StepLimits(looks=2)) as twin:
        scene = twin.present("tennis ball", 0)
        smaller = OBSERVER.model_copy(update={"width": 32, "height": 24})
        loop = ClosedLoop(twin, ResizeToTraining(policy, smaller.lenses))
        done = loop.execute(transform(np.diag([1.0, -1.0, -1.0]), scene.objects[0].T_world_object[:3, 3]))
    assert done.moved and done.outcome is not None and loop.servo is not None
    assert widths == [32] * len(loop.servo.looks) and len(widths) == 2
