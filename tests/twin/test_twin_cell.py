"""The twin: one interface with the real cell, reality drawn from its own streams, honest about its objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics, project
from dgrasp.cell.config import CellConfig
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.cell.transforms import inverse
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.evaluation.series import rows
from dgrasp.policy.policies import NoGraspError
from dgrasp.robot.safety import SafetyLimits
from dgrasp.robot.trials import APPROACH_OFFSET, PAPER_OBJECTS, CellJudges, TrialProtocol, run_trials
from dgrasp.sim.objects.everyday import EVERYDAY, STAND_INS, everyday
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.everyday_scene import SURFACES, dress_workbench, present
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.cell import TwinCell, as_photographed
from dgrasp.twin.rates import sweep_rates
from dgrasp.twin.reality import Reality, TwinConfig
from dgrasp.twin.sweep import ROTATION, TRANSLATION, SweepConfig, SweepPoint, presentations

OBSERVER = Observer(views=2, width=96, height=72)
IDEAL = TwinConfig(
    hand_eye_shift=0, hand_eye_turn=0, focal_share=0, centre_share=0, arm_shift=0, light_turn=0,
    ambient=(0.55, 0.55), diffuse=(0.45, 0.45), specular=0, shadow=False, exposure_stops=0, white_balance=0,
    read_noise=0, shot_noise=0, blur=0, textured_bench=False, mass_spread=0, friction_spread=0, grip_spread=0,
    execution_shift=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def twin() -> Iterator[TwinCell]:
    with TwinCell(observer=OBSERVER) as cell:
        yield cell


@pytest.fixture(autouse=True)
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flat colours, wherever the tests run."""
    monkeypatch.delenv("DGRASP_YCB_DIR", raising=False)


def above(T_world_object: np.ndarray, z: float | None = None) -> np.ndarray:
    """A pose from above at an object's centre."""
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = T_world_object[:3, 3]
    T[2, 3] = max(T[2, 3], SafetyLimits().minimum_height) if z is None else z
    return T


def test_the_ten_objects_are_the_papers() -> None:
    assert tuple(o.name for o in EVERYDAY) == PAPER_OBJECTS
    assert all(o.note for o in EVERYDAY), "each substitution is named"
    with pytest.raises(ValueError, match="unknown object 'shoe'; objects: tennis ball, "):
        everyday("shoe")


@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_stand_ins_are_solid_and_drawn_where_they_are_touched(name: str) -> None:
    import trimesh

    model = load_model(name)
    drawn = trimesh.load_mesh(model.visual, process=False)
    np.testing.assert_allclose(drawn.bounds, [model.corners.min(0), model.corners.max(0)], atol=4e-3)
    assert model.mass == STAND_INS[name].mass and name in model.source and model.texture is not None
    assert all(part.is_watertight and part.volume > 0 for part in STAND_INS[name].parts())


def test_tires_have_a_hole() -> None:
    """Convex parts of a ring leave the middle free: a finger may go in."""
    parts = STAND_INS["large_tire"].parts()
    outside = [(part.face_normals * part.triangles[:, 0]).sum(axis=1).min() < -0.02 for part in parts]
    assert all(outside), "the middle lies 2 cm or more beyond a face of every part"
    solid = np.pi * (0.0408**2 - 0.025**2) * 0.036
    assert sum(part.volume for part in parts) == pytest.approx(solid, rel=0.15), "less its chamfers"


def test_presentations_are_the_same_for_everybody_and_differ() -> None:
    a, b = (present(np.random.default_rng(3), "shampoo bottle") for _ in range(2))
    assert a.digest() == b.digest()
    heavier = present(np.random.default_rng(3), "shampoo bottle", mass=1.2, friction=0.8)
    assert heavier.objects[0].mass == pytest.approx(1.2 * a.objects[0].mass)
    assert heavier.objects[0].friction == pytest.approx(0.8 * a.objects[0].friction)


def test_an_ideal_twin_is_the_simulated_cell() -> None:
    """With all spreads at zero nothing is left but the object: the same pictures as the plain cell's."""
    with TwinCell(IDEAL, observer=OBSERVER) as ideal, SimulatedCell(observer=OBSERVER) as plain:
        scene = ideal.present("rubber duck", 0)
        views = ideal.observe()
        plain.show(scene)
        expected = plain.observe()
    np.testing.assert_array_equal(views.images, expected.images)
    np.testing.assert_array_equal(views.K, expected.K)
    np.testing.assert_allclose(views.Ts_world_cam, expected.Ts_world_cam, atol=1e-12)


