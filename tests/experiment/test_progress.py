"""How far the chain is and what is left, from files as runs leave them under way."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest

from dgrasp.cli.watch import Above, Watch
from dgrasp.experiment.profiles import PROFILES, load_profile
from dgrasp.experiment.progress import Progress, about, stages, usual_costs

MICRO = Path(__file__).with_name("micro.yaml")
COSTS = {
    "demonstrations": 2.0, "Phi": 1.0, "Psi": 0.5, "studies": 10.0, "attempts": 5.0, "twin": 4.0, "sweep": 3.0
}  # fmt: skip
ALL = 6 * 2 + 30 * 1 + 60 * 0.5 + 8 * 10 + 4 * 5 + 4 * 4 + 4 * 3


@pytest.fixture
def progress():
    return Progress.of(load_profile(MICRO), COSTS)


@pytest.fixture
def run(tmp_path):
    """A run of a stage under way, with these files in it."""

    def made(name: str, files: dict[str, str], locked: bool = True) -> Path:
        folder = tmp_path / name
        for file, text in {**files, **({".lock": ""} if locked else {})}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        return folder

    return made


def scenes(count: int) -> dict[str, str]:
    return {f"scenes/train-{i}.npz": "" for i in range(count)} | {"scenes/.train-9.npz.1.tmp": ""}


def test_units_of_the_stages_are_those_of_the_profile():
    counts = {stage.name: stage.count for stage in stages(load_profile(MICRO))}
    assert counts == {
        "demonstrations": 4 + 2, "Phi": 30, "Psi": 3 * 20, "studies": 4 * 2, "attempts": 4, "twin": 4, "sweep": 2 * 2
    }  # fmt: skip
    laptop = {stage.name: stage.count for stage in stages(load_profile("laptop"))}
    assert laptop["demonstrations"] == 528 and laptop["attempts"] == 8 * 5 * (10 + 10 + 50 + 50)


@pytest.mark.parametrize("name", PROFILES)
def test_every_stage_of_a_profile_has_a_cost_to_begin_with(name):
    assert usual_costs(name).keys() == {stage.name for stage in stages(load_profile(name))}
    assert Progress.of(load_profile(name)).left > 60


def test_before_anything_is_measured_the_usual_costs_count(progress, run, tmp_path):
    progress.look(tmp_path, 0.0)
    assert progress.current is None and progress.left == ALL and progress.share == 0
    run("demonstrations-1", scenes(0))
    progress.look(tmp_path, 5.0)
    assert progress.left == ALL
    assert progress.line() == "demonstrations: 0 of 6 scenes, about 12 s; whole chain 0 %, about 3 min left"


def test_finished_units_replace_their_stage_s_cost_and_scale_the_others(progress, run, tmp_path):
    run("demonstrations-1", scenes(1))
    progress.look(tmp_path, 100.0)
    run("demonstrations-1", scenes(4))
    progress.look(tmp_path, 118.0)
    assert progress.factor == pytest.approx(3), "three scenes of 2 s took 18 s; one was there before"
    assert progress.left == pytest.approx(2 * 6 + 3 * (ALL - 12))


def test_the_stage_at_work_is_the_one_with_a_living_lock(progress, run, tmp_path):
    left = run("demonstrations-1", scenes(6))
    os.utime(left / ".lock", (time.time() - 3600,) * 2)  # of one that was killed
    run("nerf-2", {"metrics.jsonl": '{"step": 10, "loss": 1}\n{"step": 20, "loss": 1}\n{"st'})
    progress.look(tmp_path, 0.0)
    assert progress.seen[progress.current].stage.name == "Phi" and progress.seen[1].made == 20
    assert progress.left == ALL - 12 - 20
    assert progress.share == pytest.approx((12 + 20) / ALL)


def test_between_stages_and_after_the_last_one_notebooks_are_at_work(progress, run, tmp_path):
    for name, said in (
        ("demonstrations", "demonstrations has ended; whole chain"),
        ("calibration-sweep", "only figures"),
    ):
        lock = run(f"{name}-1", {}) / ".lock"
        progress.look(tmp_path, 0.0)
        assert "has ended" not in progress.line()
        lock.unlink()
        progress.look(tmp_path, 1.0)
        assert said in progress.line()


def test_runs_of_a_stage_add_up_and_those_of_other_code_do_not(progress, run, tmp_path):
    os.utime(run("value-base-0", {"metrics.jsonl": '{"step": 20}\n'}, locked=False), (0, 0))
    run("value-base-1", {"metrics.jsonl": '{"step": 5}\n'})
    run("value-dgrasp_quat-1", {"metrics.jsonl": '{"step": 5}\n'})
    progress.look(tmp_path, 0.0)
    assert progress.seen[2].made == 10


def test_studies_count_trials_that_ended(progress, run, tmp_path):
    entries = [(6, 0), (6, 1), (6, 2), (6, 3), (8, 1)]  # running, complete, pruned, failed; another operation
    run("tuning-base-1", {"study.journal": "".join(json.dumps({"op_code": o, "state": s}) + "\n" for o, s in entries)})
    progress.look(tmp_path, 0.0)
    assert progress.seen[3].made == 2


def test_trials_of_the_twin_are_those_in_its_logs(progress, run, tmp_path):
    log = '{"kind": "header"}\n{"kind": "trial", "number": 1}\n{"kind": "trial", "number": 2}\n'
    run("twin-trials-1", {"logs/base.jsonl": log, "logs/dgrasp.jsonl": log})
    progress.look(tmp_path, 0.0)
    assert progress.seen[5].made == 4


class Out:
    """What is told, and whether it is a terminal that is told."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


