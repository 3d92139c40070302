"""How long a step of training takes, recipe by recipe: so that rivals can be given equal time instead of equal steps.

Each recipe is timed alone, in processor seconds of one thread, on the same steps' observations, one after the other in
every round: what else the machine does delays all of them, and counts for none. The numbers are kept with the run, so
that a training that goes on later has the steps it had before.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import Field

from dgrasp.config import Config
from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.devices import Worker
from dgrasp.files import read_json, write_json
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.trainer import Trainer
from dgrasp.value.training import build_value

PACE = "pace.json"


class PaceRecipe(Config):
    """What is timed."""

    recipes: dict[str, ValueRecipe]
    steps: int = Field(ge=1, description="timed steps of each")


def measured_pace(
    recipes: Mapping[str, ValueRecipe], nerf_run: Run, demos_run: Run, root: Path, *, seed: int, steps: int
) -> dict[str, float]:
    """Processor seconds of a step of each recipe, alone: the median of `steps`; measured once, and then read."""
    recipe = PaceRecipe(recipes=dict(recipes), steps=steps)
    inputs = {"nerf": nerf_run, "demonstrations": demos_run}
    outputs = Outputs(volatile=(PACE,))
    run = open_run(root, "ablation-pace", recipe, inputs=inputs, seed=seed, code=(__name__,), outputs=outputs)
    if not run.complete:
        with run.writing():
            if not run.complete:
                write_json(run.path / PACE, _measure(recipe, nerf_run, demos_run, seed))
                run.finish(recipes=len(recipes))
    pace: dict[str, float] = read_json(run.path / PACE)
    return pace


def equal_time(steps: int, pace: Mapping[str, float], reference: str) -> dict[str, int]:
    """Steps of each recipe in the time that `steps` of the reference take."""
    return {name: max(1, round(steps * pace[reference] / seconds)) for name, seconds in pace.items()}


def _measure(recipe: PaceRecipe, nerf_run: Run, demos_run: Run, seed: int) -> dict[str, float]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        phi = load_nerf(nerf_run)
        trainers = {name: _trainer(one, phi, demos_run, seed) for name, one in recipe.recipes.items()}
        seconds: dict[str, list[float]] = {name: [] for name in trainers}
        for step in range(recipe.steps + 1):
            for name, trainer in trainers.items():
                begun = time.process_time()
                trainer.step(step)
                seconds[name].append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return {name: round(statistics.median(each[1:]), 5) for name, each in seconds.items()}  # the first one warms up


def _trainer(recipe: ValueRecipe, phi: MVNeRF, demos_run: Run, seed: int) -> Trainer:
    """A training of its own, which keeps no codes: in a long one views are hardly ever met again."""
    value = build_value(recipe.value, phi, seed, recipe.replica, recipe.steered)
    demonstrations = DemonstrationSet(demos_run, "train", 1, recipe.value.policy_views)
    return Trainer([recipe], [value], Observations(demonstrations, value, 0.0), seed, Worker(value.device))
