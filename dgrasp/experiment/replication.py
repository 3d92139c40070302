"""The experiment again with one thing changed: other test scenes, or other training seeds.

    dgrasp eval-new-scenes --scene-seed 7   new test scenes and starts, all else equal
    dgrasp train-seeds --seeds 0 1 2        the main contrast from other initial weights

Both go on where they were interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from scipy.stats import fisher_exact

from dgrasp.evaluation.chance import with_holm
from dgrasp.evaluation.rows import read_rows, write_rows
from dgrasp.evaluation.statistics import paired_comparison, success_rates
from dgrasp.evaluation.table import EvaluationRecipe, evaluate
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.store import PUBLISHED, published_folder
from dgrasp.files import DamagedFileError, read_json, write_json
from dgrasp.jobs.workforce import in_order
from dgrasp.policy.policies import policy_spec
from dgrasp.provenance import provenance
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.value.training import train_values

KEPT = PUBLISHED.parent / "replications"
CONTRAST = ("dgrasp_quat_sync", "base_quat_sync")  # the main contrast: one model of each kind, all else equal


def evaluate_new_scenes(
    experiment: Experiment, scene_seed: int, policies: Sequence[str] = (), repetitions: int | None = None
) -> Run:
    """The evaluation on scenes and starts of another seed; raises ValueError for the experiment's own."""
    if scene_seed == experiment.seed:
        raise ValueError(f"scene_seed: {scene_seed} is the experiment's own; give another for new scenes")
    changes: dict[str, object] = {} if repetitions is None else {"repetitions": repetitions}
    if policies:
        changes["policies"] = tuple(policies)
    recipe = experiment.evaluation_recipe(**changes)
    return experiment.try_policies(evaluate, recipe, recipe.evaluation.policies, seed=scene_seed)


def agreement(experiment: Experiment, new: Run) -> pd.DataFrame:
    """Rates on the experiment's scenes beside those on new ones, policy by policy and task by task.

    agrees: the two Wilson intervals overlap. p: Fisher's exact test that both come from one rate (attempts within a
    scene depend on each other, so that it is a guide); p_holm: the same, corrected for the number of rows.
    """
    assert isinstance(new.recipe, EvaluationRecipe)
    known = success_rates(read_attempts(experiment.evaluation()), experiment.profile.evaluation)
    again = success_rates(read_attempts(new), new.recipe.evaluation)
    rows = known.merge(again, on=["policy", "task"], suffixes=("", "_fresh"))
    rows["p"] = [
        fisher_exact([[r.successes, r.n - r.successes], [r.successes_fresh, r.n_fresh - r.successes_fresh]]).pvalue
        for r in rows.itertuples()
    ]
    return with_holm(rows).assign(agrees=(rows["low"] <= rows["high_fresh"]) & (rows["low_fresh"] <= rows["high"]))


def verdict(rows: pd.DataFrame) -> str:
    """What `agreement` found, in a sentence."""
    lowest = rows["p_holm"].min()
    return f"{rows['agrees'].sum()} of {len(rows)} rows agree within their intervals; smallest corrected p {lowest:.2g}"


def over_seeds(rows: pd.DataFrame) -> str:
    """What `train_seeds` found: per task the rates' mean over training seeds, and their range."""
    lines = []
    for task, group in rows.groupby("task", sort=False):
        rates = (f"{n} {group[n].mean():.3f} ({group[n].min():.3f} to {group[n].max():.3f})" for n in CONTRAST)
        lines.append(f"{task}, {len(group)} seeds: {', '.join(rates)}")
    return "\n".join(lines)


def train_seeds(experiment: Experiment, seeds: Sequence[int], repetitions: int = 1) -> pd.DataFrame:
    """The main contrast with models trained from other seeds, on the same Phi, scenes, starts and tuned settings.

    One row per seed and task: rate of both, and their paired comparison. Demonstrations are made again if only a
    record is there. Raises ValueError for a profile whose readouts are trained in two rounds.
    """
    check_one_round(experiment)
    if set(seeds) - {experiment.seed}:
        experiment.training_scenes()  # once, before processes that need them stand side by side
    jobs = [joblib.delayed(_values)(experiment, seed) for seed in seeds]
    in_order(jobs, experiment.profile.runtime.workforce, experiment.workspace)
    rows = []
    for seed in seeds:
        run = _contrast(experiment, seed, repetitions)
        assert isinstance(run.recipe, EvaluationRecipe)
        trials = read_attempts(run)
        rates = success_rates(trials, run.recipe.evaluation).set_index(["policy", "task"])["rate"]
        for task in experiment.profile.evaluation.tasks:
            both = {name: float(rates[name, task]) for name in CONTRAST}
            rows.append({"seed": seed, "task": task, **both, **paired_comparison(trials, *CONTRAST, task)})
    return pd.DataFrame(rows)


