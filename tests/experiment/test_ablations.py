"""The ablations as a stage: arms that differ in what they say, tried once, resumed, kept and read again."""

import gzip
import json
import time

import numpy as np
import pandas as pd
import pytest
import value_runs

from dgrasp.cli.ablations import _within
from dgrasp.data.config import DataConfig
from dgrasp.evaluation import arms
from dgrasp.evaluation.arms import probe_of, training_of, trials_of_arm
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.experiment.ablations import kept
from dgrasp.experiment.ablations.kept import keep, published_results
from dgrasp.experiment.ablations.rows import COLUMNS, COMPARED, ablation_differences, ablation_rows
from dgrasp.experiment.ablations.stage import Ablations, _batched
from dgrasp.experiment.ablations.verdicts import of_one
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import compare_choices
from dgrasp.experiment.profiles import PROFILES, Profile, load_profile
from dgrasp.experiment.questions import AblationsConfig, Arm, Question, questions
from dgrasp.experiment.store import Build, Record
from dgrasp.files import DamagedFileError
from dgrasp.runs import RunError
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.draws import SHARED
from dgrasp.value.pace import equal_time

BUDGET = {"simple": {"scenes": 2, "attempts": 1}}
PROFILE = Profile(
    name="mine",
    runtime={"workers": 1, "threads": 1},
    data=DataConfig(width=32, height=24, policy_views=2),
    nerf=value_runs.NERF,
    value=value_runs.CONFIG,
    optimizer=OptimizerConfig(n_starts=8, steps=2, pruning=((0, 4),)),
    evaluation=EvaluationConfig(policies=("base_quat_sync", "dgrasp_quat_sync")),
    ablations=AblationsConfig(
        questions=("second_order",), steps=0.3, tasks=BUDGET, probe_scenes=1, probe_starts=8, pace_steps=1
    ),
)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """An experiment whose demonstrations and Phi are made up in a second."""
    root = tmp_path_factory.mktemp("ablations")
    made_up = pytest.MonkeyPatch()
    made_up.setattr(Experiment, "nerf", lambda self: value_runs.nerf_run(root))
    made_up.setattr(Experiment, "demonstrations", lambda self: value_runs.demonstrations_run(root))
    made_up.setattr(Experiment, "example_scenes", lambda self: value_runs.demonstrations_run(root))
    yield Experiment(PROFILE, Build(root))
    made_up.undo()


@pytest.fixture(scope="module")
def tried(experiment):
    return list(Ablations(experiment).run())


def test_every_question_can_be_trained_at_every_profile(tmp_path):
    """Settings of every arm are allowed, its optimizer and Phi too, and arms differ in what they say alone."""
    for profile in map(load_profile, PROFILES):
        ablations = Ablations(Experiment(profile, Build(tmp_path)))
        for name, question in questions().items():
            seen = set()
            for arm in question.arms.values():
                value, optimizer = ablations._value_settings(arm, 10), ablations._optimizer(arm)
                phi = ablations._nerf_settings(arm) if arm.nerf else None
                assert value.steps == 10
                assert optimizer.steps == arm.optimizer.get("steps", profile.optimizer.steps)
                seen.add((arm.policy, value, optimizer, phi, arm.views))
            same = profile.name not in ("laptop", "beyond", "panda")  # whose own choice may be an arm of another name
            assert len(seen) == len(question.arms) or same, name


def test_questions_justify_the_departures_that_name_them(tmp_path):
    """A row has the paper's value and ours as arms of one method; what is only near has not, but varies the setting."""
    profile = load_profile("laptop")
    ablations, table = Ablations(Experiment(profile, Build(tmp_path))), compare_choices(profile)

    def found(arm, key):
        group, _, name = key.partition(".")
        settings = {
            "value": lambda: ablations._value_settings(arm, profile.value.steps),
            "optimizer": lambda: ablations._optimizer(arm),
            "nerf": lambda: ablations._nerf_settings(arm) if arm.nerf else profile.nerf,
        }[group]()
        value = settings.model_dump(mode="json")
        for part in name.split("."):
            value = value.get(part, "-")
        return value

    for choice in table.to_dict("records"):
        for name, both in ((choice["row"], True), (choice["near"], False)):
            if isinstance(name, str):
                by_method = {}
                for arm in questions()[name].arms.values():
                    by_method.setdefault(arm.policy.partition("_")[0], []).append(found(arm, choice["key"]))
                wanted = [choice["published"] in values and choice["ours"] in values for values in by_method.values()]
                assert all(wanted) if both else not any(wanted), (choice["key"], name, by_method)
                if not both and choice["key"] != "nerf.encoder.weights":  # which goes with the kind
                    assert any(len(set(map(str, values))) > 1 for values in by_method.values()), choice["key"]


