"""The notebooks' answers to their own questions: sentences worked out from data, which may come out either way."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dgrasp.evaluation.chance import LEVEL
from dgrasp.evaluation.loop_series import STILL
from dgrasp.evaluation.over_seeds import tested_by
from dgrasp.report.names import model_label, policy_label
from dgrasp.twin.sweep import ROTATION, TRANSLATION

CLEAR = 0.05  # a difference of shares that is worth a word; not in the paper
BEHIND = 0.02  # m: what counts as just behind an object


def idea_answer(arrived: Mapping[str, float]) -> str:
    """Notebook 0. arrived: share of walkers that arrive, after the main loss alone and after both, in this order."""
    (one, without), (both, taught) = arrived.items()
    numbers = f"{taught:.0%} of the walkers arrive after {both}, {without:.0%} after {one}"
    return f"{_yes(taught - without)}: {numbers}."


def learning_answer(halves: Mapping[str, str]) -> str:
    """Notebook 0. halves: from when on half of the walkers arrive, by losses: the main loss alone, then both."""
    (one, without), (both, taught) = halves.items()
    return f"Half of the walkers arrive {taught} with {both}, {without} with {one}."


def parts_answer(pegs: Mapping[str, tuple[float, float]]) -> str:
    """Notebook 0: which part is harder? pegs: shares at the hole and turned as in it, by losses, main loss first."""
    placed, turned = next(iter(pegs.values()))
    said = "; ".join(
        f"{name}: {there:.0%} at the hole, {right:.0%} turned right" for name, (there, right) in pegs.items()
    )
    return f"{'To bring it to the hole' if placed < turned else 'To turn it'}. Of the pegs that climbed, {said}."


def data_answer(demonstrations: int, scenes: int, held_out: int, lowest: float, highest: float) -> str:
    """Notebook 1. held_out: demonstrations for validation. lowest, highest: of the poses recorded here, metres."""
    return (
        f"From {demonstrations} grasps that lifted something in {scenes} scenes, each with the way there ({held_out} "
        f"more are for validation). In the scenes that are here, poses are {100 * lowest:.0f} to "
        f"{100 * highest:.0f} cm above the board."
    )


def probe_answer(auc: Mapping[str, float]) -> str:
    """Notebook 2. auc: of the probes "scene activations" and "position alone"."""
    knows, control = auc["scene activations"], auc["position alone"]
    word = "Yes" if knows > control + CLEAR else "No"
    return (
        f"{word}: a linear map of the activations ranks a point inside an object above one outside with probability "
        f"{knows:.2f}, one of the position alone with {control:.2f} (0.5 is chance)."
    )


def sharpness_answer(whole: float, objects: float) -> str:
    """Notebook 2: the table or the objects? whole, objects: PSNR over whole images and over objects, decibels."""
    which = "The table" if whole > objects else "The objects"
    return f"{which}: {whole:.1f} dB over whole images, which are mostly table, and {objects:.1f} dB over the objects."


def ray_answer(ray: pd.DataFrame) -> str:
    """Notebook 2: does the probe say where an object ends? ray: of `rays.csv`, the columns of the ray through one."""
    along = ray[ray["ray"] == "through the object"]
    inside = along.loc[along["inside"], "depth"]
    if not len(inside):
        return "Not known: this ray meets no object."
    first, last = inside.min(), inside.max()
    back, behind = (
        along.loc[along["depth"].between(*ends), "probe"].mean()
        for ends in (((first + last) / 2, last), (last + 1e-9, last + BEHIND))
    )
    word = "Where it ends, too" if back > behind + 0.2 else "Not where it ends"
    return (
        f"{word}: the probe averages {back:.2f} in the back half of the object and {behind:.2f} in the 2 cm behind it."
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


def chance_answer(base: pd.Series) -> str:
    """Notebook 3: is Base at chance? base: its median cosines of translation and rotation."""
    numbers = (
        f"its median cosines are {base['translation']:.2f} for translation and {base['rotation']:.2f} for rotation"
    )
    at_chance = [abs(base[part]) <= CLEAR for part in ("translation", "rotation")]
    word = {2: "Yes", 0: "No"}.get(sum(at_chance), "In one part")
    return f"{word}: {numbers}, where chance gives 0."


def arrival_answer(arrived: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Notebook 4. arrived: of `arrivals` on simple scenes: `policy`, `near_grasp` and its interval.

    differences: of `stability.end_differences`, dGrasp less Base: `difference`, `p_holm`, `scenes`.
    """
    known = arrived.dropna(subset=["near_grasp"])
    if not len(known):
        return "Not known: no valid grasp was known in these scenes."
    said = "; ".join(f"{policy_label(row.policy)} {row.near_grasp:.1%}" for row in known.itertuples())
    places = f"From {_places(known['near_grasp'].max())} at these rates."
    return f"{places} {_more_arrive(differences)} Share that ends near a valid grasp: {said}."


