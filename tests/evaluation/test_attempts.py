"""Attempts: one path for every cell, every attempt recorded, the same starting poses as ever."""

from __future__ import annotations

import gzip
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.interface import CellFault, Execution, NotArmed, RobotCell, UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.evaluation import table
from dgrasp.evaluation.attempt import Attempt, attempt
from dgrasp.evaluation.config import EvaluationConfig, TaskBudget
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.rows import Row, read_rows, row
from dgrasp.evaluation.series import Setup, rows, rows_of_units, run_series
from dgrasp.evaluation.statistics import success_rates
from dgrasp.files import DamagedFileError
from dgrasp.policy.policies import NoGraspError
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.twin import sweep

EPISODE = Episode("base_6d_seq", "simple", "test", 0, 0)
OBSERVER = Observer(views=2, width=32, height=24)
RUNS = Path(__file__).parents[2] / "figures" / "runs"


class Told:
    """A policy that gives what it was told to, a pose or None, and notes from which streams it was to start."""

    def __init__(self, *poses: np.ndarray | None) -> None:
        self.poses, self.streams = list(poses), []

    def plan(self, views: Views, generator: torch.Generator) -> SimpleNamespace:
        self.streams.append(generator.initial_seed())
        pose = self.poses.pop(0) if len(self.poses) > 1 else self.poses[0]
        if pose is None:
            raise NoGraspError("none of the 8 candidates approaches from above")
        return SimpleNamespace(T_world_tcp=torch.from_numpy(pose), value=0.5)


class Steps:
    """A cell that notes what is asked of it; `does` is what an execution gives, or raises."""

    backend, dry_run, devices, settings, calibration_id = "loopback", False, {}, {}, "none"

    def __init__(self, does: Execution | BaseException, refuses: str = "") -> None:
        self.does, self.refuses, self.asked = does, refuses, []

    def observe(self) -> Views:
        self.asked.append("observe")
        return Views(np.zeros((1, 2, 2, 3), np.uint8), np.eye(3)[None], np.eye(4)[None])

    def rehearse(self, T_world_tcp: np.ndarray) -> None:
        self.asked.append("rehearse")
        if self.refuses:
            raise UnsafePose(self.refuses)

    def execute(self, T_world_tcp: np.ndarray) -> Execution:
        self.asked.append("execute")
        if isinstance(self.does, BaseException):
            raise self.does
        return self.does

    def close(self) -> None:
        pass


def above(x: float = 0.2, y: float = 0.0, z: float = 1.06) -> np.ndarray:
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = x, y, z
    return T


GRASP = above()
LIFTED = Execution(GRASP, moved=True, holds=True, outcome=Outcome.SUCCESS, reason="held", object="box 1", duration=2.5)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# --- one attempt


def test_an_attempt_observes_plans_rehearses_and_executes() -> None:
    cell: RobotCell = Steps(LIFTED)
    made = attempt(cell, Told(GRASP), generator())
    assert cell.asked == ["observe", "rehearse", "execute"] and list(made.seconds) == [
        "observe",
        "plan",
        "rehearse",
        "execute",
    ]
    assert (made.outcome, made.reason, made.begun) == (Outcome.SUCCESS, "held", True)
    assert made.T_world_tcp.dtype == np.float64 and np.array_equal(made.T_world_tcp, GRASP)
    assert attempt(cell, Told(GRASP), generator(), rehearse=False).outcome is Outcome.SUCCESS
    assert cell.asked[3:] == ["observe", "execute"]


@pytest.mark.parametrize(
    ("cell", "plan", "outcome", "asked"),
    [
        (Steps(LIFTED), None, "no grasp", ["observe"]),
        (Steps(LIFTED, refuses="too low"), GRASP, "refused", ["observe", "rehearse"]),
        (Steps(UnsafePose("too low")), GRASP, "refused", ["observe", "rehearse", "execute"]),
        (Steps(Execution(GRASP, moved=False)), GRASP, "dry run", ["observe", "rehearse", "execute"]),
    ],
)
def test_what_nothing_moved_for_is_an_outcome(cell: Steps, plan: np.ndarray | None, outcome: str, asked: list) -> None:
    made = attempt(cell, Told(plan), generator())
    assert (made.outcome, made.begun, cell.asked) == (outcome, False, asked) and made.reason


