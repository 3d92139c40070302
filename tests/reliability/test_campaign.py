"""A short campaign of damages; `campaign.py --minutes 60` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaign import Campaign, Try, table


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("campaign"))


@pytest.fixture(scope="module")
def done(campaign: Campaign) -> list[Try]:
    return [campaign.attempt(name, damage, seed) for name, damage in campaign.kinds for seed in (0, 1)]


def test_files_of_every_kind_were_damaged_in_every_way(done: list[Try]) -> None:
    assert len(done) >= 200 and len({one.subject for one in done}) == 12
    assert {"repaired", "refused", "other"} <= {one.end for one in done}, table(done)


def test_no_damage_ends_in_a_traceback(done: list[Try]) -> None:
    """Errors are the package's own, and name the file."""
    assert [one for one in done if one.end == "traceback"] == []


def test_no_damage_passes_in_silence(done: list[Try]) -> None:
    assert [one for one in done if one.end == "silent"] == []


def test_a_scene_and_a_layer_prove_themselves(done: list[Try]) -> None:
    """Without any digest of a run."""
    assert [one for one in done if one.subject == "scene" and one.end != "refused"] == []
    layers = [one for one in done if one.damage.startswith(("layer", "one infinity", "tensor"))]
    assert {one.end for one in layers if one.damage != "layer turned"} == {"refused"}


def test_undamaged_files_are_as_they_were(campaign: Campaign, done: list[Try]) -> None:
    for name, subject in campaign.subjects.items():
        assert subject.read() == campaign.whole[name]
        left = {path.name for path in Path(subject.path.parent).iterdir() if path.name.startswith(".")}
        assert left == set()
