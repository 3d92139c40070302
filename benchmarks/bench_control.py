"""The closed loop's pace: looks per second, and where the time of a control cycle goes.

    python benchmarks/bench_control.py

Networks and settings are those of the published laptop experiment (dgrasp_quat_sync, two images), with as many threads
as torch takes; a cycle is one look from the pre-grasp over a test scene. Its parts: looking past the arm, the
encoder, and the climb. Rendering is left out, since cameras bring their own pictures.
"""

from __future__ import annotations

import tempfile

from plain import entry, seconds

from dgrasp import streams
from dgrasp.cell.following import StepLimits
from dgrasp.cell.transforms import transform
from dgrasp.cell.ur10 import HOME
from dgrasp.evaluation.workers import worker_scene
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.servo import Servo
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.sight import Sight

POLICY, REPEATS = "dgrasp_quat_sync", 5


def benchmarks() -> dict[str, dict[str, object]]:
    with tempfile.TemporaryDirectory() as workspace:
        experiment = Experiment.open("published", workspace)
        policy = experiment.policy(POLICY)
        with SteeredSimulation(experiment.profile.cell, experiment.observer) as cell:
            cell.show(worker_scene("simple", "test", 0, 0))
            views = cell.observe()
            plan = policy.plan(views, streams.torch_generator(0, "bench", "control"))
            planned = plan.T_world_tcp.double().numpy()
            pilot = Servo(policy, planned, streams.torch_generator(0, "bench", "ascent"), StepLimits().above)
            behind = planned @ transform(None, (0.0, 0.0, -0.1))
            sight = Sight(views, cell._model.world)
            mask = seconds(lambda: sight(views, HOME), REPEATS)
            encode = seconds(lambda: policy.value.encode(views), REPEATS)
            look = seconds(lambda: pilot(views, behind), REPEATS)
    cycle = mask + look
    return {
        "control_hz": entry(1 / cycle, "cycles / s", REPEATS),
        "control_views_per_second": entry(len(views.images) / cycle, "images / s", REPEATS),
        "control_cycle_seconds": entry(cycle, "s", REPEATS),
        "control_plan_seconds": entry(look - encode, "s", REPEATS),
        "control_encode_seconds": entry(encode, "s", REPEATS),
        "control_sight_seconds": entry(mask, "s", REPEATS),
    }


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
