"""Which of some profiles grasps better? Paired first attempts on validation scenes: to choose, never to report.

    python benchmarks/compare.py BUILD laptop mine.yaml [--policies base_quat_sync dgrasp_quat_sync] [--tasks simple]

Each profile has its networks below BUILD, or they are trained first; profiles that differ in `optimizer` alone share
them. In every scene all of them see the same images, start from the same poses and act on the same state, each with its
profile's own settings of the climb, untuned. Novel objects are test objects, so that nothing is chosen by them. Prints
a row per policy and task, against the first profile, and for all policies together; what is done stands in
BUILD/compare.csv, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import joblib
import pandas as pd
from tqdm import tqdm

from dgrasp import streams
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.attempt import attempt
from dgrasp.evaluation.statistics import mcnemar
from dgrasp.evaluation.workers import PolicySource, worker_cell, worker_policy, worker_scene
from dgrasp.experiment.chain import Experiment
from dgrasp.jobs.workforce import as_they_come

TASKS = ("simple", "clutter")  # of the training prisms
Arms = dict[tuple[str, str], PolicySource]  # by profile and policy


def attempts(arms: Arms, experiment: Experiment, name: str, index: int) -> list[dict[str, object]]:
    """The first attempt of every arm in one validation scene."""
    cell = worker_cell(experiment.profile.cell, experiment.observer)
    scene = worker_scene(name, "validation", index, experiment.seed)
    rows: list[dict[str, object]] = []
    for (profile, policy), source in arms.items():
        cell.show(scene)
        starts = streams.torch_generator(experiment.seed, "compare", name, index)
        made = attempt(cell, worker_policy(source), starts, rehearse=False)
        row = {"task": name, "scene": index, "profile": profile, "policy": policy}
        rows.append(row | {"plan_seconds": made.seconds.get("plan"), "lifted": made.outcome is Outcome.SUCCESS})
    return rows


def compare(arms: Arms, experiment: Experiment, units: list[tuple[str, int]], kept: Path, workers: int) -> pd.DataFrame:
    """One row per attempt; `kept` grows scene by scene."""
    rows = pd.read_csv(kept) if kept.is_file() else pd.DataFrame()
    done = set() if rows.empty else set(zip(rows.task, rows.scene, rows.profile, rows.policy, strict=True))
    wanted = {unit: [arm for arm in arms if (*unit, *arm) not in done] for unit in units}
    jobs = [
        joblib.delayed(attempts)({arm: arms[arm] for arm in some}, experiment, *unit)
        for unit, some in wanted.items()
        if some
    ]
    for more in tqdm(as_they_come(jobs, workers), total=len(jobs), unit="scene", mininterval=5):
        rows = pd.concat([rows, pd.DataFrame(more)], ignore_index=True)
        rows.to_csv(kept, index=False)
    asked = pd.DataFrame(units, columns=["task", "scene"])
    names = pd.DataFrame(list(arms), columns=["profile", "policy"])
    return rows.merge(asked).merge(names)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Successes of each profile and of the first one, discordant pairs, exact McNemar p, and plan times' ratio."""
    lines = []
    for (policy, name), some in itertools.chain(rows.groupby(["policy", "task"], sort=False), [(("all", "all"), rows)]):
        keys = ["task", "scene", "policy"]
        lifted = some.pivot(index=keys, columns="profile", values="lifted").astype(bool)
        seconds = some.groupby("profile").plan_seconds.sum()
        first, *others = rows.profile.unique()
        for other in others:
            won, lost, p = mcnemar(lifted[other], lifted[first])
            counts = {"n": len(lifted), "first": int(lifted[first].sum()), "lifted": int(lifted[other].sum())}
            line = {"profile": other, "policy": policy, "task": name, **counts, "won": won, "lost": lost, "p": p}
            lines.append(line | {"speedup": seconds[first] / seconds[other]})
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Paired first attempts of profiles, on validation scenes.")
    parser.add_argument("build", type=Path)
    parser.add_argument("profiles", nargs="+", metavar="PROFILE", help="the first one is what others are held against")
    parser.add_argument("--policies", nargs="+", default=["base_quat_sync", "dgrasp_quat_sync"])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--scenes", type=int, default=60, help="of each task")
    parser.add_argument("--first-scene", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    experiments = [Experiment.open(name, options.build, options.seed) for name in options.profiles]
    arms = {
        (e.profile.name, policy): e.source(policy, e.profile.optimizer)
        for e in experiments
        for policy in options.policies
    }
    scenes = range(options.first_scene, options.first_scene + options.scenes)
    units = list(itertools.product(options.tasks, scenes))
    rows = compare(arms, experiments[0], units, options.build / "compare.csv", options.workers)
    print(summarise(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
