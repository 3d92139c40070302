"""The experiment beyond the paper: its rows, its table of factors, and the yardstick that others use.

    figures/beyond.json    rows: policy, task, successes, n, rate, low, high, seed
    figures/factors.json   rows: policy, factor, successes, n, rate, low, high, seed, loss
    figures/paired.json    rows: task, n, only_policy, only_control, difference, p, p_scenes, seed
    figures/clearing.json  rows: policy, task, successes, n, rate, low, high, cleared, seed; published numbers apart

`dgrasp beyond` makes them in a build of profile `beyond`, and `--keep` puts them there, beside a `.meta.json` that says
from which runs. Rows of other seeds that stand there stay. Of another profile they are files of its own:
`figures/beyond-panda.json` has the rows of profile `panda`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dgrasp.evaluation.clearing import ClearingConfig, ClearingRecipe, clear_tables, yardstick
from dgrasp.evaluation.statistics import paired_comparison, success_rates
from dgrasp.evaluation.table import evaluate, read_trials
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.experiment.replication import CONTRAST
from dgrasp.experiment.store import RecordError
from dgrasp.files import read_json, write_json
from dgrasp.provenance import provenance
from dgrasp.runs import Run
from dgrasp.twin.factors import FAR_OFF, TWIN, FactorsConfig, FactorsRecipe, factor_rates, try_factors

FOLDER = Path(__file__).resolve().parents[2] / "figures"
PROFILE = "beyond"  # whose tables have no other name
TABLES = ("beyond", "factors", "clearing", "paired")
COLUMNS = ("policy", "task", "successes", "n", "rate", "low", "high", "seed")
BEST, THEIRS = "dgrasp_quat_sync", "published"  # in a paired comparison
PAIRED_SEED = 4_000  # of scenes that no table has
PAIRED_REPETITIONS = 2  # of the profile's scenes: 100 attempts on each of four tasks
TWIN_PRESENTATIONS = 25  # of each of ten objects: 250 attempts of each policy


def beyond_rows(experiment: Experiment, presentations: int = TWIN_PRESENTATIONS) -> tuple[pd.DataFrame, dict[str, Run]]:
    """Success on the profile's tasks, in the twin, and in the twin 10 mm and 2 degrees off; and the runs behind it."""
    evaluation = experiment.evaluation()
    table = success_rates(read_trials(evaluation), experiment.profile.evaluation).assign(seed=experiment.seed)
    policies = tuple(name for name in CONTRAST if name in experiment.profile.evaluation.policies)
    twin = factors(
        experiment, FactorsConfig(policies=policies, conditions=(TWIN, FAR_OFF), presentations=presentations)
    )
    rows = pd.concat([table, factor_rates(twin).rename(columns={"factor": "task"})], ignore_index=True)
    return rows[list(COLUMNS)], {"evaluation": evaluation, "twin": twin}


def factors(experiment: Experiment, config: FactorsConfig | None = None) -> Run:
    """The attempts under each factor alone, under none and under all."""
    p, config = experiment.profile, config or FactorsConfig()
    recipe = FactorsRecipe(factors=config, twin=p.twin.reality, cell=p.cell, observer=experiment.observer)
    return experiment.try_policies(try_factors, recipe, config.policies)


def paired(
    experiment: Experiment, published: Experiment, repetitions: int = PAIRED_REPETITIONS
) -> tuple[pd.DataFrame, dict[str, Run]]:
    """The best policy against that of a published experiment on the same scenes, and the runs of both."""
    runs = {}
    for name, one in (("ours", experiment), (THEIRS, published)):
        recipe = experiment.evaluation_recipe(policies=(BEST,), repetitions=repetitions)
        recipe = recipe.model_copy(update={"cell": one.profile.cell, "observer": one.observer})
        inputs, who = {BEST: one.tuned(BEST)}, experiment.profile.runtime.workforce
        sources, root = one.sources((BEST,)), experiment.workspace
        runs[name] = evaluate(recipe, sources, inputs, root, seed=PAIRED_SEED, workers=who)
    rows = paired_rows(*(read_trials(run) for run in runs.values()))
    return rows.assign(seed=experiment.seed), runs


def paired_rows(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row per task: attempts, those that only ours or only theirs lifted, difference, p-values (scenes swapped)."""
    both = pd.concat([ours, theirs.assign(policy=THEIRS)])
    tasks = list(dict.fromkeys(ours["task"]))
    return pd.DataFrame([{"task": task, **paired_comparison(both, BEST, THEIRS, task)} for task in tasks])


def clearing(experiment: Experiment, config: ClearingConfig | None = None) -> Run:
    """The attempts of VGN's protocols."""
    p, config = experiment.profile, config or ClearingConfig()
    recipe = ClearingRecipe(clearing=config, cell=p.cell, observer=experiment.observer)
    return experiment.try_policies(clear_tables, recipe, config.policies)


def write_table(
    name: str, table: pd.DataFrame, runs: Mapping[str, Run], experiment: Experiment, folder: Path | None = None
) -> Path:
    """Write a table's rows in place of those of the same seed, and what they were made of; returns the file.

    folder: default the experiment's own figures. Raises RecordError for the published folder and a profile for trying
    out, ValueError for a table of another name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}; tables: {', '.join(TABLES)}")
    profile = experiment.profile.name
    target = table_file(name, folder or experiment.figures, profile)
    if target.parent.resolve() == FOLDER and profile not in PUBLISHABLE:
        raise RecordError(f"profile {profile!r} is for trying things out; published are {', '.join(PUBLISHABLE)}")
    others = [row for row in kept_table(name, target.parent, profile) if row["seed"] != experiment.seed]
    write_json(target, others + json.loads(table.to_json(orient="records")))
    sidecar = target.with_suffix(".meta.json")
    stated = read_json(sidecar)["seeds"] if sidecar.is_file() else {}
    stated[str(experiment.seed)] = {
        "profile": profile,
        "runs": {stage: run.fingerprint for stage, run in runs.items()},
        "made_by": provenance(),
    }
    about: dict[str, Any] = {"seeds": stated} | (yardstick() if name == "clearing" else {})
    write_json(sidecar, about)
    return target


def table_file(name: str, folder: Path, profile: str = PROFILE) -> Path:
    """Where a table of an experiment of this profile is kept in a folder."""
    return folder / (f"{name}.json" if profile == PROFILE else f"{name}-{profile}.json")


def kept_table(name: str, folder: Path = FOLDER, profile: str = PROFILE) -> list[dict[str, Any]]:
    """The rows of a table where it is kept; none where it has not been made."""
    path = table_file(name, folder, profile)
    rows: list[dict[str, Any]] = read_json(path) if path.is_file() else []
    return rows
