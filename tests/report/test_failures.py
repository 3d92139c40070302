"""The failure browser without a browser: which attempts, their scenes made once more, and the page's files."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_failures import COLUMNS, experiment, noise, table

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.transforms import pose_vector
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import POSE
from dgrasp.evaluation.workers import worker_scene
from dgrasp.policy.policies import Plan
from dgrasp.report.failures import page, sheets
from dgrasp.report.failures.attempts import evenly, few_pictured, kinds, pictured
from dgrasp.report.failures.replay import Job, drawn_again, repeated
from dgrasp.report.failures.sheets import kept_sheet, sheet_file
from dgrasp.report.play.container import facts_of
from dgrasp.robot.trials import image_hash
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig

SEEN = Observer(views=2, width=32, height=24)
LATENCY = 2 * 0.1 + 5 * 0.05  # s: of two pictures and five commands, which the twin adds to what physics took


def test_kinds_and_even_choice():
    assert kinds("octagonal prism 1, octagonal prism 2, box 3") == ["octagonal prism", "box"]
    assert kinds("tennis_ball") == ["tennis_ball"] and kinds("") == []
    assert evenly(10, 5).sum() == 5 and evenly(3, 5).all() and evenly(0, 5).size == 0
    assert np.diff(np.flatnonzero(evenly(1000, 7))).max() <= 143


def test_objects_are_named_as_people_say_them():
    rows = pd.DataFrame({"objects": ["tennis_ball", "octagonal prism 1, box 2", ""], "reason": "tennis_ball slipped"})
    read = page.as_read(rows)
    assert read["objects"].tolist() == ["tennis ball", "octagonal prism 1, box 2", ""]
    assert read["reason"][0] == "tennis ball slipped" and rows["objects"][0] == "tennis_ball"


def test_all_failures_and_some_successes_are_pictured():
    attempts = table(scenes=12)
    chosen = pictured(attempts, successes=2)
    failed = ~attempts["success"].astype(bool)
    assert chosen[failed].all() and failed.any()
    assert (chosen[~failed].groupby([attempts["task"], attempts["policy"]]).sum() <= 2).all()
    few = pictured(attempts, most=4, successes=0)
    assert few.sum() == 4 and few[~failed].sum() == 0
    assert pictured(attempts[~failed], successes=1).sum() == len(attempts[~failed].groupby(["task", "policy"]))


def always(row):
    return True


def test_a_light_page_shows_the_scenes_that_most_policies_fail_in():
    attempts = table(scenes=4)
    attempts.loc[(attempts["task"] == "simple") & (attempts["scene"] == 2), "success"] = False  # both policies fail
    later = attempts[attempts["task"] == "simple"].assign(attempt=1, success=False)
    every = pd.concat([attempts, later], ignore_index=True)
    few = every[few_pictured(every, always, scenes=1)]
    assert few["attempt"].eq(0).all() and few.groupby("task")["scene"].nunique().eq(1).all()
    simple = few[few["task"] == "simple"]
    assert set(simple["scene"]) & {0, 2} and len(simple) == 2 and not simple["success"].any()
    lifted = every.assign(success=every["success"] | every["policy"].str.startswith("dgrasp"))
    shown = lifted[few_pictured(lifted, always, scenes=1)]
    assert shown.groupby("task")["success"].agg(["sum", "size"]).values.tolist() == [[1, 2]] * 3
    assert not few_pictured(table(failing=False), always).any()


def test_of_scenes_that_are_drawn_otherwise_today_the_next_ones_are_taken():
    asked = []

    def later_ones(row):
        asked.append(row["scene"])
        return row["scene"] >= 2

    one_task = table(scenes=6).query("task == 'simple'").reset_index(drop=True)
    few = one_task[few_pictured(one_task, later_ones)]
    assert set(few["scene"]) == {2, 3} and asked == [0, 1, 2, 3]
    assert not few_pictured(one_task, lambda row: False).any()


def test_a_scene_is_drawn_again_if_its_objects_are_the_same(played):
    row = played[0] | {"table": "simulation"}
    assert drawn_again(row) and not drawn_again(row | {"objects": "another thing"})
    assert drawn_again({"table": "twin"})


@pytest.mark.parametrize("pictures", ["few", "kept", "all"])
def test_pictures_are_made_of_few_attempts_of_none_or_of_all(tmp_path, monkeypatch, pictures):
    made = []
    monkeypatch.setattr(page, "attempts_of", lambda one: table(scenes=6))
    monkeypatch.setattr(page, "kept_sheet", lambda job, to: made.append(job) or noise(job, to))
    monkeypatch.setattr(page, "sheet_path", lambda job, to: tmp_path / "none")
    monkeypatch.setattr(page, "drawn_again", always)
    shown = page.write_files(experiment(tmp_path), tmp_path, pictures=pictures)
    rule = facts_of(
        base64.b85decode((tmp_path / "failures-files" / "attempts-all.js").read_text(encoding="utf-8").split('"')[3])
    )["rule"]
    said = {"few": "first attempts in the 2 scenes of each task", "kept": "No pictures", "all": "all "}
    assert said[pictures] in rule
    assert len(made) == {"few": 6, "kept": 0, "all": len(shown.groupby(["task", "scene"]))}[pictures]
    assert shown["pictured"].any() == (pictures != "kept")
    assert len(list((tmp_path / "failures-files").glob("sheet-*.js"))) == len(made)


class Fixed:
    """A planner that knows its grasps beforehand."""

    def __init__(self, *grasps: np.ndarray) -> None:
        self.grasps = list(grasps)

    def plan(self, views: Any, generator: Any) -> Plan:
        return Plan(torch.as_tensor(self.grasps.pop(0)), 1.5, 0, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def played() -> list[dict[str, Any]]:
    """Three attempts in a scene of prisms: one lifts, one is refused by the planner, one closes above the next."""
    grasps = oracle_grasps(worker_scene("simple", "test", 0, 0))
    away, above = np.diag([1.0, -1.0, -1.0, 1.0]), grasps[-1].copy()
    away[:3, 3], above[2, 3] = (5.0, 0.0, 1.0), above[2, 3] + 0.08
    with SimulatedCell(CellConfig(), SEEN) as cell:
        rows = list(attempts_in(cell, Fixed(grasps[0], away, above), Episode("p", "simple", "test", 0, 0), 3, seed=0))
    made = [asdict(row) | {"duration": row.simulated_seconds, "presented": ""} for row in rows]
    return [row | {"number": i, "pictured": i > 0} for i, row in enumerate(made)]


def test_attempts_are_repeated_from_their_rows(played):
    """The first, which lifts an object, is repeated without pictures; what it left is what the others saw."""
    job = Job(tuple(played), CellConfig(), SEEN)
    refused, missed = list(repeated(job))
    assert [played[i]["outcome"] for i in (0, 1, 2)] == ["success", "unreachable", "missed"]
    assert (refused.number, refused.same, refused.seen, refused.frames) == (1, True, True, ())
    assert (missed.number, missed.same, missed.exact) == (2, True, True)
    assert [phase for phase, _ in missed.frames] == ["approach", "close"]
    assert all((a == b).all() for a, b in zip(refused.views, missed.views, strict=True))
    assert facts_of(sheet_file([refused, missed]))["attempts"]["2"]["frames"][1][0] == "close"


def test_an_attempt_that_goes_another_way_has_no_film_and_ends_the_episode(played, tmp_path, monkeypatch):
    rows = [played[0], played[1] | {"outcome": "missed"}, played[2]]
    (only,) = repeated(Job(tuple(rows), CellConfig(), SEEN))
    assert (only.number, only.same, only.frames) == (1, False, ())
    job = Job((played[1] | {"attempt": 0, "objects": "no such thing"},), CellConfig(), SEEN)
    monkeypatch.setattr(sheets, "code_of", lambda names: {"read": "elsewhere"})  # all of the package's takes seconds
    first = kept_sheet(job, tmp_path)
    assert facts_of(first)["attempts"] == {}
    (kept,) = (tmp_path / "failures").iterdir()
    kept.write_bytes(b"damaged")
    assert kept_sheet(job, tmp_path) == first == kept.read_bytes()


def test_trials_of_the_twin_are_repeated():
    reality, pose = TwinConfig(), np.diag([1.0, -1.0, -1.0, 1.0])
    with TwinCell(reality, CellConfig(), SEEN) as cell:
        place = cell.present("tennis ball", 1).objects[0].T_world_object[:3, 3]
        pose[:3, 3] = place + np.array([0.0, 0.0, 0.02])
        views = [image_hash(view) for view in cell.observe().images]
        done = cell.execute(pose)
    row = {"policy": "p", "attempt": 0, "seed": 0, "presented": "tennis ball", "scene": 1, "outcome": done.outcome}
    seconds = sum(done.seconds.values()) - LATENCY
    row |= {"number": 7, "pictured": True, "images": json.dumps(views), "duration": seconds}
    row |= dict(zip(POSE, pose_vector(pose), strict=True))
    job = Job((row,), CellConfig(), SEEN, reality)
    (shown,) = repeated(job)
    assert shown.same and shown.seen and shown.exact and shown.number == 7 and len(shown.frames) >= 2
    refused = row | {"x": 3.0, "outcome": "refused", "images": "[]"}
    (shown,) = repeated(replace(job, rows=(refused,)))
    assert shown.same and not shown.seen and shown.frames == ()


def test_the_page_and_its_files_name_the_same_things(tmp_path, monkeypatch):
    attempts = table()
    monkeypatch.setattr(page, "attempts_of", lambda one: attempts.assign(seed=one.seed))
    monkeypatch.setattr(page, "kept_sheet", lambda job, to: sheet_file([]) if job.twin else noise(job, to))
    (tmp_path / "failures-files").mkdir()
    (tmp_path / "failures-files" / "sheet-9999.js").write_text("of a former build")
    text = page.build_failures([experiment(tmp_path, 0), experiment(tmp_path, 3)], tmp_path).read_text(encoding="utf-8")
    assert "http" not in text and "unseen objects" in text
    table_file = (tmp_path / "failures-files" / "attempts-all.js").read_text(encoding="utf-8")
    facts = facts_of(base64.b85decode(table_file.split('"')[3]))
    sheets_of = dict(zip(facts["columns"]["sheet"]["codes"], facts["columns"]["task"]["codes"], strict=True))
    named = {facts["columns"]["sheet"]["words"][code] for code in sheets_of} - {""}
    assert named == {path.stem[6:] for path in (tmp_path / "failures-files").glob("sheet-*.js")}, (
        "empty ones are left out"
    )
    assert "there are no pictures: today's code draws another scene" in facts["rule"]
    files = {path.stem for path in (tmp_path / "failures-files").iterdir()}
    assert "attempts-all" in files and "sheet-9999" not in files and len(files) > 2
    with pytest.raises(ValueError, match=r"different seeds, got seeds \[1, 1\]"):
        page.build_failures([experiment(tmp_path, 1)] * 2, tmp_path)


def test_an_experiment_without_failures_or_attempts_has_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "kept_sheet", lambda job, workspace: sheet_file([]))
    for attempts in (table(failing=False), pd.DataFrame(columns=list(COLUMNS))):
        monkeypatch.setattr(page, "attempts_of", lambda one, attempts=attempts: attempts)
        assert page.build_failures(experiment(tmp_path), tmp_path).is_file()
