"""The tables of the experiment beyond the paper: rows, seeds side by side, and a card with pictures."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dgrasp.evaluation.rows import POSE, read_rows, write_rows
from dgrasp.experiment import beyond
from dgrasp.experiment.beside_rates import of_forecasts, of_objects, of_piles, presented
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.ingredients import ARMS, WHOLE, arm, beside_the_whole, try_ingredients
from dgrasp.experiment.profiles import load_profile
from dgrasp.experiment.store import Build, Record, RecordError
from dgrasp.experiment.summit import try_options
from dgrasp.files import read_json, write_json
from dgrasp.report.figures import objects

BASE, DGRASP = "base_quat_sync", "dgrasp_quat_sync"
LONGER = "with twice the steps of Phi"
POSED = dict.fromkeys(POSE, 0.5)
PHIS = (  # arms that change Phi alone
    *("with features trained, too", "with a wider field", LONGER),
    *("with coarse features beside their place", "without rays at objects"),
)


def experiment(tmp_path, seed: int, profile: str = "beyond", steps: int = 5):  # type: ignore[no-untyped-def]
    of = SimpleNamespace(name=profile, settings={"steps": steps})
    return SimpleNamespace(seed=seed, profile=of, figures=tmp_path)


def rows(seed: int, rate: float) -> pd.DataFrame:
    return pd.DataFrame([{"policy": "base_quat_sync", "task": "simple", "rate": rate, "seed": seed}])


def test_rows_of_other_seeds_stay_and_those_of_the_same_are_replaced(tmp_path) -> None:
    runs = {"evaluation": SimpleNamespace(fingerprint="abc")}
    for seed, rate in ((0, 0.5), (1, 0.6), (0, 0.7)):
        path = beyond.write_table("beyond", rows(seed, rate), runs, experiment(tmp_path, seed))  # type: ignore[arg-type]
    assert sorted((row["seed"], row["rate"]) for row in beyond.kept_table("beyond", tmp_path)) == [(0, 0.7), (1, 0.6)]
    stated = read_json(path.with_suffix(".meta.json"))["seeds"]
    assert set(stated) == {"0", "1"} and stated["1"]["runs"] == {"evaluation": "abc"}


def test_seeds_of_other_settings_are_not_put_beside_one_another(tmp_path) -> None:
    """They would be counted together; a seed that is made again may have other ones."""

    def written(seed: int, steps: int) -> None:
        beyond.check_settings(experiment(tmp_path, seed, steps=steps), tmp_path)  # type: ignore[arg-type]
        beyond.write_table("factors", rows(seed, 0.5), {}, experiment(tmp_path, seed, steps=steps), tmp_path)  # type: ignore[arg-type]

    written(20, steps=4)
    written(20, steps=5)
    written(21, steps=5)
    with pytest.raises(
        RecordError, match=r"factors.json: has rows of seed 20, of other settings than profile 'beyond'"
    ):
        written(22, steps=6)
    with pytest.raises(RecordError, match="counted together"):
        beyond.write_table("factors", rows(22, 0.5), {}, experiment(tmp_path, 22, steps=6))  # type: ignore[arg-type]
    sidecar = tmp_path / "factors.meta.json"
    about = read_json(sidecar)
    del about["seeds"]["20"]["settings"]
    write_json(sidecar, about)
    with pytest.raises(RecordError, match="rows of seed 20"):
        written(21, steps=5)
    assert {row["seed"] for row in beyond.kept_table("factors", tmp_path)} == {20, 21}


def test_a_part_of_a_table_takes_no_row_away_and_fewer_attempts_take_no_place(tmp_path) -> None:
    def written(n: int, *tasks: str, run: str = "a") -> list[str]:
        table = pd.DataFrame([{"policy": BASE, "task": task, "n": n, "seed": 20} for task in tasks])
        runs = {task: SimpleNamespace(fingerprint=run) for task in tasks}
        path = beyond.write_table("beyond", table, runs, experiment(tmp_path, 20), tmp_path)  # type: ignore[arg-type]
        assert set(read_json(path.with_suffix(".meta.json"))["seeds"]["20"]["runs"]) >= set(tasks)
        return sorted(row["task"] for row in beyond.kept_table("beyond", tmp_path))

    assert written(50, "simple", "twin") == ["simple", "twin"]
    assert written(50, "simple") == ["simple", "twin"], "those of the twin are not made again yet, by the same run"
    with pytest.raises(RecordError, match=r"has a row of 50 attempts \(base_quat_sync, twin\) where this table has 9"):
        written(9, "twin")
    assert written(60, "simple", run="of other networks") == ["simple"]


def test_rows_of_another_profile_are_a_file_of_their_own(tmp_path) -> None:
    for profile, rate in (("beyond", 0.5), ("panda", 0.6)):
        beyond.write_table("beyond", rows(0, rate), {}, experiment(tmp_path, 0, profile))  # type: ignore[arg-type]
    assert [row["rate"] for row in beyond.kept_table("beyond", tmp_path)] == [0.5]
    assert [row["rate"] for row in beyond.kept_table("beyond", tmp_path, "panda")] == [0.6]
    assert read_json(tmp_path / "beyond-panda.meta.json")["seeds"]["0"]["profile"] == "panda"


def test_the_methods_are_compared_on_what_is_kept(tmp_path) -> None:
    assert len(beyond.contrasts(beyond.kept_attempts(tmp_path))) == 0
    scenes = [
        {"policy": policy, "task": "novel", "split": "test", "scene": i, "repetition": 0, "attempt": 0, "seed": seed}
        | {"success": policy == DGRASP or i == 0, "objects": "mug", "models": "flat", "value": 1.0} | POSED
        for seed in (20, 21) for policy in (BASE, DGRASP) for i in range(6)
    ]  # fmt: skip
    shown = [
        {"policy": policy, "kind": "twin", "error": 0.0, "object": "duck", "presentation": i, "seed": 20}
        | {"success": i == 1, "models": "flat", "value": 1.0} | POSED
        for policy in (DGRASP, BASE) for i in range(4)
    ]  # fmt: skip
    kept = {"evaluation-seed-20": scenes[:12], "evaluation-seed-21": scenes[12:], "twin-seed-20": shown}
    for name, attempts in kept.items():
        write_rows(tmp_path / "beyond" / f"beyond-{name}.csv.gz", pd.DataFrame(attempts))
    write_rows(tmp_path / "beyond" / "beyond-evaluation-seed-1-panda.csv.gz", pd.DataFrame(scenes).assign(seed=1))
    found = beyond.contrasts(beyond.kept_attempts(tmp_path)).set_index("task")
    assert (found.loc["novel", "seeds"], found.loc["novel", "scenes"]) == (2, 12)
    assert found.loc["novel", "difference"] == pytest.approx(5 / 6) and found.loc["novel", "p_holm"] < 0.05
    assert (found.loc["twin", "scenes"], found.loc["twin", "difference"]) == (4, 0.0)
    assert set(beyond.kept_attempts(tmp_path)["seed"]) == {20, 21}, "the other profile's are not among them"
    assert set(beyond.kept_attempts(tmp_path, "panda")["seed"]) == {1} and beyond.kept_attempts(tmp_path, "pan").empty


def test_what_is_tried_out_is_not_published_and_other_names_are_refused(tmp_path) -> None:
    with pytest.raises(RecordError, match="'micro' is for trying things out"):
        beyond.write_table("factors", rows(0, 0.5), {}, experiment(tmp_path, 0, "micro"), beyond.FOLDER)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown table 'tab03'; tables: beyond, beyond_objects, beyond_piles"):
        beyond.write_table("tab03", rows(0, 0.5), {}, experiment(tmp_path, 0))  # type: ignore[arg-type]
    assert beyond.kept_table("beyond", tmp_path) == []


def test_the_sidecar_of_clearing_says_what_is_not_equal(tmp_path) -> None:
    path = beyond.write_table("clearing", rows(0, 0.5), {}, experiment(tmp_path, 0))  # type: ignore[arg-type]
    about = read_json(path.with_suffix(".meta.json"))
    assert about["not_equal"] and about["published"] and len(read_json(path)) == 1


def test_the_card_has_a_row_and_a_row_of_pictures_for_each_family(tmp_path) -> None:
    card, picture = objects.write_object_card(tmp_path, range(20), columns=1)
    lines = [line for line in card.read_text().splitlines() if line.startswith("| ") and "family" not in line]
    assert len([line for line in lines if "---" not in line]) == 10
    assert "1000 objects in 10 families" in card.read_text() and all(map(str.isascii, lines))
    shown = np.asarray(Image.open(picture))
    assert shown.shape == (10 * objects.SIDE, objects.SIDE, 3)
    tiles = shown.reshape(10, objects.SIDE, objects.SIDE, 3)
    assert len({tile.tobytes() for tile in tiles}) == 10
    assert all(np.abs(tile.astype(int) - tile[0, 0]).max() > 40 for tile in tiles), "something stands there"


def test_pairs_are_of_the_same_scenes() -> None:
    same = {"task": "novel", "split": "test", "repetition": 0, "attempt": 0, "seed": 7, "policy": beyond.BEST}
    ours, theirs = (pd.DataFrame([{**same, "scene": k, "success": k < lifted} for k in range(10)]) for lifted in (8, 5))
    (row,) = beyond.paired_rows(ours, theirs.sample(frac=1, random_state=0)).to_dict("records")
    assert (row["task"], row["n"], row["only_policy"], row["only_control"]) == ("novel", 10, 3, 0)
    assert row["difference"] == pytest.approx(0.3)


def trials(task: str, successes: list[list[bool]], names: str) -> list[dict]:
    """One policy's trials: a list of attempts for each scene."""
    of_all = {"policy": "base_quat_sync", "task": task, "split": "test", "repetition": 0}
    return [
        {**of_all, "scene": i, "attempt": k, "success": lifted, "objects": names, "object": "", "value": float(lifted)}
        for i, scene in enumerate(successes)
        for k, lifted in enumerate(scene)
    ]