def test_a_person_has_to_judge_where_the_cell_does_not() -> None:
    made = attempt(Steps(Execution(GRASP, moved=True, holds=True)), Told(GRASP), generator())
    assert made.outcome is None and made.begun and made.execution is not None


@pytest.mark.parametrize(("error", "begun"), [(CellFault("stopped"), True), (NotArmed("disarmed"), False)])
def test_after_an_error_the_attempt_tells_how_far_it_came(error: Exception, begun: bool) -> None:
    made, seen = Attempt(), []
    made.seen = lambda views: seen.append((len(views), made.plan))
    with pytest.raises(type(error)):
        attempt(Steps(error), Told(GRASP), generator(), into=made)
    assert seen == [(1, None)], "the views are told of before anything is planned"
    assert made.plan is not None and made.begun is begun and "execute" in made.seconds
    assert made.execution is None and made.outcome is None


def test_a_grasp_that_was_over_when_the_fault_came_is_kept() -> None:
    fault, made = CellFault("stopped while it put the object down"), Attempt()
    fault.executed = Execution(GRASP, moved=True, holds=True)
    with pytest.raises(CellFault):
        attempt(Steps(fault), Told(GRASP), generator(), into=made)
    assert made.execution is fault.executed and made.begun


# --- series


def test_starts_come_from_the_setup_and_sinks_see_the_error() -> None:
    policy, seen = Told(GRASP), []

    class Sink:
        def __init__(self, setup: Setup, made: Attempt) -> None:
            self.setup, self.made = setup, made

        def __enter__(self) -> None:
            assert not self.made.seconds, "entered before the attempt"

        def __exit__(self, kind: object, *_: object) -> None:
            seen.append((self.setup.labels["number"], self.made.outcome, kind))

    good, bad = Steps(LIFTED), Steps(CellFault("stopped"))
    setups = [Setup(policy, ("starts", "here", k), {"number": k}) for k in range(2)]
    assert [s.labels["number"] for s, _ in run_series(good, setups, seed=4, sink=Sink)] == [0, 1]
    assert policy.streams == [streams.torch_generator(4, "starts", "here", k).initial_seed() for k in range(2)]
    with pytest.raises(CellFault):
        list(run_series(bad, setups, seed=4, sink=Sink))
    assert seen == [(0, Outcome.SUCCESS, None), (1, Outcome.SUCCESS, None), (0, None, CellFault)]


def count(name: str, tally: Path, cell: Steps) -> list[Row]:
    tally.write_text(tally.read_text() + name)
    labels = {"policy": name, "objects": "box 1", "models": "prisms"}
    return list(rows(cell, [Setup(Told(GRASP), ("starts",), labels)], seed=0))


