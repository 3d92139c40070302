"""What the trial records say about the paper's statements (Sec. 5.1), worked out and not written down by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import bootstrap

from dgrasp.evaluation.chance import LEVEL, with_holm
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.evaluation.over_seeds import seeds_and_scenes, tested_by
from dgrasp.evaluation.statistics import PAIRED_BY, mcnemar, with_rates
from dgrasp.policy.diagnostics import in_corner
from dgrasp.policy.policies import policy_spec
from dgrasp.report.tables.paper import paper_values

ABOVE = 5.0  # millimetres; not in the paper, which says "slightly": less changes little under fingers of 27 mm
Pairs = Iterable[tuple[str, str]]
COMPARED = (
    "first", "second", "task", "rate", "rate_second", "difference", "no_overlap", "only_first", "only_second", "p",
    "p_holm",
)  # fmt: skip
KINDS = ("quat_seq", "quat_sync", "6d_seq", "6d_sync")


def compare(trials: pd.DataFrame, pairs: Pairs, rates: pd.DataFrame) -> pd.DataFrame:
    """Pairs of policies on the same scenes and starts, task by task; pairs without trials are left out.

    Columns: `first`, `second`, `task`, their rates, `difference`, `no_overlap` (of the Wilson intervals),
    `only_first`, `only_second` (attempts that one of them alone lifted), `p` of `seeds_and_scenes` and `p_holm` (the
    same for all rows of this table together, Holm 1979).
    """
    known = rates.set_index(["policy", "task"])
    rows = []
    for first, second in pairs:
        for task in dict.fromkeys(rates["task"]):
            if not {(first, task), (second, task)} <= set(known.index):
                continue
            a, b = known.loc[(first, task)], known.loc[(second, task)]
            only_first, only_second, p = _tested(trials, first, second, task)
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "task": task,
                    "rate": a["rate"],
                    "rate_second": b["rate"],
                    "difference": a["rate"] - b["rate"],
                    "no_overlap": bool(a["low"] > b["high"] or b["low"] > a["high"]),
                    "only_first": only_first,
                    "only_second": only_second,
                    "p": p,
                }
            )
    return with_holm(pd.DataFrame(rows)) if rows else pd.DataFrame(columns=COMPARED)


def gains(slopes: pd.DataFrame) -> pd.Series:
    """Task -> what dGrasp lifts more than Base, mean over the pairs of `compare` (rounded, so that 0.055 is 0.055)."""
    return slopes.groupby("task", sort=False)["difference"].mean().round(9)


def name_of_test(trials: pd.DataFrame) -> str:
    """Which test `compare` makes of these attempts."""
    return tested_by(trials["seed"].nunique())


def how_tested(trials: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """The test of a table of `compare`, over how many rows it is corrected, and at which level."""
    return f"{name_of_test(trials)}, Holm-corrected over all {len(pairs)} pairs, p < {LEVEL}"


def _tested(trials: pd.DataFrame, first: str, second: str, task: str) -> tuple[int, int, float]:
    """Attempts that the first and that the second alone lifted, and the p of the one test that is made of them."""
    here = trials[(trials["task"] == task) & trials["policy"].isin([first, second])]
    wide = here.pivot_table(index=PAIRED_BY, columns="policy", values="success", aggfunc="first")
    lifted = wide.fillna(False).astype(bool)  # not made: failed
    counts = mcnemar(lifted[first], lifted[second])
    return counts.only_first, counts.only_second, seeds_and_scenes(here, first, second)["p"]


def slope_pairs() -> list[tuple[str, str]]:
    """dGrasp against Base, and against the control where it is a model of its own, with all else equal.

    Where the two losses share their poses (profile `paper`), Base has more of them, and only the control differs from
    dGrasp in nothing but the loss.
    """
    return [(f"dgrasp_{kind}", f"{other}_{kind}") for other in ("base", "control") for kind in KINDS]


def schedule_pairs() -> list[tuple[str, str]]:
    """Both at once, and translation before rotation: the same model."""
    return [(f"{m}_{r}_sync", f"{m}_{r}_seq") for m in ("base", "dgrasp") for r in ("quat", "6d")]


def representation_pairs() -> list[tuple[str, str]]:
    """6D and quaternions; for dGrasp these are two models."""
    return [(f"{m}_6d_{s}", f"{m}_quat_{s}") for m in ("base", "dgrasp") for s in ("seq", "sync")]


def verdicts(table: pd.DataFrame) -> pd.Series:
    """Task -> what a comparison shows in words: how many pairs differ beyond chance, and in which direction."""
    words = {task: _verdict(group) for task, group in table.groupby("task", sort=False)}
    return pd.Series(words, name="verdict", dtype=str)


def _verdict(group: pd.DataFrame) -> str:
    sure = group[group["p_holm"] < LEVEL]
    up, down = int((sure["difference"] > 0).sum()), int((sure["difference"] < 0).sum())
    low, high = group["difference"].min(), group["difference"].max()
    found = "no pair differs beyond chance" if not len(sure) else f"higher in {up}, lower in {down}, of {len(group)}"
    return (
        f"{found} (differences {low:+.2f} to {high:+.2f}, no overlap of intervals in {int(group['no_overlap'].sum())})"
    )


def failures(trials: pd.DataFrame, bounds: Sequence[Sequence[float]]) -> pd.DataFrame:
    """By method and task: attempts `n`, the share of each outcome, and of planned grasps in a corner of the workspace.

    bounds: low and high corner of the workspace, metres.
    """
    named = trials.assign(method=[_method(p) for p in trials["policy"]])
    outcomes = named.pivot_table(index=["method", "task"], columns="outcome", values="attempt", aggfunc="count")
    counts = named.groupby(["method", "task"])["attempt"].count()
    shares = outcomes.fillna(0).div(counts, axis=0)
    executed = named.dropna(subset=["x", "y", "z"])
    T = torch.eye(4, dtype=torch.float64).repeat(len(executed), 1, 1)
    T[:, :3, 3] = torch.tensor(executed[["x", "y", "z"]].to_numpy(float))
    low, high = (torch.as_tensor(b, dtype=T.dtype) for b in bounds)
    corner = executed.assign(corner=in_corner(T, (low, high)).numpy()).groupby(["method", "task"])["corner"].mean()
    order = pd.MultiIndex.from_product([list(dict.fromkeys(named["method"])), list(dict.fromkeys(named["task"]))])
    table = pd.concat([counts.rename("n"), shares, corner.rename("planned in a corner")], axis=1)
    return table.reindex([key for key in order if key in table.index]).rename_axis(["method", "task"])


def by_object(trials: pd.DataFrame, policies: Sequence[str], confidence: float, task: str = "novel") -> pd.DataFrame:
    """Rates per object and policy with Wilson intervals; the hardest object first.

    Policies are not pooled: they meet the same scenes, and their attempts at one are no independent ones. Only scenes
    of one object are counted: elsewhere a failed attempt belongs to no object.
    """
    single = trials[(trials["task"] == task) & ~trials["objects"].str.contains(",") & trials["policy"].isin(policies)]
    groups = single.groupby(["objects", "policy"])["success"]
    table = groups.agg(successes="sum", n="size").astype(int).reset_index()
    if not len(table):
        return table
    order = single.groupby("objects")["success"].mean().rank(method="first")
    ranked = table.assign(rank=table["objects"].map(order)).sort_values(["rank", "policy"]).drop(columns="rank")
    return with_rates(ranked.reset_index(drop=True), confidence)


def by_attempt(trials: pd.DataFrame, config: EvaluationConfig) -> pd.DataFrame:
    """Of tasks with several attempts at a scene, the share that lifts, attempt by attempt: which ones are hard?

    Index: `task`, `method` (mean over its policies); columns: the attempt's number from 1. An attempt that could not be
    made has failed.
    """
    named = trials.assign(method=[_method(p) for p in trials["policy"]])
    several = [task for task, budget in config.tasks.items() if budget.attempts > 1]
    rows = {}
    for (task, method), some in named[named["task"].isin(several)].groupby(["task", "method"], sort=False):
        series = config.tasks[task].scenes * config.repetitions * some["seed"].nunique() * some["policy"].nunique()
        lifted = some.groupby("attempt")["success"].sum().reindex(range(config.tasks[task].attempts), fill_value=0)
        rows[task, method] = (lifted / series).rename(lambda attempt: attempt + 1)
    index = pd.MultiIndex.from_tuples(rows, names=["task", "method"])
    return pd.DataFrame(list(rows.values()), index=index)


def scene_intervals(trials: pd.DataFrame, config: EvaluationConfig, rates: pd.DataFrame) -> pd.DataFrame:
    """The rates with a second interval, from resampled scenes (percentile bootstrap), in `low_scenes`, `high_scenes`.

    Wilson's takes attempts as independent, which those of one scene are not. `width_ratio`: how many times as wide.
    """
    made = trials.groupby(["policy", "task", "seed", "scene", "repetition"])["success"].sum()
    rows = []
    for row in rates.itertuples():
        share = made[row.policy, row.task].to_numpy(float) / config.tasks[row.task].attempts
        if len(share) < 2:
            rows.append((np.nan, np.nan))
            continue
        found = bootstrap((share,), np.mean, method="percentile", confidence_level=config.confidence, rng=0)
        rows.append(tuple(found.confidence_interval))
    table = rates.assign(low_scenes=[low for low, _ in rows], high_scenes=[high for _, high in rows])
    widths = (table["high_scenes"] - table["low_scenes"]) / (table["high"] - table["low"])
    return table.assign(width_ratio=widths)


def heights(trials: pd.DataFrame, task: str = "novel") -> pd.DataFrame:
    """How much higher dGrasp's executed TCP stands than its Base's on the same untouched scenes, millimetres.

    One row per pair of policies: median over scenes with its 95 % interval (percentile bootstrap) and the number of
    scenes; only first attempts, since scenes differ afterwards. Without scenes, all are empty.
    """
    first = trials[(trials["task"] == task) & (trials["attempt"] == 0)]
    z = first.pivot_table(index=["seed", "repetition", "scene"], columns="policy", values="z")
    rows = []
    for policy, other in slope_pairs():
        if not {policy, other} <= set(z.columns):
            continue
        above = 1e3 * (z[policy] - z[other]).dropna().to_numpy()
        low, high = np.nan, np.nan
        if len(above) > 1:
            low, high = bootstrap((above,), np.median, method="percentile", rng=0).confidence_interval
        median = float(np.median(above)) if len(above) else np.nan
        rows.append({"first": policy, "second": other, "median": median, "low": low, "high": high, "n": len(above)})
    return pd.DataFrame(rows, columns=["first", "second", "median", "low", "high", "n"])


def forecasts(ranking: pd.DataFrame) -> str:
    """One sentence on how well values of executed grasps forecast success (`policy.value_ranks_success`)."""
    auc = ranking["auc"].to_numpy(float)
    if np.isnan(auc).all():
        return "no policy had both successes and failures to rank"
    return f"AUC {np.nanmin(auc):.2f} to {np.nanmax(auc):.2f}, median {np.nanmedian(auc):.2f}"


def paper_real() -> pd.DataFrame:
    """The paper's success rates on the real robot by method (rows `base`, `dgrasp`): `mean` and `best` of its policies.

    The row `ratio` is dGrasp's by Base's.
    """
    rates = pd.Series({policy: rate["real"] for policy, rate in paper_values()["tab02"]["rates"].items()})
    table = rates.groupby(lambda policy: policy.split("_")[0]).agg(["mean", "max"]).rename(columns={"max": "best"})
    table.loc["ratio"] = table.loc["dgrasp"] / table.loc["base"]
    return table


def _method(policy: str) -> str:
    spec = policy_spec(policy)
    return {"base": "Base", "base_control": "control"}.get(spec.model, "dGrasp")
