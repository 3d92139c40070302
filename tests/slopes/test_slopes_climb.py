"""Known answers: a quadratic value on SE(3) whose summit every representation and schedule must reach."""

import pytest
import torch

from dgrasp.poses import make_pose, rotation_angle, uniform_poses, uniform_rotations
from dgrasp.slopes.climb import optimize_poses, pruning_by_step
from dgrasp.slopes.config import OptimizerConfig

LOW, HIGH = torch.tensor([-0.3, -0.3, 0.0]), torch.tensor([0.3, 0.3, 0.2])
SUMMIT = make_pose(uniform_rotations(1, torch.Generator().manual_seed(7))[0], torch.tensor([0.11, -0.07, 0.05]))
CONFIG = OptimizerConfig(
    steps=60, translation_rate=0.05, rotation_rate=0.3, translation_decay=0.93, rotation_decay=0.93, chunk=16
)


def quadratic(T: torch.Tensor) -> torch.Tensor:
    """Minus squared distances to the summit: metres (times 10) and chordal for the rotation."""
    return -((10 * (T - SUMMIT)[:, :3, 3]).square().sum(-1)) - (T - SUMMIT)[:, :3, :3].square().sum((-1, -2))


def starts(n: int = 48, seed: int = 0) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, torch.Generator().manual_seed(seed))


def climb(value=quadratic, config=CONFIG, n=48, **options):
    return optimize_poses(value, starts(n), config, bounds=(LOW, HIGH), **options)


@pytest.mark.parametrize("schedule", ["seq", "sync"])
@pytest.mark.parametrize("rep", ["quat", "6d"])
def test_the_summit_is_reached(rep, schedule):
    best = climb(representation=rep, schedule=schedule).T_world_tcp[0]
    assert (best[:3, 3] - SUMMIT[:3, 3]).norm() < 1e-3
    assert rotation_angle(best[:3, :3], SUMMIT[:3, :3]) < 0.01


@pytest.mark.parametrize("rep", ["quat", "6d"])
def test_finals_are_rigid_ranked_and_inside(rep):
    result = climb(representation=rep, config=CONFIG.model_copy(update={"steps": 5}))
    R = result.T_world_tcp[:, :3, :3]
    torch.testing.assert_close(R.transpose(-1, -2) @ R, torch.eye(3).expand_as(R), atol=1e-5, rtol=0)
    assert (result.scores.diff() <= 0).all()
    torch.testing.assert_close(result.scores, quadratic(result.T_world_tcp))
    p = result.T_world_tcp[:, :3, 3]
    assert (p >= LOW - 1e-6).all() and (p <= HIGH + 1e-6).all()


def test_clipping_keeps_a_runaway_value_in_the_workspace():
    result = climb(lambda T: T[:, :3, 3].sum(-1))
    torch.testing.assert_close(result.T_world_tcp[0, :3, 3], HIGH)
    free = optimize_poses(
        lambda T: T[:, :3, 3].sum(-1), starts(), CONFIG.model_copy(update={"clip_to_workspace": False})
    )
    assert (free.T_world_tcp[0, :3, 3] > HIGH + 0.1).all()


def test_the_chunk_changes_memory_not_results():
    whole = climb(config=CONFIG.model_copy(update={"chunk": 48}), schedule="seq")
    small = climb(config=CONFIG.model_copy(update={"chunk": 5}), schedule="seq")
    assert torch.equal(whole.T_world_tcp, small.T_world_tcp)


def test_rates_follow_the_exponential_decay():
    """With a constant slope Adam moves by exactly its rate, so the path spells out the schedule."""
    config = OptimizerConfig(steps=4, translation_rate=0.01, translation_decay=0.5, clip_to_workspace=False)
    result = optimize_poses(lambda T: T[:, 0, 3], starts(1), config, record=True)
    moved = result.paths[:, 0, 0, 3].diff()
    torch.testing.assert_close(moved, 0.01 * 0.5 ** torch.arange(4.0), rtol=1e-4, atol=1e-6)


