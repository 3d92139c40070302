"""The experiment beyond the paper: its rows, its table of factors, and the yardstick that others use.

    figures/beyond.json            rows: policy, task, successes, n, rate, low, high, seed
    figures/beyond_objects.json    the same, object by object: policy, task, object, ...
    figures/beyond_piles.json      the same; n are scenes of several objects, successes those that were cleared whole
    figures/beyond_forecasts.json  rows: policy, task, n, successes, auc, seed; n are the attempts with a plan
    figures/factors.json           rows: policy, factor, successes, n, rate, low, high, seed, loss, loss_low, loss_high
    figures/paired.json            rows: task, n, only_policy, only_control, difference, p, p_scenes, seed
    figures/clearing.json          rows: policy, task, successes, n, rate, low, high, cleared, seed; published numbers
                                   apart
    figures/ingredients.json       rows: arm, policy, task, ..., minutes: validation scenes, and no result
    figures/summit.json            rows: option, policy, task, ..., seconds: validation scenes, and no result

`dgrasp beyond` makes them in a build of profile `beyond`, and `--keep` puts them there, beside a `.meta.json` that says
from which runs and settings, and the attempts behind them into `figures/beyond/`. Rows of other seeds that stand there
stay: they are counted together, so all seeds of a table have the same settings. Of another profile they are files of
its own: `figures/beyond-panda.json` has the rows of profile `panda`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dgrasp.evaluation.clearing import ClearingConfig, ClearingRecipe, clear_tables, yardstick
from dgrasp.evaluation.over_seeds import compare_over_seeds
from dgrasp.evaluation.rows import read_rows, write_rows
from dgrasp.evaluation.statistics import paired_comparison, success_rates
from dgrasp.evaluation.table import evaluate, read_trials
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.beside_rates import of_forecasts, of_objects, of_piles, presented
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.experiment.replication import CONTRAST
from dgrasp.experiment.store import RecordError
from dgrasp.files import read_json, write_json
from dgrasp.provenance import provenance
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.twin.factors import FAR_OFF, TWIN, FactorsConfig, FactorsRecipe, factor_rates, try_factors

FOLDER = Path(__file__).resolve().parents[2] / "figures"
PROFILE = "beyond"  # whose tables have no other name
BESIDE = ("beyond_objects", "beyond_piles", "beyond_forecasts")  # made of the same attempts as `beyond`
TABLES = ("beyond", *BESIDE, "factors", "clearing", "paired", "ingredients", "summit")
COLUMNS = ("policy", "task", "successes", "n", "rate", "low", "high", "seed")
BEST, THEIRS = "dgrasp_quat_sync", "published"  # in a paired comparison
PAIRED_SEED = 4_000  # of scenes that no table has
PAIRED_REPETITIONS = 2  # of the profile's scenes: 100 attempts on each of four tasks
TWIN_PRESENTATIONS = 25  # of each of ten objects: 250 attempts of each policy


def beyond_tables(
    experiment: Experiment, presentations: int = TWIN_PRESENTATIONS
) -> Iterator[tuple[dict[str, pd.DataFrame], dict[str, Run]]]:
    """Tables by name, and the runs behind them: first of the profile's tasks, then with the twin and the twin far off.

    The second time without `beyond_piles`, which is whole then. "Far off" is 10 mm and 2 degrees.
    """
    seed, evaluation = experiment.seed, experiment.evaluation()
    trials, runs = read_attempts(evaluation), {"evaluation": evaluation}
    rates = success_rates(trials, experiment.profile.evaluation)
    yield _beside(rates, trials, presented(trials), seed) | {"beyond_piles": of_piles(trials).assign(seed=seed)}, runs
    policies = tuple(name for name in CONTRAST if name in experiment.profile.evaluation.policies)
    config = FactorsConfig(policies=policies, conditions=(TWIN, FAR_OFF), presentations=presentations)
    runs |= {"twin": factors(experiment, config)}
    twin = try_factors.read(runs["twin"]).rename(columns={"kind": "task"})
    rates = pd.concat([rates, factor_rates(runs["twin"]).rename(columns={"factor": "task"})], ignore_index=True)
    everything = pd.concat([trials, twin], ignore_index=True)
    yield _beside(rates, everything, pd.concat([presented(trials), twin], ignore_index=True), seed), runs


def _beside(rates: pd.DataFrame, attempts: pd.DataFrame, alone: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """The tables; alone: attempts at objects that were presented one at a time."""
    tables = {"beyond": rates, "beyond_objects": of_objects(alone), "beyond_forecasts": of_forecasts(attempts)}
    tables = {name: table.assign(seed=seed) for name, table in tables.items()}
    return tables | {"beyond": tables["beyond"][list(COLUMNS)]}


def factors(experiment: Experiment, config: FactorsConfig | None = None) -> Run:
    """The attempts under each factor alone, under none and under all."""
    p, config = experiment.profile, config or FactorsConfig()
    where = {"cell": p.cell, "observer": experiment.observer, "ycb_models": ycb_models()}
    recipe = FactorsRecipe(factors=config, twin=p.twin.reality, **where)
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


def kept_attempts(folder: Path = FOLDER, profile: str = PROFILE) -> pd.DataFrame:
    """The attempts behind the kept table `beyond`, all seeds; a presentation in the twin stands as a scene.

    Columns as `dgrasp.evaluation.over_seeds.compare_over_seeds` reads them; empty where nothing is kept.
    """
    kept = []
    for stage in ("evaluation", "twin"):
        name = f"beyond-{stage}"
        numbers = (re.match(rf"{name}-seed-(\d+)", path.name) for path in (folder / "beyond").glob(f"{name}-*"))
        files = [attempts_file(name, seed, folder, profile) for seed in sorted({int(n[1]) for n in numbers if n})]
        for path in filter(Path.is_file, files):  # a seed may be another profile's
            kept.append(read_kept(path, stage))
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=["policy", "task"])


def read_kept(path: Path, stage: str) -> pd.DataFrame:
    """Kept attempts with the columns of those in scenes: in the twin a presentation of an object stands as a scene."""
    attempts = read_rows(path).rename(columns={"kind": "task"})
    if stage != "twin":
        return attempts
    shown = attempts.groupby(["object", "presentation"], sort=True).ngroup()
    return attempts.assign(objects=attempts["object"], split="test", scene=shown, repetition=0, attempt=0)


def contrasts(attempts: pd.DataFrame) -> pd.DataFrame:
    """dGrasp against Base on the same scenes and starts, task by task: see `compare_over_seeds`.

    attempts: of `kept_attempts`; columns policy and task alone give a table without rows.
    """
    return compare_over_seeds(attempts, [CONTRAST])


def check_keepable(profile: str, folder: Path) -> None:
    """Raise RecordError for the published folder and a profile for trying out."""
    if folder.resolve() == FOLDER and profile not in PUBLISHABLE:
        raise RecordError(f"profile {profile!r} is for trying things out; published are {', '.join(PUBLISHABLE)}")


def check_settings(experiment: Experiment, folder: Path) -> None:
    """Raise RecordError where a table of `folder` has rows of another seed that were made with other settings."""
    for name in TABLES:
        _check_settings(table_file(name, folder, experiment.profile.name), experiment)


def _check_settings(target: Path, experiment: Experiment) -> None:
    profile = experiment.profile
    for seed, about in _stated(target).items():
        if seed != str(experiment.seed) and about.get("settings") != profile.settings:
            raise RecordError(
                f"{target}: has rows of seed {seed}, of other settings than profile {profile.name!r} has now; seeds of "
                f"a table are counted together. Move these rows away first, with their attempts "
                f"(beyond/*-seed-{seed}.csv.gz)"
            )


def keep_attempts(table: str, runs: Mapping[str, Run], experiment: Experiment, folder: Path) -> list[Path]:
    """Write the attempts behind a table to `folder`/beyond/, a file for each run; returns the files."""
    kept = []
    for stage, run in runs.items():
        kept.append(attempts_file(of_stage(table, stage), experiment.seed, folder, experiment.profile.name))
        write_rows(kept[-1], read_attempts(run))
    return kept


def of_stage(table: str, stage: str) -> str:
    """How the attempts of a table's run are called."""
    return table if stage == table else f"{table}-{stage.replace(', ', '-').replace(' ', '_')}"