def test_times_multiply_and_candidates_follow_their_starts(experiment):
    arm = Arm(policy="base_quat_sync", times={"optimizer.n_starts": 2, "value.batch": 2})
    ablations = Ablations(experiment)
    optimizer = ablations._optimizer(arm)
    assert (optimizer.n_starts, optimizer.pruning) == (16, ((0, 8),))
    assert ablations._value_settings(arm, 10).batch == 2 * PROFILE.value.batch


def test_arms_are_trained_for_equal_times(experiment, tried):
    """Steps follow the measured pace: dGrasp has its own number, whoever is quicker has more."""
    made = {r.arm: training_of(r.run).steps for r in tried}
    assert made["dgrasp"] == round(0.3 * PROFILE.value.steps)
    (pace,) = (experiment.workspace / "runs").glob("ablation-pace-*/pace.json")
    assert made == equal_time(made["dgrasp"], json.loads(pace.read_text()), "dgrasp")
    assert equal_time(100, {"a": 2.0, "b": 0.5, "c": 8.0}, "a") == {"a": 100, "b": 400, "c": 25}


def test_arms_meet_the_same_fresh_scenes_and_starts(tried):
    tables = {r.arm: trials_of_arm(r.run) for r in tried}
    assert list(tables) == list(questions()["second_order"].arms)
    for table in tables.values():
        assert len(table) == 2 and set(table["split"]) == {"ablation"}
        assert table["objects"].tolist() == tables["base"]["objects"].tolist()
    cosines = pd.DataFrame([probe_of(r.run) for r in tried])
    assert cosines[["cosine_translation", "cosine_rotation"]].abs().to_numpy().max() <= 1
    starts = PROFILE.ablations.probe_starts
    assert (cosines["arrived"] <= cosines["starts"]).all() and set(cosines["starts"] % starts) == {0}


def test_what_is_done_is_read_and_not_made_again(experiment, tried, monkeypatch):
    monkeypatch.setattr(arms, "attempts_in", lambda *_, **__: pytest.fail("an attempt is made again"))
    again = list(Ablations(experiment).run())
    assert [r.run.path for r in again] == [r.run.path for r in tried]
    assert [(r.question, r.arm) for r in Ablations(experiment).done()] == [(r.question, r.arm) for r in tried]
    before = sorted(experiment.workspace.rglob("*"))
    assert Ablations(experiment).done(("poses", "encoder")) == [], "nothing is said of what has not been tried"
    assert sorted(experiment.workspace.rglob("*")) == before, "nor is anything begun"


def test_validation_scenes_are_for_choices_and_have_runs_of_their_own(experiment, tried):
    assert Ablations(experiment, "validation").done() == []
    tasks = Ablations(experiment, "validation")._tasks
    assert tasks["simple"].scenes == PROFILE.ablations.choice_scenes


def test_an_interrupted_arm_goes_on(experiment, tried, monkeypatch):
    run = tried[0].run
    expected = {name: (run.path / name).read_bytes() for name in (arms.TRIALS, "probe.csv")}
    episodes = sorted((run.path / "episodes").iterdir())
    (run.path / "done.json").unlink()
    for name in expected:
        (run.path / name).unlink()
    episodes[0].unlink()
    with pytest.raises(RunError):
        run.check()
    made = []
    original = arms.attempts_in
    monkeypatch.setattr(arms, "attempts_in", lambda *a, **k: made.append(1) or original(*a, **k))
    (again,) = [r for r in Ablations(experiment).run() if r.arm == tried[0].arm]
    assert len(made) == 1, "one scene is tried again, the others are kept"
    assert {name: (again.run.path / name).read_bytes() for name in expected} == expected


def test_rows_and_differences(tried):
    rows = ablation_rows(tried)
    assert list(rows.columns) == list(COLUMNS) and len(rows) == len(tried)
    assert (rows["n"] == 2).all() and (rows["rate"] == rows["successes"] / 2).all() and (rows["minutes"] > 0).all()
    differences = ablation_differences(tried)
    assert list(differences.columns) == list(COMPARED) and len(differences) == 4
    assert ablation_rows([]).empty and ablation_differences([]).empty
    assert ablation_differences(tried[:1]).empty, "an arm alone is compared with nothing"


