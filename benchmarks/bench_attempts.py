"""How fast grasps are attempted: observe, plan, execute, as a worker of Table 1's evaluation does it, by one thread.

    python benchmarks/bench_attempts.py

attempts_per_minute             of the profile's tasks in their shares

Networks are those of the published laptop experiment (seed 0), settings and tasks those of the profile `laptop`. Two
workers share the policies of a scene, so that one meets every second of them in it, and what it has drawn, rendered and
encoded serves all of these. What a worker does once, such as loading, is done before and not counted. Seconds are the
processor's; on two quiet cores an evaluation makes twice as many a minute.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from plain import entry

from dgrasp.cameras import Views
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.workers import worker_cell, worker_policy
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.policy.policies import Plan
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.models import load_model

WORKERS = 2
SCENES = {"simple": 1, "clutter": 1, "novel": 3, "unseen": 3}  # met of each task; in the first two, five attempts each
LATER = 1  # scene with which a worker begins, and that is not measured


class Worker:
    """One of two that make the attempts of an evaluation. planning: processor seconds of its `plans` so far."""

    def __init__(self, workspace: Path) -> None:
        torch.set_num_threads(1)
        self.profile = load_profile("laptop")
        self.experiment = Experiment.open("published", workspace)
        self.names = self.profile.evaluation.policies[::WORKERS]
        self.planning, self.plans = 0.0, 0

    def start(self) -> None:
        """What it does once: models of all objects, networks, first plans."""
        for facts in (*ycb.NOVEL, *ycb.UNSEEN):
            load_model(facts.name)
        for task, scenes in SCENES.items():
            self.meet(task, [scenes + LATER], attempts=1)
        self.planning, self.plans = 0.0, 0

    def meet(self, task: str, scenes: Iterable[int], attempts: int, split: str = "test") -> int:
        """Every second policy in these scenes; returns how many attempts were made."""
        return sum(self.clear(name, task, scene, attempts, split) for scene in scenes for name in self.names)

    def clear(self, name: str, task: str, scene: int, attempts: int, split: str = "test") -> int:
        """One policy in a scene."""
        cell = worker_cell(self.profile.cell, self.experiment.observer)
        self._policy = worker_policy(self.experiment.source(name, self.profile.optimizer))
        return len(list(attempts_in(cell, self, Episode(name, task, split, scene, 0), attempts, seed=0)))

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        """The policy's plan, timed."""
        begun = time.process_time()
        try:
            return self._policy.plan(views, generator)
        finally:
            self.planning += time.process_time() - begun
            self.plans += 1


def cpu(work: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def seconds_of_table(worker: Worker) -> tuple[float, int]:
    """Processor seconds of the table's attempts, from those in a few scenes of each task; and how many there are."""
    evaluation = worker.profile.evaluation
    seconds = 0.0
    for task, budget in evaluation.tasks.items():
        met = cpu(lambda task=task, n=budget.attempts: worker.meet(task, range(SCENES[task]), n))
        seconds += met / SCENES[task] / len(worker.names) * budget.scenes
    times = evaluation.repetitions * len(evaluation.policies)
    return times * seconds, attempts_of_table(worker.profile)


def attempts_of_table(profile: Profile) -> int:
    """How many there are at most."""
    evaluation = profile.evaluation
    each = sum(budget.scenes * budget.attempts for budget in evaluation.tasks.values())
    return evaluation.repetitions * len(evaluation.policies) * each


def benchmarks() -> dict[str, dict[str, object]]:
    with tempfile.TemporaryDirectory() as workspace:
        worker = Worker(Path(workspace))
        worker.start()
        seconds, count = seconds_of_table(worker)
        return {"attempts_per_minute": entry(60 * count / seconds, "attempts / min and core", worker.plans)}


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
