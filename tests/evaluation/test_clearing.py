"""VGN's protocols: when a scene ends, what counts, and a value as a forecast."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation import clearing
from dgrasp.evaluation.clearing import PACKED, PILE, ClearingConfig, ClearingRecipe, clear_tables, cleared, yardstick
from dgrasp.evaluation.forecast import auc
from dgrasp.sim.objects.shapes import Made
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.tasks.paper import task

RECIPE = ClearingRecipe(
    clearing=ClearingConfig(policies=("base_quat_sync",), tasks=(PACKED,), scenes=1),
    cell=CellConfig(),
    observer=Observer(views=2, width=32, height=24),
)


def run_with(grasps, tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    """The series with a policy that plans these poses, one after the other, and the last one for ever."""
    queue = [torch.as_tensor(T, dtype=torch.float32) for T in grasps]

    def plan(views, generator):  # type: ignore[no-untyped-def]
        return SimpleNamespace(T_world_tcp=queue.pop(0) if len(queue) > 1 else queue[0], value=0.0)

    monkeypatch.setattr(clearing, "worker_policy", lambda source: SimpleNamespace(plan=plan))
    return clear_tables(RECIPE, {"base_quat_sync": None}, {}, tmp_path, seed=0, workers=1)  # type: ignore[dict-item]


def test_two_failures_in_a_row_end_a_scene(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = oracle_grasps(task(PACKED).scene("test", 0))
    beside = known[0].copy()
    beside[2, 3] += 0.25  # closes on air
    run = run_with([beside, known[0], beside], tmp_path, monkeypatch)
    table = cleared(run)
    row = table.iloc[0]
    assert (row["task"], row["n"]) == ("packed", 4), "a failure, a success, and two failures in a row"
    assert row["successes"] == 1 and row["cleared"] == pytest.approx(1 / 5) and row["rate"] == 0.25


class Clumsy:
    """A cell in which each grasp pushes an object off the board, and lifts none, or finds no grasp."""

    description = None

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def show(self, scene) -> None:  # type: ignore[no-untyped-def]
        self.scene = replace(scene, objects=scene.objects[1:])


@pytest.mark.parametrize(("outcome", "rows"), [(Outcome.MISSED, 2), (Outcome.NO_GRASP, 0)])
def test_what_leaves_the_board_is_no_success_and_no_grasp_is_none_tried(
    outcome: Outcome, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "worker_cell", lambda *of: Clumsy(outcome))
    monkeypatch.setattr(clearing, "worker_policy", lambda source: None)

    def made(cell, setups, **how):  # type: ignore[no-untyped-def]
        for setup in setups:
            yield SimpleNamespace(success=False, outcome=outcome, attempt=setup.labels["attempt"])

    monkeypatch.setattr(clearing, "rows", made)
    episode = clearing.ClearingEpisode("base_quat_sync", PACKED, "test", 0, 0)
    found = list(clearing._attempts(RECIPE, None, episode, 0))  # type: ignore[arg-type]
    assert [row.attempt for row in found] == list(range(rows))


def test_objects_are_of_no_training_and_stand_or_are_piled() -> None:
    for name in (PILE, PACKED):
        scene = task(name).scene("test", 1)
        assert all(isinstance(o.shape, Made) and o.shape.number >= 900 for o in scene.objects) and len(scene) == 5
    for index in range(3):
        poses = np.stack([o.T_world_object for o in task(PACKED).scene("test", index).objects])
        assert (np.degrees(np.arccos(np.clip(poses[:, 2, 2], -1, 1))) < 10).all(), "all stand"
        assert np.ptp(poses[:, :2, 3], axis=0).max() < 0.3, "as neighbours, and not all over the board"


def test_published_numbers_come_with_what_is_not_equal() -> None:
    assert {row["method"] for row in yardstick()["published"]} == {"OrbitGrasp", "GIGA", "VGN"}
    for row in yardstick()["published"]:
        assert 0 < row["success"] < 1 and row["source"].startswith("arXiv ") and row["checked"] in (True, False)
    assert len(yardstick()["not_equal"]) >= 4


def test_a_value_that_knows_has_an_area_of_one_and_noise_a_half() -> None:
    rows = pd.DataFrame({"value": [3.0, 2.0, 1.0, 0.0, np.nan], "success": [True, True, False, False, False]})
    assert auc(rows) == 1.0 and auc(rows.assign(value=-rows["value"])) == 0.0
    assert auc(rows.assign(value=1.0)) == 0.5 and np.isnan(auc(rows.assign(success=True)))
    assert auc(pd.DataFrame({"value": [1.0, 2.0, 3.0], "success": [False, True, False]})) == 0.5
