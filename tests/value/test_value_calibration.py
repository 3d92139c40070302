"""Psi's observations with cameras stated with errors: new in every step, none where it is off."""

from __future__ import annotations

import torch
from test_value_training import CONFIG, changed, trainer

NONE = dict.fromkeys(("hand_eye_shift", "hand_eye_turn", "arm_shift", "focal_share", "centre_share"), 0.0)


def test_steps_without_errors_are_those_of_before() -> None:
    assert "calibration" not in CONFIG.canonical()
    plain, exact = trainer(), trainer(config=changed(calibration=NONE))
    for step in range(2):
        assert plain.step(step) == exact.step(step)


def test_errors_are_new_in_every_step_and_views_are_encoded_once() -> None:
    off, plain = trainer(config=changed(calibration={})), trainer()
    first, second, again = off.draw(0), off.draw(1), off.draw(0)
    for one, other, kept in zip(first.enc, again.enc, plain.draw(0).enc, strict=True):
        assert torch.equal(one.Ts_world_cam, other.Ts_world_cam) and torch.equal(one.K, other.K)
        assert not torch.equal(one.Ts_world_cam, kept.Ts_world_cam) and not torch.equal(one.K, kept.K)
        assert torch.equal(one.fine, kept.fine)
    moved = [(e.Ts_world_cam - k.Ts_world_cam).abs().max() for e, k in zip(second.enc, plain.draw(1).enc, strict=True)]
    assert len({float(m) for m in moved}) == len(moved)