def test_seq_moves_one_part_at_a_time():
    result = climb(schedule="seq", record=True, config=CONFIG.model_copy(update={"steps": 6}))
    assert result.paths.shape == (13, 48, 4, 4)
    rotation, translation = result.paths[:, :, :3, :3], result.paths[:, :, :3, 3]
    torch.testing.assert_close(rotation[6], rotation[0], atol=1e-5, rtol=0)
    assert torch.equal(translation[6], translation[12])
    assert not torch.allclose(translation[0], translation[6]) and not torch.allclose(rotation[6], rotation[12])


def test_recorded_paths_lead_from_the_starts_to_the_finals():
    result = climb(record=True, config=CONFIG.model_copy(update={"steps": 3}))
    torch.testing.assert_close(result.paths[0], starts(), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.paths[-1, result.start], result.T_world_tcp)
    torch.testing.assert_close(result.path_scores[-1, result.start], result.scores)
    torch.testing.assert_close(result.path_scores[1], quadratic(result.paths[1]))


def test_dropping_keeps_the_best_and_their_momentum():
    """The survivors go exactly where they would have gone with everybody aboard."""
    config = CONFIG.model_copy(update={"steps": 12})
    everybody = climb(config=config, record=True)
    dropped = climb(config=config.model_copy(update={"pruning": ((4, 20), (8, 5))}), record=True)
    assert len(dropped.scores) == 5
    torch.testing.assert_close(dropped.T_world_tcp, everybody.paths[-1, dropped.start], atol=1e-6, rtol=0)
    at_four = everybody.path_scores[3].argsort(descending=True)[:20]
    assert set(dropped.start.tolist()) <= set(at_four.tolist())
    assert torch.isnan(dropped.path_scores[-1]).sum() == 43


def test_starts_may_be_ranked_before_the_first_step():
    result = climb(config=CONFIG.model_copy(update={"pruning": ((0, 7),)}))
    assert set(result.start.tolist()) == set(quadratic(starts()).argsort(descending=True)[:7].tolist())


@pytest.mark.parametrize(("schedule", "last"), [("sync", 2), ("seq", 8)])
def test_each_phase_may_have_steps_of_its_own_to_drop_candidates_in(schedule, last):
    pruning = {"pruning": ((0, 30), (2, 7)), "pruning_first": ((3, 20),)}
    result = climb(schedule=schedule, config=CONFIG.model_copy(update={"steps": 6} | pruning), record=True)
    climbing = (~torch.isnan(result.path_scores)).sum(-1)
    assert (climbing[: min(3, last)] == 30).all() and (climbing[3:last] == 20).all()
    assert (climbing[last:] == 7).all()
    turned = rotation_angle(result.paths[last, :, :3, :3], result.paths[0, :, :3, :3])[result.start]
    assert (turned > 0.05).all()


def test_a_climb_of_one_phase_has_no_first_phase_to_drop_candidates_in():
    """ "sync" moves all parts at once; "seq" drops what is said of its first phase."""
    config = CONFIG.model_copy(update={"steps": 4, "pruning": ((2, 7),), "pruning_first": ((0, 20), (3, 10))})
    assert pruning_by_step(config, "sync") == {2: 7} and pruning_by_step(config, "seq") == {0: 20, 3: 10, 6: 7}


def test_without_pruning_everything_climbs_in_all_phases():
    """However few candidates there are: a profile's counts are for its own number of starts."""
    changed = CONFIG.model_copy(update={"steps": 4, "pruning": (), "pruning_first": ((1, 5_000),)})
    result = climb(schedule="seq", config=changed, record=True)
    assert not torch.isnan(result.path_scores).any()


def test_so_many_times_the_candidates_are_dropped_in_the_same_shares():
    config = OptimizerConfig(n_starts=64, pruning=((2, 16),), pruning_first=((1, 32),), steps=4)
    more = config.model_copy(update=config.times(2))
    assert (more.n_starts, more.pruning, more.pruning_first) == (128, ((2, 32),), ((1, 64),))
    assert OptimizerConfig(n_starts=64).times(2)["pruning_first"] is None


def bad_rotation() -> torch.Tensor:
    T = starts(3)
    T[1, :3, :3] *= 1.1
    return T


