"""How the tables of the experiment beyond the paper are made, with stages that compute nothing."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from dgrasp.cli.beyond import _tables
from dgrasp.experiment import beyond, ingredients
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.ingredients import DRAWS, WHOLE, try_ingredients
from dgrasp.experiment.profiles import load_profile
from dgrasp.experiment.store import Build

PAIR = ("base_quat_sync", "dgrasp_quat_sync")


class Stage:
    """Says that everything was lifted, and remembers what was asked."""

    def __init__(self, folder: Path, **labels: str) -> None:
        shared = {"object": "can", "objects": "can", "value": 1.0, "success": True, **labels}
        self.rows = pd.DataFrame([{"policy": policy, "scene": 0, **shared} for policy in PAIR])
        self.asked: list[tuple] = []
        self.run = SimpleNamespace(path=folder, fingerprint="abc", seed=20, check=lambda: None)
        self.rows.to_csv(folder / "attempts.csv", index=False)

    def __call__(self, recipe, sources, inputs, root, *, seed, workers):  # type: ignore[no-untyped-def]
        self.asked.append((recipe, sorted(sources), sorted(inputs), seed))
        return self.run

    def read(self, run: object) -> pd.DataFrame:
        return self.rows


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    summary = {"psnr_objects": 20.0, "val_main": 0.5, "val_top1": 0.75}
    trained = SimpleNamespace(path=tmp_path / "nerf", seconds=90, summary=summary)
    monkeypatch.setattr(Experiment, "nerf", lambda self: trained)
    monkeypatch.setattr(Experiment, "values", lambda self: {"base": trained, "dgrasp_quat": trained})
    monkeypatch.setattr(Experiment, "second_round", lambda self: None)
    monkeypatch.setattr(Experiment, "source", lambda self, policy, optimizer: SimpleNamespace(value=None))
    return Experiment(load_profile("beyond"), Build(tmp_path / "build"), 20)


def test_arms_are_tried_on_validation_scenes_and_draws_of_no_test(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes, twin = Stage(tmp_path, task="simple"), Stage(tmp_path, kind="twin")
    monkeypatch.setattr(ingredients, "try_validation_scenes", scenes)
    monkeypatch.setattr(ingredients, "try_factors", twin)
    grown = list(try_ingredients(experiment, (WHOLE, "without looks"), scenes=3, presentations=2))
    assert [len(table) for table, _ in grown] == [4, 8], "both policies on both, arm by arm"
    table, runs = grown[-1]
    assert list(table["arm"].unique()) == [WHOLE, "without looks"] and set(table["task"]) == {"simple", "twin"}
    assert set(table["seed"]) == {20} and (table["rate"] == 1).all()
    assert set(table["minutes"]) == {1.5}, "a run that stands twice counts once"
    assert set(table["psnr_objects"]) == {20.0} and set(table["main"]) == {0.5} and set(table["ranked_first"]) == {0.75}
    assert list(runs) == [f"{arm}, {stage}" for arm in (WHOLE, "without looks") for stage in ("scenes", "twin")]
    recipe, sources, inputs, seed = scenes.asked[0]
    assert (recipe.scenes, seed, sources) == (3, 20, list(PAIR)) and len(inputs) == 3
    assert twin.asked[0][0].factors.conditions == ("twin",) and twin.asked[0][3] == DRAWS + 20


def test_rows_are_written_before_the_twin_and_once_more_with_it(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = Stage(tmp_path, task="novel", split="test")
    trials.rows = trials.rows.assign(repetition=0, attempt=0, seed=20)
    twin = Stage(tmp_path, kind="twin")
    monkeypatch.setattr(Experiment, "evaluation", lambda self: trials.run)
    monkeypatch.setattr(beyond, "read_attempts", trials.read)
    monkeypatch.setattr(beyond, "try_factors", twin)
    monkeypatch.setattr(beyond, "factors", lambda experiment, config: twin.run)
    counted = [{"policy": p, "factor": "twin", "successes": 1, "n": 1, "rate": 1.0, "low": 0.2, "high": 1.0, "seed": 9}
               for p in PAIR]  # fmt: skip
    monkeypatch.setattr(beyond, "factor_rates", lambda run: pd.DataFrame(counted))
    _tables(experiment, Namespace(what="rows", presentations=None), tmp_path / "kept")
    rows = beyond.kept_table("beyond", tmp_path / "kept")
    assert [row["task"] for row in rows] == ["novel", "novel", "twin", "twin"] and {row["seed"] for row in rows} == {20}
    assert set(rows[0]) == set(beyond.COLUMNS) and rows == beyond.kept_table("beyond", experiment.figures)
    assert capsys.readouterr().out.count(f"written: {tmp_path / 'kept' / 'beyond.json'}") == 2
    assert {row["task"] for row in beyond.kept_table("beyond_objects", tmp_path / "kept")} == {"novel", "twin"}
    forecasts = beyond.kept_table("beyond_forecasts", tmp_path / "kept")
    assert len(forecasts) == 4 and {row["auc"] for row in forecasts} == {None}, "all ended alike"
    kept = sorted(path.name for path in (tmp_path / "kept" / "beyond").iterdir())
    assert kept == ["beyond-evaluation-seed-20.csv.gz", "beyond-twin-seed-20.csv.gz"]
