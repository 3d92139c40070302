"""The twin's stages: every attempt is on record once, and interrupted ones go on where they stopped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.cell.workspace import BOARD_TOP
from dgrasp.report.figures.twin import film_trial
from dgrasp.robot.replay import ReplayCell
from dgrasp.robot.trials import APPROACH_OFFSET
from dgrasp.runs import RunError
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin import trials as trials_module
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig
from dgrasp.twin.recipe import TwinRecipe
from dgrasp.twin.sweep import SweepConfig, SweepRecipe, read_sweep, sweep
from dgrasp.twin.trials import TwinTrialsConfig, TwinTrialsRecipe, read_twin_trials, twin_trials

OBSERVER = Observer(views=2, width=64, height=48)
POLICIES = ("base_quat_sync", "dgrasp_quat_sync")
SOURCES = {name: SimpleNamespace(name=name) for name in POLICIES}
OBJECTS = ("crochet ball", "3-D printed block")


class Fixed:
    """Plans the same grasp always, and counts."""

    config = OptimizerConfig(approach="downwards", approach_offset=APPROACH_OFFSET)

    def __init__(self, stop_after: int = 10**6) -> None:
        self.plans, self.stop_after = 0, stop_after

    def plan(self, views, generator):
        self.plans += 1
        if self.plans > self.stop_after:
            raise KeyboardInterrupt
        T = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        T[:3, 3] = torch.tensor([0.2, 0.0, BOARD_TOP + 0.03])
        return SimpleNamespace(T_world_tcp=T, value=float(views.images.mean()))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fixed], Fixed]:
    def use(policy: Fixed) -> Fixed:
        monkeypatch.setattr(TwinRecipe, "policy", lambda recipe, source: policy)
        return policy

    return use


def sweep_recipe() -> SweepRecipe:
    config = SweepConfig(policies=POLICIES, millimetres=(0.0, 20.0), degrees=(5.0,), objects=OBJECTS)
    return SweepRecipe(sweep=config, twin=TwinConfig(), cell=CellConfig(), observer=OBSERVER)


def trials_recipe() -> TwinTrialsRecipe:
    config = TwinTrialsConfig(presentations=2, objects=OBJECTS)
    return TwinTrialsRecipe(trials=config, twin=TwinConfig(), cell=CellConfig(), observer=OBSERVER)


def test_sweep_goes_on_where_it_stopped(plans, tmp_path: Path) -> None:
    whole = sweep(sweep_recipe(), SOURCES, {}, tmp_path / "a", seed=0, workers=1) if plans(Fixed()) else None
    rows = read_sweep(whole)
    assert len(rows) == 2 * 3 * 2 and rows.groupby(["policy", "kind", "error"]).ngroups == 6
    same = rows.pivot_table(index=["kind", "error", "object"], columns="policy", values="value")
    np.testing.assert_array_equal(same[POLICIES[0]], same[POLICIES[1]], "all policies see the same pictures")

    plans(Fixed(stop_after=5))
    with pytest.raises(KeyboardInterrupt):
        sweep(sweep_recipe(), SOURCES, {}, tmp_path / "b", seed=0, workers=1)
    rest = plans(Fixed())
    again = sweep(sweep_recipe(), SOURCES, {}, tmp_path / "b", seed=0, workers=1)
    assert rest.plans == 12 - 4, "two errors of two attempts were on record"
    assert (again.path / "attempts.csv").read_bytes() == (whole.path / "attempts.csv").read_bytes()
    plans(Fixed(stop_after=0))
    assert sweep(sweep_recipe(), SOURCES, {}, tmp_path / "b", seed=0, workers=1).summary == again.summary


def test_trials_are_logged_as_of_the_twin_and_go_on(plans, tmp_path: Path) -> None:
    plans(Fixed(stop_after=3))
    with pytest.raises(KeyboardInterrupt):
        twin_trials(trials_recipe(), SOURCES, {}, tmp_path, seed=0, workers=1)
    rest = plans(Fixed())
    run = twin_trials(trials_recipe(), SOURCES, {}, tmp_path, seed=0, workers=1)
    assert rest.plans == 8 - 3
    logs = read_twin_trials(run)
    assert sorted(logs) == sorted(POLICIES) and run.summary["trials"] == 8
    for log in logs.values():
        assert log.backend == "twin" and len(log.judged) == 4 and len(log.done) == 4
    values = {name: log.judged.set_index(["object", "presentation"])["value"] for name, log in logs.items()}
    np.testing.assert_array_equal(values[POLICIES[0]].sort_index(), values[POLICIES[1]].sort_index())

    images = run.path / trials_module.IMAGES
    assert len(list(images.iterdir())) == 2 * 2, "two views of each object's first presentation"
    replay = ReplayCell(logs["dgrasp_quat_sync"], images)
    first = {r["number"]: r["presentation"] for r in replay.log.records}
    assert {first[number] for number in replay.pictured} == {0} and len(replay.pictured) == 2
    replay.select(replay.pictured[0])
    assert replay.observe().images.shape == (2, 48, 64, 3)
    replay.select(next(number for number, presentation in first.items() if presentation == 1))
    with pytest.raises(FileNotFoundError, match=r"its views are not in .*; kept are those of \d, \d"):
        replay.observe()


def cut_in_two(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[1][:40] + b"\n" + b"".join(lines[2:]))


def of_the_other_policy(log: Path) -> None:
    log.write_bytes((log.parent / "base_quat_sync.jsonl").read_bytes())


def one_image_black(log: Path) -> None:
    image = min((log.parents[1] / trials_module.IMAGES).iterdir())
    Image.new("RGB", (64, 48)).save(image)


def one_image_cut(log: Path) -> None:
    image = min((log.parents[1] / trials_module.IMAGES).iterdir())
    image.write_bytes(image.read_bytes()[:100])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_in_two, r"dgrasp_quat_sync\.jsonl, line 2: not JSON"),
        (lambda log: log.write_bytes(b"\x00" * 900), r"dgrasp_quat_sync\.jsonl: no header"),
        (lambda log: log.write_bytes(b"\x00" * 900 + b"\n"), r"dgrasp_quat_sync\.jsonl, line 1: not JSON"),
        (of_the_other_policy, r"dgrasp_quat_sync\.jsonl: the log of another run, of other protocol"),
        (one_image_black, r"\.png: is missing, or not the image of its name"),
        (one_image_cut, r"\.png: is missing, or not the image of its name"),
        (lambda log: log.write_bytes(log.read_bytes()[:-9]), ""),  # by a crash: the log goes on from the line before
    ],
)
def test_a_damaged_log_of_a_run_under_way_is_made_again(plans, tmp_path: Path, capsys, damage, said) -> None:
    plans(Fixed(stop_after=4 + 3))
    with pytest.raises(KeyboardInterrupt):
        twin_trials(trials_recipe(), SOURCES, {}, tmp_path, seed=0, workers=1)
    damage(next(tmp_path.glob("runs/*/logs/dgrasp_quat_sync.jsonl")))
    rest = plans(Fixed())
    run = twin_trials(trials_recipe(), SOURCES, {}, tmp_path, seed=0, workers=1)
    assert rest.plans == (4 if said else 1), "all four, or the one that was interrupted"
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith("its trials are made again")]
    assert len(told) == bool(said) and re.search(said, "".join(told))
    assert run.summary["trials"] == 8 and {len(log.judged) for log in read_twin_trials(run).values()} == {4}
    for image in (run.path / trials_module.IMAGES).iterdir():
        assert trials_module.image_hash(np.asarray(Image.open(image))) == image.stem


def test_an_incomplete_run_is_not_read(tmp_path: Path) -> None:
    from dgrasp.runs import open_run

    with pytest.raises(RunError, match="not complete"):
        read_twin_trials(open_run(tmp_path, "twin-trials", trials_recipe()))


def test_a_recorded_trial_is_filmed_as_it_happened() -> None:
    with TwinCell(observer=OBSERVER) as cell:
        place = cell.present("crochet ball", 0).objects[0].T_world_object[:3, 3]
        T = np.diag([1.0, -1.0, -1.0, 1.0])
        T[:3, 3] = place
        assert cell.execute(T).outcome == "success"
    record = {"object": "crochet ball", "presentation": 0, "outcome": "success", "pose": [*place, 1.0, 0.0, 0.0, 0.0]}
    frames = film_trial(record, TwinConfig(), CellConfig(), OBSERVER, seed=0)
    assert [phase for phase, _ in frames] == ["approach", "close", "lift", "hold"]
    assert frames[0][1].shape == (240, 320, 3)
    with TwinCell(observer=OBSERVER) as cell:  # a grasp in the air never gets to lift anything
        cell.present("crochet ball", 0)
        assert cell.execute(_raised(T)).outcome == "missed"
    refused = film_trial(record | {"outcome": "refused"}, TwinConfig(), CellConfig(), OBSERVER, seed=0)
    assert [phase for phase, _ in refused] == ["the refused pose, in red"], "what was refused did not move"
    assert 100 < (refused[0][1] == (215, 25, 28)).all(axis=-1).sum() < 5000, "its pose is drawn as lines"
    missed = record | {"outcome": "missed", "pose": [*_raised(T)[:3, 3], 1.0, 0.0, 0.0, 0.0]}
    assert "lift" not in [phase for phase, _ in film_trial(missed, TwinConfig(), CellConfig(), OBSERVER, seed=0)]


def _raised(T: np.ndarray) -> np.ndarray:
    higher = T.copy()
    higher[2, 3] = 1.065
    return higher
