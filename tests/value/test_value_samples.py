"""The poses that both losses are computed on."""

import math

import pytest
import torch

from dgrasp.poses import check_poses, gripper_symmetric_angle, make_pose, rotation_angle, uniform_poses
from dgrasp.value.config import NegativeConfig, SlopeConfig
from dgrasp.value.samples import around_trajectories, around_trajectory, grasp_among_negatives, half_turned

LOW, HIGH = torch.tensor([-0.127, -0.305, 0.9605]), torch.tensor([0.527, 0.305, 1.0655])
GRASP = uniform_poses(1, LOW, HIGH, torch.Generator().manual_seed(5))[0]


def sample(n: int = 401, config: NegativeConfig | None = None, seed: int = 0) -> torch.Tensor:
    config = config or NegativeConfig()
    return grasp_among_negatives(GRASP, n, config, (LOW, HIGH), torch.Generator().manual_seed(seed))


def distances(T: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    angle = rotation_angle(T[:, :3, :3], GRASP[:3, :3].expand(len(T), 3, 3))
    return (T[:, :3, 3] - GRASP[:3, 3]).norm(dim=-1), angle


def test_the_grasp_comes_first_and_shares_are_kept():
    T = check_poses(sample())
    assert T.shape == (401, 4, 4) and torch.equal(T[0], GRASP)
    distance, angle = distances(T[1:])
    near, turned, uniform = slice(0, 100), slice(100, 150), slice(150, 400)
    c = NegativeConfig()
    reach = math.sqrt(3) * 0.04 + 1e-4
    assert (distance[near] < reach).float().mean() > 0.97  # all but those that were as good as the grasp
    assert angle[near].median() < c.near_rotation and angle[turned].median() > 1.5
    assert (distance[turned] < math.sqrt(3) * 0.01 + 1e-4).float().mean() > 0.9
    assert distance[uniform].median() > 0.15


def test_uniform_negatives_reach_beyond_the_workspace_by_the_margin():
    T = sample(4001, NegativeConfig(near_share=0, turned_share=0, margin=0.1))
    p = T[1:, :3, 3]
    size = HIGH - LOW
    assert (p >= LOW - 0.1 * size).all() and (p <= HIGH + 0.1 * size).all()
    assert (p < LOW).any(dim=0).all() and (p > HIGH).any(dim=0).all()


def test_no_negative_is_as_good_as_the_grasp():
    config = NegativeConfig(
        near_share=1.0, turned_share=0.0, near_translation=0.006, near_rotation=0.3,
        positive_translation=0.006, positive_rotation=0.15,
    )  # fmt: skip
    T = sample(2001, config)[1:]
    angle = gripper_symmetric_angle(T[:, :3, :3], GRASP[:3, :3].expand(len(T), 3, 3))
    as_good = ((T[:, :3, 3] - GRASP[:3, 3]).norm(dim=-1) < 0.006) & (angle < 0.15)
    assert not as_good.any()
    unguarded = sample(2001, config.model_copy(update={"positive_translation": 0.0}))[1:]
    distance, plain_angle = distances(unguarded)
    assert ((distance < 0.006) & (plain_angle < 0.15)).any()  # the guard had something to do


def test_the_grasp_turned_half_round_is_no_negative():
    config = NegativeConfig(near_share=0, turned_share=1.0, turned_translation=0.0, positive_rotation=0.5)
    T = sample(3001, config)[1:]
    here = (T[:, :3, 3] - GRASP[:3, 3]).norm(dim=-1) < 1e-6
    turned_over = rotation_angle(T[:, :3, :3], half_turned(GRASP)[:3, :3].expand(len(T), 3, 3))
    assert here.float().mean() > 0.9 and turned_over[here].min() >= 0.5


def some_blocked(n: int) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, torch.Generator().manual_seed(11))


def test_blocked_grasps_are_negatives_either_way_round():
    config = NegativeConfig(near_share=0, turned_share=0, blocked_share=0.25)
    blocked = some_blocked(3)
    T = grasp_among_negatives(GRASP, 401, config, (LOW, HIGH), torch.Generator().manual_seed(0), [blocked])[1:]
    distance = (T[:, None, :3, 3] - blocked[:, :3, 3]).norm(dim=-1)
    assert (distance[:100].min(dim=1).values <= math.sqrt(3) * 0.003 + 1e-6).all()
    assert distance[100:].min(dim=1).values.median() > 0.05, "the rest are uniform"
    nearest = blocked[distance[:100].argmin(dim=1)]
    assert set(distance[:100].argmin(dim=1).tolist()) == {0, 1, 2}
    plain = rotation_angle(T[:100, :3, :3], nearest[:, :3, :3])
    turned = rotation_angle(T[:100, :3, :3], half_turned(nearest)[:, :3, :3])
    assert (torch.minimum(plain, turned) <= 0.1 + 1e-3).all()
    assert 25 < (plain < turned).sum() < 75


def test_a_scene_without_blocked_grasps_has_uniform_negatives():
    config = NegativeConfig(near_share=0, turned_share=0, blocked_share=0.5)
    grasps, none = GRASP.expand(2, 4, 4), torch.empty(0, 4, 4)
    T = grasp_among_negatives(
        grasps, 201, config, (LOW, HIGH), torch.Generator().manual_seed(0), [none, some_blocked(2)]
    )
    x = T[0, 1:, 0, 3]
    assert x.std() > 0.1 and x.min() < 0 and x.max() > 0.4
    assert T[1, 1:101, 0, 3].unique().numel() == 100
    assert check_poses(T).shape == (2, 201, 4, 4)


