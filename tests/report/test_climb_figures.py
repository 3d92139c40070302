"""What notebook 4 shows of many climbs: convergence, value against success, studies; and policies a profile lacks."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.transforms import transform
from dgrasp.evaluation.study.trials import study_table, study_trials
from dgrasp.policy.diagnostics import success_by_value, value_ranks_success
from dgrasp.report.figures.climbs import (
    Climb,
    arrivals,
    at_object,
    convergence,
    final_values,
    progress_by_scene,
    reach_of,
    shown,
)
from dgrasp.report.figures.optimization import best_and_left_out
from dgrasp.report.figures.plots import (
    arrival,
    methods_of,
    plot_chosen,
    plot_convergence,
    plot_studies,
    plot_success_by_value,
)
from dgrasp.sim.objects.shapes import Prism
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.slopes.config import OptimizerConfig

SETTINGS = {"steps": 8, "translation_rate": 0.02, "rotation_rate": 0.1, "translation_decay": 0.9, "rotation_decay": 0.8}


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def climb(near_grasp, near=None, scores=(1.0, 2.0)):
    progress = pd.DataFrame(
        {"step": [0, 1], "near_grasp": near_grasp, "at_object": [0.0, 0.5], "in_corner": [0.0, 0.25]}
    )
    return Climb(None, np.eye(4), np.zeros((2, 4, 4)), np.array(scores), np.zeros((2, 2, 4, 4)), progress, near)


def climbs():
    known = climb([0.0, 0.5], np.array([False, True]))
    unknown = climb([np.nan, np.nan])  # a pile without a valid grasp
    return {"base_6d_sync": [known, unknown], "dgrasp_quat_sync": [climb([0.0, 1.0], np.array([True, False])), known]}


@pytest.mark.parametrize(("cell", "opening", "ahead"), [(None, 0.140, 0.015), ("panda_hand", 0.080, 0.009)])
def test_the_hand_that_is_drawn_is_the_cells(ax, cell, opening, ahead):
    described = CellConfig.model_validate({"description": cell}).description
    one = replace(climb([0.0, 0.5]), scene=Scene((), cell=described))
    camera = transform(np.diag([1.0, -1.0, -1.0]), (0.0, 0.0, 1.0))  # a metre above, looking down
    views = Views(np.zeros((1, 100, 100, 3), np.uint8), np.diag([1000.0, 1000.0, 1.0])[None], camera[None])
    plot_chosen(ax, views, one, "base_6d_sync")
    fork = ax.lines[0].get_xdata()
    assert fork.max() - fork.min() == pytest.approx(1000 * opening / (1 - ahead), rel=1e-3)


def test_what_is_drawn_are_the_first_starts_and_nobody_is_chosen():
    one = climb([0.0, 0.5])
    paths = np.tile(np.eye(4), (2, 5, 1, 1))
    paths[..., 0, 3] = np.arange(5)
    some = replace(one, paths=paths)
    assert some.sample(3)[0, :, 0, 3].tolist() == [0, 1, 2]
    table = some.table("base_6d_sync", "simple", 3)
    assert table["start"].tolist() == [0, 1, 2] * 2 and table["x"].tolist() == [0, 1, 2] * 2
    assert arrival(some) == "50% of 5 starts end at an object (0% began there)"


def test_a_point_is_at_an_object_inside_its_grown_hull():
    box = SceneObject("box", Prism(4, 0.04, 0.04, 0.04), (1, 0, 0), 0.1, 0.5, np.eye(4))
    points = np.array([[0.0, 0.0, 0.0], [0.039, 0.0, 0.0], [0.041, 0.0, 0.0]])
    assert at_object(Scene((box,)), points).tolist() == [True, True, False]
    assert at_object(Scene((box,)), points, grown=0.0).tolist() == [True, False, False]


def test_reach_is_what_adam_s_steps_can_add_up_to():
    config = OptimizerConfig(steps=3, translation_rate=0.02, translation_decay=0.5)
    assert reach_of(SimpleNamespace(config=config)) == pytest.approx(0.035)


def test_one_policy_of_each_method_the_synchronous_one_first():
    assert methods_of(["base_6d_seq", "base_6d_sync", "dgrasp_quat_seq"]) == ["base_6d_sync", "dgrasp_quat_seq"]


def test_scenes_without_a_valid_grasp_do_not_count_as_failures(ax):
    table = convergence(progress_by_scene(climbs()))
    assert table["near_grasp"].tolist() == [0.0, 0.5, 0.0, 0.75]
    assert table["in_corner"].tolist() == [0.0, 0.25] * 2
    plot_convergence(ax, table, "near_grasp")
    assert [line.get_linestyle() for line in ax.lines] == ["--", "-"]
    assert ax.lines[1].get_ydata().tolist() == [0.0, 0.75] and ax.get_ylim()[1] > 0.75


def test_where_candidates_end_has_an_interval_over_scenes():
    table = arrivals({**climbs(), "alone": [climb([0.0, 0.5])]}).set_index("policy")
    assert table["near_grasp"].to_dict() == {"base_6d_sync": 0.5, "dgrasp_quat_sync": 0.75, "alone": 0.5}
    row = table.loc["dgrasp_quat_sync"]
    assert (row["low_near_grasp"], row["high_near_grasp"], row["scenes"]) == (0.5, 1.0, 2)
    assert np.isnan(table.loc["alone", "low_near_grasp"]) and table.loc["alone", "in_corner"] == 0.25


def test_a_share_that_nobody_knows_is_an_empty_plot(ax):
    plot_convergence(ax, convergence(progress_by_scene({"base_6d_sync": [climb([np.nan, np.nan])]})), "near_grasp")
    assert np.isnan(ax.lines[0].get_ydata()).all()


def test_value_against_success_of_final_candidates(ax):
    final = final_values(climbs())
    assert final.groupby("policy").size().to_dict() == {"base_6d_sync": 2, "dgrasp_quat_sync": 4}
    assert value_ranks_success(final).set_index("policy")["auc"].to_dict() == {
        "base_6d_sync": 1,
        "dgrasp_quat_sync": 0.5,
    }
    plot_success_by_value(ax, success_by_value(final, bins=2))
    (base, _) = ax.containers
    assert base.lines[0].get_ydata().tolist() == [0.0, 1.0] and ax.get_ylim()[1] >= 1.0


def test_no_scene_with_a_valid_grasp_leaves_an_empty_table():
    assert final_values({"base_6d_sync": [climb([np.nan] * 2)]}).columns.tolist() == ["policy", "value", "success"]


def test_policies_that_a_profile_lacks_have_a_stand_in_of_their_method():
    wanted = ("base_quat_seq", "dgrasp_6d_seq")
    assert shown(wanted, ("base_quat_seq", "dgrasp_6d_seq", "base_6d_sync")) == list(wanted)
    assert shown(wanted, ("base_6d_sync", "dgrasp_quat_sync")) == ["base_6d_sync", "dgrasp_quat_sync"]
    assert shown(wanted, ("dgrasp_quat_sync", "control_quat_seq")) == ["dgrasp_quat_sync"]
    with pytest.raises(ValueError, match="got control_quat_seq"):
        shown(wanted, ("control_quat_seq",))


@pytest.fixture
def study(tmp_path):
    """A study as tuning records it: two complete trials, one pruned after two attempts."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    study = optuna.create_study(storage=storage, study_name="base_6d_seq", direction="maximize")
    for attempts, pruned in (([1, 0], False), ([0, 0.25], True), ([1, 1], False)):
        trial = study.ask()
        trial.suggest_int("steps", 8, 8)
        for step, rate in enumerate(attempts):
            trial.report(rate, step)
        study.tell(trial, None if pruned else attempts[-1], optuna.trial.TrialState.PRUNED if pruned else None)
    summary = {"trials": 3, "pruned": 1, "success": 1.0, "optimizer": SETTINGS}
    return {"base_6d_seq": SimpleNamespace(path=tmp_path, summary=summary, check=lambda: None)}