def check_one_round(experiment: Experiment) -> None:
    """Raise ValueError for a profile with `outcomes`.

    Psi is trained here in one round alone, and its experiment's in two: they would not differ by their seed alone.
    """
    if experiment.profile.outcomes is not None:
        raise ValueError(
            f"profile {experiment.profile.name!r} has `outcomes`: its readouts are trained in two rounds, and here in "
            "one; expected a profile without"
        )


def _contrast(experiment: Experiment, seed: int, repetitions: int) -> Run:
    recipe = experiment.evaluation_recipe(policies=CONTRAST, repetitions=repetitions)
    values = _values(experiment, seed)
    sources = {name: replace(source, value=values[name]) for name, source in experiment.sources(CONTRAST).items()}
    inputs = {name: experiment.tuned(name) for name in CONTRAST} | {f"value {n}": v for n, v in values.items()}
    workers = experiment.profile.runtime.workforce
    return evaluate(recipe, sources, inputs, experiment.workspace, seed=experiment.seed, workers=workers)


def _values(experiment: Experiment, seed: int) -> dict[str, Run]:
    """Psi of both policies, trained from a seed in one pass."""
    models = {name: policy_spec(name).model for name in CONTRAST}
    if seed == experiment.seed:
        return {name: experiment.value(model) for name, model in models.items()}
    p = experiment.profile
    runs = train_values(
        p.value,
        experiment.nerf(),
        experiment.training_scenes(),
        experiment.workspace,
        models=list(models.values()),
        seed=seed,
        device=p.runtime.device,
        threads=1,  # seeds are trained side by side
    )
    return {name: runs[model] for name, model in models.items()}


def keep(table: pd.DataFrame, said: str, experiment: Experiment, name: str, folder: Path = KEPT) -> Path:
    """Write a replication below `folder`: its rows, what they say, and what they were made of; returns the file."""
    target = _kept_in(experiment, folder) / f"{name}.json"
    rows = json.loads(table.to_json(orient="records"))
    of = {"evaluation": experiment.evaluation().fingerprint, "profile": experiment.profile.name}
    write_json(target, {"of": of, "ycb_models": ycb_models(), "said": said, "rows": rows, "made_by": provenance()})
    return target


def keep_trials(run: Run, experiment: Experiment, name: str, folder: Path = KEPT) -> Path:
    """Write the trials behind a replication beside its rows; returns the file."""
    target = _kept_in(experiment, folder) / f"{name}.csv.gz"
    write_rows(target, read_attempts(run))
    return target


def kept_trials(experiment: Experiment, name: str, folder: Path = KEPT) -> pd.DataFrame | None:
    """The trials that `keep_trials` wrote, if the replication of that name is one of this experiment."""
    path = _kept_in(experiment, folder) / f"{name}.csv.gz"
    if name not in kept(experiment, folder) or not path.is_file():
        return None
    return read_rows(path)


def kept(experiment: Experiment, folder: Path = KEPT) -> dict[str, dict[str, Any]]:
    """Replications of this experiment and of no other: name -> what `keep` wrote. Raises DamagedFileError."""
    found = {path.stem: _stated(path) for path in sorted(_kept_in(experiment, folder).glob("*.json"))}
    ours = experiment.evaluation().fingerprint
    return {name: stated for name, stated in found.items() if stated["of"]["evaluation"] == ours}


def _stated(path: Path) -> dict[str, Any]:
    stated = read_json(path)
    try:
        if isinstance(stated["of"]["evaluation"], str) and isinstance(stated["rows"], list):
            return dict(stated)
    except (LookupError, TypeError):
        pass
    raise DamagedFileError(f"{path}: not what a replication keeps (of, rows); restore it, or make it again")


def _kept_in(experiment: Experiment, folder: Path) -> Path:
    return published_folder(experiment.profile.name, experiment.seed, folder)
