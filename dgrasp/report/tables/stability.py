"""The paper's "more stable convergence", which it sees in drawn paths, as a number: how many candidates arrive.

Notebook 4 lets the same random starts climb to the end with every policy, in validation scenes (`convergence.csv`; of
the training seed that is shown).
Counted is the share of them that ends near a valid grasp; on novel objects, of which the oracle knows no grasp, the
share that ends at the object. dGrasp against the Base policy with the same rotations and the same order of steps, so
that the loss alone differs. A pair differs beyond chance where a permutation test, which swaps the two policies' names
scene by scene, has a p below 5 % after Holm's correction for the pairs of the sentence. Shares in a corner of the
workspace stand beside it, and do not decide.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import permutation_test

from dgrasp.evaluation.chance import with_holm
from dgrasp.evaluation.verdict import NOT_TESTED, Verdict, directed, span
from dgrasp.report.names import policy_label

ARRIVED = {"simple": "near_grasp", "novel": "at_object"}  # the column that counts, by task
MEANING = {"near_grasp": "near a valid grasp", "at_object": "at the object"}
RESAMPLES = 9_999  # all swaps are tried where there are fewer of them


def more_arrive(climbs: pd.DataFrame | None, task: str, pairs: Iterable[tuple[str, str]]) -> Verdict:
    """Whether more of the first policy's candidates arrive than of the second's, in every pair that climbed.

    climbs: `task`, `policy`, `scene`, `step` and shares (0 to 1), as `dgrasp.report.figures.climbs.progress_by_scene`
    has them; None: not at hand.
    """
    if climbs is None:
        return Verdict(NOT_TESTED, "not by trials, and the climbs of notebook 4 are not at hand")
    table = end_differences(climbs, task, pairs)
    if not len(table):
        return Verdict(NOT_TESTED, "no such pair climbed in scenes where arrivals can be told")
    found = directed(table, +1)
    corners = _ends(climbs, task, "in_corner").mean()
    each = ", ".join(
        f"{policy_label(r.first)} less {policy_label(r.second)} {r.difference:+.3f} (corrected p {r.p_holm:.3f})"
        for r in table.itertuples()
    )
    told = [
        f"{span(table)} (share that ends {MEANING[ARRIVED[task]]}, {table['scenes'].min()} scenes, one training seed): "
        f"{each}"
    ]
    for kind, policies in (("dGrasp", table["first"]), ("Base", table["second"])):
        some = corners[list(dict.fromkeys(policies))]
        told.append(f"at most {some.max():.1%} of {kind}'s end in a corner")
    return Verdict(found.verdict, "; ".join(told))


def end_differences(climbs: pd.DataFrame, task: str, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """One row per pair: `first`, `second`, `scenes`, `difference` of the shares that arrive, `p`, `p_holm`.

    Pairs of which one did not climb, and scenes in which the share of one is not known, are left out.
    """
    ends, rows = _ends(climbs, task, ARRIVED[task]), []
    for first, second in pairs:
        if not {first, second} <= set(ends.columns):
            continue
        each = (ends[first] - ends[second]).dropna().to_numpy(float)
        if len(each):
            row = {"first": first, "second": second, "scenes": len(each), "difference": each.mean(), "p": _p(each)}
            rows.append(row)
    table = pd.DataFrame(rows)
    return with_holm(table)


def _ends(climbs: pd.DataFrame, task: str, share: str) -> pd.DataFrame:
    """A share after the last step: one row per scene, one column per policy."""
    here = climbs[climbs["task"] == task]
    last = here.loc[here["step"] == here.groupby("policy")["step"].transform("max")]
    return last.pivot_table(index="scene", columns="policy", values=share, aggfunc="first")


def _p(each: np.ndarray) -> float:
    """Two-sided, of the scenes' differences."""
    if len(each) < 2 or not each.any():
        return 1.0
    found = permutation_test((each,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=0)
    return float(found.pvalue)