def test_what_a_notebook_says_takes_the_place_of_the_line(monkeypatch):
    out = Out()
    for text in ("a warning", "\n"):
        Above(out).write(text)
    assert out.text == "a warning\n"
    monkeypatch.setattr(Out, "isatty", lambda _: True)
    Above(out).write("another\n")
    assert out.text == "a warning\n\r\x1b[Kanother\n"


def test_elsewhere_than_in_a_terminal_a_stage_is_one_line(progress, run, tmp_path):
    out = Out()
    watch = Watch(progress, tmp_path, out)
    watch.look(0.0)
    assert out.text == ""
    for made, now in ((0, 1.0), (2, 2.0), (3, 3.0)):
        run("demonstrations-1", scenes(made))
        watch.look(now)
    (tmp_path / "demonstrations-1" / ".lock").unlink()
    run("nerf-1", {})
    watch.look(4.0)
    lines = out.text.splitlines()
    assert lines[0] == "demonstrations: 6 scenes, about 12 s; about 3 min in all"
    assert len(lines) == 2 and lines[1].startswith("Phi: 30 steps, about ")


def test_a_look_that_fails_is_followed_by_the_next(progress, run, tmp_path, monkeypatch):
    run("demonstrations-1", scenes(2))
    out, over, look = Out(), threading.Event(), progress.look
    looks = [OSError(errno.ESTALE, "Stale file handle"), None]

    def stumble(*arguments):
        if error := looks.pop(0):
            raise error
        over.set()
        look(*arguments)

    monkeypatch.setattr(progress, "look", stumble)
    Watch(progress, tmp_path, out).until(over, 0.0)
    assert not looks and out.text.startswith("demonstrations: 6 scenes")


def test_what_stages_took_is_told_at_the_end_and_kept(progress, run, tmp_path):
    out, kept = Out(), tmp_path / "costs.jsonl"
    watch = Watch(progress, tmp_path, out)
    watch.end(kept)
    assert out.text == "" and not kept.exists(), "nothing was at work"
    watch.look(95.0)
    for made, now, mib in ((1, 100.0, 512.0), (4, 118.0, 3072.0), (4, 119.0, 1024.0)):
        run("demonstrations-1", scenes(made))
        watch.remember(mib)
        watch.look(now)
    watch.remember(4096.0)  # of a notebook, later
    watch.end(kept)
    stage, whole = out.text.splitlines()[-2:]
    assert stage.split() == ["demonstrations", "24", "s", "3.0", "GiB"] and whole.split()[-2:] == ["4.0", "GiB"]
    watch.end(kept)
    line, _ = (json.loads(text) for text in kept.read_text().splitlines())
    assert line["peak_mib"] == 4096 and line["stages"] == {
        "demonstrations": {"units": 3, "seconds": 24.0, "peak_mib": 3072.0}
    }
    watch.end(tmp_path / "nowhere" / "costs.jsonl")
    assert "nowhere" in out.text.splitlines()[-1] and "not written" in out.text.splitlines()[-1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "about 1 s"),
        (89, "about 89 s"),
        (91, "about 2 min"),
        (5399, "about 1 h 30 min"),
        (9000, "about 2 h 30 min"),
    ],
)
def test_times_as_one_says_them(seconds, said):
    assert about(seconds) == said