@pytest.mark.parametrize(
    ("expects", "difference", "p", "said"),
    [
        ("higher", 0.2, 0.01, "agrees"),
        ("higher", -0.2, 0.01, "disagrees"),
        ("lower", -0.2, 0.01, "agrees"),
        ("higher", 0.2, 0.3, "cannot be told"),
        ("higher", -0.1, 0.3, "disagrees"),
        ("lower", 0.1, 0.3, "disagrees"),
        ("lower", -0.1, 0.3, "cannot be told"),
        ("same", 0.1, 0.3, "not contradicted"),
        ("same", 0.1, 0.01, "disagrees (higher)"),
        ("nothing", -0.1, 0.01, "lower; the paper does not say"),
        ("nothing", -0.1, 0.3, "no difference shown; the paper does not say"),
    ],
)
def test_a_null_result_contradicts_nothing_and_proves_nothing(expects, difference, p, said):
    """Intervals are 0.08 to either side: where all of it is below 0.05 as the paper says, nothing is there."""
    row = {"expects": expects, "difference": difference, "p_holm": p, "seeds": 2}
    row |= {"low": difference - 0.08, "high": difference + 0.08}
    assert of_one(row) == said
    if said == "disagrees" and p > 0.05:
        assert of_one(row | {"seeds": 1}) == "cannot be told", "one training proves no absence"


def test_they_are_kept_beside_the_published_experiment(experiment, tried, tmp_path):
    folder = tmp_path / "mine" / "seed-0"
    folder.mkdir(parents=True)
    with pytest.raises(kept.RecordError, match="publish it first"):
        keep(experiment, tmp_path)
    stated = {"profile": PROFILE.model_dump(mode="json"), "seed": 0}
    (folder / "profile.json").write_text(json.dumps(stated))
    assert keep(experiment, tmp_path) == folder
    record = Experiment(PROFILE, Record(folder, tmp_path / "elsewhere"))
    read = published_results(record)
    assert [(r.question, r.arm) for r in read] == [(r.question, r.arm) for r in tried]
    pd.testing.assert_frame_equal(ablation_rows(read), ablation_rows(tried))
    index = (folder / kept.INDEX).read_text()
    (folder / kept.INDEX).write_text(index + " ")
    with pytest.raises(DamagedFileError, match=r"ablations\.json: is not the published file; restore it"):
        published_results(record)
    (folder / kept.INDEX).write_text(index)
    (folder / "profile.json").write_text("{}")
    with pytest.raises(DamagedFileError, match=r"profile\.json: is not the published file; restore it"):
        keep(experiment, tmp_path)
    damaged = read[0].run.path / arms.TRIALS
    damaged.write_bytes(gzip.compress(b"policy\n"))
    with pytest.raises(DamagedFileError, match=r"trials\.csv\.gz"):
        published_results(record)


def test_nothing_published_is_nothing_and_no_error(tmp_path):
    (tmp_path / "profile.json").write_text("{}")
    record = Experiment(PROFILE, Record(tmp_path, tmp_path / "workspace"))
    assert published_results(record) == []


def test_settings_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="unknown question 'pose'; questions: second_order, poses"):
        AblationsConfig(questions=("pose",))
    arm = {"policy": "base_quat_sync"}
    about = {"asks": "?", "says": "", "place": "", "arms": {"a": arm, "b": arm}}
    with pytest.raises(ValueError, match="no arm 'c'; arms: a, b"):
        Question.model_validate({**about, "comparisons": [{"arm": "a", "against": "c", "expects": "same"}]})


def test_half_turns_do_not_share_a_pass_and_weights_do():
    """What the questions declare decides how many passes there are."""
    experiment = Experiment(load_profile("laptop"), Build(value_runs.Path("nowhere")))
    ablations = Ablations(experiment)

    def seen(question: str) -> set[str]:
        settings = (ablations._value_settings(arm, 10) for arm in questions()[question].arms.values())
        return {repr([getattr(s, name) for name in SHARED]) for s in settings}

    assert len(seen("weight")) == 1 and len(seen("half_turns")) == 2 and len(seen("second_order")) == 1
    assert not np.isnan(experiment.profile.ablations.steps)


def test_time_that_is_over_ends_the_work_and_says_so(capsys):
    with _within(0.0005):
        time.sleep(20)
        pytest.fail("was not interrupted")
    assert "the same command goes on" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt), _within(10):
        raise KeyboardInterrupt  # the user's own


def test_questions_are_taken_a_few_at_a_time():
    assert list(_batched(("a", "b", "c"), 2)) == [("a", "b"), ("c",)]