def test_stated_cameras_are_off_by_the_calibration_error() -> None:
    """A point of the object is seen away from where the stated camera says, by what the error predicts."""
    shifted = IDEAL.model_copy(update={"hand_eye_shift": 0.02})
    reality = Reality.draw(shifted, 2, 0, "tennis ball", 0)
    assert reality.off == pytest.approx((0.02, 0.0), abs=1e-9)
    with TwinCell(shifted, observer=Observer(views=2, width=320, height=240)) as cell:
        ball = cell.present("tennis ball", 0).objects[0].T_world_object[:3, 3]
        views = cell.observe()
    K, Ts = torch.from_numpy(views.K), torch.from_numpy(views.Ts_world_cam)
    for i in range(2):
        green = views.images[i].astype(int)
        mask = (green[..., 1] - green[..., 2] > 60) & (green[..., 1] > 100)
        seen = np.argwhere(mask).mean(axis=0)[::-1]
        stated, _ = project(K[i], Ts[i], torch.from_numpy(ball)[None])
        T_true = torch.from_numpy(views.Ts_world_cam[i] @ inverse(reality.E_cam[i]))
        true, _ = project(K[i], T_true, torch.from_numpy(ball)[None])
        assert np.linalg.norm(seen - true[0].numpy()) < 1.5
        assert np.linalg.norm(true[0].numpy() - stated[0].numpy()) > 2.0
        assert np.linalg.norm(seen - stated[0].numpy()) > 1.0


def test_draws_have_the_sizes_that_the_settings_say() -> None:
    config = TwinConfig(hand_eye_shift=0.01, hand_eye_turn=2.0, arm_shift=0.0)
    draws = [Reality.draw(config, 2, 0, "duck", i) for i in range(200)]
    assert all(d.off == pytest.approx((0.01, 2.0), rel=1e-6) for d in draws)
    np.testing.assert_array_equal(draws[0].E_cam[0], draws[0].E_cam[1])  # one hand-eye error for both views
    directions = np.array([d.E_cam[0, :3, 3] / 0.01 for d in draws])
    assert np.abs(directions.mean(axis=0)).max() < 0.15, "no direction is preferred"
    masses = np.array([d.mass for d in draws])
    assert 0.8 <= masses.min() < 0.85 and 1.15 < masses.max() <= 1.2
    fx = np.array([d.K_share[0] for d in draws])
    assert fx.std() == pytest.approx(0.005, rel=0.2) and all(d.K_share[0] == d.K_share[1] for d in draws)
    light = np.array([d.light_direction for d in draws])
    towards = np.array(CellConfig().light_direction)
    cosine = light @ towards / np.linalg.norm(light, axis=1) / np.linalg.norm(towards)
    assert np.degrees(np.arccos(cosine.min())) <= 25.01 and np.degrees(np.arccos(cosine.min())) > 15


def test_directions_do_not_depend_on_sizes() -> None:
    """A sweep compares the same presentations: only the error's size changes."""
    configs = (TwinConfig(hand_eye_shift=s, hand_eye_turn=0.0, arm_shift=0.0) for s in (0.002, 0.02))
    small, large = (Reality.draw(config, 2, 5, "duck", 1) for config in configs)
    np.testing.assert_allclose(10 * small.E_cam[0, :3, 3], large.E_cam[0, :3, 3])
    assert small.gains.tolist() == large.gains.tolist() and small.mass == large.mass


def test_intrinsics_are_off_by_their_shares() -> None:
    reality = Reality.draw(TwinConfig(focal_share=0.01, centre_share=0.01), 2, 0, "duck", 0)
    stated = Intrinsics.d415(320, 240)
    true = reality.intrinsics(stated)
    assert true.fx / stated.fx == pytest.approx(1 + reality.K_share[0]) and true.fx != stated.fx
    assert true.cx - stated.cx == pytest.approx(320 * reality.K_share[2])