def test_without_a_share_blocked_grasps_change_nothing():
    rng = [torch.Generator().manual_seed(0) for _ in range(2)]
    T = grasp_among_negatives(GRASP, 65, NegativeConfig(), (LOW, HIGH), rng[0])
    assert torch.equal(T, grasp_among_negatives(GRASP, 65, NegativeConfig(), (LOW, HIGH), rng[1], [some_blocked(3)]))


@pytest.mark.parametrize(("blocked", "given"), [(None, "none"), ([], "0 sets"), ([torch.eye(4)[None]] * 2, "2 sets")])
def test_blocked_grasps_are_asked_for_by_name(blocked, given):
    config = NegativeConfig(blocked_share=0.1)
    with pytest.raises(ValueError, match=f"blocked: blocked_share is 0.1, expected a set for each of 1 .*got {given}"):
        grasp_among_negatives(GRASP, 65, config, (LOW, HIGH), torch.Generator(), blocked)


def test_shares_of_negatives_leave_room():
    with pytest.raises(
        ValueError, match=r"near_share \+ turned_share \+ blocked_share \+ outcome_share: expected at most 1"
    ):
        NegativeConfig(near_share=0.5, blocked_share=0.5)


def test_presets_are_the_published_ones():
    def shares(config: NegativeConfig, n: int) -> tuple[int, int]:
        return round(config.near_share * (n - 1)), round(config.turned_share * (n - 1))

    assert shares(NegativeConfig.model_validate("authors_base"), 512) == (0, 15)
    assert shares(NegativeConfig.model_validate("authors_dgrasp"), 64) == (0, 8)
    assert shares(NegativeConfig.model_validate("uniform"), 512) == (0, 0)
    with pytest.raises(ValueError, match="unknown preset 'hard'; presets of negatives: sharp"):
        NegativeConfig.model_validate("hard")


def test_half_turn_exchanges_the_fingers():
    turned = check_poses(half_turned(GRASP))
    torch.testing.assert_close(turned[:3, 2:], GRASP[:3, 2:])
    torch.testing.assert_close(turned[:3, :2], -GRASP[:3, :2])


# --- around the trajectory ----------------------------------------------------------------------------------------


def trajectory(steps: int = 12) -> torch.Tensor:
    """Straight along x, one centimetre a step, so that a pose's x tells its time."""
    p = torch.stack([0.01 * torch.arange(steps), torch.zeros(steps), torch.zeros(steps)], dim=-1)
    return make_pose(torch.eye(3), p)


def times(T: torch.Tensor) -> torch.Tensor:
    return (100 * T[:, 0, 3]).round().long()


def augmented(**settings) -> tuple[torch.Tensor, torch.Tensor]:
    config = SlopeConfig(n_poses=64, **settings)
    return around(trajectory(), config)


def around(path: torch.Tensor, config: SlopeConfig, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return around_trajectory(path, config, torch.Generator().manual_seed(seed))


def test_targets_are_later_poses_and_never_beyond_the_grasp():
    T, target = augmented(translation=0.0, rotation=0.0, window=32, target_offset=3)
    assert len(T) == len(target) == 64
    assert torch.equal(times(target), (times(T) + 3).clamp(max=11))
    assert times(T).max() == 11 and times(T).min() == 0


def test_the_authors_window_is_consecutive_and_stops_before_the_grasp():
    for seed in range(20):
        config = SlopeConfig(translation=0.0, rotation=0.0, consecutive=True, include_grasp=False)
        T, target = around(trajectory(), config, seed)
        t = times(T)
        assert torch.equal(t.unique(), torch.arange(int(t.min()), int(t.min()) + 4))
        assert torch.equal(times(target), t + 1) and t.max() < 11
        assert (t == t.min()).sum() == 16


def test_perturbations_are_in_the_pose_s_own_frame_and_bounded():
    start = uniform_poses(1, LOW, HIGH, torch.Generator().manual_seed(1))[0]
    path = start @ trajectory(2)
    T, target = around(path, SlopeConfig(include_grasp=False))
    delta = torch.linalg.inv(path[0]) @ T
    assert delta[:, :3, 3].abs().max() <= 0.02 + 1e-6 and delta[:, :3, 3].abs().amax(0).min() > 0.015
    angle = rotation_angle(delta[:, :3, :3], torch.eye(3).expand(64, 3, 3))
    assert 0.6 < angle.max() < 0.6 * math.sqrt(3) + 0.1
    torch.testing.assert_close(target, path[1].expand(64, 4, 4))


def test_a_trajectory_needs_two_poses():
    with pytest.raises(ValueError, match="2 poses or more"):
        around(trajectory(1), SlopeConfig())


def test_trajectories_and_grasps_of_a_batch_keep_to_themselves():
    starts = uniform_poses(2, LOW, HIGH, torch.Generator().manual_seed(2))
    paths = [starts[0] @ trajectory(5), starts[1] @ trajectory(9)]
    config = SlopeConfig(n_poses=8, translation=0.0, rotation=0.0)
    T, _ = around_trajectories(paths, config, torch.Generator().manual_seed(0))
    for own, path in zip(T, paths, strict=True):
        assert torch.cdist(own.flatten(1), path.flatten(1)).min(dim=1).values.max() < 1e-5
    T = grasp_among_negatives(starts, 50, NegativeConfig(), (LOW, HIGH), torch.Generator().manual_seed(0))
    assert T.shape == (2, 50, 4, 4) and torch.equal(T[:, 0], starts)
    near = T[:, 1:13, :3, 3]
    assert ((near - starts[:, None, :3, 3]).norm(dim=-1) < 0.08).float().mean() > 0.9
