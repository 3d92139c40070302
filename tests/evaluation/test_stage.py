"""Stages of recorded policies: where they write, what is read of before, and that all of them open and end alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.evaluation.clearing import clear_tables
from dgrasp.evaluation.loop_series import LoopRow, closed_loop_run
from dgrasp.evaluation.rows import Row, read_rows
from dgrasp.evaluation.stage import AttemptsRecipe, PolicyStage, SeriesStage, _one_check
from dgrasp.evaluation.table import EvaluationRecipe, evaluate
from dgrasp.experiment.store import published, published_folder
from dgrasp.policy.fingers import FingerCheck
from dgrasp.renamed import as_called_now
from dgrasp.runs import RunError, only_complete
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.factors import try_factors
from dgrasp.twin.sweep import SweepRecipe, sweep
from dgrasp.twin.trials import TwinTrialsRecipe, twin_trials

STAGES: list[PolicyStage] = [evaluate, clear_tables, closed_loop_run, sweep, try_factors, twin_trials]
RECIPES = {evaluate.name: EvaluationRecipe, sweep.name: SweepRecipe, twin_trials.name: TwinTrialsRecipe}
RECIPE = AttemptsRecipe(cell=CellConfig(), observer=Observer(views=2, width=32, height=24))
POSE = dict.fromkeys(("x", "y", "z", "qx", "qy", "qz", "qw", "value"))


def test_names_of_folders_and_files_are_those_of_published_runs() -> None:
    """Other names would be other runs: what was made under these is found by them."""
    series = [(s.name, s.folder, s.table) for s in STAGES if isinstance(s, SeriesStage)]
    assert series == [
        ("evaluation", "episodes", "trials.csv"),
        ("clearing", "scenes", "attempts.csv"),
        ("closed-loop", "scenes", "attempts.csv.gz"),
        ("calibration-sweep", "errors", "attempts.csv"),
        ("factors", "conditions", "attempts.csv"),
    ]
    assert [s.code for s in STAGES] == [
        *("dgrasp.evaluation.table", "dgrasp.evaluation.clearing", "dgrasp.evaluation.loop_series"),
        *("dgrasp.twin.sweep", "dgrasp.twin.factors", "dgrasp.twin.trials"),
    ]
    assert [s.outputs.units for s in STAGES] == [(f"{folder}/*",) for _, folder, _ in series] + [()]
    assert twin_trials.outputs.volatile == ("logs/*",)


def test_tables_hold_what_units_hold() -> None:
    """Files of units are outputs: a column more in them would be another digest in `done.json`."""
    assert set(closed_loop_run.columns) == {field.name for field in fields(LoopRow)}
    assert {*evaluate.columns, *sweep.columns} <= {field.name for field in fields(Row)}
    assert len(fields(Row)) == 27


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in published().items() for seed in seeds])
def test_published_recipes_and_tables_are_as_today_s(name: str, seed: int) -> None:
    found = {}
    for run in published_folder(name, seed).iterdir():
        stage = next((s for s in STAGES if run.name.rpartition("-")[0] == s.name), None)
        if stage is not None and stage.name in RECIPES:
            stated = as_called_now(json.loads((run / "run.json").read_text(encoding="utf-8"))["config"])
            today = json.loads(RECIPES[stage.name].model_validate(stated).canonical())
            assert stated == {key: today[key] for key in stated}, "no key is called otherwise, or has another value"
            found[stage.name] = stage
        if isinstance(stage, SeriesStage):
            kept = next(path for name in (stage.table, f"{stage.table}.gz") if (path := run / name).is_file())
            assert set(read_rows(kept).columns) <= set(stage.columns)
    assert found.keys() == RECIPES.keys()


def test_how_plans_are_made_is_part_of_what_attempts_depend_on() -> None:
    sources = {"a": SimpleNamespace(fingers=None), "b": SimpleNamespace(fingers=FingerCheck())}
    assert _one_check({"a": sources["a"]}) is None and _one_check({"b": sources["b"]}) == FingerCheck()
    with pytest.raises(ValueError, match="policies of one stage plan with the same check of the fingers"):
        _one_check(sources)
    noted = RECIPE.model_copy(update={"fingers": FingerCheck()})
    other = RECIPE.model_copy(update={"optimizer": OptimizerConfig(steps=8)})
    assert len({recipe.digest() for recipe in (RECIPE, noted, other)}) == 3
    assert "fingers" not in RECIPE.canonical() and "optimizer" not in RECIPE.canonical()


# --- a stage of one's own ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    policy: str
    name: str


def attempts(recipe: AttemptsRecipe, source: object, unit: Unit, seed: int) -> Iterator[Row]:
    assert source == f"source of {unit.policy}"
    about = {"outcome": "missed", "reason": "", "object": "", "objects": "box", "models": "prisms"}
    yield Row(policy=unit.policy, success=unit.name == "b", seed=seed, simulated_seconds=1.0, **about, **POSE)


STAGE = SeriesStage(
    name="tried",
    code="dgrasp.evaluation.stage",
    folder="units",
    columns=("policy", "seed", "success"),
    units=lambda recipe: [Unit("base", "a"), Unit("dgrasp", "b")],
    attempts=attempts,
    begin_by=lambda unit: unit.name == "a",
    doing="trying",
    unit="unit",
)
SOURCES = {"base": "source of base", "dgrasp": "source of dgrasp"}


def tried(root: Path, stage: PolicyStage = STAGE):  # type: ignore[no-untyped-def]
    return stage(RECIPE, SOURCES, {}, root, seed=3, workers=1)


def test_a_stage_is_made_once_and_read(tmp_path: Path) -> None:
    with only_complete(), pytest.raises(RunError, match="not complete"):
        tried(tmp_path)
    run = tried(tmp_path)
    assert run.summary == {"attempts": 2, "successes": 1} and run.path.name.startswith("tried-")
    assert STAGE.read(run).to_dict("list") == {"policy": ["base", "dgrasp"], "seed": [3, 3], "success": [False, True]}
    assert sorted(path.name for path in (run.path / "units").iterdir()) == ["a.json", "b.json"]
    unasked = replace(STAGE, attempts=lambda *all: pytest.fail("made again"))
    assert tried(tmp_path, unasked).fingerprint == run.fingerprint


def test_units_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    """Those are begun first that `begin_by` says: here the second one, and the first one is interrupted."""

    def interrupted(recipe: AttemptsRecipe, source: object, unit: Unit, seed: int) -> Iterator[Row]:
        if unit.name == "a":
            raise KeyboardInterrupt
        return attempts(recipe, source, unit, seed)

    with pytest.raises(KeyboardInterrupt):
        tried(tmp_path, replace(STAGE, attempts=interrupted))
    (kept,) = tmp_path.glob("runs/tried-*/units/*.json")
    assert kept.name == "b.json"
    kept_at = kept.stat().st_mtime_ns
    assert tried(tmp_path).summary["attempts"] == 2 and kept.stat().st_mtime_ns == kept_at


def test_a_task_s_own_module_is_part_of_what_a_run_is_made_from(tmp_path: Path) -> None:
    own = replace(STAGE, tasks=lambda recipe: ("simple", "dgrasp.sim.tasks.crowded:Crowded"))
    code = {s: json.loads((tried(tmp_path, s).path / "run.json").read_text())["code"] for s in (STAGE, own)}
    assert code[own].keys() - code[STAGE].keys() == {"dgrasp.sim.tasks.crowded"}
