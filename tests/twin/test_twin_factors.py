"""The table of factors: each condition is what its name says, and Table 2's twin is as it was."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import read_cell
from dgrasp.cell.observer import Observer
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.evaluation.rows import read_rows
from dgrasp.sim.objects.made import TRAINING
from dgrasp.sim.objects.shapes import Made, Model, shape_from
from dgrasp.sim.tasks.everyday_scene import distractors, present
from dgrasp.twin import factors
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.factors import CONDITIONS, EXTRA, FACTORS, NEUTRAL, FactorsConfig, FactorsRecipe, condition
from dgrasp.twin.reality import Reality, TwinConfig
from dgrasp.twin.recipe import TwinRecipe

OBSERVER = Observer(views=2, width=32, height=24)
TWIN = TwinConfig()


class Fixed:
    """Plans the same grasp always."""

    def plan(self, views, generator):  # type: ignore[no-untyped-def]
        T = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        T[:3, 3] = torch.tensor([0.2, 0.0, BOARD_TOP + 0.03])
        return SimpleNamespace(T_world_tcp=T, value=float(views.images.mean()))


def test_conditions_cover_the_twin_field_by_field() -> None:
    fields = {field for group in FACTORS.values() for field in group}
    assert fields == set(TwinConfig.model_fields) and set(NEUTRAL) == fields - set(EXTRA)
    for name, group in FACTORS.items():
        alone = condition(name, TWIN).model_dump()
        for field, still in NEUTRAL.items():
            expected = TWIN.model_dump()[field] if field in group else still
            assert alone[field] == expected, (name, field)
    everything = condition("all", TWIN)
    assert everything.model_dump() == TWIN.model_dump() | dict(EXTRA)
    far = condition("twin_10mm_2deg", TWIN)
    assert (far.hand_eye_shift, far.hand_eye_turn, far.blur) == (0.010, 2.0, TWIN.blur)
    with pytest.raises(ValueError, match="unknown condition 'fog'; conditions: none, bench, light"):
        condition("fog", TWIN)


def test_a_loss_has_the_interval_of_its_presentations() -> None:
    shown = [{"object": "duck", "presentation": i} for i in range(40)]
    attempts = pd.DataFrame(
        [{"policy": "p", "factor": "none", "success": True} | at for at in shown]
        + [{"policy": "p", "factor": "light", "success": at["presentation"] >= 10} | at for at in shown]
    )
    loss, low, high = factors._loss(attempts, "p", "light", 0.95)
    assert loss == 0.25 and 0.1 <= low < 0.25 < high <= 0.4
    assert factors._loss(attempts, "p", "none", 0.95) == (0.0, 0.0, 0.0)
    alone = attempts[attempts["factor"] == "light"]
    assert np.isnan(factors._loss(alone, "p", "light", 0.95)).all()


def test_table_2_s_twin_has_none_of_the_further_factors() -> None:
    assert not {"distractors", "object_texture", "size_spread"} & TWIN.model_dump().keys()
    plain, all_on = (Reality.draw(c, 2, 0, "tennis ball", 1) for c in (TWIN, condition("all", TWIN)))
    assert (plain.size, plain.object_surface) == (1.0, None)
    assert abs(all_on.size - 1) <= 0.15 and all_on.size != 1 and all_on.object_surface is not None
    assert np.array_equal(plain.E_cam, all_on.E_cam) and plain.surfaces == all_on.surfaces


def test_sizes_scale_meshes_and_prisms_and_survive_files() -> None:
    for name in ("large Lego tire", "3-D printed block"):
        usual, large = (present(np.random.default_rng(0), name, size=s).objects[0] for s in (1.0, 1.2))
        assert np.allclose(np.array(large.shape.extents) / usual.shape.extents, 1.2) and large.mass == usual.mass
        assert shape_from(large.shape.describe()) == large.shape
        height = large.T_world_object[2, 3] - usual.T_world_object[2, 3]
        assert height > 0, "it lies on the board, and so its centre higher"
    assert "scale" not in Model("x", (1.0, 1.0, 1.0), "y").describe()


def test_distractors_stand_beside_the_board_and_are_none_of_trainings() -> None:
    with TwinCell(condition("distractors", TWIN), observer=OBSERVER) as cell:
        scene = cell.present("crochet ball", 0)
        others = scene.objects[1:]
        assert len(others) == 4 and all(isinstance(o.shape, Made) and o.shape.number >= TRAINING for o in others)
        assert all(abs(o.T_world_object[1, 3]) > 0.32 for o in others)
        with_them = cell.observe().images
    with TwinCell(condition("none", TWIN), observer=OBSERVER) as cell:
        alone = cell.present("crochet ball", 0)
        assert alone.objects[0].name == scene.objects[0].name and len(alone) == 1
        assert np.array_equal(alone.objects[0].T_world_object, scene.objects[0].T_world_object)
        assert not np.array_equal(with_them, cell.observe().images)


def test_distractors_stand_along_the_board_wherever_it_is() -> None:
    """Where the paper's is, to the bit; a board that stands 5 cm farther ahead has them as much farther ahead."""
    described = read_cell("ur10_2f140_d415")
    papers, same = (distractors(np.random.default_rng(1), 4, cell) for cell in (None, described))
    x, y = described.bench.board_centre
    bench = described.bench.model_copy(update={"board_centre": (x + 0.05, y)})
    ahead = distractors(np.random.default_rng(1), 4, described.model_copy(update={"bench": bench}))
    for i, (ours, theirs, farther) in enumerate(zip(papers, same, ahead, strict=True)):
        assert ours.T_world_object[0, 3] == theirs.T_world_object[0, 3]
        assert farther.T_world_object[0, 3] - ours.T_world_object[0, 3] == pytest.approx(0.05)
        assert -0.05 + 0.15 * (i // 2) <= ours.T_world_object[0, 3] < 0.01 + 0.15 * (i // 2)


def test_a_texture_changes_the_object_alone() -> None:
    images = []
    for name in ("none", "object texture"):
        with TwinCell(condition(name, TWIN), observer=Observer(views=2, width=64, height=48)) as cell:
            cell.present("shampoo bottle", 0)
            images.append(cell.observe().images.astype(int))
    changed = (np.abs(images[0] - images[1]).max(axis=-1) > 8).mean()
    assert 0.001 < changed < 0.1


def test_every_attempt_is_on_record_and_losses_are_against_none(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwinRecipe, "policy", lambda recipe, source: source)
    config = FactorsConfig(
        policies=("base_quat_sync",), conditions=("none", "bench"), objects=("3-D printed block",), presentations=2
    )
    recipe = FactorsRecipe(factors=config, twin=TWIN, cell=CellConfig(), observer=OBSERVER)
    run = factors.try_factors(recipe, {"base_quat_sync": Fixed()}, {}, tmp_path, seed=0, workers=1)
    rows = read_rows(run.path / "attempts.csv")
    assert list(rows["kind"]) == ["none"] * 2 + ["bench"] * 2 and rows["value"].nunique() == 4
    table = factors.factor_rates(run).set_index("factor")
    assert list(table["n"]) == [2, 2] and table.loc["none", "loss"] == 0
    assert table.loc["bench", "loss"] == table.loc["none", "rate"] - table.loc["bench", "rate"]
    assert table.loc["none", "loss_low"] == table.loc["none", "loss_high"] == 0
    units = sorted(path.stem for path in (run.path / "conditions").glob("*.json"))
    assert units == [f"base_quat_sync-{name}-3-D_printed_block" for name in ("bench", "none")], "small ones"
    again = factors.try_factors(recipe, {"base_quat_sync": None}, {}, tmp_path, seed=0, workers=1)  # type: ignore[dict-item]
    assert again.path == run.path
    assert len(CONDITIONS) == 16
