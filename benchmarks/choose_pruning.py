"""Which candidates may be dropped on the way up, so that no policy loses? On validation scenes: to choose by.

    python benchmarks/choose_pruning.py NETWORKS KEPT.csv [--scenes 50] [--profile laptop]

Candidates climb independently of each other. So everything climbs to the end once, and its scores on the way say for
every schedule of dropping, and for fewer starts, which candidate would have been chosen; each different choice is tried
in physics, from the same state. NETWORKS holds runs as a record does (`nerf-*`, `value-<model>-*`). KEPT.csv grows
scene by scene, and the same command goes on from there: a row per scene and policy, 1 where a schedule's choice was
lifted. Prints per schedule and policy how many were, and what it costs in slopes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import joblib
import pandas as pd
import torch
from torch import Generator, Tensor
from tqdm import tqdm

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.attempt import attempt
from dgrasp.evaluation.statistics import mcnemar
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy, worker_scene
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.jobs.workforce import as_they_come
from dgrasp.nerf.config import NerfConfig
from dgrasp.policy.policies import Plan, policy_spec
from dgrasp.runs import read_run
from dgrasp.slopes.climb import Optimized, pruning_by_step
from dgrasp.slopes.config import OptimizerConfig, Pairs
from dgrasp.value.models import ValueRecipe


class Dropping(NamedTuple):
    """Share of the profile's starts, and who climbs on."""

    share: float
    pruning: Pairs = ()
    first: Pairs | None = None


SCHEDULES = {
    "everything": Dropping(1),
    "ranked_first": Dropping(1, ((0, 256), (4, 64))),
    "ranked_first_last_phase": Dropping(1, ((0, 256), (4, 64)), ()),
    "ranked_first_half": Dropping(1, ((0, 512), (4, 128)), ()),
    "after_three_steps": Dropping(1, ((3, 256), (5, 64), (12, 16)), ((3, 128),)),
    "after_four_steps": Dropping(1, ((4, 256), (8, 64)), ((3, 256),)),
    "half_the_starts": Dropping(0.5),
    "a_quarter_of_the_starts": Dropping(0.25),
}


class Made:
    """A planner that has planned already."""

    def __init__(self, plan: Plan) -> None:
        self.made = plan

    def plan(self, views: Views, generator: Generator) -> Plan:
        """The plan there is."""
        return self.made


def survivors(path_scores: Tensor, keep: dict[int, int]) -> Tensor:
    """Starts that climb to the end. path_scores: (steps + 1, starts), before each step and at the end."""
    left = torch.arange(path_scores.shape[1])
    for step, count in sorted(keep.items()):
        if step >= len(path_scores):
            break
        scores = path_scores[max(step - 1, 0), left]
        left = left[torch.sort(torch.argsort(scores, descending=True, stable=True)[:count]).values]
    return left


def slopes_asked(keep: dict[int, int], starts: int, steps: int) -> int:
    """Poses whose slope is asked for on the way."""
    climbing = [starts] * steps
    for step, count in sorted(keep.items()):
        climbing[step:] = [min(count, c) for c in climbing[step:]]
    return sum(climbing)


def kept_by_step(dropping: Dropping, config: OptimizerConfig, schedule: str) -> dict[int, int]:
    """Step of the whole climb -> how many climb on."""
    changes = {"pruning": dropping.pruning, "pruning_first": dropping.first}
    return pruning_by_step(config.model_copy(update=changes), schedule)


def chosen(climbed: Optimized, dropping: Dropping, config: OptimizerConfig, schedule: str) -> int:
    """Rank of the candidate that is chosen where only the survivors climb to the end."""
    assert climbed.path_scores is not None
    starts = round(dropping.share * climbed.path_scores.shape[1])
    left = survivors(climbed.path_scores[:, :starts], kept_by_step(dropping, config, schedule))
    return int(torch.nonzero(torch.isin(climbed.start, left)).flatten()[0])


def one_scene(sources: dict[str, PolicySource], profile: Profile, task: str, index: int, seed: int) -> list[dict]:
    """Rows of one validation scene, one per policy."""
    data = profile.data
    cell = worker_cell(profile.cell, Observer(views=profile.evaluation.views, width=data.width, height=data.height))
    scene = worker_scene(task, "validation", index, seed)
    rows = []
    for name, source in sources.items():
        cell.show(scene)
        starts = streams.torch_generator(seed, "compare", task, index)
        climbed = worker_policy(source).plan(cell.observe(), starts, record=True).candidates
        lifted: dict[int, int] = {}
        row = {"task": task, "scene": index, "policy": name}
        for schedule, dropping in SCHEDULES.items():
            rank = chosen(climbed, dropping, source.optimizer, policy_spec(name).schedule)
            if rank not in lifted:
                plan = Plan(climbed.T_world_tcp[rank].clone(), float(climbed.scores[rank]), rank, climbed)
                cell.show(scene)
                lifted[rank] = int(attempt(cell, Made(plan), starts, rehearse=False).outcome is Outcome.SUCCESS)
            row[schedule] = lifted[rank]
        rows.append(row)
    return rows


def summarise(rows: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Lifted by schedule and policy; all together, won and lost against everything climbing, and slopes of a plan."""
    table = rows.groupby("policy", sort=False)[list(SCHEDULES)].sum().T
    table["all"] = table.sum(axis=1)
    config = profile.optimizer
    for name, dropping in SCHEDULES.items():
        won, lost, p = mcnemar(rows[name].astype(bool), rows["everything"].astype(bool))
        table.loc[name, ["won", "lost", "p"]] = won, lost, p
        for phases, schedule in ((1, "sync"), (2, "seq")):
            keep = kept_by_step(dropping, config, schedule)
            asked = slopes_asked(keep, round(dropping.share * config.n_starts), phases * config.steps)
            table.loc[name, f"slopes {schedule}"] = asked
    return table


def sources_of(networks: Path, profile: Profile) -> dict[str, PolicySource]:
    """The profile's policies with these networks and untuned settings; everything climbs."""
    nerf = read_run(next(networks.glob("nerf-*")), NerfConfig)
    everything = profile.optimizer.model_copy(update={"pruning": ()})
    sources = {}
    for name in profile.evaluation.policies:
        value = read_run(next(networks.glob(f"value-{policy_spec(name).model}-*")), ValueRecipe)
        place = {"workspace": profile.value.workspace, "device": profile.runtime.device, "fingers": profile.fingers}
        sources[name] = PolicySource(name, nerf, value, everything, **place)
    return sources


def main() -> None:
    parser = argparse.ArgumentParser(description="Schedules of dropping candidates, on validation scenes.")
    parser.add_argument("networks", type=Path)
    parser.add_argument("kept", type=Path)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--task", default="clutter", choices=("simple", "clutter"))
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--first-scene", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    profile = load_profile(options.profile)
    sources = sources_of(options.networks, profile)
    rows = pd.read_csv(options.kept) if options.kept.is_file() else pd.DataFrame()
    done = set() if rows.empty else set(rows.scene)
    scenes = range(options.first_scene, options.first_scene + options.scenes)
    jobs = [
        joblib.delayed(one_scene)(sources, profile, options.task, index, options.seed)
        for index in scenes
        if index not in done
    ]
    for more in tqdm(as_they_come(jobs, options.workers), total=len(jobs), unit="scene", mininterval=5):
        rows = pd.concat([rows, pd.DataFrame(more)], ignore_index=True).sort_values(["scene", "policy"])
        rows.to_csv(options.kept, index=False)
    print(summarise(rows, profile).to_string(float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