def test_a_pile_is_cleared_when_each_of_its_objects_was_lifted() -> None:
    piles = [[True] * 3, [True, False, True], [True, True]]  # the last scene ended early: one was pushed off the board
    rows = pd.DataFrame(trials("clutter", piles, "a, b, c") + trials("novel", [[True], [False]], "mug"))
    (row,) = of_piles(rows).to_dict("records")
    assert (row["task"], row["successes"], row["n"]) == ("clutter", 1, 3)
    assert row["rate"] == pytest.approx(1 / 3) and 0 < row["low"] < row["rate"] < row["high"]


def test_objects_stand_one_by_one_whether_they_were_lifted_or_not() -> None:
    alone = trials("novel", [[True], [False]], "mug") + trials("novel", [[True]], "can")
    rows = pd.DataFrame(trials("clutter", [[True, False]], "a, b") + alone)
    table = of_objects(presented(rows)).set_index("object")
    assert table["successes"].to_dict() == {"mug": 1, "can": 1} and table["n"].to_dict() == {"mug": 2, "can": 1}
    assert set(table["task"]) == {"novel"}


def test_forecasts_are_policy_by_policy_and_leave_out_who_had_no_plan() -> None:
    rows = pd.DataFrame(trials("novel", [[True], [False], [True]], "mug"))
    rows.loc[2, "value"] = np.nan
    worse = rows.assign(policy="dgrasp_quat_sync", value=-rows["value"])
    first, second = of_forecasts(pd.concat([rows, worse])).to_dict("records")
    assert (first["n"], first["successes"], first["auc"], second["auc"]) == (2, 1, 1.0, 0.0)


