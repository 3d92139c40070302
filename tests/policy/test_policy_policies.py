"""Policies: their names, and plans from real (if random) networks and images."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from landscapes import networks

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.policy.policies import CONTROLS, POLICIES, GraspPolicy, NoGraspError, policy_spec
from dgrasp.poses import check_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.readout import GraspReadout

BOUNDS = (torch.tensor([-0.127, -0.305, 0.9605]), torch.tensor([0.527, 0.305, 1.0655]))
CONFIG = OptimizerConfig(n_starts=24, steps=3, chunk=10)


def views(n: int = 2, centre: tuple[float, float, float] = (0.2, 0.0, 0.96)) -> Views:
    rng = np.random.default_rng(0)
    poses = [view_from_sphere(torch.tensor(centre).double(), 0.8, a, 0.7).numpy() for a in np.linspace(-1, 1, n)]
    images = rng.integers(0, 256, (n, 24, 32, 3), dtype=np.uint8)
    return Views(images, np.stack([Intrinsics.d415(32, 24).matrix] * n), np.stack(poses))


def policy(name: str = "dgrasp_quat_sync", config: OptimizerConfig = CONFIG, fusion: str = "sum") -> GraspPolicy:
    return GraspPolicy(policy_spec(name), networks(fusion), config, BOUNDS)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_eight_policies_from_three_models_and_four_of_the_control():
    assert list(POLICIES) == [
        f"{method}_{rep}_{schedule}"
        for method in ("base", "dgrasp")
        for rep in ("quat", "6d")
        for schedule in ("seq", "sync")
    ]
    assert {s.model for s in POLICIES.values()} == {"base", "dgrasp_quat", "dgrasp_6d"}
    assert {s.model for s in CONTROLS.values()} == {"base_control"} and len(CONTROLS) == 4
    spec = policy_spec("dgrasp_6d_seq")
    assert (spec.model, spec.representation, spec.schedule) == ("dgrasp_6d", "6d", "seq")
    with pytest.raises(ValueError, match="unknown policy 'dgrasp'; policies: base_quat_seq"):
        policy_spec("dgrasp")


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_plans(name):
    plan = policy(name).plan(views(), generator())
    check_poses(plan.T_world_tcp)
    assert plan.value == float(plan.candidates.scores.max()) and len(plan.candidates.scores) == 24


def test_equal_streams_equal_plans():
    a, b = (policy().plan(views(), generator()) for _ in range(2))
    assert torch.equal(a.T_world_tcp, b.T_world_tcp)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: default_dtype(torch.float64),
    ],
)
@pytest.mark.parametrize("frozen", [True, False])
def test_a_plan_is_the_same_in_all_of_torchs_modes(mode, frozen):
    asked = policy()
    asked.value.readout.requires_grad_(not frozen)
    expected = asked.plan(views(), generator())
    with mode():
        plan = asked.plan(views(), generator())
        encoded = asked.value.encode(views())
        scores = asked.value.bind(encoded)(plan.T_world_tcp[None])
    assert torch.equal(plan.T_world_tcp, expected.T_world_tcp) and plan.T_world_tcp.dtype == torch.float32
    assert torch.equal(plan.candidates.scores, expected.candidates.scores)
    assert scores.dtype == torch.float32
    climbed = optimize_poses(asked.value.bind(encoded), asked.starts(generator()), CONFIG, bounds=BOUNDS)
    assert torch.equal(climbed.T_world_tcp, expected.candidates.T_world_tcp)


def test_images_add_up():
    psi, both = networks(), views(2)
    T = policy().starts(generator())[:5]
    total, first, second = (psi.bind(psi.encode(v))(T) for v in (both, both[[0]], both[[1]]))
    torch.testing.assert_close(total, first + second)
    assert not torch.allclose(first, second)


def test_images_fused_in_the_network_are_not_a_sum():
    psi, both = networks("network"), views(2)
    T = policy().starts(generator())[:5]
    fused, first, second = (psi.bind(psi.encode(v))(T) for v in (both, both[[0]], both[[1]]))
    assert fused.shape == (5,) and not torch.allclose(fused, first + second)
    torch.testing.assert_close(psi.bind(psi.encode(both[[1, 0]]))(T), fused)  # and blind to the order of the images


def test_scores_equal_query_by_query_evaluation():
    """The grouped path through Phi gives what 1-point queries give one by one."""
    psi = networks()
    enc = psi.encode(views(1))
    T = policy().starts(generator())[:4]
    points, directions = psi.queries.in_world(T)
    a = psi.phi.activations(enc, points.flatten(0, 1)[None], directions.flatten(0, 1)[None])
    torch.testing.assert_close(psi.bind(enc)(T), psi.readout(a[0].unflatten(0, (4, 6))))


def test_paths_of_a_plan():
    plan = policy().plan(views(), generator(), record=True)
    assert plan.path().shape == (4, 4, 4)
    torch.testing.assert_close(plan.path()[-1], plan.T_world_tcp)
    torch.testing.assert_close(plan.path(3)[-1], plan.candidates.T_world_tcp[3])
    with pytest.raises(ValueError, match="record=True"):
        policy().plan(views(), generator()).path()


def test_real_robots_take_the_best_pose_from_above():
    config = CONFIG.model_copy(update={"approach": "downwards", "approach_offset": 0.01})
    free, filtered = (policy(config=c).plan(views(), generator()) for c in (CONFIG, config))
    z = free.candidates.T_world_tcp[:, 2, 2]
    rank = int(torch.nonzero(z < 0)[0])
    assert filtered.chosen == rank and filtered.value == float(free.candidates.scores[rank])
    T = free.candidates.T_world_tcp[rank]
    torch.testing.assert_close(filtered.T_world_tcp[:3, 3], T[:3, 3] + 0.01 * T[:3, 2])


def test_the_advance_ends_at_the_floor():
    config = CONFIG.model_copy(update={"approach": "downwards", "approach_offset": 0.01})
    plan = policy(config=config).plan(views(), generator())
    T = plan.candidates.T_world_tcp[plan.chosen]
    z, end = float(T[2, 3]), float(plan.T_world_tcp[2, 3])
    for floor, lowest in ((end - 0.001, end), ((z + end) / 2, (z + end) / 2), (z + 0.001, z)):
        floored = policy(config=config.model_copy(update={"approach_floor": floor})).plan(views(), generator())
        assert float(floored.T_world_tcp[2, 3]) == pytest.approx(lowest, abs=1e-6)
        moved = floored.T_world_tcp[:3, 3] - T[:3, 3]  # along the approach axis
        torch.testing.assert_close(moved, moved.norm() * T[:3, 2], atol=1e-6, rtol=0)


def test_no_pose_from_above_is_said_so():
    grasping = policy(config=CONFIG.model_copy(update={"approach": "downwards", "n_starts": 3, "steps": 1}))
    up = torch.eye(4).expand(3, 4, 4) + torch.nn.functional.pad(BOUNDS[0][:, None], (3, 0, 0, 1))
    grasping.starts = lambda generator: up
    grasping.config = grasping.config.model_copy(update={"rotation_rate": 1e-6})
    with pytest.raises(NoGraspError, match="none of the 3 candidates"):
        grasping.plan(views(), generator())


def test_a_camera_that_sees_nothing_is_named():
    blind = views(2)
    Ts = blind.Ts_world_cam.copy()
    Ts[1, :3, :3] = Ts[1, :3, :3] @ np.diag([1.0, -1.0, -1.0])  # turned round
    with pytest.raises(ValueError, match="camera 1 sees nothing of the workspace"):
        policy().plan(Views(blind.images, blind.K, Ts), generator())


def test_readout_and_phi_must_fit():
    psi = networks()
    with pytest.raises(ValueError, match="readout: made for"):
        GraspValue(psi.phi, GraspReadout(queries=7, hidden=8), psi.queries)


@pytest.mark.parametrize("observation", [None, views().images, [views()]])
def test_a_plan_needs_calibrated_views(observation):
    with pytest.raises(ValueError, match=r"views: expected Views \(images with their calibration\), got"):
        policy().plan(observation, generator())


def test_a_policy_may_be_named():
    named = GraspPolicy("dgrasp_6d_seq", networks(), CONFIG, BOUNDS)
    assert named.spec == policy_spec("dgrasp_6d_seq") and named.config == CONFIG


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"spec": "dgrasp_6d"}, "unknown policy 'dgrasp_6d'; policies: base_quat_seq, "),
        ({"spec": ["dgrasp_6d_seq"]}, r"unknown policy \['dgrasp_6d_seq'\]; policies: base_quat_seq, "),
        ({"value": "dgrasp_6d"}, "value: expected a GraspValue, got str"),
        ({"value": None}, "value: expected a GraspValue, got NoneType"),
        ({"config": {"steps": 3}}, "config: expected OptimizerConfig, got dict"),
        ({"config": CONFIG.model_copy(update={"steps": 0})}, "steps"),
        ({"config": CONFIG.model_copy(update={"approach_offset": 10})}, "config.approach_offset: 10 m; allowed are up"),
        ({"config": OptimizerConfig(approach_floor=960.5)}, "config.approach_floor: 960.5 m; .* are these millimetres"),
        (
            {"config": OptimizerConfig(translation_rate=17.76)},
            "config.translation_rate: 17.76 m; allowed are up to 1 m",
        ),
        ({"fingers": {"candidates": 3}}, "fingers: expected a FingerCheck or None, got dict"),
        ({"bounds": (None, BOUNDS[1])}, "bounds: expected the low corner"),
    ],
)
def test_a_policy_is_refused_before_it_plans(wrong, message):
    whole = {"spec": "base_quat_seq", "value": networks(), "config": CONFIG, "bounds": BOUNDS}
    with pytest.raises(ValueError, match=message):
        GraspPolicy(**(whole | wrong))


def test_an_observation_of_reversed_arrays_is_planned_on():
    """OpenCV's colours are turned round by `[..., ::-1]`, which torch does not take."""
    seen = views()
    turned = Views(seen.images[..., ::-1].copy()[..., ::-1], seen.K[::-1].copy()[::-1], seen.Ts_world_cam)
    assert torch.equal(policy().plan(turned, generator()).T_world_tcp, policy().plan(seen, generator()).T_world_tcp)


def test_a_plan_needs_its_own_randomness_and_a_workspace():
    with pytest.raises(ValueError, match=r"generator: expected a torch\.Generator, .* got NoneType"):
        policy().plan(views(), None)
    with pytest.raises(ValueError, match="bounds: low lies above high in x"):
        GraspPolicy(policy_spec("base_quat_seq"), networks(), CONFIG, BOUNDS[::-1])
