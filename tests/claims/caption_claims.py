"""Captions of figures and tables: their numbers, from the CSV files beside them, the trials and the settings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import pandas as pd
from records import Records
from statements import CLAIMS, Claim, claim, text_of

from dgrasp.evaluation.chance import LEVEL
from dgrasp.experiment.ablations.kept import results
from dgrasp.experiment.choices import PAPERS_SET, training_set
from dgrasp.experiment.growth import GOOD, Folder, grown
from dgrasp.policy.diagnostics import NEAR_METRES, NEAR_RADIANS
from dgrasp.report.captions import templates
from dgrasp.report.figures.climbs import AT_OBJECT
from dgrasp.report.figures.examples import NEAR, WALKERS
from dgrasp.report.names import model_label, policy_label, seeds_label, task_label
from dgrasp.report.tables.findings import name_of_test
from dgrasp.twin.sweep import ROTATION, TRANSLATION

Count = Callable[[Records, str], str]


def page(id: str) -> str:
    return f"figures/{id}.caption.json"


def fact(place: str, *ids: str) -> Callable[[Count], Count]:
    """What fills a place in braces of the captions (`captions.yaml`) is what the function counts."""

    def register(count: Count) -> Count:
        for id in ids:
            template = re.escape(" ".join(templates()[id].split()))
            there = template.replace(rf"\{{{place}\}}", "(.+?)", 1)
            pattern = "^" + re.sub(r"\\\{\w+\\\}", ".+?", there) + "$"
            CLAIMS.append(Claim(place, page(id), pattern, partial(_one, count, id)))
        return count

    return register


def _one(count: Count, id: str, records: Records) -> list[str]:
    return [count(records, id)]


def span(values: Iterable[float], form: str = "{:.0%}") -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def last(table: pd.DataFrame, losses: int, column: str) -> float:
    """At the end, by which of the losses: 0 the main one, 1 both."""
    name = table["losses"].unique()[losses]
    return float(table.loc[table["losses"] == name, column].iloc[-1])


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


# ---- Candidates that climb ----


@fact("starts", "climb", "fig01", "fig04", "fig05", "fig06", "fig07")
def starts(records: Records, id: str) -> str:
    return str(records.studio.size.starts)


@fact("shown", "fig07")
def ends_drawn(records: Records, id: str) -> str:
    return str(records.studio.size.shown)


@fact("each", "fig04")
def starts_of_a_validation_scene(records: Records, id: str) -> str:
    return str(min(64, records.studio.size.starts))


@fact("shown", "climb", "fig01", "fig04", "fig05", "fig06")
def paths_drawn(records: Records, id: str) -> str:
    return str(records.figure(id)["start"].nunique())


@fact("of", "climb", "fig01", "fig04", "fig05", "fig06")
def scenes_of_which_one_is_shown(records: Records, id: str) -> str:
    return str(records.studio.size.candidates)


@fact("reach", "fig01", "fig04", "fig05", "fig06")
def reach(records: Records, id: str) -> str:
    settings = [records.experiment.optimizer(policy) for policy in records.experiment.profile.evaluation.policies]
    sums = [sum(c.translation_rate * c.translation_decay**k for k in range(c.steps)) for c in settings]
    return " and ".join(sorted({f"{100 * each:.0f}" for each in sums}))


@fact("scenes", "fig03")
def scenes_of_a_task(records: Records, id: str) -> str:
    (n,) = set(records.figure(id).groupby("task").size())
    return str(n)


@fact("scene", "climb")
def the_scene_of_figure_6(records: Records, id: str) -> str:
    found = re.search(r"\(number (\d+) of", text_of(page("fig06")))
    assert found, "Figure 6 does not say its scene"
    return found[1]


def _ends(place: str, method: str, task: str, column: str, *ids: str) -> None:
    @fact(place, *ids)
    def share_at_the_end(records: Records, id: str) -> str:
        table = records.figure("convergence")
        means = table[table["task"] == task].groupby(["policy", "step"])[column].mean()  # over scenes
        ends = means.groupby("policy").last()
        return span(ends[[policy for policy in ends.index if policy.startswith(method)]])


for _method in ("base", "dgrasp"):
    _ends(f"{_method}_near", _method, "simple", "near_grasp", "fig04", "convergence")
    _ends(f"{_method}_there", _method, "novel", "at_object", "convergence")


@fact("scenes", "fig04", "convergence")
def validation_scenes(records: Records, id: str) -> str:
    return str(records.studio.size.scenes)


@fact("starts", "convergence")
def starts_in_many_scenes(records: Records, id: str) -> str:
    """Shares of single starts are sixty-fourths: at step 0, which no settings reach, they say how many there were."""
    table = records.figure(id)
    shares = table.loc[table["step"] == table["step"].min(), "at_object"]
    return str(next(n for n in range(1, 5000) if np.allclose(shares * n, (shares * n).round(), atol=1e-6)))


# ---- Slopes ----


@fact("poses", "cosines")
def poses_of_a_model(records: Records, id: str) -> str:
    (n,) = set(records.figure(id).groupby("model").size())
    return str(n)


@fact("scenes", "cosines")
def demonstrations(records: Records, id: str) -> str:
    return str(int(poses_of_a_model(records, id)) // records.profile.value.slope.n_poses)


@fact("medians", "cosines")
def medians(records: Records, id: str) -> str:
    found = records.figure(id).groupby("model", sort=False)[["translation", "rotation"]].median()
    parts = [f"{model_label(str(m))} {row.translation:.2f} and {row.rotation:.2f}" for m, row in found.iterrows()]
    return "; ".join(parts)


@fact("poses", "fig02")
def arrows(records: Records, id: str) -> str:
    return str(len(records.figure(id)))


@fact("medians", "fig02")
def medians_of_the_arrows(records: Records, id: str) -> str:
    table = records.figure(id)
    demonstrated = table.filter(like="demonstrated_").to_numpy()
    said = []
    for method, model in (("Base", "base"), ("dGrasp", "dgrasp_quat")):
        slopes = table[[f"{model}_{axis}" for axis in "xyz"]].to_numpy()
        said.append(f"{method} {np.median(cosine(slopes, demonstrated)):.2f}")
    return ", ".join(said)


# ---- Small examples ----


@fact("main", "plane")
def arrived_by_the_main_loss(records: Records, id: str) -> str:
    return f"{last(records.figure(id), 0, 'arrived'):.0%}"


@fact("both", "plane")
def arrived_by_both(records: Records, id: str) -> str:
    return f"{last(records.figure(id), 1, 'arrived'):.0%}"


@fact("walkers", "plane", "learning")
def walkers(records: Records, id: str) -> str:
    return str(WALKERS)


@fact("main", "peg_in_hole")
def docked_by_the_main_loss(records: Records, id: str) -> str:
    return f"{last(records.figure(id), 0, 'docked'):.0%}"


@fact("both", "peg_in_hole")
def docked_by_both(records: Records, id: str) -> str:
    return f"{last(records.figure(id), 1, 'docked'):.0%}"


@fact("both", "learning")
def when_half_arrive(records: Records, id: str) -> str:
    table = records.figure(id)
    rows = table[table["losses"] == table["losses"].unique()[-1]]
    short = rows.loc[rows["arrived"] < 0.5, "step"]
    later = rows.loc[~(rows["step"] <= short.max()), "step"]
    return f"from step {later.min()} on" if len(later) else "never"


@claim(page("learning"), r"of which every (\d+)th is shown")
def steps_between_pictures(records: Records) -> list[str]:
    (gap,) = set(records.figure("learning").groupby("losses")["step"].diff().dropna().map("{:g}".format))
    return [gap]


for _id in ("plane", "learning"):

    @claim(page(_id), r"within ([\d.]+) of the star")
    def distance_that_counts_as_arrived(records: Records) -> list[str]:
        return [f"{NEAR:g}"]


# ---- Attempts ----


@fact("n", "tab01", "rates", "by_object")
def attempts_of_a_policy(records: Records, id: str) -> str:
    trials = records.trials
    if id != "by_object":
        return span(records.counted.groupby(["policy", "task"])["n"].sum(), "{:g}")
    shown = trials["policy"].isin(records.figure(id)["policy"])
    single = trials[trials["task"].isin(["novel", "unseen"]) & ~trials["objects"].str.contains(",") & shown]
    return span(single.groupby(["task", "policy", "objects"]).size(), "{:g}")


@fact("confidence", "tab01", "rates", "by_object")
def confidence(records: Records, id: str) -> str:
    return f"{100 * records.profile.evaluation.confidence:g} %"


@fact("policies", "tab01", "rates")
def pairs_ahead(records: Records, id: str) -> str:
    above = records.pairs["difference"] > 0
    sure = above & (records.pairs["p_holm"] < LEVEL)
    return (
        f"dGrasp is above its own Base in {above.sum()} of {len(above)} pairs of policy and task, in {sure.sum()} of "
        f"them beyond chance ({name_of_test(records.trials)}, Holm-corrected over all {len(above)} pairs, p < {LEVEL})"
    )


for _id in ("tab01", "rates", "by_object"):

    @claim(page(_id), r"Trained on (.*?), (?:one|\d+) training seed")
    def training_set_is_named(records: Records) -> list[str]:
        return [
            learned(records) + ", as in the paper (scenes are ours)" * (training_set(records.profile) == PAPERS_SET)
        ]

    @claim(page(_id), r"Trained on .*?, (one training seed \(\d+\)|\d+ training seeds \([\d, ]*\d)[;)]?")
    def training_seeds(records: Records) -> list[str]:
        seeds, n = ", ".join(map(str, records.seeds)), len(records.seeds)
        return [f"one training seed ({seeds})" if n == 1 else f"{n} training seeds ({seeds}"]


@fact("networks", *(id for id, text in templates().items() if "{networks}" in text))
def networks_that_are_shown(records: Records, id: str) -> str:
    own = [records.experiment.seed]
    return f"trained on {learned(records)}, {seeds_label(records.seeds if id in ('tab02', 'calibration') else own)}"


@fact("seed", *(id for id, text in templates().items() if "{seed}" in text))
def seed_of_an_example(records: Records, id: str) -> str:
    return str(records.experiment.seed)


def learned(records: Records) -> str:
    named = training_set(records.profile)
    return "the simple task alone" if named == PAPERS_SET else named


@fact("arms", "ablations", "ablation_rates", "ablation_differences")
def arms_tried(records: Records, id: str) -> str:
    rows = records.figure("ablations")
    tried = rows[["question", "arm"]].drop_duplicates()  # an arm of several seeds is one
    if not len(tried):
        return "No arm has been tried yet (dgrasp ablations): there are no numbers to show."
    seeds = ", ".join(f"{seed:g}" for seed in sorted(set(rows["seed"])))
    return (
        f"{len(tried)} arms of {tried['question'].nunique()} questions have been tried, {span(rows['n'], '{:g}')} "
        f"attempts each on a task, training seed{'s' * (',' in seeds)} {seeds}. Arms are trained on {learned(records)}."
    )


@fact("probed", "ablations")
def where_arrivals_are_counted(records: Records, id: str) -> str:
    asked = {(r.run.recipe.probe_scenes, task_label(r.run.recipe.probe_task)) for r in results(records.experiment)}
    return " or ".join(f"{scenes} scenes, task {task}" for scenes, task in sorted(asked)) or "no scene"


@fact("test", "ablation_differences")
def test_behind_the_differences(records: Records, id: str) -> str:
    one = (records.figure(id)["seeds"] == 1).all()
    return "permutation test by scene" if one else "bootstrap of training seeds and scenes"


@fact("drawn", "ablation_differences")
def what_the_intervals_draw(records: Records, id: str) -> str:
    return "scenes" if (records.figure(id)["seeds"] == 1).all() else "training seeds and scenes"


@fact("drawn", "by_object")
def policies_by_object(records: Records, id: str) -> str:
    return " and ".join(policy_label(name) for name in dict.fromkeys(records.figure(id)["policy"]))


# ---- The closed loop ----


@fact("tried", "closed_loop", "closed_loop_rates", "closed_loop_paths")
def tried_in_closed_loop(records: Records, id: str) -> str:
    rates = records.figure("closed_loop")
    if not len(rates):
        return "Nothing has been tried in closed loop yet (dgrasp closed-loop): there are no numbers to show."
    each = span(rates["n"], "{}")
    return f"{len(rates)} combinations of condition, loop and policy were tried, {each} attempts each."


# ---- The twin ----


@fact("trials", "fig07")
def trials_in_the_twin(records: Records, id: str) -> str:
    return str((records.twin["seed"] == records.experiment.seed).sum())


@fact("n", "calibration")
def attempts_at_an_error(records: Records, id: str) -> str:
    return span(records.sweep.groupby(["policy", "kind", "error"]).size(), "{:g}")


@fact("ends", "calibration")
def rates_at_the_largest_errors(records: Records, id: str) -> str:
    said = []
    rates = records.sweep.groupby(["policy", "kind", "error"], sort=False)["success"].mean()
    for policy in dict.fromkeys(rates.index.get_level_values("policy")):
        shift, turn = rates[policy][TRANSLATION], rates[policy][ROTATION]
        said.append(
            f"{policy_label(policy)} lifts {shift[0.0]:.2f} without an added error, {shift[max(shift.index)]:.2f} at "
            f"{max(shift.index):g} mm and {turn[max(turn.index)]:.2f} at {max(turn.index):g} degrees."
        )
    return " ".join(said)


# ---- Costs ----


@fact("scenes", "growth", "growth_costs")
def scenes_simulated(records: Records, id: str) -> str:
    return f"{grown()['scenes']:,}"


@fact("jobs", "growth")
def scenes_measured(records: Records, id: str) -> str:
    return str((records.figure(id)["varied"] == "job").sum())


@fact("job_seconds", "growth")
def seconds_of_a_scene(records: Records, id: str) -> str:
    table = records.figure(id)
    seconds = table.loc[table["varied"] == "job", "seconds"]
    return f"{seconds.min():.1f} to {seconds.max():.1f} s"


@fact("writes", "growth", "growth_costs")
def what_a_folder_takes(records: Records, id: str) -> str:
    return f"{Folder().bytes_per_second / 1e6:.0f} MB a second and {1000 * Folder().seconds_per_file:.0f} ms a file"


@fact("limit", "growth", "growth_costs")
def where_the_folder_is_the_limit(records: Records, id: str) -> str:
    wide = records.figure(id).pivot_table(index="at", columns="varied", values="seconds")
    limit = min(wide.index[wide["workers, free folder"] / wide["workers"] < GOOD], default=None)
    if limit is None:
        return f"With {wide['workers'].last_valid_index()} it is not the limit yet"
    return (
        f"From {limit} workers on the folder is the limit: less than {GOOD:.0%} of the speed that a free one would give"
    )


# ---- What counts, wherever it is said ----


def _thresholds(id: str, pattern: str, *said: str) -> None:
    @claim(page(id), pattern)
    def what_counts(records: Records) -> list[str]:
        return list(said)


METRES, DEGREES, HULL = f"{100 * NEAR_METRES:g}", f"{math.degrees(NEAR_RADIANS):g}", f"{100 * AT_OBJECT:g}"
for _id in ("climb", "fig01", "fig05", "fig06", "convergence"):
    _thresholds(_id, r"within (\d+) cm of (?:an|the|a novel) object", HULL)
_thresholds("fig04", r"within (\d+) cm of an object .* valid grasp \((\d+) cm, (\d+) degrees\)", HULL, METRES, DEGREES)
_thresholds("ablations", r"end within (\d+) cm and (\d+) degrees of a valid grasp", METRES, DEGREES)
