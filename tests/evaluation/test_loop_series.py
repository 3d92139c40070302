"""Open against closed loop as a series: what is asked, what is counted, and that both loops begin with one plan."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.evaluation import loop_series
from dgrasp.evaluation.loop_series import (
    DRIFT,
    PUSH,
    SHIFT,
    STILL,
    TURN,
    ClosedLoopConfig,
    ClosedLoopRecipe,
    Condition,
    Remembered,
    in_both_loops,
    loop_paths,
    loop_rates,
)
from dgrasp.policy.policies import Plan
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.slopes.climb import Optimized
from dgrasp.slopes.config import OptimizerConfig

FEW = ClosedLoopConfig(scenes=1, push_cm=(6.0,), drift_mm_s=(), shift_mm=(), turn_degrees=())
GRASP = np.diag([1.0, -1.0, -1.0, 1.0])
GRASP[:3, 3] = 0.2, 0.0, BOARD_TOP + 0.035


def test_conditions_are_asked_for_by_size() -> None:
    config = ClosedLoopConfig(push_cm=(2.0, 8.0), drift_mm_s=(10.0,), shift_mm=(5.0,), turn_degrees=(5.0,))
    assert [(c.disturbance, c.size) for c in config.conditions] == [
        (STILL, 0.0), (PUSH, 2.0), (PUSH, 8.0), (DRIFT, 10.0), (SHIFT, 5.0), (TURN, 5.0)
    ]  # fmt: skip
    assert Condition(PUSH, 8.0).moves().size == 0.08 and Condition(DRIFT, 10.0).moves().size == 0.01
    assert Condition(SHIFT, 5.0).moves().kind == "none"
    rng = np.random.default_rng
    assert np.linalg.norm(Condition(SHIFT, 5.0).off(rng(0))[:3, 3]) == pytest.approx(0.005)
    turn = Condition(TURN, 5.0).off(rng(0))
    assert np.degrees(np.arccos((np.trace(turn[:3, :3]) - 1) / 2)) == pytest.approx(5.0)
    assert np.array_equal(Condition(PUSH, 5.0).off(rng(0)), np.eye(4))
    with pytest.raises(ValueError, match="unknown policy 'best'"):
        ClosedLoopConfig(policies=("best",))
    with pytest.raises(ValueError, match="unknown task 'cluter'"):
        ClosedLoopConfig(task="cluter")


class Sighted:
    """A `GraspPolicy` whose landscape is a cone over the box, wherever that is now."""

    spec = SimpleNamespace(name="dgrasp_quat_sync", representation="quat", schedule="sync")
    config = OptimizerConfig(n_starts=4, gradient_clip=None, translation_rate=0.02, rotation_rate=0.1)
    bounds = (torch.tensor([-0.127, -0.305, 0.9605]), torch.tensor([0.527, 0.305, 1.0655]))

    def __init__(self, cell: SteeredSimulation) -> None:
        self.cell, self.plans = cell, 0
        self.value = SimpleNamespace(readout=torch.nn.Linear(1, 1), encode=lambda views: views, bind=self.bind)

    def bind(self, views: Views):  # type: ignore[no-untyped-def]
        top = torch.from_numpy(GRASP).float()
        top[:2, 3] = torch.from_numpy(self.cell._simulator.world.object_pose("box")[:2, 3]).float()
        return lambda T: (
            -400 * ((T - top)[:, :3, 3].square().sum(-1) + 1e-8).sqrt() - 20 * (T - top)[:, :3, :3].square().sum((1, 2))
        )

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        self.plans += 1
        T = torch.from_numpy(GRASP)
        return Plan(T, 1.0, 0, Optimized(T[None], torch.ones(1), torch.zeros(1, dtype=torch.long)))

    def offset(self, T: torch.Tensor) -> float:
        return 0.0


@pytest.fixture(scope="module")
def attempts() -> pd.DataFrame:
    recipe = ClosedLoopRecipe(loops=FEW, cell=CellConfig(), observer=Observer(views=2, width=48, height=36))
    T = np.eye(4)
    T[:3, 3] = 0.2, 0.0, BOARD_TOP + 0.035
    box = SceneObject("box", Prism(4, 0.05, 0.05, 0.07), (0.8, 0.2, 0.2), 0.15, 0.5, T)
    with SteeredSimulation(recipe.cell, recipe.observer, steps=FEW.steps) as cell:
        policy = Sighted(cell)
        made = list(in_both_loops(cell, policy, recipe, Scene((box,), "simple", "test", 3, 0), seed=0))
        assert policy.plans == 1
    return pd.DataFrame([vars(row) for row in made], columns=list(loop_series.COLUMNS))


def test_the_closed_loop_lifts_what_was_pushed_away(attempts: pd.DataFrame) -> None:
    won = attempts.set_index(["disturbance", "loop"])["success"].to_dict()
    assert won == {(STILL, "open"): True, (STILL, "closed"): True, (PUSH, "open"): False, (PUSH, "closed"): True}
    assert (attempts["scene"] == 3).all() and (attempts["objects"] == "box").all()
    assert (attempts.loc[attempts["loop"] == "closed", "looks"] > 5).all()
    assert (attempts.loc[attempts["loop"] == "open", "looks"] == 0).all()


def test_paths_stand_beside_the_demonstrations(attempts: pd.DataFrame) -> None:
    paths = loop_paths(attempts)
    assert list(paths.columns) == list(loop_series.PATHS)
    assert list(zip(paths["disturbance"], paths["loop"], paths["n"], strict=True)) == [
        (STILL, "open", 1), (STILL, "closed", 1), (PUSH, "closed", 1)
    ]  # fmt: skip
    calm = paths[paths["disturbance"] == STILL].set_index("loop")
    assert calm.loc["open", "length"] == pytest.approx(0.10) and calm.loc["open", "detour"] == pytest.approx(1.0)
    assert calm.loc["closed", "length"] == pytest.approx(0.10, abs=0.02)
    assert calm.loc["open", "cosine"] == pytest.approx(1.0) and calm.loc["closed", "cosine"] > 0.95
    assert (calm["shown_length"] >= 0.0999).all()


def test_demonstrations_come_from_above() -> None:
    start = GRASP.copy()
    start[:3, 3] += 0.06, 0.0, 0.10
    shown = loop_series.demonstrated(start, GRASP)
    np.testing.assert_allclose(
        shown[[0, 3, -1], :3, 3] - GRASP[:3, 3], [[0.06, 0, 0.1], [0, 0, 0.1], [0, 0, 0]], atol=1e-9
    )
    assert len(loop_series.demonstrated(loop_series.straight(GRASP, 0.1)[0], GRASP)) == 6


def test_rates_have_intervals(attempts: pd.DataFrame) -> None:
    rates = loop_rates(pd.concat([attempts, attempts.assign(success=False, scene=4)]))
    assert list(rates.columns) == list(loop_series.RATES) and len(rates) == 4
    closed = rates[(rates["disturbance"] == PUSH) & (rates["loop"] == "closed")].iloc[0]
    assert (closed["successes"], closed["n"], closed["rate"]) == (1, 2, 0.5)
    assert closed["low"] == pytest.approx(0.0945, abs=1e-3) and closed["high"] == pytest.approx(0.9055, abs=1e-3)
    json.loads(rates.to_json(orient="records"))


def test_a_plan_is_made_once_for_equal_views_and_starts() -> None:
    policy = SimpleNamespace(made=[])
    policy.plan = lambda views, generator: policy.made.append(torch.rand(1, generator=generator)) or policy.made[-1]
    planner = Remembered(policy, keep=2)
    views = [Views(np.full((1, 2, 3, 3), g, np.uint8), np.eye(3)[None], np.eye(4)[None]) for g in (0, 0, 1)]
    first, again, other = (planner.plan(v, torch.Generator().manual_seed(0)) for v in views)
    assert first is again and other is not first
    assert planner.plan(views[0], torch.Generator().manual_seed(1)) is not first and len(planner.plans) == 2