def write_table(
    name: str, table: pd.DataFrame, runs: Mapping[str, Run], experiment: Experiment, folder: Path | None = None
) -> Path:
    """Write a table's rows in place of those of the same seed, and what they were made of; returns the file.

    Rows that the table does not have (yet) stay if they are of the same runs and settings. folder: default the
    experiment's own figures. Raises RecordError for the published folder and a profile for trying out, for rows of
    another seed that were made with other settings, and where rows of fewer attempts would take the place of kept ones;
    ValueError for a table of another name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}; tables: {', '.join(TABLES)}")
    profile = experiment.profile.name
    target = table_file(name, folder or experiment.figures, profile)
    check_keepable(profile, target.parent)
    _check_settings(target, experiment)
    stated = _stated(target)
    made_of = {stage: run.fingerprint for stage, run in runs.items()}
    before = stated.get(str(experiment.seed), {}).get("runs", {})
    same = all(made_of.get(stage, fingerprint) == fingerprint for stage, fingerprint in before.items())
    settings = experiment.profile.settings
    same &= stated.get(str(experiment.seed), {}).get("settings", settings) == settings
    rows = json.loads(table.to_json(orient="records"))
    ours = {_key(row): row for row in rows}
    stay = []
    for row in kept_table(name, target.parent, profile):
        if row["seed"] != experiment.seed or (same and _key(row) not in ours):
            stay.append(row)
        elif folder is not None and _key(row) in ours and (row.get("n") or 0) > (ours[_key(row)].get("n") or 0):
            raise RecordError(
                f"{target}: has a row of {row['n']} attempts ({', '.join(filter(None, _key(row)))}) where this table "
                f"has {ours[_key(row)]['n']}; leave --keep out, or remove the file"
            )
    write_json(target, stay + rows)
    stated[str(experiment.seed)] = {
        "profile": profile,
        "runs": before | made_of if same else made_of,
        "settings": experiment.profile.settings,
        "ycb_models": ycb_models(),
        "made_by": provenance(),
    }
    about: dict[str, Any] = {"seeds": stated} | (yardstick() if name == "clearing" else {})
    write_json(_sidecar(target), about)
    return target


def _sidecar(target: Path) -> Path:
    return target.with_suffix(".meta.json")


def _stated(target: Path) -> dict[str, dict[str, Any]]:
    """What is said of each seed of a kept table."""
    sidecar = _sidecar(target)
    stated: dict[str, dict[str, Any]] = read_json(sidecar)["seeds"] if sidecar.is_file() else {}
    return stated


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row is about, its seed aside."""
    return tuple(str(row.get(name, "")) for name in ("arm", "option", "policy", "task", "object", "factor"))


def table_file(name: str, folder: Path, profile: str = PROFILE) -> Path:
    """Where a table of an experiment of this profile is kept in a folder."""
    return folder / (f"{name}.json" if profile == PROFILE else f"{name}-{profile}.json")


def attempts_file(name: str, seed: int, folder: Path, profile: str) -> Path:
    """Where the attempts of a run behind a table are kept."""
    return table_file(f"{name}-seed-{seed}", folder / "beyond", profile).with_suffix(".csv.gz")


def kept_table(name: str, folder: Path = FOLDER, profile: str = PROFILE) -> list[dict[str, Any]]:
    """The rows of a table where it is kept; none where it has not been made."""
    path = table_file(name, folder, profile)
    rows: list[dict[str, Any]] = read_json(path) if path.is_file() else []
    return rows
