"""Minutes of the laptop experiment on two cores, from a chain that is scaled down: a few real units of each stage.

    python benchmarks/bench_experiment.py

experiment_minutes                  all stages
experiment_minutes_<stage>          one of them; its unit says how many units stand for how many
one_pass_over_separate              all models in one pass over the sum of their separate trainings
encoder_share_of_value_step         of the one pass

The scaling: a stage takes (what a worker does once) + (its units) x (seconds of one) / (two workers). Units are of the
profile's size: scenes demonstrated, steps of both trainings on made-up images, attempts of the published networks with
every second policy in a scene (`bench_attempts.Worker`), so that policies share what workers share, twin's trials.
Seconds are the processor's, of one thread. What a worker does once is measured apart, and not multiplied. Studies make
as many attempts as they may, so theirs is an upper bound. Not counted: notebooks' figures, checkpoints, validation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from bench_attempts import WORKERS, Worker, cpu, seconds_of_table
from bench_twin import trials
from bench_value import Passes
from plain import entry
from walk_paper import phi_step

from dgrasp.data.generate import demonstrate_scene
from dgrasp.experiment.needs import planned
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.robot.trials import PAPER_OBJECTS
from dgrasp.sim.cell import Cell

SCENES, STUDIED, TWIN_OBJECTS = 3, 4, 3
STEPS = 2  # of Phi, of each size
Row = dict[str, object]


@dataclass(frozen=True)
class Stage:
    """seconds: of one unit, of one thread. start: what each worker does once. how: what stands for what."""

    name: str
    units: int
    seconds: float
    start: float
    how: str

    @property
    def minutes(self) -> float:
        """On two cores."""
        return (self.start + self.units * self.seconds / WORKERS) / 60


def benchmarks() -> dict[str, dict[str, object]]:
    torch.set_num_threads(1)
    profile = load_profile("laptop")
    psi, ratios = _psi(profile)
    stages = [_demonstrations(profile), _phi(profile), psi, *_attempts(profile)]
    whole = {"experiment_minutes": entry(sum(s.minutes for s in stages), "min of two cores, scaled up", 1)}
    return whole | {f"experiment_minutes_{s.name}": entry(s.minutes, f"min; {s.how}", 1) for s in stages} | ratios


def _demonstrations(profile: Profile) -> Stage:
    scenes = profile.data.train_scenes + profile.data.validation_scenes
    with Cell(profile.cell) as cell:
        first = cpu(lambda: demonstrate_scene(cell, profile.data, "train", SCENES, 0))
        each = cpu(lambda: [demonstrate_scene(cell, profile.data, "train", i, 0) for i in range(SCENES)]) / SCENES
    return Stage("demonstrations", scenes, each, max(0.0, first - each), f"{SCENES} scenes stand for {scenes}")


def _phi(profile: Profile) -> Stage:
    """A step is on images of half the size, or not, in the profile's shares."""
    training = profile.nerf.training
    sizes = (
        (phi_step(profile, small=True), training.half_size_share),
        (phi_step(profile), 1 - training.half_size_share),
    )
    first = each = 0.0
    for step, share in sizes:
        first += cpu(step)
        each += share * cpu(lambda step=step: [step() for _ in range(STEPS)]) / STEPS
    how = f"{STEPS} steps of each size stand for {training.steps:,}"
    return Stage("Phi", training.steps, each, max(0.0, first - len(sizes) * each), how)


def _psi(profile: Profile) -> tuple[Stage, dict[str, Row]]:
    """A step of all models in one pass, and how it compares with separate passes."""
    passes = Passes()
    first = cpu(passes.one_pass)
    separate = cpu(passes.separate)
    passes.encoding = 0.0
    together = cpu(passes.one_pass)
    ratios = {
        "one_pass_over_separate": entry(together / separate, "x", 1),
        "encoder_share_of_value_step": entry(passes.encoding / together, "x", 1),
    }
    how = f"{passes.config.reuse} steps of {len(passes.MODELS)} models stand for {profile.value.steps:,}"
    each = together / passes.config.reuse
    return Stage("Psi", profile.value.steps, each, max(0.0, first - together), how), ratios


def _attempts(profile: Profile) -> Iterator[Stage]:
    """Studies, table and twin."""
    with tempfile.TemporaryDirectory() as workspace:
        worker = Worker(Path(workspace))
        start = cpu(worker.start)
        seconds, count = seconds_of_table(worker)
        plan, plans = worker.planning / worker.plans, worker.plans
        yield _studies(worker, start)
        yield Stage("attempts", count, seconds / count, start, f"{plans} attempts stand for {count:,}")
    twin = planned(profile)["twin"]
    acted, _, _ = trials(PAPER_OBJECTS[:TWIN_OBJECTS], 1, worker.experiment.observer)
    each = plan + sum(acted) / len(acted)
    yield Stage("twin", twin, each, start, f"{TWIN_OBJECTS} trials and the plans above stand for {twin:,}")


def _studies(worker: Worker, start: float) -> Stage:
    """Of a worker's studies the first one draws and renders the scenes, and the other ones find them."""
    tuning, validation, policies = worker.profile.tuning, worker.profile.validation, worker.profile.evaluation.policies
    (task,), name = validation.tasks, worker.names[0]

    def attempted() -> None:
        for scene in range(STUDIED):
            worker.clear(name, task, scene, validation.attempts, "validation")

    first, again = cpu(attempted) / STUDIED, cpu(attempted) / STUDIED
    scenes = validation.scenes + validation.final_scenes
    each = tuning.trials * validation.scenes + (1 + tuning.finalists) * validation.final_scenes
    count = len(policies) * each
    how = f"{2 * STUDIED} attempts stand for {count:,}, as many as there may be"
    return Stage("studies", count, again, start + scenes * max(0.0, first - again), how)


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