def test_studies_are_read_from_their_records(study, ax):
    trials = study_trials(study)
    assert trials["state"].tolist() == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert trials["success"].tolist() == [0.0, 0.25, 1.0] and trials["steps"].tolist() == [8] * 3
    row = study_table(study).loc["base_6d_seq"]
    assert (row["trials"], row["pruned"], row["untuned"], row["best"], row["steps"]) == (3, 1, 0.0, 1.0, 8)
    assert "chosen" not in row.index, "there was no run-off"
    plot_studies(ax, trials)
    assert ax.lines[0].get_ydata().tolist() == [0.0, 0.0, 1.0]  # a pruned trial is never the best so far


def test_a_run_off_stands_beside_the_study_whose_first_trial_was_interrupted(study, tmp_path):
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    record = optuna.load_study(study_name="base_6d_seq", storage=storage)
    again = optuna.create_study(storage=storage, study_name="dgrasp_6d_seq", direction="maximize")
    again.tell(again.ask(), state=optuna.trial.TrialState.FAIL)
    again.add_trials(record.get_trials())
    again.set_user_attr("final 1", [6, 10])
    again.set_user_attr("final 3", [5, 10])
    run = study["base_6d_seq"]
    run.summary["success"] = 0.6
    row = study_table({"dgrasp_6d_seq": run}).loc["dgrasp_6d_seq"]
    assert row[["untuned", "best", "untuned again", "chosen"]].tolist() == [0.0, 1.0, 0.6, 0.6]


def test_figure_6_says_that_the_papers_baseline_is_left_out_where_it_is():
    best = ["base_6d_sync", "dgrasp_quat_sync"]
    said = "Base (6D, synchronous) and dGrasp (quaternion, synchronous)"
    assert best_and_left_out(best) == f"{said}; the paper's baseline, Base (quaternion, sequential), is left out"
    assert best_and_left_out(["base_quat_seq", best[1]]).endswith("sequential) and dGrasp (quaternion, synchronous)")