def raised(index: int) -> torch.Tensor:
    T = starts(3)
    T[index, 2, 3] += 0.3
    return T


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(0, 4, 4), r"starts: empty"),
        (torch.eye(4), r"starts: .*\(n, 4, 4\)"),
        (torch.zeros(3, 7), r"starts: .*\(n, 4, 4\)"),
        (torch.full((2, 4, 4), torch.nan), "starts: .*NaN"),
        (bad_rotation(), "starts: .*not a rotation"),
        ([1, 2], "starts: .*list"),
        (raised(1), r"starts: 1 of 3 outside of bounds, first \(.*\) at index \[1\]; allowed \(-0.3, -0.3, 0\) to"),
    ],
)
def test_unsuitable_starts_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        optimize_poses(quadratic, wrong, CONFIG, bounds=(LOW, HIGH))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda T: T[:, 0, 3] * torch.nan, "value: returned NaN or infinity for 48 of 48 poses at step 0"),
        (lambda T: T[:, 0, 3].detach(), "value: not differentiable"),
        (lambda T: T[:, :2, 3], "value: expected one score per pose"),
        (lambda T: (T[:, 0, 3] * 0).abs().sqrt(), "slopes of value at step 0: contains NaN"),
        (lambda T: [0.0] * len(T), "value: expected one score per pose, .* got list"),
        (None, "value: expected a function"),
    ],
)
def test_unsuitable_values_are_named(value, message):
    with pytest.raises(ValueError, match=message):
        climb(value, config=CONFIG.model_copy(update={"chunk": 48}))


def test_unknown_names_say_what_exists():
    with pytest.raises(ValueError, match="representations: quat, 6d"):
        climb(representation="euler")
    with pytest.raises(ValueError, match="schedules: seq, sync"):
        climb(schedule="both")
    with pytest.raises(ValueError, match=r"unknown pose representation \['6d'\]; representations: quat, 6d"):
        climb(representation=["6d"])
    with pytest.raises(ValueError, match=r"unknown schedule \['sync'\]; schedules: seq, sync"):
        climb(schedule=["sync"])
    with pytest.raises(ValueError, match="bounds: needed"):
        optimize_poses(quadratic, starts(), CONFIG)
    with pytest.raises(ValueError, match="pruning: expected pairs"):
        OptimizerConfig(pruning=((4, 10), (2, 5)))
    with pytest.raises(ValueError, match="pruning_first: expected pairs"):
        OptimizerConfig(pruning=((3, 5),), pruning_first=((1, 10), (2, 20)))


def test_scores_are_looked_at_before_the_first_step_too():
    ranked = CONFIG.model_copy(update={"pruning": ((0, 7),)})
    with pytest.raises(ValueError, match=r"value: expected one score per pose, shape \(16,\), got \(16, 2\)"):
        climb(lambda T: T[:, :2, 3], config=ranked)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((HIGH, LOW), "bounds: low lies above high in x, 0.3 > -0.3 m"),
        ((LOW[:2], HIGH[:2]), r"bounds: expected the low corner of shape \(3,\), in metres, got \(2,\)"),
        ((LOW, HIGH * torch.inf), r"bounds \(high\): contains NaN or infinite entries, first inf at index \[0\]"),
        (LOW, r"bounds: expected \(low, high\), .* got \(3,\)"),
        ((None, HIGH), r"bounds: expected the low corner of shape \(3,\), in metres, got NoneType"),
        ((LOW, "0.3"), r"bounds: expected the high corner of shape \(3,\), in metres, got str"),
        ((LOW, [0.3, "0.3", 0.2]), r"bounds: expected the high corner of shape \(3,\), in metres, got list"),
        (([[-0.3], [-0.3, 0.0]], HIGH), r"bounds: expected the low corner of shape \(3,\), in metres, got list"),
    ],
)
def test_bounds_that_are_no_box_are_named(bounds, message):
    with pytest.raises(ValueError, match=message):
        optimize_poses(quadratic, starts(), CONFIG, bounds=bounds)


@pytest.mark.parametrize("change", [{"chunk": 0}, {"chunk": -3}, {"steps": 0}, {"translation_rate": -1.0}])
def test_settings_out_of_range_are_refused_also_in_changed_copies(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        climb(config=CONFIG.model_copy(update=change))


def test_settings_must_be_settings():
    with pytest.raises(ValueError, match="config: expected OptimizerConfig, got dict"):
        climb(config={"steps": 3})