def test_attempts_are_kept_beside_their_table(tmp_path) -> None:
    made = tmp_path / "run"
    made.mkdir()
    pd.DataFrame(trials("novel", [[True]], "mug")).to_csv(made / "trials.csv", index=False)
    run = SimpleNamespace(path=made, check=lambda: None)
    runs = {"evaluation": run, "with looks, twin": run}
    files = beyond.keep_attempts("beyond", runs, experiment(tmp_path, 20), tmp_path)  # type: ignore[arg-type]
    assert [path.name for path in files] == [
        "beyond-evaluation-seed-20.csv.gz",
        "beyond-with_looks-twin-seed-20.csv.gz",
    ]
    assert read_rows(files[0])["success"].tolist() == [True] and files[0].parent == tmp_path / "beyond"


@pytest.mark.parametrize("name", [name for name in ARMS if name != WHOLE])
def test_an_arm_lacks_one_ingredient_and_nothing_else(name: str) -> None:
    whole, lacking = (arm(load_profile("beyond"), n).model_dump() for n in (WHOLE, name))
    differing = {key for key in whole if whole[key] != lacking.get(key)}
    cameras = {"with exact cameras", "with cameras further off"}
    others = {"without ImageNet features": {"nerf"}, **{one: {"nerf", "value"} for one in cameras},
              "with blocked negatives": {"value"}, "without outcomes": {"outcomes", "value"},
              "with averaged weights": {"value"}, "at a constant rate": {"value"},
              **{one: {"nerf"} for one in PHIS}}  # fmt: skip
    expected = others.get(name, {"data"})
    assert differing == expected
    outcomes = lacking.get("outcomes")
    steps = lacking["value"]["steps"] + (outcomes["steps"] if outcomes else 0)
    assert steps == whole["value"]["steps"] + whole["outcomes"]["steps"], "all are trained for as long"
    assert whole["nerf"]["training"]["steps"] == 0.2 * load_profile("beyond").nerf.training.steps
    assert lacking["nerf"]["training"]["steps"] == whole["nerf"]["training"]["steps"] * (2 if name == LONGER else 1)


