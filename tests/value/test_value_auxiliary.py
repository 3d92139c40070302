"""First-order rivals of L_aux in training: what each teaches, and that nothing else changes."""

import pytest
import torch
import value_runs
from test_value_training import CONFIG, changed, losses, together, trained, trainer, weights
from value_scene import HIGH, LOW, camera_views

from dgrasp.poses import representation, uniform_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.losses import value_gradient
from dgrasp.value.auxiliary import AUXILIARY
from dgrasp.value.config import ValueConfig
from dgrasp.value.models import ValueRecipe
from dgrasp.value.training import load_value

RIVALS = [how for how in AUXILIARY if how != "second_order"]


def by(how: str) -> ValueConfig:
    return changed(slope={**CONFIG.slope.model_dump(), "how": how})


@pytest.mark.parametrize("model", ["dgrasp_quat", "dgrasp_6d"])
def test_finite_differences_approach_the_loss_of_second_order(model):
    exact = losses(trainer(model))["aux"].item()
    assert losses(trainer(model, by("finite_differences")))["aux"].item() == pytest.approx(exact, abs=0.05)
    assert exact != 0


def test_ranking_compares_every_pose_with_its_target():
    t = trainer("dgrasp_quat", by("trajectory_ranking"))
    drawn = t.draw(0)
    T, T_target = drawn.aux(t.learners[0].recipe)
    enc = type(drawn.enc[0]).concatenate(drawn.enc)
    earlier, later = (t.value.logits(enc, poses) for poses in (T, T_target))
    expected = torch.nn.functional.softplus(earlier - later).mean().item()
    assert losses(t)["aux"].item() == pytest.approx(expected, rel=1e-5)


def test_the_head_that_ranks_is_base_and_the_one_that_steers_learns():
    steps = 4
    base, _ = trained("base", steps=steps)
    t = trainer("dgrasp_quat", by("slope_head"))
    before = t.learners[0].value.readout.twist.logit.weight.clone()
    made = [t.step(s)[0]["aux"] for s in range(steps)]
    assert torch.equal(weights(t)[: len(base)], base), "L_main reaches the first readout alone, L_aux the second"
    assert not torch.equal(t.learners[0].value.readout.twist.logit.weight, before)
    assert all(-2 <= loss <= 2 for loss in made)


def test_beside_others_each_learns_what_it_learns_alone():
    recipes = [ValueRecipe(model="dgrasp_quat", value=by(how)) for how in AUXILIARY]
    t = together(*recipes)
    for step in range(2):
        t.step(step)
    for k, recipe in enumerate(recipes):
        alone, _ = trained(recipe.model, recipe.value, steps=2)
        # The last one is added to all scores alike: L_main does not see it, and Adam steps by its gradient's rounding.
        torch.testing.assert_close(weights(t, k)[:-1], alone[:-1], rtol=1e-4, atol=1e-6)


def test_a_trained_steered_value_is_climbed_along_what_its_second_head_says(tmp_path):
    slope = {**value_runs.CONFIG.slope.model_dump(), "how": "slope_head"}
    config = ValueConfig.model_validate({**value_runs.CONFIG.model_dump(), "slope": slope})
    run = value_runs.train(tmp_path, "dgrasp_quat", config)
    assert {"aux", "val_cos_translation"} < set(run.summary)
    value = load_value(run, value_runs.nerf_run(tmp_path))
    assert torch.equal(value.readout.twist.logit.weight, run.load("readout")["twist.logit.weight"])
    score = value.bind(value.encode(camera_views(2)))
    T = uniform_poses(6, LOW, HIGH, torch.Generator().manual_seed(0))
    slopes = value_gradient(score, T, "quat")
    assert slopes.abs().max() > 0
    moved = representation("quat").to_matrix(representation("quat").from_matrix(T) + 1e-3 * slopes)
    assert not torch.allclose(score(moved) - score(T), 1e-3 * slopes.square().sum(-1), rtol=0.1), (
        "no gradient of scores"
    )
    found = optimize_poses(score, T, OptimizerConfig(steps=2, n_starts=6), bounds=(LOW, HIGH))
    assert torch.isfinite(found.scores).all()