def _more_arrive(differences: pd.DataFrame) -> str:
    if not len(differences):
        return "No pair of a dGrasp and a Base policy climbed."
    sure = differences[differences["p_holm"] < LEVEL]["difference"]
    ahead, behind, of = int((sure > 0).sum()), int((sure < 0).sum()), len(differences)
    word = "Teaching slopes makes more of them arrive" if ahead == of else (
        f"Teaching slopes makes more of them arrive in {ahead} of {of} pairs, and less in {behind}"
    )  # fmt: skip
    return (
        f"{word}, beyond chance (the policies' names swapped scene by scene, Holm-corrected, p < {LEVEL}; "
        f"{differences['scenes'].min()} scenes, one training seed)."
    )


def lifting_answer(rates: pd.DataFrame, pairs: pd.DataFrame, over_seeds: pd.DataFrame) -> str:
    """Notebook 5. rates: of `success_rates`; pairs: of `findings.compare`, dGrasp against Base.

    over_seeds: of `compare_over_seeds` for the same pairs: `difference`, `seeds`, `p_seeds`.
    """
    if not len(pairs):
        return "Not known: no pair of a dGrasp and a Base policy was tried."
    sure = pairs[pairs["p_holm"] < LEVEL]["difference"]
    helps = {(True, False): "Teaching slopes helps", (False, True): "Teaching slopes hurts"}.get(
        ((sure > 0).any(), (sure < 0).any()),
        "Teaching slopes helps some and hurts others" if len(sure) else "Teaching slopes changes nothing beyond chance",
    )
    base, taught = (rates[_of(rates["policy"], method)]["rate"].mean() for method in ("base", "dgrasp"))
    return (
        f"{helps}. Mean of policies and tasks: dGrasp lifts {taught:.2f} of the attempts, Base {base:.2f}. "
        f"dGrasp is ahead in {(pairs['difference'] > 0).sum()} of {len(pairs)} pairs, "
        f"in {(sure > 0).sum()} of them beyond chance. {_by_seeds(over_seeds)}"
    )


def _by_seeds(table: pd.DataFrame) -> str:
    seeds = int(table["seeds"].max())
    if seeds < 2:
        return "One training says nothing of how the next would do."
    ahead = int(((table["p_seeds"] < LEVEL) & (table["difference"] > 0)).sum())
    return (
        f"That counts scenes more than trainings: by the {seeds} seeds' differences alone (Student's t, uncorrected) "
        f"it is ahead in {ahead} of {len(table)}."
    )


def loss_answer(lifted: Mapping[str, tuple[float, float]]) -> str:
    """Notebook 6: who loses more in the twin? lifted: by method, rates on novel objects in simulation, and there."""
    most = min(lifted, key=lambda method: lifted[method][1] / max(lifted[method][0], 1e-9))
    said = "; ".join(f"{method} {before:.2f} and {after:.2f}" for method, (before, after) in lifted.items())
    return (
        f"{most} keeps the smaller share. Lifted of novel objects in simulation, and of other ones in the twin, by the "
        f"same networks: {said}."
    )


def transfer_answer(lifted: Mapping[str, tuple[int, int]], hardware: bool) -> str:
    """Notebook 6. lifted: by method, successes and trials in the twin. hardware: whether a lab's logs were given."""
    known = "The hardware's column above has the answer" if hardware else "Not known: no robot moved"
    counts = " and ".join(f"{method} lifts in {s} of {n} trials" for method, (s, n) in lifted.items())
    return f"{known}. In the digital twin, which no network has seen, {counts}."


