"""How long the slope explorer takes to answer, at the laptop profile's sizes (untrained models, random images).

The widest reaction is timed: another slice, so that the landscapes of both models, the path of the candidate and the
whole picture are made anew, down to its PNG bytes. The scene has been encoded before. The median over several slices.
Beside it the processor's time, of both threads together: it says the same on a machine that has other work.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np
import torch
from plain import CENTRE, entry, frozen, value_on

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.data.demonstrations import Demonstration
from dgrasp.experiment.profiles import load_profile
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import uniform_poses
from dgrasp.report.explorer.canvas import Canvas
from dgrasp.report.explorer.explorer import Explorer
from dgrasp.report.explorer.pose_slice import PoseSlice
from dgrasp.sim.scene import Scene

REPEATS = 9
VIEWS = 2


def benchmarks() -> dict[str, dict[str, object]]:
    torch.set_num_threads(1)  # as notebook 4 does: the candidate climbs in a thread of its own
    explorer, canvas = laptop_explorer(), Canvas()
    choice = explorer.start
    explorer.picture(choice, canvas)  # encodes the scene
    times, busy = [], []
    for k in range(REPEATS):
        other = replace(choice, pose_slice=PoseSlice.around(("x", "about z"), zoom=1 + 0.01 * k))
        start, worked = time.perf_counter(), time.process_time()
        explorer.picture(other, canvas)
        times.append(time.perf_counter() - start)
        busy.append(time.process_time() - worked)
    return {
        "explorer_seconds": entry(statistics.median(times), "s", REPEATS),
        "explorer_cpu_seconds": entry(statistics.median(busy), "s", REPEATS),
    }


def laptop_explorer() -> Explorer:
    """Two untrained models over one scene, of the laptop profile's sizes, with its optimizer settings."""
    profile = load_profile("laptop")
    phi = build_nerf(profile.nerf)
    values = {name: frozen(value_on(phi, profile.value)) for name in ("base", "dgrasp_quat")}
    return Explorer([_demonstration(profile)], values, profile.value.bounds, {"laptop": profile.optimizer}, VIEWS)


def _demonstration(profile) -> Demonstration:  # type: ignore[no-untyped-def]
    width, height = profile.data.width, profile.data.height
    images = np.random.default_rng(0).integers(0, 256, (VIEWS, height, width, 3), dtype=np.uint8)
    K = np.stack([Intrinsics.d415(width, height).matrix] * VIEWS)
    Ts_cam = np.stack([view_from_sphere(CENTRE, 0.8, 1.6 * i - 0.8, 0.7).numpy() for i in range(VIEWS)])
    Ts = uniform_poses(20, *profile.value.bounds, torch.Generator().manual_seed(0)).double().numpy()
    return Demonstration(0, 0, Views(images, K, Ts_cam), Ts[-1], Ts, "none", "success", Scene(()))


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
