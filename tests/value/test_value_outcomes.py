"""Grasps that physics refuted as negatives of a second round, and logits of several trainings added."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_value_training import CONFIG, changed, demonstrations, trainer
from value_runs import demonstrations_run, nerf_run
from value_scene import camera_views, workspace_poses

from dgrasp.runs import RunError, open_run
from dgrasp.value.added import AddedValues
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.outcomes import failed_grasps, failed_tensors
from dgrasp.value.samples import equivalent
from dgrasp.value.trainer import Trainer
from dgrasp.value.training import build_value


def taught(share: float | None, failed: dict, tried_share: float | None = None) -> Trainer:
    negatives = {**CONFIG.negatives.model_dump(), "outcome_share": share}
    recipe = ValueRecipe(model="base", value=changed(negatives=negatives, tried_share=tried_share))
    value = trainer("base").value
    return Trainer([recipe], [value], Observations(demonstrations(), value, 1.0, failed=failed), 0)


def test_refuted_grasps_stand_among_the_negatives_of_their_own_scene_alone() -> None:
    failed = {(i, 0): workspace_poses(2, seed=50 + i) for i in range(4)}  # the fifth scene has none
    one = taught(0.25, failed)
    step = one.draw(0)
    drawn = step.main(one.learners[0].recipe)
    for i, poses in zip(step.chosen, drawn, strict=True):
        for scene, grasps in failed.items():
            near = equivalent(poses[:, None], grasps[None], 0.006, 0.11).any(dim=1)
            assert near[0] == False and int(near.sum()) == (round(0.25 * 23) if scene == (i, 0) else 0)  # noqa: E712


def test_observations_with_failures_are_drawn_more_often_and_others_still_come() -> None:
    failed = {(i, 0): workspace_poses(1, seed=i) for i in (1, 3)}

    def drawn(tried_share: float | None) -> list[int]:
        one = taught(0.25, failed, tried_share)
        return [i for step in range(60) for i in one.draw(step).chosen]

    plain, half, all_tried = (drawn(share) for share in (None, 0.5, 1.0))
    of_five = sum(i in (1, 3) for i in plain) / len(plain)
    assert of_five == pytest.approx(0.4, abs=0.02), "every demonstration comes once an epoch"
    assert sum(i in (1, 3) for i in half) / len(half) == pytest.approx(0.5 + 0.5 * 0.4, abs=0.12)
    assert set(half) == set(range(5)) and set(all_tried) == {1, 3}
    assert drawn(0.5) == half, "addressed by the step, and by nothing else"
    with pytest.raises(ValueError, match="tried_share: needs failed grasps among the negatives"):
        changed(tried_share=0.5)


def test_a_second_round_goes_on_where_the_first_one_ended() -> None:
    """Its steps have the draws of later steps, and repeat none."""
    first = taught(None, {})
    recipe = first.learners[0].recipe
    later = Trainer([recipe], [first.value], first.observations, 0, after=7)
    for step in range(3):
        here, there = later.draw(step), first.draw(7 + step)
        assert here.chosen == there.chosen and torch.equal(here.main(recipe), there.main(recipe))
        assert not torch.equal(here.main(recipe), first.draw(step).main(recipe))


def test_without_a_share_all_poses_are_those_of_before() -> None:
    assert "outcome_share" not in CONFIG.canonical()
    plain, other = trainer("base"), taught(None, {})
    assert torch.equal(*(t.draw(1).main(t.learners[0].recipe) for t in (plain, other)))
    assert plain.step(0) == other.step(0)


def test_a_share_needs_outcomes() -> None:
    with pytest.raises(ValueError, match="outcome_share: needs the run of outcomes"):
        taught(0.2, None).step(0)  # type: ignore[arg-type]


def test_outcomes_survive_their_file(tmp_path) -> None:
    inputs = {"demonstrations": demonstrations_run(tmp_path)}
    for n in (3, 0):
        run = open_run(tmp_path, "outcomes", CONFIG, inputs=inputs, seed=n)
        run.save("failed", failed_tensors([(k // 2, 0) for k in range(n)], workspace_poses(3, 0)[:n].numpy()))
        found = failed_grasps(run.finish(failed=n))
        assert {place: len(poses) for place, poses in found.items()} == ({(0, 0): 2, (1, 0): 1} if n else {})
    with pytest.raises(RunError, match="expected a run of stage 'outcomes', got one of stage 'nerf'"):
        failed_grasps(nerf_run(tmp_path))


def test_added_values_score_and_slope_as_the_sum_of_their_members() -> None:
    phi = trainer("base").value.phi
    members = [build_value(CONFIG, phi, seed=s) for s in (1, 2)]
    for member in members:
        member.readout.eval().requires_grad_(False)
    both = AddedValues(members)
    enc, T = both.encode(camera_views(2)), workspace_poses(6, seed=3)

    def climbed(value):  # type: ignore[no-untyped-def]
        poses = T.clone().requires_grad_()
        scores = value.bind(enc)(poses)
        return scores.detach(), torch.autograd.grad(scores.sum(), poses)[0]

    (score, slope), parts = climbed(both), [climbed(member) for member in members]
    torch.testing.assert_close(score, parts[0][0] + parts[1][0])
    torch.testing.assert_close(slope, parts[0][1] + parts[1][1])
    with pytest.raises(ValueError, match="on the same Phi, got 2"):
        AddedValues([members[0], trainer("base").value])


def test_added_values_are_of_one_kind_and_say_what_they_do_not_add() -> None:
    phi = trainer("base").value.phi
    first, second = (build_value(CONFIG, phi, seed=s) for s in (1, 2))
    both = AddedValues([first, second])
    enc, T = both.encode(camera_views(2)), workspace_poses(6, seed=3)
    for ask, said in ((both.logits, "logits: of one"), (both.activations, "activations: of one")):
        with pytest.raises(NotImplementedError, match=said):
            ask(enc, T[None])
    fused = GraspValue(phi, second.readout, second.queries, "network")
    with pytest.raises(ValueError, match="0 has the fusion 'sum' and 1 has 'network'"):
        AddedValues([first, fused])
    wider = replace(second.queries, points=2 * second.queries.points)
    with pytest.raises(ValueError, match="0 and 1 have other query points"):
        AddedValues([first, GraspValue(phi, second.readout, wider)])