def test_units_are_made_once_and_stand_in_their_order(tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    tally.write_text("")
    units = {name: joblib.delayed(count)(name, tally, Steps(LIFTED)) for name in "abc"}
    options = {"desc": "counting", "unit": "unit"}
    first = rows_of_units({"b": units["b"]}, 1, folder=tmp_path / "units", **options)
    lines = rows_of_units(units, 1, folder=tmp_path / "units", **options)
    assert tally.read_text() == "bac" and [line["policy"] for line in lines] == ["a", "b", "c"] and lines[1] == first[0]
    assert rows_of_units(units, 1, **options) == lines and tally.read_text() == "bacabc", "without a folder: made anew"


# --- rows


def test_every_table_has_columns_of_the_one_row() -> None:
    from dgrasp.experiment import diagnosis

    known = {field.name for field in fields(Row)}
    for columns in (table.COLUMNS, sweep.COLUMNS, diagnosis.COLUMNS):
        assert set(columns) <= known and len(columns) == len(set(columns))


def test_a_row_tells_the_attempt() -> None:
    made = attempt(Steps(LIFTED), Told(GRASP), generator())
    told = row(made, policy="a", objects="box 1, box 2", models="prisms", scene=3)
    assert (told.x, told.z, told.qx, told.qw, told.value) == (0.2, 1.06, 1.0, 0.0, 0.5)
    assert (told.outcome, told.success, told.object, told.simulated_seconds) == ("success", True, "box 1", 2.5)
    assert (told.scene, told.kind, told.stage) == (3, None, None)
    assert row(made, policy="a", object="duck", objects="duck", models="").object == "duck", "the one presented"


@pytest.mark.parametrize("name", ["evaluation-*/trials.csv.gz", "calibration-sweep-*/attempts.csv.gz"])
def test_published_results_are_read(name: str) -> None:
    published = list(RUNS.rglob(name))
    assert published, "results are published"
    for attempts in map(read_rows, published):
        assert attempts["success"].dtype == bool and attempts["x"].dtype == np.float64
        assert (attempts["success"] == (attempts["outcome"] == "success")).all()
        assert set(attempts["outcome"]) <= set(Outcome)
        assert "prisms" in set(attempts["models"]) and "prism" not in set(attempts["models"])
        assert all(isinstance(name, str) for name in attempts["object"]), "no object is a word, not a missing number"


# --- scenes that are cleared


def test_a_scene_is_cleared_object_by_object_and_starts_are_addressed(tmp_path: Path) -> None:
    """First no grasp, then one in the air, then the last box is lifted: the next attempt meets what is left."""
    scene = task("simple").scene(split="test", index=0, seed=0)
    place = scene.objects[-1].T_world_object[:3, 3]
    policy = Told(None, GRASP, above(*place[:2], max(place[2], 0.975)), GRASP)
    with SimulatedCell(observer=OBSERVER) as cell:
        made = list(attempts_in(cell, policy, EPISODE, 4, seed=0))
    # streams and seconds as they were before the simulator was a cell like others: published results rest on them
    assert policy.streams == [2882174777158106705, 3459836671062100094, 8016816230887692566, 3090048489487398763]
    assert [one.outcome for one in made] == ["no grasp", "missed", "success", "missed"]
    assert [round(240 * one.simulated_seconds) for one in made] == [0, 441, 667, 441]
    everything = ", ".join(o.name for o in scene.objects)
    assert [one.objects for one in made[:3]] == [everything] * 3 and made[2].object == scene.objects[-1].name
    assert made[3].objects == ", ".join(o.name for o in scene.objects[:-1])
    assert made[0].reason == "none of the 8 candidates approaches from above" and made[0].x is None

    lines = pd.DataFrame([asdict(one) for one in made], columns=list(table.COLUMNS))
    lines.to_csv(tmp_path / "trials.csv", index=False)
    trials = table.read_trials(SimpleNamespace(path=tmp_path, check=lambda: None))
    assert trials["x"].dtype == np.float64 and trials["x"].isna().tolist() == [True, False, False, False]
    assert trials["object"].tolist() == ["", "", scene.objects[-1].name, ""], "no object is a word"
    budget = EvaluationConfig(tasks={"simple": TaskBudget(scenes=1, attempts=4)}, repetitions=1)
    assert success_rates(trials, budget)["n"].tolist() == [4]


def test_a_scene_without_objects_ends_the_attempts() -> None:
    class Empty(SimulatedCell):
        """Whatever is grasped takes everything with it."""

        def execute(self, T_world_tcp: np.ndarray) -> Execution:
            self.show(self.scene.with_objects(()))
            return LIFTED

    with Empty(observer=OBSERVER) as cell:
        assert len(list(attempts_in(cell, Told(GRASP), EPISODE, 5, seed=0))) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"policy\n", gzip.compress(b"policy,x\n1,2\n")[:-9], gzip.compress(b"\xff\xfe\n")],
    ids=["empty", "no rows", "cut short", "no text"],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "attempts.csv.gz"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"attempts\.csv\.gz: not a table of attempts \("):
        read_rows(path)
