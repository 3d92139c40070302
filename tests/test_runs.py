"""Runs: the fingerprint knows what matters, nothing is overwritten, and an interrupted run goes on where it was."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import started
import torch
from pydantic import Field, ValidationError

from dgrasp.config import Config
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run, RunError, only_complete, open_run, read_run


class Training(Config):
    steps: int = Field(10, ge=1, description="How many steps")
    rate: float = Field(1e-3, gt=0, description="Learning rate")


# --- configuration ----------------------------------------------------------------------------------------------------


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(ValidationError, match="stepz"):
        Training.model_validate({"stepz": 3})


def test_values_are_bounded_and_frozen():
    with pytest.raises(ValidationError):
        Training(steps=0)
    with pytest.raises(ValidationError):
        Training().steps = 3


def test_digest_tells_settings_apart_and_ignores_how_they_were_given():
    assert Training().digest() == Training(rate=0.001, steps=10).digest()
    assert Training().digest() != Training(steps=11).digest()


# --- fingerprints -----------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `method_under_test` that a run's code list can name."""
    package = tmp_path / "code" / "method_under_test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Doc."""\n')
    (package / "step.py").write_text('"""Doc."""\n\ndef step(x):\n    """Doc."""\n    return x + 1  # why\n')
    monkeypatch.syspath_prepend(package.parent)
    yield package
    sys.modules.pop("method_under_test", None)  # looking up a submodule imports its package


def test_what_enters_the_fingerprint(tmp_path, module):
    def fingerprint(steps=10, seed=0, stage="training", **more):
        return open_run(
            tmp_path, stage, Training(steps=steps), seed=seed, code=["method_under_test.step"], **more
        ).fingerprint

    base = fingerprint()
    assert fingerprint() == base
    data = open_run(tmp_path, "data", Training()).finish()
    other_data = open_run(tmp_path, "data", Training(), seed=1).finish()
    variants = {
        base,
        fingerprint(steps=11),
        fingerprint(seed=1),
        fingerprint(stage="tuning"),
        fingerprint(inputs={"data": data}),
        fingerprint(inputs={"data": other_data}),
    }
    (module / "step.py").write_text("def step(x):\n    return x\n")
    variants.add(fingerprint())
    assert len(variants) == 7
    assert len(list((tmp_path / "runs").iterdir())) == 7 + 2


@pytest.mark.parametrize("seed", [-1, "0", 1.5, True, 2**70, None])
def test_a_seed_that_is_none_is_refused_before_anything_is_written(tmp_path, seed):
    with pytest.raises(ValueError, match="seed: expected an integer of 0 or more"):
        open_run(tmp_path, "training", Training(), seed=seed)
    assert not list(tmp_path.iterdir())


def test_numpys_integers_are_seeds(tmp_path):
    run = open_run(tmp_path, "training", Training(), seed=np.int64(3))
    assert run.fingerprint == open_run(tmp_path, "training", Training(), seed=3).fingerprint
    assert json.loads((run.path / "run.json").read_text())["seed"] == run.seed == 3


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_run_explains_itself(tmp_path):
    run = open_run(tmp_path, "training", Training(steps=3), seed=5)
    record = json.loads((run.path / "run.json").read_text())
    assert record["config"] == {"rate": 0.001, "steps": 3} and record["seed"] == 5
    assert {"commit", "dirty", "python", "threads", "processors", "versions"} <= record["made_by"].keys()
    installed = importlib.metadata.version("torch")  # CUDA builds do not say "+cu130" there, but in torch.__version__
    assert record["made_by"]["versions"]["torch"] == installed
    assert run.path.name == f"training-{run.fingerprint[:12]}"


def test_a_complete_run_is_found_again_untouched(tmp_path):
    run = open_run(tmp_path, "training", Training())
    assert not run.complete
    run.save("last", {"w": torch.ones(2)}, step=9)
    run.finish(loss=0.5)
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    again = open_run(tmp_path, "training", Training())
    assert again.complete and again.summary == {"loss": 0.5} and again.has("last") and not again.has("first")
    assert torch.equal(again.load("last")["w"], torch.ones(2))
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_summary_of_an_incomplete_run(tmp_path):
    with pytest.raises(RunError, match="not complete; run the notebook of stage 'training' first"):
        _ = open_run(tmp_path, "training", Training()).summary


def test_incomplete_inputs_are_refused(tmp_path):
    data = open_run(tmp_path, "data", Training())
    with pytest.raises(RunError, match="stage 'training' needs the complete run 'demonstrations'"):
        open_run(tmp_path, "training", Training(), inputs={"demonstrations": data})