def beyond_answer(rows: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """Notebook 8. rows: of the table `beyond`: `policy`, `task`, `rate`; empty where it has not been made.

    contrasts: of `dgrasp.experiment.beyond.contrasts`: `task`, `difference`, `p_holm`, `seeds`.
    """
    if not len(rows):
        return "Not known yet: no table of this experiment has been made."
    if not len(contrasts):
        return "Whether differences between dGrasp and Base are beyond chance is not known: no attempts are kept."
    sure = contrasts["p_holm"] < LEVEL
    ahead, behind = (int((sure & (sign * contrasts["difference"] > 0)).sum()) for sign in (1, -1))
    low, high = contrasts["difference"].min(), contrasts["difference"].max()
    return (
        f"Beyond chance, dGrasp lifts more than Base in {ahead} of {len(contrasts)} tasks and less in {behind}; the "
        f"differences are {low:+.2f} to {high:+.2f} ({tested_by(int(contrasts['seeds'].max()))}, Holm-corrected, "
        f"p < {LEVEL})."
    )


def beside_the_papers(rows: pd.DataFrame, papers: pd.DataFrame) -> str:
    """Notebook 8: how these networks compare with those trained as in the paper, the same policy on the same task.

    rows, papers: `policy`, `task`, `rate`, of which the mean over seeds counts. Empty text where no task is in both.
    """
    keys = ["policy", "task"]
    ours, theirs = (table.groupby(keys, sort=False)["rate"].mean().reset_index() for table in (rows, papers))
    both = ours.merge(theirs, on=keys, suffixes=("", "_paper"))
    if not len(both):
        return ""
    more, less = (int((sign * (both["rate"] - both["rate_paper"]) > 0).sum()) for sign in (1, -1))
    word = "Worse than the paper's recipe" if less > more else "Better than the paper's recipe" if more > less else (
        "No better and no worse than the paper's recipe"
    )  # fmt: skip
    return (
        f"{word}: against the same policy trained as in the paper, on other scenes of the same tasks, these networks "
        f"lift more in {more} and less in {less} of {len(both)} pairs of policy and task (means "
        f"{both['rate'].mean():.2f} and {both['rate_paper'].mean():.2f})."
    )


def loop_answer(rows: pd.DataFrame) -> str:
    """Notebook 9. rows: of `loop_rates`: `disturbance`, `loop`, `policy`, `rate`; empty where nothing has been made."""
    if not len(rows):
        return "Not known yet: nothing has been tried in closed loop with these networks."
    calm = rows["disturbance"] == STILL
    still, moved = (rows[kind].groupby("loop")["rate"].mean() for kind in (calm, ~calm))
    word = "They can" if moved["closed"] > moved["open"] + CLEAR else "Not better than a plan that is executed blindly"
    led = rows[~calm & (rows["loop"] == "closed")]
    methods = {name: led[_of(led["policy"], name)]["rate"].mean() for name in ("dgrasp", "base")}
    kinds = rows[~calm].pivot_table(index="disturbance", columns="loop", values="rate", sort=False)
    each = "; ".join(f"{kind} {row['closed']:.2f} and {row['open']:.2f}" for kind, row in kinds.iterrows())
    return (
        f"{word}. Under disturbances closed loop lifts {moved['closed']:.2f} and open loop {moved['open']:.2f}; "
        f"without any {still['closed']:.2f} and {still['open']:.2f} (means over conditions and policies). By kind: "
        f"{each}. Led by what they see under disturbances, dGrasp lifts {methods['dgrasp']:.2f} and Base "
        f"{methods['base']:.2f}."
    )


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


def _places(share: float) -> str:
    return "few places" if share < 0.2 else "some places" if share < 0.6 else "most places"


def _of(policies: pd.Series, method: str) -> pd.Series:
    return policies.str.startswith(f"{method}_")


def _most(rows: pd.DataFrame) -> pd.Series:
    return rows.loc[rows["error"].idxmax()]


def _yes(difference: float) -> str:
    return "Much" if difference > 0.5 else "Something" if difference > CLEAR else "Nothing to speak of"
