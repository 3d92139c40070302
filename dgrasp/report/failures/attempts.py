"""The attempts of an experiment's tables as one frame, and which of them get pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import islice

import numpy as np
import pandas as pd

from dgrasp.evaluation.rows import POSE
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.sim.objects.ycb import FLAT
from dgrasp.twin.trials import read_twin_trials

SIMULATION, TWIN = "simulation", "twin"
COLUMNS = (
    *("table", "seed", "task", "presented", "scene", "policy", "attempt", "split", "object", "objects", "models"),
    *("outcome", "success", "reason", "value", "duration", "images"),
    *POSE,
)
SCENE = ["table", "seed", "task", "presented", "scene"]  # what all policies meet alike
GROUP = ["table", "seed", "task", "policy"]
NUMBER = re.compile(r" \d+$")  # of a prism among others of its kind
# Our choice: an attempt's pictures take 3 or 4 kB beside others of its scene, and all of them shall take some 6 MB.
MOST, SUCCESSES = 1800, 4
FEW, TRIED = 2, 30  # scenes of each task that a light page shows, and that are tried for it
CanBeRepeated = Callable[[pd.Series], bool]


def attempts_of(experiment: Experiment) -> pd.DataFrame:
    """Judged attempts of the simulated and the twin's table, one row each, `COLUMNS`; numbered from 0.

    Of the twin's, `task` is "twin", `presented` the object, `scene` the presentation; `images` names the views (JSON).
    Raises RunError, LogError, DamagedFileError or FileNotFoundError where the experiment's files are not whole.
    """
    simulated = read_attempts(experiment.evaluation()).rename(columns={"simulated_seconds": "duration"})
    tables = [simulated.assign(table=SIMULATION, presented="", images=""), _twin(experiment)]
    found = [table.reindex(columns=list(COLUMNS)) for table in tables if len(table)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))


def _twin(experiment: Experiment) -> pd.DataFrame:
    run, rows = experiment.twin_trials(), []
    for policy, log in read_twin_trials(run).items():
        looks = log.header.get("devices", {}).get("YCB models", FLAT)
        for record in (r for r in log.records if r["success"] is not None):
            pose = record["pose"] or [None] * len(POSE)
            row = {"policy": policy, "object": record["object"], "objects": record["object"], "models": looks}
            row |= {"presented": record["object"], "scene": record["presentation"], "attempt": 0}
            row |= {"outcome": record["outcome"], "success": record["success"], "reason": record["reason"]}
            row |= {"value": record["value"], **dict(zip(POSE, pose, strict=True))}
            row |= {"images": json.dumps([view["image"] for view in record["views"]])}
            seconds = (record["execution"] or {}).get("seconds", {})
            rows.append(row | {"duration": sum(x for phase, x in seconds.items() if phase != "latency")})
    return pd.DataFrame(rows).assign(table=TWIN, task=TWIN, split="test", seed=experiment.seed)


def kinds(names: str) -> list[str]:
    """The kinds of the objects named in a row: prisms without their numbers, each kind once."""
    return list(dict.fromkeys(NUMBER.sub("", name) for name in names.split(", ") if name))


def pictured(attempts: pd.DataFrame, most: int = MOST, successes: int = SUCCESSES) -> pd.Series:
    """Which attempts get pictures, as booleans: every failure, and some successes of each task and policy.

    Of more failures than `most` they are taken evenly over tasks, policies and scenes; so are the successes of a group,
    of which there are `successes` at most.
    """
    order = attempts.sort_values([*GROUP, "presented", "scene", "attempt"], kind="stable")
    success = order["success"].astype(bool)
    chosen = pd.Series(False, index=order.index)
    chosen[order.index[~success][evenly((~success).sum(), most)]] = True
    for _, group in order[success].groupby(GROUP, sort=False):
        chosen[group.index[evenly(len(group), successes)]] = True
    return chosen.sort_index()


def few_pictured(attempts: pd.DataFrame, can_be_repeated: CanBeRepeated, scenes: int = FEW) -> pd.Series:
    """Which attempts a light page shows, as booleans: first ones in the scenes of each task that most policies fail in.

    Of each of these scenes every failure and one success: policies meet it alike, and no attempt before is repeated.
    can_be_repeated: asked for a scene's first row, of at most TRIED scenes of a task.
    """
    first = attempts[attempts["attempt"] == 0]
    failed = (~first["success"].astype(bool)).groupby([first[name] for name in SCENE], sort=False).transform("sum")
    chosen: list[int] = []
    for _, rows in first[failed > 0].groupby("task", sort=False):
        hardest = rows.assign(failed=failed).sort_values("failed", ascending=False, kind="stable")
        there = (scene for _, scene in list(hardest.groupby(SCENE, sort=False))[:TRIED])
        for scene in islice((scene for scene in there if can_be_repeated(scene.iloc[0])), scenes):
            success = scene["success"].astype(bool)
            chosen += [*scene.index[~success], *scene.index[success][:1]]
    return pd.Series(attempts.index.isin(chosen), attempts.index)


def evenly(count: int, most: int) -> np.ndarray:
    """Which of `count` things in a row are taken, (count,) booleans: all, or `most` of them, evenly spaced."""
    steps = np.floor(np.arange(count + 1) * min(1.0, most / max(count, 1)) + 1e-9)
    return np.diff(steps) > 0
