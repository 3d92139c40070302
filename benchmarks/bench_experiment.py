"""Minutes of the laptop experiment on two cores, scaled up from a few units of each stage.

    python benchmarks/bench_experiment.py

experiment_minutes                  all stages
experiment_minutes_<stage>          one of them; its unit says how many units stand for how many
one_pass_over_separate              all models in one pass over the sum of their separate trainings
encoder_share_of_value_step         of the one pass

Each unit is real work at the profile's size: scenes demonstrated, steps of both trainings on made-up images, attempts
of the published policies on a test scene of each task, a twin's trial. Seconds are the processor's, by one thread; two
workers are assumed to halve them. Studies make as many attempts as they may, so theirs is an upper bound.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import torch
from bench_attempts import attempts
from bench_twin import trials
from bench_value import Passes
from plain import entry
from walk_paper import phi_step

from dgrasp.data.generate import demonstrate_scene
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.needs import planned
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.sim.cell import Cell

WORKERS = 2
SCENES = 2
Row = dict[str, object]


def benchmarks() -> dict[str, dict[str, object]]:
    torch.set_num_threads(1)
    profile = load_profile("laptop")
    counts, each = planned(profile), _attempt()
    scenes = profile.data.train_scenes + profile.data.validation_scenes
    pass_, ratios = _psi(profile)
    stages = {
        "demonstrations": (scenes, _demonstration(profile), f"{scenes} scenes by {SCENES}"),
        "Phi": (profile.nerf.training.steps, _phi(profile), f"{profile.nerf.training.steps:,} steps by 2"),
        "Psi": (profile.value.steps, pass_, f"{profile.value.steps:,} steps of three models by 1"),
        "studies": (counts["studies"], each, f"{counts['studies']:,} attempts at most by 6"),
        "attempts": (counts["attempts"], each, f"{counts['attempts']:,} attempts by 6"),
        "twin": (counts["twin"], each + _twin(), f"{counts['twin']:,} trials by 2, plans as above"),
    }
    minutes = {name: (count * seconds / WORKERS / 60, scaling) for name, (count, seconds, scaling) in stages.items()}
    whole = {"experiment_minutes": entry(sum(m for m, _ in minutes.values()), "min of two cores, scaled up", 1)}
    return whole | {f"experiment_minutes_{n}": entry(m, f"min; {how}", 1) for n, (m, how) in minutes.items()} | ratios


def _demonstration(profile: Profile) -> float:
    """Seconds of a scene."""
    with Cell(profile.cell) as cell:
        spent = cpu(lambda: [demonstrate_scene(cell, profile.data, "train", i, 0) for i in range(SCENES)])
    return spent / SCENES


def _phi(profile: Profile) -> float:
    """Seconds of a step, those on images of half the size at their share."""
    share = profile.nerf.training.half_size_share
    whole, half = phi_step(profile), phi_step(profile, small=True)
    half()  # the first step of a process is slower
    return share * cpu(half) + (1 - share) * cpu(whole)


def _psi(profile: Profile) -> tuple[float, dict[str, Row]]:
    """Seconds of a step of all models in one pass, and how it compares with separate passes."""
    passes = Passes()
    passes.one_pass()
    separate = cpu(passes.separate)
    passes.encoding = 0.0
    together = cpu(passes.one_pass)
    ratios = {
        "one_pass_over_separate": entry(together / separate, "x", 1),
        "encoder_share_of_value_step": entry(passes.encoding / together, "x", 1),
    }
    return together / passes.config.reuse, ratios


def _attempt() -> float:
    """Seconds of an attempt: observed, planned, executed, the published policies' mean over tasks."""
    with tempfile.TemporaryDirectory() as workspace:
        experiment = Experiment.open("published", workspace)
        attempts(experiment, index=1, budget={"simple": 1})
        begun = time.process_time()
        made = attempts(experiment, index=0)
        return (time.process_time() - begun) / made


def _twin() -> float:
    """Seconds of a twin's trial without its plan."""
    seconds, _, _ = trials(("crochet ball",), 2)
    return sum(seconds) / len(seconds)


def cpu(work: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    for name, row in benchmarks().items():
        print(name, row)
