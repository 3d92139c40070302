"""The closed loop of the published networks: made once, resumed, and written as rows that figures can be made from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dgrasp.cli.main import main
from dgrasp.evaluation.loop_series import RATES, ClosedLoopConfig, LoopRow, closed_loop_run, read_loops
from dgrasp.evaluation.rows import POSE
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.closed_loop import closed_loop, keep, made, write_closed_loop
from dgrasp.experiment.store import Record, RecordError
from dgrasp.files import DamagedFileError, write_sums

ONE = ClosedLoopConfig(
    policies=("dgrasp_quat_sync",), scenes=1, push_cm=(), drift_mm_s=(), shift_mm=(), turn_degrees=()
)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """The published networks, whose own closed loop is not there yet."""
    published = Experiment.open("published", tmp_path)
    folder = tmp_path / "without" / "laptop" / "seed-0"
    shutil.copytree(published.store.folder, folder, ignore=shutil.ignore_patterns("closed-loop-*"))
    write_sums(folder)
    published = replace(published, store=Record(folder, tmp_path))
    runtime = published.profile.runtime.model_copy(update={"workers": 1})
    return replace(published, profile=published.profile.model_copy(update={"closed_loop": ONE, "runtime": runtime}))


def with_pushes(experiment: Experiment) -> Experiment:
    """The same experiment with another disturbance."""
    loops = ONE.model_copy(update={"push_cm": (5.0,)})
    return replace(experiment, profile=experiment.profile.model_copy(update={"closed_loop": loops}))


def test_the_published_policy_is_led_and_its_rows_are_kept(experiment: Experiment, tmp_path: Path, monkeypatch) -> None:
    run = closed_loop(experiment)
    attempts = read_loops(run)
    assert list(attempts["loop"]) == ["open", "closed"] and attempts.loc[1, "looks"] > 4
    apart = attempts[["x", "y", "z"]].diff().iloc[1].abs().max()
    assert apart < 0.1 and attempts.loc[1, "length"] > 0.09  # led, and to the same object
    monkeypatch.setattr("dgrasp.evaluation.loop_series.in_both_loops", lambda *all: pytest.fail("made again"))
    assert closed_loop(experiment).path == run.path
    rows = json.loads(write_closed_loop(run, tmp_path / "figures").read_text())
    assert [set(row) for row in rows] == [set(RATES)] * 2
    assert {row["loop"]: (row["successes"], row["n"]) for row in rows} == {
        loop: (int(won), 1) for loop, won in zip(attempts["loop"], attempts["success"], strict=True)
    }
    with pytest.raises(ValueError, match="scenes"):
        closed_loop(experiment, scenes=0)


def full(*_: object) -> None:
    raise OSError("no space left on device")


def test_what_is_kept_is_read_again(experiment: Experiment, tmp_path: Path, monkeypatch, capsys) -> None:
    rows = [vars(row) for row in _rows()]
    stage = replace(closed_loop_run, attempts=lambda *all: iter(_rows()))
    monkeypatch.setattr("dgrasp.experiment.closed_loop.closed_loop_run", stage)
    assert made(experiment) is None
    run = closed_loop(experiment)
    assert made(experiment).path == run.path
    monkeypatch.setattr("dgrasp.cli.closed_loop.experiment", lambda options: experiment)
    assert main(["closed-loop"]) == 0
    said = capsys.readouterr().out
    assert "| none | 0" in said and "closed_loop.json" in said
    assert json.loads((experiment.figures / "closed_loop.json").read_text())[0]["n"] == 1
    with pytest.raises(RecordError, match="no published experiment there to keep the closed loop of"):
        keep(run, experiment, tmp_path / "nowhere")
    folder = tmp_path / "published" / "laptop" / "seed-0"
    shutil.copytree(experiment.store.folder, folder)
    kept = keep(run, experiment, tmp_path / "published")
    elsewhere = replace(experiment, store=Record(folder, tmp_path / "other"))
    again = made(elsewhere)
    assert again.path == kept and read_loops(again).to_dict("records")[0]["reason"] == rows[0]["reason"]
    whole = (folder / "profile.json").read_bytes()
    (folder / "profile.json").write_bytes(whole[:-3] + b" }\n")
    with pytest.raises(DamagedFileError, match=r"profile\.json: is not the published file; restore it"):
        keep(run, experiment, tmp_path / "published")
    (folder / "profile.json").write_bytes(whole)
    stale = kept.with_name("closed-loop-0123456789abcdef")
    shutil.copytree(kept, stale)
    with monkeypatch.context() as broken, pytest.raises(OSError, match="no space left"):
        broken.setattr("dgrasp.experiment.kept_files.shutil.copyfile", full)
        keep(run, experiment, tmp_path / "published")
    assert (stale / "attempts.csv.gz").is_file(), "what was kept stays until the new one is whole"
    assert keep(run, experiment, tmp_path / "published") == kept and not stale.exists()
    (kept / "attempts.csv.gz").write_text("policy\n")
    with pytest.raises(DamagedFileError, match=r"attempts\.csv\.gz"):
        made(elsewhere)


def test_an_interrupted_run_ends_with_fewer_scenes_and_goes_on_with_more(experiment: Experiment, monkeypatch) -> None:
    begun = []

    def attempts(recipe, source, unit, seed):  # type: ignore[no-untyped-def]
        begun.append(unit.scene)
        if unit.scene == 2 and recipe.loops.scenes == 4:
            raise InterruptedError
        return iter([replace(row, scene=unit.scene) for row in _rows()])

    stage = replace(closed_loop_run, attempts=attempts)
    monkeypatch.setattr("dgrasp.experiment.closed_loop.closed_loop_run", stage)
    with pytest.raises(InterruptedError):
        closed_loop(experiment, scenes=4)
    assert begun == [0, 1, 2] and made(experiment) is None
    fewer = closed_loop(experiment, scenes=2)
    assert begun == [0, 1, 2] and list(read_loops(fewer)["scene"]) == [0, 0, 1, 1]
    more = closed_loop(experiment, scenes=3)
    assert begun == [0, 1, 2, 2] and list(read_loops(more)["scene"]) == [0, 0, 1, 1, 2, 2]
    assert made(experiment).path == more.path
    with pytest.raises(InterruptedError):
        closed_loop(with_pushes(experiment), scenes=4)
    assert begun[4:] == [0, 1, 2]  # other disturbances: nothing is shared


def test_what_other_networks_made_does_not_count(experiment: Experiment, monkeypatch) -> None:
    stage = replace(closed_loop_run, attempts=lambda *all: iter(_rows()))
    monkeypatch.setattr("dgrasp.experiment.closed_loop.closed_loop_run", stage)
    run = closed_loop(experiment)
    assert made(experiment).path == run.path
    tuned = SimpleNamespace(fingerprint="of networks that were trained anew")
    monkeypatch.setattr(Experiment, "tuned", lambda self, policy: tuned)
    assert made(experiment) is None


def _rows() -> list[LoopRow]:
    pose = dict.fromkeys(POSE, 0.5)
    about = {"policy": "dgrasp_quat_sync", "task": "simple", "scene": 0, "seed": 0, "object": "", "objects": "box"}
    said = {"outcome": "missed", "success": False, "reason": "the fingers closed on nothing", "models": "prisms"}
    numbers = {"size": 0.0, "value": 1.0, "looks": 0, "simulated_seconds": 2.0}
    return [LoopRow(**pose, **about, **said, **numbers, disturbance="none", loop=loop) for loop in ("open", "closed")]
