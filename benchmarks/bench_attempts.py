"""How fast grasps are attempted: observe, plan, execute, as in Table 1, by one process with one thread.

    python benchmarks/bench_attempts.py

Networks, settings and scenes are those of the published laptop experiment (seed 0): two policies, one test scene of
each task, one after the other as a worker of the evaluation meets them; seconds are the processor's. On two quiet
cores an evaluation makes twice as many a minute.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping

import torch
from plain import entry

from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.workers import worker_cell, worker_policy
from dgrasp.experiment.chain import Experiment

POLICIES = ("base_6d_seq", "dgrasp_quat_sync")
ATTEMPTS = {"simple": 1, "clutter": 1, "novel": 1}


def benchmarks() -> dict[str, dict[str, object]]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as workspace:
        experiment = Experiment.open("published", workspace)
        attempts(experiment, index=1, budget={"simple": 1})  # loads what a worker keeps
        begun = time.process_time()
        made = attempts(experiment, index=0)
        seconds = time.process_time() - begun
    return {"attempts_per_minute": entry(60 * made / seconds, "attempts / min and core", made)}


def attempts(experiment: Experiment, index: int, budget: Mapping[str, int] = ATTEMPTS) -> int:
    """Attempt the test scenes of this number with both policies; returns how many attempts were made."""
    cell = worker_cell(experiment.profile.cell, experiment.observer)
    made = 0
    for task, count in budget.items():
        for name in POLICIES:
            policy = worker_policy(experiment.source(name, experiment.optimizer(name)))
            made += len(list(attempts_in(cell, policy, Episode(name, task, "test", index, 0), count, seed=0)))
    return made


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