def test_arms_that_are_none_and_profiles_without_ingredients_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="unknown arm 'without luck'; arms: all of it, without ImageNet features"):
        arm(load_profile("beyond"), "without luck")
    plain = Experiment(load_profile("laptop"), Build(tmp_path), 0)
    with pytest.raises(ValueError, match="profile 'laptop' has no `outcomes`, an ingredient"):
        next(try_ingredients(plain))
    published = Experiment(load_profile("beyond"), Record(tmp_path / "seed-20", tmp_path), 20)
    for tried in (lambda: next(try_ingredients(published)), lambda: try_options(published)):
        with pytest.raises(ValueError, match=r"seed-20: is published, .* give a profile and build"):
            tried()


def test_rows_that_other_settings_made_do_not_stay_beside_new_ones(tmp_path) -> None:
    def written(name: str, steps: int) -> list[str]:
        table = pd.DataFrame([{"arm": name, "policy": BASE, "task": "simple", "n": 9, "seed": 21}])
        runs = {f"{name}, scenes": SimpleNamespace(fingerprint=name)}
        beyond.write_table("ingredients", table, runs, experiment(tmp_path, 21, steps=steps), tmp_path)  # type: ignore[arg-type]
        return [row["arm"] for row in beyond.kept_table("ingredients", tmp_path)]

    assert written("a", 5) == ["a"] and written("b", 5) == ["a", "b"]
    assert written("b", 6) == ["b"], "the profile is another one now: what a has is no row of it"


def test_arms_are_compared_with_the_whole_on_the_same_scenes(tmp_path) -> None:
    """The arm lifts in all of ten scenes, the whole in none; in the twin nobody differs; other arms are not kept."""
    assert not len(beside_the_whole(tmp_path))
    for name, lifts in ((WHOLE, False), ("without looks", True)):
        scenes = [
            {"policy": BASE, "task": "simple", "split": "validation", "scene": i, "repetition": 0, "attempt": 0,
             "seed": 21, "success": lifts, "objects": "mug", "models": "flat", "value": 1.0} | POSED
            for i in range(10)
        ]  # fmt: skip
        twin = [
            {"policy": BASE, "kind": "twin", "error": 0.0, "object": "duck", "presentation": i, "seed": 30021,
             "success": True, "models": "flat", "value": 1.0} | POSED
            for i in range(4)
        ]  # fmt: skip
        for stage, attempts in (("scenes", scenes), ("twin", twin)):
            path = beyond.attempts_file(beyond.of_stage("ingredients", f"{name}, {stage}"), 21, tmp_path, "beyond")
            write_rows(path, pd.DataFrame(attempts))
    found = beside_the_whole(tmp_path).set_index("task")
    assert set(found["arm"]) == {"without looks"} and found["n"].to_dict() == {"simple": 10, "twin": 4}
    assert found.loc["simple", "difference"] == 1 and found.loc["simple", "p_holm"] == pytest.approx(2 * 2 / 2**10)
    assert (found.loc["twin", "difference"], found.loc["twin", "p"]) == (0, 1)
