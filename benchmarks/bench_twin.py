"""How fast the digital twin is, on one core. No policy plans: what plans cost is measured by bench_plan.py.

    python benchmarks/bench_twin.py

twin_trials_per_minute          presented, observed, rehearsed, executed and judged (goal 10 or more, plans included:
                                50 trials in five minutes)
twin_observation_ms             both views of 128x96 pixels with noise, the presentation rebuilt before
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from typing import Any

import numpy as np

from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.robot.safety import SafetyLimits
from dgrasp.robot.trials import PAPER_OBJECTS
from dgrasp.twin.cell import TwinCell

PRESENTATIONS = 2  # of each of the ten objects
SMALL = Observer(views=2, width=128, height=96)


def from_above(T_world_object: np.ndarray) -> np.ndarray:
    """A pose straight down on an object's centre, as high as the cell asks for; what a good policy would give."""
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = T_world_object[:3, 3]
    T[2, 3] = max(T[2, 3], SafetyLimits().minimum_height)
    return T


def trials(
    objects: tuple[str, ...], presentations: int, observer: Observer = SMALL
) -> tuple[list[float], list[float], int]:
    """Processor seconds of each trial and of its observation, and how many trials executed a pose."""
    seconds, observing, executed = [], [], 0
    with TwinCell(observer=observer) as cell:
        for name, k in itertools.product(objects, range(presentations)):
            start = time.process_time()
            scene = cell.present(name, k)
            before = time.process_time()
            cell.observe()
            observing.append(time.process_time() - before)
            try:
                cell.execute(from_above(scene.objects[0].T_world_object))
                executed += 1
            except UnsafePose:  # a refusal is a trial as well, a short one
                pass
            seconds.append(time.process_time() - start)
    return seconds, observing, executed


def benchmarks() -> dict[str, dict[str, Any]]:
    """All numbers of this file; processor time, so that a busy machine changes little."""
    seconds, observing, executed = trials(PAPER_OBJECTS, PRESENTATIONS)
    if executed < len(seconds) / 2:
        raise RuntimeError(f"{executed} of {len(seconds)} trials executed a pose; a rate of refusals says nothing")

    def entry(value: float, unit: str) -> dict[str, Any]:
        return {"value": float(value), "unit": unit, "repeats": len(seconds), "threads": 1}

    return {
        "twin_trials_per_minute": entry(60 / statistics.mean(seconds), "1/min"),
        "twin_observation_ms": entry(1000 * statistics.median(observing), "ms"),
    }


if __name__ == "__main__":
    print(json.dumps(benchmarks(), indent=2))
