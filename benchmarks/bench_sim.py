"""How fast and how true the simulated cell is, on one core.

    python benchmarks/bench_sim.py

trials_per_second               world rebuilt, home to judged lift, prisms (goal 10; floating hands elsewhere: 4 to 9)
trial_simulated_seconds         what such a trial simulates
observation_ms                  one 128x96 picture with the arm in view (goal 6 or less)
demonstrations_per_second       lifted grasps along trajectories, 10 views each (goal 0.85: 2,560 in 25 min, two cores)
oracle_success                  share of the oracle's attempts that lift their object (goal 0.95)
trial_agreement                 equal success in 200 trials with half the time step, twice the iterations (goal 0.97)
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics
from dgrasp.cell.config import CellConfig
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.data.config import DataConfig
from dgrasp.data.generate import demonstrate_scene
from dgrasp.sim.cell import Cell
from dgrasp.sim.oracle import oracle
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task

Job = tuple[Scene, np.ndarray]


def grasps(n: int, shift: float = 0.0, turn: float = 0.0) -> list[Job]:
    """One grasp by the oracle in each of n simple scenes, off by up to `shift` metres and `turn` radians an axis."""
    jobs = []
    for i in range(n):
        scene, rng = task("simple").scene("validation", i, seed=7), np.random.default_rng(i)
        T = oracle(scene, rng)[0].copy()
        T[:3, 3] += rng.uniform(-shift, shift, 3)
        T[:3, :3] = T[:3, :3] @ Rotation.from_rotvec(rng.uniform(-turn, turn, 3)).as_matrix()
        jobs.append((scene, T))
    return jobs


def trials(jobs: list[Job], config: CellConfig | None = None) -> tuple[list[bool], list[float], list[float]]:
    """Success, processor seconds (rebuilding the world included) and simulated seconds of each trial."""
    success, seconds, simulated = [], [], []
    with Cell(config) as cell:
        cell.reset(jobs[0][0])
        for scene, T in jobs:
            start = time.process_time()
            cell.reset(scene)
            trial = cell.execute(T)
            seconds.append(time.process_time() - start)
            simulated.append(trial.simulated_seconds)
            success.append(trial.success)
    return success, seconds, simulated


def observation_seconds(repeats: int) -> float:
    """Median over pictures of the fixed views."""
    views, intrinsics, seconds = evaluation_viewpoints(5), Intrinsics.d415(128, 96), []
    with Cell() as cell:
        cell.reset(task("simple").scene("validation", 0))
        cell.observe(views, intrinsics)
        for _ in range(repeats):
            start = time.process_time()
            cell.observe(views, intrinsics)
            seconds.append((time.process_time() - start) / len(views))
    return statistics.median(seconds)


def demonstrations(scenes: int) -> tuple[float, float]:
    """(demonstrations per processor second, share of attempts that lifted)."""
    config = DataConfig(width=128, height=96, views=10)
    start, made, tried = time.process_time(), 0, 0
    with Cell() as cell:
        for index in range(scenes):
            record = demonstrate_scene(cell, config, "train", index, seed=7)
            made += record.demonstrations
            tried += len(record.record["attempts"])
    return made / (time.process_time() - start), made / tried


N_TRIALS, N_SCENES, N_AGREEMENT = 60, 20, 200


def benchmarks() -> dict[str, dict[str, Any]]:
    """All numbers of this file; processor time, so that a busy machine changes little."""
    _, seconds, simulated = trials(grasps(N_TRIALS))
    rate, lifted = demonstrations(N_SCENES)
    proposals = grasps(N_AGREEMENT, shift=0.01, turn=0.2)  # as far off as policies are
    fine = CellConfig(frequency=480, solver_iterations=100, solver_residual=1e-7)
    same = np.equal(trials(proposals)[0], trials(proposals, fine)[0])

    def entry(value: float, unit: str, repeats: int) -> dict[str, Any]:
        return {"value": float(value), "unit": unit, "repeats": repeats, "threads": 1}

    return {
        "trials_per_second": entry(1 / statistics.mean(seconds), "1/s", N_TRIALS),
        "trial_simulated_seconds": entry(statistics.mean(simulated), "s", N_TRIALS),
        "observation_ms": entry(1000 * observation_seconds(20), "ms", 20),
        "demonstrations_per_second": entry(rate, "1/s", N_SCENES),
        "oracle_success": entry(lifted, "share", N_SCENES),
        "trial_agreement": entry(float(same.mean()), "share", N_AGREEMENT),
    }


if __name__ == "__main__":
    print(json.dumps(benchmarks(), indent=2))
