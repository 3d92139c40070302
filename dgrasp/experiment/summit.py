"""What is tried at the summit: three views, more starts, several readouts added, a check of the fingers.

    summit-<fingerprint>/
        scenes/       one file per option, policy and scene
        attempts.csv  one row per attempt; the option stands in the column `kind`
        seconds.json  processor seconds of a plan, option by option

On validation scenes, so that it may guide a choice and is never reported as a result. Not in the paper.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import joblib
import pandas as pd
from pydantic import Field

from dgrasp import streams
from dgrasp.cell.observer import Observer
from dgrasp.config import Config
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import Row, read_rows
from dgrasp.evaluation.series import rows_of_units
from dgrasp.evaluation.stage import AttemptsRecipe
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.table import COLUMNS
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy, worker_scene
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles.described import fingers_of
from dgrasp.experiment.replicas import train_replicas
from dgrasp.experiment.store import Record
from dgrasp.files import read_json, write_json, write_text
from dgrasp.policy.policies import PAIR, PolicyNames, policy_spec
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.tasks.paper import TaskNames

SECONDS = "seconds.json"
TIMED = 5  # plans of each option


class Option(Config):
    """One way to plan."""

    views: int | None = Field(None, description="images per plan, however many training fused; null: the profile's")
    starts: int = Field(1, ge=1, description="times the profile's starts, and so many times those that climb on")
    added: int = Field(0, ge=0, description="further readouts whose logits are added")
    fingers: bool = Field(False, description="candidates are checked against the NeRF's density")


OPTIONS: Mapping[str, Option] = {
    "plain": Option(),
    "three views": Option(views=3),
    "four times the starts": Option(starts=4),
    "three readouts added": Option(added=2),
    "fingers checked": Option(fingers=True),
    "all of it": Option(views=3, starts=4, added=2, fingers=True),
}


class SummitConfig(Config):
    """Which options, on how many validation scenes."""

    options: dict[str, Option] = Field(default=dict(OPTIONS), description="by name")
    policies: PolicyNames = Field(default=PAIR, description="names")
    tasks: TaskNames = Field(default=("simple", "clutter"), description="of validation scenes")
    scenes: int = Field(default=60, ge=1, description="of each task, one attempt in each")


class SummitRecipe(AttemptsRecipe):
    """What the attempts depend on."""

    summit: SummitConfig


@dataclass(frozen=True)
class _Unit:
    option: str
    policy: str
    task: str
    scene: int

    @property
    def name(self) -> str:
        words = f"{self.option}-{self.policy}-{self.task}-{self.scene:03d}"
        return words.replace(" ", "_").replace(":", ".")


def try_options(experiment: Experiment, config: SummitConfig | None = None) -> Run:
    """Train what the options need, and try them; returns the complete run. Resumes scene by scene.

    Raises ValueError for a published experiment, whose scenes are not kept: further readouts need them.
    """
    if isinstance(experiment.store, Record):
        raise ValueError(f"{experiment.store.folder}: is published, and has no scenes; give a profile and build")
    config = config or SummitConfig()
    sources = _sources(experiment, config)
    recipe = SummitRecipe(summit=config, cell=experiment.profile.cell, observer=experiment.observer)
    inputs = {run.path.name: run for source in sources.values() for run in (source.value, *source.added)}
    inputs |= {run.path.name: run for run in map(experiment.tuned, config.policies)}
    outputs = Outputs(units=("scenes/*",), volatile=(SECONDS,))
    run = open_run(
        experiment.workspace, "summit", recipe, inputs=inputs, seed=experiment.seed, code=(__name__,), outputs=outputs
    )
    if run.complete:
        return run
    each = product(config.options, config.policies, config.tasks, range(config.scenes))
    units = {(u := _Unit(*names)).name: joblib.delayed(_attempt)(recipe, sources, u, run.seed) for names in each}
    workers = experiment.profile.runtime.workforce
    with run.writing():
        if run.complete:
            return run
        lines = rows_of_units(units, workers, desc="summit", unit="scene", folder=run.path / "scenes", shared=run.path)
        frame = pd.DataFrame(lines, columns=["kind", *COLUMNS])
        write_text(run.path / "attempts.csv", frame.to_csv(index=False, lineterminator="\n"))
        write_json(run.path / SECONDS, {name: _seconds(recipe, sources, name, run.seed) for name in config.options})
        return run.finish(attempts=len(lines), successes=sum(bool(line["success"]) for line in lines))


def summit_rates(run: Run, confidence: float = 0.95) -> pd.DataFrame:
    """Rows (option, policy, task, successes, n, rate, low, high, seconds): what each option brings for its time."""
    run.check()
    attempts = read_rows(run.path / "attempts.csv").rename(columns={"kind": "option"})
    grouped = attempts.groupby(["option", "policy", "task"], sort=False)["success"]
    table = with_rates(grouped.agg(successes="sum", n="count").reset_index().astype({"successes": int}), confidence)
    return table.assign(seconds=table["option"].map(read_json(run.path / SECONDS)))


def _sources(experiment: Experiment, config: SummitConfig) -> dict[tuple[str, str], PolicySource]:
    """By option and policy, with the policies' tuned optimizers."""
    models = {name: policy_spec(name).model for name in config.policies}
    further = max(option.added for option in config.options.values())
    replicas = train_replicas(experiment, models.values(), further) if further else {}
    sources = {}
    for (name, option), policy in product(config.options.items(), config.policies):
        tuned = experiment.optimizer(policy)
        optimizer = tuned.model_copy(update=tuned.times(option.starts))
        sources[name, policy] = replace(
            experiment.source(policy, optimizer),
            added=tuple(replicas[models[policy], k] for k in range(1, option.added + 1)),
            fingers=fingers_of(experiment.profile.cell.description) if option.fingers else None,
        )
    return sources


def _attempt(
    recipe: SummitRecipe, sources: Mapping[tuple[str, str], PolicySource], unit: _Unit, seed: int
) -> Iterator[Row]:
    cell = worker_cell(recipe.cell, _observer(recipe, unit.option))
    policy = worker_policy(sources[unit.option, unit.policy])
    episode = Episode(unit.policy, unit.task, "validation", unit.scene, 0)
    for row in attempts_in(cell, policy, episode, 1, seed=seed):
        yield replace(row, kind=unit.option)


def _observer(recipe: SummitRecipe, option: str) -> Observer:
    views = recipe.summit.options[option].views or recipe.observer.views
    return recipe.observer.model_copy(update={"views": views})


def _seconds(recipe: SummitRecipe, sources: Mapping[tuple[str, str], PolicySource], option: str, seed: int) -> float:
    """Processor seconds of a plan of the last policy, images encoded anew: the median of some."""
    name = recipe.summit.policies[-1]
    cell, policy = worker_cell(recipe.cell, _observer(recipe, option)), worker_policy(sources[option, name])
    seconds: list[float] = []
    for scene in range(TIMED):
        cell.show(worker_scene(recipe.summit.tasks[0], "validation", scene, seed, cell.description))
        views: Any = cell.observe()
        begun = time.process_time()
        policy.plan(views, streams.torch_generator(seed, "summit", scene))
        seconds.append(time.process_time() - begun)
    return round(statistics.median(seconds), 4)
