"""The crowded training set: importable by name, and with what its purpose asks for."""

from __future__ import annotations

import numpy as np

from dgrasp.sim.oracle import blocked_grasps, oracle_grasps
from dgrasp.sim.tasks.paper import task


def test_scenes_are_crowded_and_spread_with_flat_and_tall_prisms() -> None:
    crowded = task("dgrasp.sim.tasks.crowded:Crowded")
    scenes = [crowded.scene("train", i) for i in range(100)]
    reach = [np.ptp([o.T_world_object[:2, 3] for o in s.objects], axis=0).max() for s in scenes]
    assert min(reach) < 0.3 and max(reach) > 0.45
    every = sum(len(oracle_grasps(s, clear=False)) for s in scenes)
    unreached = every - sum(len(oracle_grasps(s)) for s in scenes)
    assert 0.15 < unreached / every < 0.30
    assert 0.05 < sum(len(blocked_grasps(s)) for s in scenes) / every < unreached / every
    heights = [o.shape.extents[2] for s in scenes for o in s.objects]
    assert min(heights) < 0.03 and max(heights) > 0.11


def test_prisms_stand_apart_and_can_be_grasped() -> None:
    for i in range(20):
        objects = task("dgrasp.sim.tasks.crowded:Crowded").scene("validation", i).objects
        for k, o in enumerate(objects):
            assert oracle_grasps(type(task("simple").scene())((o,))).size, "each can be grasped where it stands alone"
            for p in objects[:k]:
                apart = np.linalg.norm(o.T_world_object[:2, 3] - p.T_world_object[:2, 3])
                assert apart >= o.shape.radius + p.shape.radius - 1e-9
