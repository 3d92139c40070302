"""Does dropping candidates on the way cost grasps? Paired plans on validation scenes, with and without `keep`.

    python benchmarks/pruning.py PROFILE BUILD [--policy dgrasp_quat_sync] [--scenes 20] [--keep 0:256 4:64]

Both plans see the same images and start from the same poses, and both grasps are executed in the same state of the
scene; the scene goes on from where the full plan left it. Prints one row per task and writes BUILD/pruning.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from dgrasp import streams
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation.attempt import attempt
from dgrasp.evaluation.statistics import mcnemar
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import GraspPolicy
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task

TASKS = {"simple": 5, "clutter": 5, "novel": 1}  # attempts in a scene


def compare(full: GraspPolicy, pruned: GraspPolicy, observer: Observer, scenes: int, seed: int = 0) -> pd.DataFrame:
    """One row per attempt: success and planning seconds of both plans."""
    rows = []
    with (
        SimulatedCell(observer=observer) as cell,
        tqdm(total=len(TASKS) * scenes, unit="scene", mininterval=5) as progress,
    ):
        for name, attempts in TASKS.items():
            for index in range(scenes):
                scene = task(name).scene(split="validation", index=index, seed=seed)
                for number in range(attempts):
                    if not scene.objects:
                        break
                    row: dict[str, object] = {"task": name, "scene": index, "attempt": number}
                    for label, policy in (("pruned", pruned), ("full", full)):
                        cell.show(scene)
                        starts = streams.torch_generator(seed, "pruning", name, index, number)
                        made = attempt(cell, policy, starts, rehearse=False)
                        row[f"{label}_seconds"] = made.seconds["plan"]
                        row[label] = made.outcome is Outcome.SUCCESS
                    rows.append(row)
                    scene = cell.scene
                progress.update()
    return pd.DataFrame(rows)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Successes of both, discordant pairs, exact McNemar p, and how much faster the pruned plans are."""
    lines = []
    for name, some in (*rows.groupby("task", sort=False), ("all", rows)):
        won, lost, p = mcnemar(some.pruned, some.full)
        speedup = some.full_seconds.sum() / some.pruned_seconds.sum()
        counts = {"n": len(some), "full": int(some.full.sum()), "pruned": int(some.pruned.sum())}
        lines.append({"task": name, **counts, "lost": lost, "won": won, "p": p, "speedup": speedup})
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Paired plans with and without pruning, on validation scenes.")
    parser.add_argument("profile")
    parser.add_argument("build", type=Path)
    parser.add_argument("--policy", default="dgrasp_quat_sync")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--keep", nargs="+", default=["0:256", "4:64"], metavar="STEP:COUNT")
    parser.add_argument("--steps", choices=("climb", "last_phase"), default="climb", help="what STEP counts")
    options = parser.parse_args()
    experiment = Experiment.open(options.profile, options.build)
    keep = tuple(tuple(map(int, pair.split(":"))) for pair in options.keep)
    settings = experiment.profile.optimizer
    changes = [{"pruning": k, "pruning_steps": options.steps} for k in ((), keep)]
    full, pruned = (
        experiment.source(options.policy, type(settings).model_validate(settings.model_dump() | c)).load()
        for c in changes
    )
    rows = compare(full, pruned, experiment.observer, options.scenes)
    rows.to_csv(options.build / "pruning.csv", index=False)
    print(summarise(rows).to_string(index=False))


if __name__ == "__main__":
    main()
