"""Numbers that say what "better slopes" do to a plan: where slopes point, where candidates go, what values are worth.

Everything takes tensors or a data frame; nothing here knows of images, simulators or files.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from scipy.stats import mannwhitneyu
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor

from dgrasp.poses import Representation, check_poses, gripper_symmetric_angle
from dgrasp.poses import representation as _named
from dgrasp.slopes.losses import part_cosines, value_gradient

NEAR_METRES, NEAR_RADIANS = 0.02, math.radians(15.0)  # not in the paper: a grasp this close would usually hold
CORNER_METRES = 0.005  # not in the paper: a quarter of the above, and far below the size of any object


def slope_agreement(
    value: Callable[[Tensor], Tensor],
    T_world_tcp: Float[Tensor, "n 4 4"],
    T_target: Float[Tensor, "n 4 4"],
    representation: Representation | str = "quat",
) -> Float[Tensor, "n 2"]:
    """Cosine of slope and displacement at poses of trajectories that training has not seen: what L_aux is about.

    Columns: translation, rotation (for "6d" the mean over both columns). One is perfect, zero is chance.

    Args:
        value: differentiable, `T_world_tcp` (n, 4, 4) -> scores (n,).
        T_world_tcp: poses on or near a trajectory, metres.
        T_target: the later pose of the trajectory that each should move to.
        representation: the coordinates in which slopes and displacements are compared.
    """
    rep = _named(representation)
    p, target = (rep.from_matrix(check_poses(T)) for T in (T_world_tcp, T_target))
    cosines = part_cosines(value_gradient(value, p, rep), rep.displacement(p, target), rep.parts)
    return torch.stack([cosines[:, 0], cosines[:, 1:].mean(dim=-1)], dim=-1)


def share_near_grasps(
    paths: Float[Tensor, "steps n 4 4"],
    T_world_grasps: Float[Tensor, "m 4 4"],
    metres: float = NEAR_METRES,
    radians: float = NEAR_RADIANS,
) -> Float[Tensor, "steps"]:
    """Share of candidates within both bounds of one valid grasp (modulo the gripper's half turn), step by step.

    Raises ValueError for `T_world_grasps` that are empty or not poses.
    """
    if not len(T_world_grasps):
        raise ValueError("T_world_grasps: empty; there is no valid grasp to be near to")
    check_poses(T_world_grasps, "T_world_grasps")
    return torch.stack([near_grasps(T, T_world_grasps, metres, radians).float().mean() for T in paths])


def near_grasps(
    T_world_tcp: Float[Tensor, "n 4 4"],
    T_world_grasps: Float[Tensor, "m 4 4"],
    metres: float = NEAR_METRES,
    radians: float = NEAR_RADIANS,
) -> Bool[Tensor, "n"]:
    """Which poses have one of the valid grasps within both bounds; none has, if there is no valid grasp.

    Angles are worked out only where the distance allows.
    """
    T_world_grasps = T_world_grasps.to(T_world_tcp)
    p, p_grasps = T_world_tcp[:, :3, 3], T_world_grasps[:, :3, 3]
    distance = torch.cdist(p, p_grasps, compute_mode="donot_use_mm_for_euclid_dist")
    i, j = torch.nonzero(distance <= metres, as_tuple=True)
    aligned = gripper_symmetric_angle(T_world_tcp[i, :3, :3], T_world_grasps[j, :3, :3]) <= radians
    near = torch.zeros(len(T_world_tcp), dtype=torch.bool, device=T_world_tcp.device)
    near[i[aligned]] = True
    return near


def in_corner(
    T_world_tcp: Float[Tensor, "*n 4 4"], bounds: tuple[Tensor, Tensor], metres: float = CORNER_METRES
) -> Bool[Tensor, "*n"]:
    """Which poses sit in one of the workspace's eight corners: within `metres` of a face in all three coordinates.

    A known failure of implicit grasp policies (Soti et al. 2024). bounds: low and high corner (3,), metres.
    """
    p, (low, high) = T_world_tcp[..., :3, 3], bounds
    return torch.minimum(p - low.to(p), high.to(p) - p).le(metres).all(dim=-1)


def progress(
    paths: Float[Tensor, "steps n 4 4"], T_world_grasps: Float[Tensor, "m 4 4"], bounds: tuple[Tensor, Tensor]
) -> pd.DataFrame:
    """How a climb converges: one row per step with the shares of candidates `near_grasp` and `in_corner`.

    A pile may leave no valid grasp to be near to: then `near_grasp` is NaN, rather than zero.
    """
    known = len(T_world_grasps) > 0
    near = share_near_grasps(paths, T_world_grasps) if known else torch.full((len(paths),), torch.nan)
    corner = in_corner(paths, bounds).float().mean(dim=1)
    return pd.DataFrame({"step": range(len(paths)), "near_grasp": near.tolist(), "in_corner": corner.tolist()})


def value_ranks_success(trials: pd.DataFrame, by: Sequence[str] | str = ("policy",)) -> pd.DataFrame:
    """Does a higher value mean a better grasp? One row per group with `n`, `successes` and `auc`.

    `auc` is the probability that a successful attempt had a higher value than a failed one (ties count half): 1 is a
    perfect ranking, 0.5 none; NaN where all attempts of a group ended alike. Values of different models are on
    different scales, so groups should not mix them.

    trials: columns `value` (finite), `success` (true or false, or 1 or 0) and those of `by`, which are one or more.
    Raises ValueError for missing columns, and for other entries, naming the first.
    """
    trials, by = _checked(trials, by)
    rows = []
    for names, group in trials.groupby(by, sort=False):
        auc = ranking_auc(group["value"].to_numpy(), group["success"].to_numpy())
        rows.append((*names, len(group), int(group["success"].sum()), auc))
    return pd.DataFrame(rows, columns=[*by, "n", "successes", "auc"])


def ranking_auc(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Probability that a positive has a higher score than a negative (ties count half); NaN if either is missing."""
    yes, no = scores[positive], scores[~positive]
    if not len(yes) or not len(no):
        return math.nan
    return float(mannwhitneyu(yes, no).statistic / (len(yes) * len(no)))


def success_by_value(trials: pd.DataFrame, bins: int = 4, by: Sequence[str] | str = ("policy",)) -> pd.DataFrame:
    """Success rate in bins of rising value: the picture behind `value_ranks_success`.

    Each group's attempts are ranked by value and cut into `bins` of equal size (1 = lowest; at most one bin per
    attempt). One row per group and bin: `value` (median), `n`, `successes`, `rate` and its 95 % Wilson interval `low`,
    `high`. trials, by, errors: as of `value_ranks_success`.
    """
    trials, by = _checked(trials, by)
    rank = trials.groupby(by, sort=False)["value"].rank(method="first")
    size = trials.groupby(by, sort=False)["value"].transform("size")
    count = np.minimum(size, bins)
    binned = trials.assign(bin=np.ceil(rank * count / size).astype(int))
    groups = binned.groupby([*by, "bin"], sort=True)
    table = groups.agg(value=("value", "median"), n=("success", "size"), successes=("success", "sum")).reset_index()
    low, high = proportion_confint(table["successes"], table["n"], method="wilson")
    return table.assign(rate=table["successes"] / table["n"], low=np.asarray(low), high=np.asarray(high))


def _checked(trials: pd.DataFrame, by: Sequence[str] | str) -> tuple[pd.DataFrame, list[str]]:
    """The trials with numbers as values and booleans as successes, and the columns of their groups as a list."""
    by = [by] if isinstance(by, str) else list(by)
    if not by:
        raise ValueError("by: empty; expected one column or more, such as 'policy'")
    missing = {"value", "success", *by} - set(trials.columns)
    if missing:
        found = ", ".join(map(str, trials.columns))
        raise ValueError(f"trials: columns missing: {', '.join(sorted(missing))}; found: {found}")
    _check_column(trials, "value", _is_finite, "entries that are not finite numbers")
    _check_column(trials, "success", _is_verdict, "entries that are not true or false, nor 1 or 0")
    return trials.assign(value=trials["value"].astype(float), success=trials["success"].astype(bool)), by


def _check_column(trials: pd.DataFrame, name: str, allowed: Callable[[object], bool], wrong: str) -> None:
    for i, entry in enumerate(trials[name].tolist()):
        if not allowed(entry):
            raise ValueError(f"trials: column {name!r} has {wrong}, first {entry!r} in row {i} (counted from 0)")


def _is_finite(entry: object) -> bool:
    return isinstance(entry, numbers.Real) and math.isfinite(entry)


def _is_verdict(entry: object) -> bool:
    """Whether it says success or failure: no verdict (NaN) is neither, and of a text any but the empty one is true."""
    return isinstance(entry, bool | np.bool_ | numbers.Real) and entry in (0, 1)