def test_photographs_are_noisy_as_stated() -> None:
    grey = np.full((200, 200, 3), 100, np.uint8)
    config = IDEAL.model_copy(update={"read_noise": 2.0, "shot_noise": 3.0})
    reality = Reality.draw(config, 2, 0, "duck", 0)
    noisy = as_photographed(grey, reality, config, np.random.default_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(np.sqrt(4 + 9 * 100 / 255 + 1 / 12), rel=0.02)
    assert noisy.mean() == pytest.approx(100, abs=0.1)
    exact = as_photographed(grey, reality, IDEAL, np.random.default_rng(0))
    np.testing.assert_array_equal(exact, grey)


def test_the_bench_is_dressed(twin: TwinCell) -> None:
    twin.present("3-D printed block", 0)
    cell = twin.simulated
    textured = cell.observe(evaluation_viewpoints(2), Intrinsics.d415(160, 120)).images
    cell.reset(twin.scene)
    plain = cell.observe(evaluation_viewpoints(2), Intrinsics.d415(160, 120)).images
    assert textured[0, 60:, 40:120].std(axis=(0, 1)).min() > plain[0, 60:, 40:120].std(axis=(0, 1)).min()
    with pytest.raises(ValueError, match=f"from 0 to {SURFACES - 1}"):
        dress_workbench(cell.world, SURFACES, 0)


def test_views_and_verdicts_repeat(twin: TwinCell) -> None:
    ends = []
    for _ in range(2):
        scene = twin.present("3-D printed block", 1)
        views = twin.observe()
        done = twin.execute(above(scene.objects[0].T_world_object))
        ends.append((views.images.tobytes(), done.outcome, done.reason, dict(done.seconds)))
    assert ends[0] == ends[1]


def test_physics_judges(twin: TwinCell) -> None:
    scene = twin.present("crochet ball", 0)
    grasp = above(scene.objects[0].T_world_object)
    done = twin.execute(grasp)
    assert (done.outcome, done.holds, done.moved) == ("success", True, True) and "crochet ball" in done.reason
    assert done.seconds["latency"] == pytest.approx(2 * 0.10 + 5 * 0.05)
    away = grasp.copy()
    away[:2, 3] = (0.2, 0.0) if np.hypot(*(grasp[:2, 3] - (0.2, 0.0))) > 0.15 else (0.4, 0.2)
    missed = twin.execute(away)
    assert missed.outcome == "missed" and not missed.holds


def test_unsafe_poses_are_refused_before_anything_moves(twin: TwinCell) -> None:
    scene = twin.present("tennis ball", 0)
    grasp = above(scene.objects[0].T_world_object)
    outside, low, upwards = grasp.copy(), grasp.copy(), grasp.copy()
    outside[0, 3], low[2, 3] = 0.9, 0.962
    upwards[:3, :3] = np.eye(3)
    for pose, why in ((outside, "outside the workspace"), (low, "minimum height"), (upwards, "points")):
        with pytest.raises(UnsafePose, match=why):
            twin.execute(pose)
    with pytest.raises(UnsafePose, match="rotation"):
        twin.execute(2 * grasp)
    assert twin.execute(grasp).outcome == "success", "refusals leave the presentation as it was"


def test_bad_presentations_are_refused(twin: TwinCell) -> None:
    with pytest.raises(ValueError, match="0 or more, got -1"):
        twin.present("tennis ball", -1)
    with TwinCell(observer=OBSERVER) as empty, pytest.raises(RuntimeError, match="present"):
        empty.observe()
    with pytest.raises(ValueError, match="hand_eye_shift"):
        TwinConfig(hand_eye_shift=4.0)  # millimetres


class Seer:
    """A policy that knows where the object is; tells how the runners work without any training."""

    def __init__(self, cell: TwinCell, blind_to: str = "") -> None:
        self.cell, self.blind_to, self.streams = cell, blind_to, []
        self.config = OptimizerConfig(approach="downwards", approach_offset=APPROACH_OFFSET)

    def plan(self, views, generator):
        self.streams.append(generator.initial_seed())
        o = self.cell.scene.objects[0]
        if o.name == self.blind_to:
            raise NoGraspError("none of the candidates approaches from above")
        return SimpleNamespace(T_world_tcp=torch.from_numpy(above(o.T_world_object)), value=1.0)


def test_the_runner_of_real_trials_runs_on_the_twin(twin: TwinCell, tmp_path: Path) -> None:
    protocol = TrialProtocol(policies=("seer",), objects=("crochet ball", "3-D printed block"), presentations=2)
    seer = Seer(twin, blind_to="3-D printed block")
    log = run_trials(twin, {"seer": seer}, CellJudges(twin.place), protocol, tmp_path / "twin.jsonl", limit=3)
    assert log.backend == "twin" and "no robot moved" in log.banner and len(log.judged) == 3
    assert log.header["devices"]["hiking boot"] == everyday("hiking boot").note, "substitutions head the log"
    log = run_trials(twin, {"seer": seer}, CellJudges(twin.place), protocol, tmp_path / "twin.jsonl")
    outcomes = log.judged.groupby("object")["outcome"].agg(set).to_dict()
    assert outcomes == {"3-D printed block": {"no grasp"}, "crochet ball": {"success"}}
    assert log.judged["calibration"].unique().tolist() == [twin.calibration_id]


def test_the_log_says_that_each_presentation_is_another_cell(twin: TwinCell) -> None:
    """One calibration id, but an error of its own for each presentation, which can be drawn again."""
    errors = []
    for k in range(2):
        twin.present("tennis ball", k)
        errors.append(twin.reality.E_cam[0])
        again = Reality.draw(twin.config, OBSERVER.views, twin.seed, "tennis ball", k)
        assert again.off == twin.reality.off
    assert not np.allclose(errors[0], errors[1], atol=1e-3)
    stated = twin.devices["hand-eye error"]
    assert stated.startswith("4 mm and 0.5 degrees") and "every presentation" in stated and "another cell" in stated


def test_an_attempt_of_the_sweep_is_one_row(twin: TwinCell) -> None:
    point = SweepPoint("dgrasp_quat_sync", TRANSLATION, 0.0)
    seer = Seer(twin, "3-D printed block")
    good, none = rows(twin, presentations(twin, seer, point, ("crochet ball", "3-D printed block"), 1), seed=0)
    assert seer.streams == [2603817415490451381, 1783144888878396159], "those that published results rest on"
    assert good.success and good.outcome == "success" and good.x is not None and "crochet_ball" in good.models
    assert (good.policy, good.kind, good.error) == (point.policy, point.kind, point.error)
    assert (good.object, good.presentation) == ("crochet ball", 0)
    assert (none.outcome, none.success, none.value, none.x) == ("no grasp", False, None, None)
    assert none.models == "prisms", "as everywhere else"


def test_sweep_sets_one_error_and_leaves_the_rest() -> None:
    config = TwinConfig()
    ten = SweepPoint("base_quat_sync", TRANSLATION, 10.0).twin(config)
    assert (ten.hand_eye_shift, ten.hand_eye_turn) == (0.01, 0.0)
    two = SweepPoint("base_quat_sync", ROTATION, 2.0).twin(config)
    assert (two.hand_eye_shift, two.hand_eye_turn) == (0.0, 2.0)
    rest = config.model_dump(exclude={"hand_eye_shift", "hand_eye_turn"})
    assert ten.model_dump(exclude={"hand_eye_shift", "hand_eye_turn"}) == rest
    with pytest.raises(ValueError, match="0 to 100 mm"):
        SweepConfig(millimetres=(0.0, 200.0))
    with pytest.raises(ValueError, match="0 to 30 degrees, got"):
        SweepConfig(degrees=(0.5, 90.0))
    assert SweepConfig(millimetres=(100.0,), degrees=(30.0,)).millimetres == (100.0,), "the bounds are allowed"
    with pytest.raises(ValueError, match="hand_eye_turn"):
        SweepPoint("base_quat_sync", ROTATION, 90.0).twin(config)
    with pytest.raises(ValueError, match="unknown policy 'bas'"):
        SweepConfig(policies=("bas",))
    with pytest.raises(ValueError, match="unknown object 'shoe'"):
        SweepConfig(objects=("shoe",))


def sweep_records() -> pd.DataFrame:
    rows = []
    for policy, good in (("base_quat_sync", 2), ("dgrasp_quat_sync", 4)):
        for kind, error in ((TRANSLATION, 0.0), (TRANSLATION, 10.0), (ROTATION, 2.0)):
            rows += [{"policy": policy, "kind": kind, "error": error, "success": i < good} for i in range(5)]
    return pd.DataFrame(rows)


def test_rates_of_the_sweep_count_and_share_the_origin() -> None:
    rates = sweep_rates(sweep_records())
    assert rates["n"].tolist() == [5] * 8
    turned = rates[(rates["kind"] == ROTATION) & (rates["policy"] == "base_quat_sync")]
    assert turned["error"].tolist() == [0.0, 2.0] and turned["rate"].tolist() == [0.4, 0.4]
    assert (rates["low"] < rates["rate"]).all() and (rates["rate"] < rates["high"]).all()


def test_records_are_plain() -> None:
    assert set(asdict(SweepPoint("a", ROTATION, 1.0))) == {"policy", "kind", "error"}
    assert SweepPoint("a", ROTATION, 0.5).name == "a-rotation-0.5"
    turn = Rotation.from_matrix(Reality.draw(TwinConfig(hand_eye_turn=3.0), 2, 0, "x", 0).E_cam[1, :3, :3])
    assert np.degrees(turn.magnitude()) == pytest.approx(3.0)