@pytest.mark.parametrize("damage", ["cut", "empty", "others", "edited", "commit", "key", "no object"])
@pytest.mark.parametrize("complete", [False, True])
def test_a_damaged_run_file_is_written_anew_and_says_so(tmp_path, damage, complete, capsys):
    run = open_run(tmp_path, "training", Training())
    if complete:
        run.finish(loss=0.5)
    path, whole = run.path / "run.json", (run.path / "run.json").read_text()
    other = open_run(tmp_path, "training", Training(), seed=1).path / "run.json"
    damaged = {
        "cut": whole[:40],
        "empty": "",
        "others": other.read_text(),
        "edited": whole.replace('"rate": 0.001', '"rate": 0.002'),
        "commit": whole.replace('"threads"', '"Threads"'),
        "key": whole.replace('"sha256"', '"sha265"'),
        "no object": "[1]",
    }[damage]
    assert damaged != whole
    path.write_text(damaged)
    with pytest.raises(DamagedFileError if complete else RunError, match=re.escape(str(run.path))), only_complete():
        open_run(tmp_path, "training", Training())
    assert path.read_text() == damaged, "reading writes nothing"
    assert open_run(tmp_path, "training", Training()).complete == complete
    said = capsys.readouterr().err
    assert re.search(rf"{path}: (is not what was written|not valid JSON .*); it is written anew", said)
    anew = json.loads(path.read_text())
    assert anew.pop("restored") is True, "who made it is not known any more"
    assert {k: v for k, v in anew.items() if k != "sha256"} == {
        k: v for k, v in json.loads(whole).items() if k != "sha256"
    }
    assert not complete or read_run(run.path, Training).summary == {"loss": 0.5}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(RunError, match=r"cannot write runs there .* choose another build folder"):
        open_run(tmp_path, "training", Training())


def test_no_permission(closed_folder):
    with pytest.raises(RunError, match="Permission denied"):
        open_run(closed_folder, "training", Training())


# --- metrics and resuming ---------------------------------------------------------------------------------------------


def test_metrics_survive_a_cut_line_and_are_rewound(tmp_path):
    run = open_run(tmp_path, "training", Training())
    for step in range(4):
        run.log(step, loss=1.0 / (step + 1))
    with (run.path / "metrics.jsonl").open("a") as handle:
        handle.write('{"step": 4, "lo')
    assert [row["step"] for row in run.metrics()] == [0, 1, 2, 3]
    run.rewind_metrics(1)
    run.log(2, loss=0.5)
    assert run.metrics() == [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}]


def test_seconds_add_up_over_sessions(tmp_path):
    run = open_run(tmp_path, "training", Training())
    run.note_time()
    (run.path / "timing.jsonl").write_text('{"seconds": 2.5}\n{"seconds": 4.0}\n{"sec')
    assert open_run(tmp_path, "training", Training()).seconds == 6.5


STAGE = """
import os, signal, sys
from pathlib import Path
import torch
from dgrasp.config import Config
from dgrasp.runs import open_run
from dgrasp.streams import torch_generator

class Walk(Config):
    steps: int = 12

run = open_run(Path(sys.argv[1]), "walk", Walk(), seed=3)
state, first = torch.zeros(4), 0
if run.has("last"):
    loaded = run.load("last")
    state, first = loaded["state"], int(loaded["step"]) + 1
run.rewind_metrics(first - 1)
for step in range(first, run.recipe.steps):
    state = state + torch.randn(4, generator=torch_generator(run.seed, "walk", step))
    run.log(step, norm=float(state.norm()))
    if step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    if step % 3 == 2:
        run.save("last", {"state": state, "step": torch.tensor(step)}, stage="walk", step=step)
run.finish(norm=float(state.norm()))
"""


def test_killed_and_resumed_equals_undisturbed(tmp_path):
    """The pattern that every stage follows, killed twice between checkpoints."""

    def walk(root: Path, kill_at: int) -> int:
        return started.run(STAGE, root, kill_at)[0]

    assert walk(tmp_path / "quiet", -1) == 0
    assert [walk(tmp_path / "killed", at) for at in (4, 9, -1)] == [-9, -9, 0]
    (quiet,), (killed,) = (list((tmp_path / name / "runs").iterdir()) for name in ("quiet", "killed"))
    assert quiet.name == killed.name
    for name in ("last.safetensors", "metrics.jsonl", "done.json"):
        assert (quiet / name).read_bytes() == (killed / name).read_bytes(), name


ENDED = """
import os, signal, sys
from pathlib import Path
from dgrasp.config import Config
from dgrasp.runs import open_run

class Training(Config):
    pass

run = open_run(Path(sys.argv[1]), "training", Training())
with run.writing():
    run.finish()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_dies_after_the_last_file_leaves_no_lock_for_long(tmp_path):
    assert started.run(ENDED, tmp_path)[0] == -9
    (path,) = (tmp_path / "runs").iterdir()
    assert (path / ".lock").exists() and (path / "done.json").exists()

    class Training(Config):
        pass

    assert open_run(tmp_path, "training", Training()).complete
    assert not (path / ".lock").exists()


def test_the_lock_of_who_is_still_at_work_stays(tmp_path):
    run = open_run(tmp_path, "training", Training())
    with run.writing():
        run.finish()
        assert open_run(tmp_path, "training", Training()).complete and (run.path / ".lock").exists()
    assert not (run.path / ".lock").exists()


def test_runs_are_made_by_open_run(tmp_path):
    assert isinstance(open_run(tmp_path, "training", Training()), Run)


@pytest.mark.parametrize("line", ['{"loss": 1.0}', "5", '{"step": "one"}', "\ufffd"])
def test_lines_that_are_no_metrics_are_dropped(tmp_path, line):
    run = open_run(tmp_path, "training", Training())
    run.log(0, loss=1.0)
    with (run.path / "metrics.jsonl").open("ab") as handle:
        handle.write(line.encode() + b"\xff\n")
    (run.path / "timing.jsonl").write_text(f"{line}\n")
    run.rewind_metrics(3)
    assert run.metrics() == [{"step": 0, "loss": 1.0}] and run.seconds == 0
