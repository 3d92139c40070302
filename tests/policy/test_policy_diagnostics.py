"""Diagnostics on cases whose answer is known."""

import math

import pandas as pd
import pytest
import torch

from dgrasp.policy.diagnostics import (
    in_corner,
    near_grasps,
    progress,
    share_near_grasps,
    slope_agreement,
    success_by_value,
    value_ranks_success,
)
from dgrasp.poses import make_pose, uniform_poses

BOUNDS = (torch.tensor([-0.1, -0.3, 0.96]), torch.tensor([0.5, 0.3, 1.06]))


def about_z(angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def poses(n: int, seed: int = 0) -> torch.Tensor:
    return uniform_poses(n, *BOUNDS, torch.Generator().manual_seed(seed))


def towards(T_summit: torch.Tensor):
    """A quadratic value: its translational slope points straight at the summit, from everywhere."""
    return lambda T: -(T - T_summit).square().sum((-1, -2))


@pytest.mark.parametrize("rep", ["quat", "6d"])
def test_slopes_of_a_quadratic_agree_with_the_way_to_its_summit(rep):
    summit = poses(1, seed=3)
    T = poses(20)
    to = slope_agreement(towards(summit), T, summit.expand(20, 4, 4), rep)
    assert to.shape == (20, 2)
    torch.testing.assert_close(to[:, 0], torch.ones(20))
    assert (to[:, 1] > 0).all()
    away = slope_agreement(lambda T: -towards(summit)(T), T, summit.expand(20, 4, 4), rep)
    torch.testing.assert_close(away, -to)


def test_near_is_to_one_grasp_modulo_the_half_turn():
    grasps = torch.stack([make_pose(torch.eye(3), torch.zeros(3)), make_pose(about_z(1.0), torch.ones(3))])
    turned = make_pose(about_z(math.pi + 0.1), torch.tensor([0.01, 0.0, 0.0]))
    of_two = make_pose(about_z(1.0), torch.zeros(3))  # the place of the first grasp, the rotation of the second
    paths = torch.stack([turned, of_two])[:, None]
    assert share_near_grasps(paths, grasps).tolist() == [1.0, 0.0]


def test_share_near_grasps_follows_the_path():
    grasp = poses(1)
    far = grasp @ make_pose(torch.eye(3), torch.tensor([0.05, 0.0, 0.0]))
    turned = grasp @ make_pose(about_z(0.5), torch.zeros(3))
    paths = torch.stack([torch.cat([far, turned]), torch.cat([grasp, turned]), torch.cat([grasp, grasp])])
    torch.testing.assert_close(share_near_grasps(paths, grasp), torch.tensor([0.0, 0.5, 1.0]))


def test_without_a_valid_grasp_there_is_no_share():
    with pytest.raises(ValueError, match="T_world_grasps: empty"):
        share_near_grasps(poses(4)[None], torch.zeros(0, 4, 4))

    assert not near_grasps(poses(4), torch.zeros(0, 4, 4)).any()
    table = progress(poses(4)[None], torch.zeros(0, 4, 4), BOUNDS)
    assert table["near_grasp"].isna().all() and table["in_corner"].tolist() == [0.0]


def test_which_candidates_are_near():
    grasp = poses(1)
    far = grasp @ make_pose(torch.eye(3), torch.tensor([0.05, 0.0, 0.0]))
    assert near_grasps(torch.cat([far, grasp]), grasp).tolist() == [False, True]


def test_corners_are_not_edges():
    low, high = BOUNDS
    corner = make_pose(torch.eye(3), torch.stack([low[0] + 0.004, high[1], low[2]]))
    edge = make_pose(torch.eye(3), torch.stack([low[0], high[1], low[2] + 0.05]))
    assert in_corner(torch.stack([corner, edge]), BOUNDS).tolist() == [True, False]


def test_progress_has_one_row_per_step():
    corner = make_pose(torch.eye(3), BOUNDS[0])
    grasp = make_pose(torch.eye(3), torch.tensor([0.1, 0.0, 1.0]))
    paths = torch.stack([torch.stack([corner, corner]), torch.stack([corner, grasp])])
    table = progress(paths, grasp[None], BOUNDS)
    assert table.to_dict("list") == {"step": [0, 1], "near_grasp": [0.0, 0.5], "in_corner": [1.0, 0.5]}


def trials() -> pd.DataFrame:
    """`sure` ranks perfectly, `blind` not at all, `always` never fails."""
    values = [1.0, 2.0, 3.0, 4.0]
    outcomes = {"sure": [False, False, True, True], "blind": [True, False, False, True], "always": [True] * 4}
    return pd.concat([pd.DataFrame({"policy": p, "value": values, "success": o}) for p, o in outcomes.items()])


def test_values_that_rank_success():
    auc = value_ranks_success(trials()).set_index("policy")["auc"]
    assert auc["sure"] == 1.0 and auc["blind"] == 0.5 and math.isnan(auc["always"])


def test_equal_values_count_half():
    ties = pd.DataFrame({"policy": "a", "value": [1.0, 1.0], "success": [True, False]})
    assert value_ranks_success(ties)["auc"].tolist() == [0.5]


def test_success_in_bins_of_rising_value():
    table = success_by_value(trials(), bins=2).set_index(["policy", "bin"])
    assert table["n"].tolist() == [2] * 6
    assert table.loc[("sure", 1), "rate"] == 0.0 and table.loc[("sure", 2), "rate"] == 1.0
    assert table.loc[("sure", 2), "value"] == 3.5
    assert 0.3 < table.loc[("sure", 2), "low"] < 0.4 and table.loc[("sure", 2), "high"] == 1.0  # Wilson, 2 of 2: 0.342
    assert len(success_by_value(trials(), bins=10)) == 12  # no more bins than attempts


def test_trials_that_cannot_be_read_are_named():
    with pytest.raises(ValueError, match="columns missing: value"):
        value_ranks_success(pd.DataFrame({"policy": ["a"], "success": [True]}))
    with pytest.raises(ValueError, match="not finite"):
        success_by_value(pd.DataFrame({"policy": ["a"], "success": [True], "value": [math.nan]}))
    with pytest.raises(ValueError, match="by: empty; expected one column or more"):
        value_ranks_success(trials(), by=())


BOTH = [value_ranks_success, success_by_value]


@pytest.mark.parametrize("read", BOTH)
@pytest.mark.parametrize("wrong", [math.nan, None, pd.NA, "False", "True", "", 2, -1, 0.5, [True]])
def test_what_is_no_verdict_is_no_success(read, wrong):
    """As a series read from a file may have them: no verdict yet, or words."""
    table = pd.DataFrame({"policy": "a", "value": [1.0, 2.0, 3.0, 4.0], "success": [False, False, wrong, True]})
    with pytest.raises(ValueError, match=r"'success' has entries that are not true or false.*, first .* in row 2"):
        read(table)


@pytest.mark.parametrize("read", BOTH)
@pytest.mark.parametrize("dtype", [object, int, float, "boolean", "Int64", "int8"])
def test_verdicts_may_be_numbers(read, dtype):
    pd.testing.assert_frame_equal(read(trials().astype({"success": dtype})), read(trials()))


@pytest.mark.parametrize("read", BOTH)
@pytest.mark.parametrize("wrong", ["2.0", None, math.inf, pd.NA, 1j])
def test_what_is_no_value_is_named(read, wrong):
    table = trials().astype({"value": object}).reset_index(drop=True)
    table.loc[1, "value"] = wrong
    with pytest.raises(ValueError, match=r"column 'value' has entries that are not finite numbers, first .* in row 1"):
        read(table)


@pytest.mark.parametrize("read", BOTH)
def test_one_column_may_be_named_alone(read):
    pd.testing.assert_frame_equal(read(trials(), by="policy"), read(trials(), by=["policy"]))
