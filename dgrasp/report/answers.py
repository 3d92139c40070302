"""The notebooks' answers to their own questions: sentences worked out from data, which may come out either way."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dgrasp.report.names import model_label, policy_label
from dgrasp.twin.sweep import ROTATION, TRANSLATION

CLEAR = 0.05  # a difference of shares that is worth a word; not in the paper


def idea_answer(arrived: Mapping[str, float]) -> str:
    """Notebook 0. arrived: share of walkers that arrive, after the main loss alone and after both, in this order."""
    (one, without), (both, taught) = arrived.items()
    numbers = f"{taught:.0%} of the walkers arrive after {both}, {without:.0%} after {one}"
    return f"{_yes(taught - without)}: {numbers}."


def data_answer(demonstrations: int, scenes: int, lowest: float, highest: float) -> str:
    """Notebook 1. lowest, highest: of the recorded poses above the board, metres."""
    return (
        f"From {demonstrations} grasps that lifted something in {scenes} scenes, each with the way there: "
        f"poses from {100 * lowest:.0f} to {100 * highest:.0f} cm above the board."
    )


def probe_answer(auc: Mapping[str, float]) -> str:
    """Notebook 2. auc: of the probes "scene activations" and "position alone"."""
    knows, control = auc["scene activations"], auc["position alone"]
    word = "Yes" if knows > control + CLEAR else "No"
    return (
        f"{word}: a linear map of the activations ranks a point inside an object above one outside with probability "
        f"{knows:.2f}, one of the position alone with {control:.2f} (0.5 is chance)."
    )


def slope_answer(medians: pd.DataFrame) -> str:
    """Notebook 3. medians: of the cosines by model, columns translation and rotation; "base" is among the rows."""
    base = medians.loc["base", "translation"]
    said = "; ".join(
        f"{model_label(str(name))} {row.translation:.2f} and {row.rotation:.2f}" for name, row in medians.iterrows()
    )
    others = medians.drop(index="base")["translation"]
    word = "The taught slopes follow the demonstrator more closely" if (others > base + CLEAR).all() else (
        "The taught slopes follow the demonstrator no more closely"
    )  # fmt: skip
    return f"{word}. Median cosines of translation and rotation: {said}."


def arrival_answer(arrived: pd.DataFrame) -> str:
    """Notebook 4. arrived: of `arrivals` on simple scenes: `policy`, `near_grasp` and its interval."""
    known = arrived.dropna(subset=["near_grasp"])
    if not len(known):
        return "Not known: no valid grasp was known in these scenes."
    said = "; ".join(f"{policy_label(row.policy)} {row.near_grasp:.1%}" for row in known.itertuples())
    shares = known.set_index("policy")["near_grasp"]
    base, taught = (shares[[p.startswith(m) for p in shares.index]] for m in ("base", "dgrasp"))
    more = "Teaching slopes makes more of them arrive" if taught.min() > base.max() else (
        "Teaching slopes does not make more of them arrive in every pair"
    )  # fmt: skip
    return f"From few places at these rates. {more}. Share that ends near a valid grasp: {said}."


def calibration_answer(rates: pd.DataFrame) -> str:
    """Notebook 6: which hurts more, the largest length or the largest angle? rates: of `sweep_rates`."""
    said, hurt = [], set()
    for policy, rows in rates.groupby("policy", sort=False):
        length, angle = (_most(rows[rows["kind"] == kind]) for kind in (TRANSLATION, ROTATION))
        hurt.add("the angle" if angle.rate < length.rate else "the length" if length.rate < angle.rate else "neither")
        ends = f"{length.rate:.2f} at {length.error:g} mm and {angle.rate:.2f} at {angle.error:g} degrees"
        said.append(f"{policy_label(str(policy))} lifts {ends}")
    verdict = f"{hurt.pop().capitalize()} hurts more" if len(hurt) == 1 else "It depends on the policy"
    return f"{verdict}: {'; '.join(said)}."


def _most(rows: pd.DataFrame) -> pd.Series:
    return rows.loc[rows["error"].idxmax()]


def _yes(difference: float) -> str:
    return "Much" if difference > 0.5 else "Something" if difference > CLEAR else "Nothing to speak of"
