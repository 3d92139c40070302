"""Several training seeds of one experiment: mean and spread of its rates, and tests that count seeds and scenes.

The test is a hierarchical bootstrap: seeds are drawn with replacement, and of each the scenes; on single-object tasks
the objects are drawn as well. It is not a mixed model, since the variance between three seeds would be fitted to three
numbers, and differences per scene are mostly zero and far from normal. Attempts within a scene stay together: they
depend on each other. With one seed the interval is a bootstrap of scenes, `p` swaps the policies' names scene by scene
(`paired_comparison`; a bootstrap of scenes is more liberal), and neither says anything of seeds. The resampling is our
own, since scipy's and statsmodels' know one level.

A bootstrap of few things finds too much: samples of n scatter less than the things do, by (n - 1) / n of the variance.
So the seeds' part of each sample is stretched by the root of n / (n - 1). Where few seeds scatter much it is liberal
all the same: `p` is too small and the interval too narrow, since two or three seeds say little of how far the next may
be. `p_seeds`, Student's t of the seeds' differences, stands beside it and keeps its level there. Where objects are
drawn, `p` is never below that of an exact test which swaps the two policies' names object by object: of nine objects
it cannot be below 0.004.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, ttest_1samp

from dgrasp.evaluation.chance import with_holm
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.statistics import PAIRED_BY, paired_comparison, success_rates, with_rates

RESAMPLES = 4_999
CHUNK = 2_000_000  # numbers drawn at once


def rates_by_seed(trials: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """`success_rates` of each training seed, in the column `seed`."""
    parts = [success_rates(part, config).assign(seed=seed) for seed, part in trials.groupby("seed", sort=True)]
    return pd.concat(parts, ignore_index=True)


def pool_seeds(rates: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """The rows of `rates_by_seed` with all seeds of a policy and task together.

    successes, n, rate, low, high count all attempts; `seeds`, `mean`, `spread`, `least`, `most` are of seeds' rates.
    spread: standard deviation between seeds (n - 1); NaN for one seed. The Wilson interval takes attempts as
    independent, also of the seed; the spread shows whether they are.
    """
    groups = rates.groupby(["policy", "task"], sort=False)
    counts = groups[["successes", "n"]].sum().astype(int).reset_index()
    spread = groups["rate"].agg(seeds="size", mean="mean", spread="std", least="min", most="max").reset_index()
    return with_rates(counts, confidence).merge(spread, on=["policy", "task"])


def compare_over_seeds(trials: pd.DataFrame, pairs: Iterable[tuple[str, str]], objects: bool = False) -> pd.DataFrame:
    """Pairs of policies that met the same scenes and starts, task by task, over all seeds.

    Columns: `first`, `second`, `task`, `seeds`, `scenes`, `difference` of the rates, its 95 % interval `low`, `high`,
    those of single seeds (`least`, `most`), the two-sided `p`, with Holm's correction for the rows `p_holm`, and
    `p_seeds`, Student's t of the seeds' differences, uncorrected (NaN for one seed, and where all seeds' are the very
    same). Where seeds scatter much, `p` of few seeds is too small and the interval too narrow; `p_seeds` is what holds
    there.
    objects: draw the objects of single-object scenes too, which makes the finding one about such objects; tasks of
    several objects are then left out. A seed in which one of both was not tried on a task is left out there.
    """
    rows = []
    for first, second in pairs:
        for task, tried in trials[trials["policy"].isin([first, second])].groupby("task", sort=False):
            of_task = tried[tried.groupby("seed")["policy"].transform("nunique") == 2]
            single = not of_task["objects"].str.contains(",").any()
            if len(of_task) and (single or not objects):
                test = seeds_and_scenes(of_task, first, second, objects)
                rows.append({"first": first, "second": second, "task": task, **test})
    table = pd.DataFrame(rows)
    return with_holm(table)


def tested_by(seeds: int) -> str:
    """Which test `p` is of so many training seeds, in words."""
    return "permutation test by scene" if seeds == 1 else "bootstrap of training seeds and scenes"


def beside_later_seeds(trials: pd.DataFrame, pairs: Iterable[tuple[str, str]], first_seed: int) -> pd.DataFrame:
    """`compare_over_seeds` of all seeds, and beside it of those but the first, whose table was seen before they ran.

    Columns: `first`, `second`, `task`; then `seeds`, `difference`, `low`, `high`, `p`, `p_holm`, `p_seeds` of all, and
    the same of the later seeds, named `..._later`. Holm's correction counts the rows, for all and for the later ones
    alike. Without a later seed the table is empty: there is nothing to compare with.
    """
    later, pairs = trials[trials["seed"] != first_seed], list(pairs)
    every, alone = (compare_over_seeds(part, pairs) for part in (trials, later))
    keys, said = ["first", "second", "task"], ["seeds", "difference", "low", "high", "p", "p_holm", "p_seeds"]
    if not len(alone):
        return pd.DataFrame(columns=[*keys, *said, *(f"{name}_later" for name in said)])
    return every[keys + said].merge(alone[keys + said], how="left", on=keys, suffixes=("", "_later"))


def seeds_and_scenes(trials: pd.DataFrame, first: str, second: str, objects: bool = False) -> dict[str, float]:
    """One row of `compare_over_seeds`, from the attempts of one task."""
    scenes = scene_differences(trials, first, second)
    by_seed = scenes.groupby("seed")
    each = by_seed["difference"].sum() / by_seed["attempts"].sum()
    drawn = hierarchical_bootstrap(scenes, objects)
    low, high = np.quantile(drawn, [0.025, 0.975])
    if len(each) == 1 and not objects:
        (task,) = set(trials["task"])
        p = paired_comparison(trials, first, second, task)["p_scenes"]
    else:
        tails = [(np.sum(drawn <= 0) + 1) / (len(drawn) + 1), (np.sum(drawn >= 0) + 1) / (len(drawn) + 1)]
        p = min(1.0, 2 * min(tails))
    return {
        "seeds": len(each),
        "scenes": len(scenes),
        "difference": float(scenes["difference"].sum() / scenes["attempts"].sum()),
        "low": float(low),
        "high": float(high),
        "least": float(each.min()),
        "most": float(each.max()),
        "p": float(max(p, _swapped_objects(scenes)) if objects else p),
        "p_seeds": float(ttest_1samp(each, 0.0).pvalue) if each.nunique() > 1 else np.nan,
    }


def _swapped_objects(scenes: pd.DataFrame) -> float:
    """Two-sided p of the objects' differences: the policies' names swapped in every way, object by object."""
    each = scenes.groupby("object")["difference"].sum().to_numpy(float)
    if len(each) < 2 or not each.any():
        return 1.0
    found = permutation_test((each,), np.sum, permutation_type="samples", n_resamples=RESAMPLES, rng=0)
    return float(found.pvalue)


def scene_differences(trials: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """One row per seed and scene: `difference` of the successes, `attempts` of either policy, `object` if it is one."""
    wide = trials.pivot_table(index=PAIRED_BY, columns="policy", values="success", aggfunc="first")
    both = wide[[first, second]].dropna(how="all").fillna(False).astype(float)  # not made: failed
    scene = ["seed", "repetition", "scene"]
    counts = (both[first] - both[second]).groupby(level=scene).agg(difference="sum", attempts="size")
    shown = trials[trials["attempt"] == 0].groupby(scene)["objects"].first()
    return counts.join(shown.rename("object")).reset_index()


def hierarchical_bootstrap(scenes: pd.DataFrame, objects: bool = False, resamples: int = RESAMPLES) -> np.ndarray:
    """Differences of the rates in (resamples,) samples of seeds, of objects if asked, and of scenes in each.

    Objects are the same for all seeds, so that one draw of them counts for all seeds of a sample. The same numbers for
    the same scenes.
    """
    rng = np.random.default_rng(0)
    kinds = scenes["object"] if objects else pd.Series("", index=scenes.index)
    seeds, names = sorted(scenes["seed"].unique()), sorted(kinds.unique())
    cells = {
        (i, j): scenes.loc[(scenes["seed"] == seed) & (kinds == name), ["difference", "attempts"]].to_numpy(float)
        for i, seed in enumerate(seeds)
        for j, name in enumerate(names)
    }
    of_seed = rng.integers(len(seeds), size=(resamples, len(seeds), 1))
    of_object = rng.integers(len(names), size=(resamples, 1, len(names)))
    sums = np.zeros((resamples, len(seeds), len(names), 2))
    for (i, j), cell in cells.items():
        here = np.nonzero((of_seed == i) & (of_object == j))
        if len(cell) and len(here[0]):
            sums[here] = _resampled_sums(cell, len(here[0]), rng)
    total = sums.sum(axis=(1, 2))
    drawn: np.ndarray = total[:, 0] / np.maximum(total[:, 1], 1)
    if len(seeds) > 1:
        by_seed = scenes.groupby("seed")[["difference", "attempts"]].sum()
        rates = (by_seed["difference"] / by_seed["attempts"]).reindex(seeds).to_numpy(float)
        drawn += (np.sqrt(len(seeds) / (len(seeds) - 1)) - 1) * (rates[of_seed[..., 0]] - rates.mean()).mean(axis=1)
    return drawn


def _resampled_sums(cell: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Sums over `times` samples, as large as the cell, of its rows; (times, columns)."""
    step = max(1, CHUNK // len(cell))
    sizes = [min(step, times - k) for k in range(0, times, step)]
    return np.concatenate([cell[rng.integers(len(cell), size=(n, len(cell)))].sum(axis=1) for n in sizes])
