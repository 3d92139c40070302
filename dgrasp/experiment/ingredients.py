"""Does each ingredient of the experiment beyond the paper earn its place? Trainings that lack one, side by side.

An arm is the experiment with a fifth of its scenes and steps and one ingredient less, or another one; all else is
equal, and Base is trained beside dGrasp. Tried with the untuned settings of the climb, on validation scenes and on
draws of the twin that no test has, of the same ten objects. Settings may be chosen by the simple and clutter rows, by
the twin's never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from dgrasp.evaluation.chance import with_holm
from dgrasp.evaluation.statistics import paired_comparison
from dgrasp.evaluation.validation_scenes import ValidationScenesRecipe, try_validation_scenes
from dgrasp.experiment.beside_rates import rates_of
from dgrasp.experiment.beyond import FOLDER, PROFILE, attempts_file, of_stage, read_kept
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import merged
from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.store import Record
from dgrasp.policy.policies import PAIR, policy_spec
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.twin.factors import TWIN, FactorsConfig, FactorsRecipe, try_factors

SHARE = 0.2  # of scenes and steps: where a first look at features and looks found large differences already
SCENES, PRESENTATIONS = 80, 10  # of each task; of each object in the twin
DRAWS = 30_000  # added to the seed of the twin's draws: others than those of every test
SHRUNK = ("data.train_scenes", "nerf.training.steps", "value.steps", "outcomes.demonstrations", "outcomes.steps")
WHOLE = "all of it"
FURTHER = {"hand_eye_shift": 0.012, "hand_eye_turn": 2.5}  # metres, degrees: with which the first run was trained
ARMS: Mapping[str, Mapping[str, Any]] = {
    WHOLE: {},
    "without ImageNet features": {"nerf": {"encoder": {"kind": "convolution", "channels": 64, "width": 32}}},
    "without looks": {"data": {"looks": None}},
    "with exact cameras": {"nerf": {"training": {"calibration": None}}, "value": {"calibration": None}},
    "with cameras further off": {"nerf": {"training": {"calibration": FURTHER}}, "value": {"calibration": FURTHER}},
    "with prisms alone": {"data": {"task": "dgrasp.sim.tasks.crowded:Printed"}},
    "with benches of looks alone": {"data": {"looks": {"plain_share": None}}},
    "without rays at objects": {"nerf": {"training": {"contrast_share": 0.5, "object_share": None}}},
    "with coarse features beside their place": {"nerf": {"encoder": {"aligned": None}}},
    "with prisms in half of the scenes": {"data": {"task": "dgrasp.sim.tasks.procedural:Mixed"}},
    "with grasps anywhere on an object": {"data": {"oracle": {"candidates": 1}}},
    "with blocked negatives": {"value": {"negatives": {"blocked_share": 0.0625}}},
    "without outcomes": {"outcomes": None},
    "with features trained, too": {"nerf": {"encoder": {"tuned_blocks": 2}}},
    "with a wider field": {"nerf": {"field": {"hidden": 96}}},
    "with larger images": {"data": {"width": 320, "height": 240}},
    "with twice the steps of Phi": {},
    "with averaged weights": {"value": {"averaged": 0.99}},  # over the last hundred steps, of 1,280
    "at a constant rate": {"value": {"final_learning_rate": 1.0}},
}
LONGER = {"with twice the steps of Phi": ("nerf.training.steps", 2)}


def arm(profile: Profile, name: str, share: float = SHARE) -> Profile:
    """The profile of an arm; without outcomes the one round is as long as two. Raises ValueError for another name."""
    if name not in ARMS:
        raise ValueError(f"unknown arm {name!r}; arms: {', '.join(ARMS)}")
    values = profile.model_dump()
    for key, times in [*((key, share) for key in SHRUNK), *([LONGER[name]] if name in LONGER else [])]:
        *folders, last = key.split(".")
        place: Any = values
        for folder in folders:
            place = place[folder]
        place[last] = max(1, round(times * place[last]))
    if "outcomes" in ARMS[name]:
        values["value"]["steps"] += values["outcomes"]["steps"]
    return Profile.model_validate(merged(values, dict(ARMS[name])))


def try_ingredients(
    experiment: Experiment,
    arms: Sequence[str] = tuple(ARMS),
    scenes: int = SCENES,
    presentations: int = PRESENTATIONS,
) -> Iterator[tuple[pd.DataFrame, dict[str, Run]]]:
    """Rows (arm, policy, task, successes, n, rate, low, high, seed, minutes, psnr_objects, main, ranked_first) and the
    runs behind them, arm by arm.

    minutes: wall time that Phi and both readouts were trained for, both rounds. psnr_objects: of Phi on held-out views,
    decibels over objects. main, ranked_first: of the policy's readout on held-out demonstrations, the main loss and the
    share whose grasp has the highest value of its poses; arms whose negatives differ do not compare by these. Raises
    ValueError, before anything is made, for a published experiment, a profile without `outcomes` and an arm that does
    not exist.
    """
    if isinstance(experiment.store, Record):
        raise ValueError(
            f"{experiment.store.folder}: is published, and arms are trained anew; give a profile and build"
        )
    if experiment.profile.outcomes is None:
        raise ValueError(f"profile {experiment.profile.name!r} has no `outcomes`, an ingredient; expected beyond's")
    table, behind = pd.DataFrame(), dict[str, Run]()
    for name, profile in [(name, arm(experiment.profile, name)) for name in arms]:
        made = replace(experiment, profile=profile)
        runs = _tried(made, scenes, presentations)
        twin = try_factors.read(runs["twin"]).rename(columns={"kind": "task"})
        attempts = pd.concat([try_validation_scenes.read(runs["scenes"]), twin], ignore_index=True)
        rows = _with_quality(rates_of(attempts).assign(seed=experiment.seed, minutes=_minutes(made)), made)
        rows.insert(0, "arm", name)
        table = pd.concat([table, rows], ignore_index=True)
        behind |= {f"{name}, {stage}": run for stage, run in runs.items()}
        yield table, behind


def beside_the_whole(folder: Path = FOLDER, profile: str = PROFILE, seed: int = 21) -> pd.DataFrame:
    """Each kept arm less `WHOLE`, on the same scenes and starts: what an ingredient brings.

    Rows: arm, policy, task, n, difference, p (scenes swapped), and p_holm, corrected for all rows; empty where the
    attempts of `WHOLE` or of all arms are not kept.
    """
    kept = {name: _kept_of(name, folder, profile, seed) for name in ARMS}
    rows = []
    for name in [name for name in ARMS if name != WHOLE and len(kept[name]) and len(kept[WHOLE])]:
        both = pd.concat([kept[name].assign(whose=name), kept[WHOLE].assign(whose=WHOLE)], ignore_index=True)
        for (policy, task), tried in both.groupby(["policy", "task"], sort=False):
            if tried["whose"].nunique() == 2:
                test = paired_comparison(tried.assign(policy=tried["whose"]), name, WHOLE, str(task))
                said = {"n": test["n"], "difference": test["difference"], "p": test["p_scenes"]}
                rows.append({"arm": name, "policy": policy, "task": task, **said})
    return with_holm(pd.DataFrame(rows))


def _kept_of(name: str, folder: Path, profile: str, seed: int) -> pd.DataFrame:
    files = {
        stage: attempts_file(of_stage("ingredients", f"{name}, {stage}"), seed, folder, profile)
        for stage in ("scenes", "twin")
    }
    parts = [read_kept(path, stage) for stage, path in files.items() if path.is_file()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["policy", "task"])


def _with_quality(rows: pd.DataFrame, made: Experiment) -> pd.DataFrame:
    readouts = made.values()
    said = {policy: readouts[policy_spec(policy).model].summary for policy in set(rows["policy"])}
    found = {"main": "val_main", "ranked_first": "val_top1"}
    columns = {name: [said[policy].get(key) for policy in rows["policy"]] for name, key in found.items()}
    return rows.assign(psnr_objects=made.nerf().summary.get("psnr_objects"), **columns)


def _minutes(experiment: Experiment) -> float:
    first = experiment.second_round()
    trained = [experiment.nerf(), *(first.starts.values() if first else ()), *experiment.values().values()]
    return round(sum({run.path: run.seconds for run in trained}.values()) / 60, 1)


def _tried(experiment: Experiment, scenes: int, presentations: int) -> dict[str, Run]:
    p = experiment.profile
    experiment.values()  # both models in one pass
    sources = {policy: experiment.source(policy, p.optimizer) for policy in PAIR}
    inputs = {"nerf": experiment.nerf()} | {f"value {name}": source.value for name, source in sources.items()}
    where = {"cell": p.cell, "observer": experiment.observer, "optimizer": p.optimizer}
    plain = ValidationScenesRecipe(scenes=scenes, **where)
    config = FactorsConfig(conditions=(TWIN,), presentations=presentations)
    twin = FactorsRecipe(factors=config, twin=p.twin.reality, ycb_models=ycb_models(), **where)
    given = sources, inputs, experiment.workspace
    who = p.runtime.workforce
    return {
        "scenes": try_validation_scenes(plain, *given, seed=experiment.seed, workers=who),
        "twin": try_factors(twin, *given, seed=DRAWS + experiment.seed, workers=who),
    }
