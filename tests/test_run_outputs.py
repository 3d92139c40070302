"""A complete run proves itself: damage is found before use; a build's run is made again, a published one refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import started
import torch

from dgrasp import runs
from dgrasp.config import Config
from dgrasp.files import DamagedFileError, read_sums, visible_files, write_sums
from dgrasp.locks import LockError
from dgrasp.runs import Outputs, Run, RunError, only_complete, open_run, read_run

ZEROS = "0" * 64
OUTPUTS = Outputs(units=("units/*",), volatile=("*.journal",), listed=("scenes/*",))


class Walk(Config):
    steps: int = 3


def make(root: Path, seed: int = 0) -> Run:
    """The pattern of all stages. Units are made one by one, and a table is made of them."""
    run = open_run(root, "walk", Walk(), seed=seed, outputs=OUTPUTS)
    if run.complete:
        return run
    with run.writing():
        if run.complete:
            return run
        run.rewind_metrics(0)
        for step in range(1, run.recipe.steps + 1):
            unit = run.path / "units" / f"{step}.json"
            unit.parent.mkdir(exist_ok=True)
            if not unit.exists():
                unit.write_text(json.dumps({"step": step, "seed": seed, "success": step > 1}))
            run.log(step, loss=1.0 / (step + seed))
        (run.path / "trials.csv").write_text("".join(u.read_text() for u in sorted((run.path / "units").iterdir())))
        (run.path / "study.journal").write_text(f"at {time.time()}")
        (run.path / "scenes").mkdir(exist_ok=True)
        (run.path / "scenes" / "0.npz").write_bytes(b"listed elsewhere")
        run.save("weights", {"w": torch.full((3,), float(seed))})
        return run.finish(success=0.75, steps=3)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "build")


def contents(run: Run) -> dict[str, bytes]:
    """What equal runs share."""
    differs = ("run.json", "timing.jsonl", "study.journal", "volatile.json")
    return {name: (run.path / name).read_bytes() for name in visible_files(run.path) if name not in differs}


def change(name: str, old: str, new: str):
    def damage(path: Path) -> None:
        text = (path / name).read_text()
        assert old in text
        (path / name).write_text(text.replace(old, new, 1))

    return damage


def flip(name: str):
    def damage(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[-3] ^= 1
        (path / name).write_bytes(data)

    return damage


def remove(name: str):
    return lambda path: (path / name).unlink()


def of_another_run(name: str):
    def damage(path: Path) -> None:
        other = make(path.parents[2] / "another", seed=1)
        shutil.copyfile(other.path / name, path / name)

    return damage


def without_digests(path: Path) -> None:
    done = json.loads((path / "done.json").read_text())
    kept = {key: value for key, value in done.items() if key in ("fingerprint", "summary")}
    (path / "done.json").write_text(json.dumps(kept))


DAMAGES = {
    "flipped weights": (flip("weights.safetensors"), "weights.safetensors"),
    "weights of another run": (of_another_run("weights.safetensors"), "weights.safetensors"),
    "no weights": (remove("weights.safetensors"), "weights.safetensors"),
    "a changed row": (change("trials.csv", '"success": false', '"success": true'), "trials.csv"),
    "a row added": (change("trials.csv", '{"step": 1', '{"step": 0}{"step": 1'), "trials.csv"),
    "no table": (remove("trials.csv"), "trials.csv"),
    "a changed unit": (change("units/2.json", "true", "false"), "units/2.json"),
    "a missing unit": (remove("units/3.json"), "units/3.json"),
    "metrics": (change("metrics.jsonl", "1.0", "1.5"), "metrics.jsonl"),
    "a journal cut": (change("study.journal", "at ", ""), "study.journal"),
    "a changed summary": (change("done.json", "0.75", "0.85"), "done.json"),
    "a cut summary": (lambda path: (path / "done.json").write_text('{"fingerpr'), "done.json"),
    "a summary that is none": (lambda path: (path / "done.json").write_bytes(b"\xff\xfe[1]"), "done.json"),
    "a list for a summary": (lambda path: (path / "done.json").write_text("[]"), "done.json"),
    "the summary of another run": (of_another_run("done.json"), "done.json"),
    "a summary without digests": (without_digests, "done.json"),
    "no digests of the journal": (remove("volatile.json"), "volatile.json"),
    "other digests of the journal": (
        change("volatile.json", '"study.journal": "', '"study.journal": "0'),
        "volatile.json",
    ),
    "digests of another run's journal": (of_another_run("volatile.json"), "volatile.json"),
}


@pytest.mark.parametrize(("damage", "name"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_run_is_named_and_made_again(run, damage, name, capsys):
    before = contents(run)
    damage(run.path)
    assert not run.complete
    with pytest.raises(DamagedFileError, match=rf"{name}: .*run the stage again"):
        _ = run.summary
    with pytest.raises(DamagedFileError, match=name):
        make_nothing(run)
    with pytest.raises(RunError, match=rf"needs the complete run 'walk'; .*{name}"):
        open_run(run.path.parents[1], "next", Walk(), inputs={"walk": run})
    again = make(run.path.parents[1])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(run.path / name) in said and "the run is made again" in said
    assert again.path == run.path and again.complete and again.summary == {"success": 0.75, "steps": 3}
    assert contents(again) == before


def make_nothing(run: Run) -> None:
    with only_complete():
        make(run.path.parents[1])


def test_sound_units_of_a_damaged_run_are_gone_on_from(run):
    for name in ("units/1.json", "units/3.json", "scenes/0.npz"):
        (run.path / name).touch()
    stamps = {name: (run.path / name).stat().st_mtime_ns for name in ("units/1.json", "units/3.json")}
    change("units/2.json", "true", "false")(run.path)
    make(run.path.parents[1])
    assert {name: (run.path / name).stat().st_mtime_ns for name in stamps} == stamps


def test_what_another_output_lists_is_left_to_it(run):
    (run.path / "scenes" / "0.npz").write_bytes(b"its own manifest knows")
    assert run.complete


def test_equal_runs_have_equal_digests(run, tmp_path):
    other = make(tmp_path / "elsewhere")
    assert contents(other) == contents(run)
    done = json.loads((run.path / "done.json").read_text())
    units = {f"units/{step}.json" for step in (1, 2, 3)}
    assert set(done["outputs"]) == {"metrics.jsonl", "trials.csv", "weights.safetensors", *units}
    assert done["fingerprint"] == run.fingerprint and done["volatile"] == ["study.journal"]


def test_a_run_is_read_once_and_again_when_it_has_changed(run, monkeypatch):
    read = []
    monkeypatch.setattr("dgrasp.files.sha256", lambda path: read.append(path) or "0" * 64)
    assert run.complete and read == []
    (run.path / "trials.csv").write_text("other")
    assert not run.complete and read == [run.path / "trials.csv"]


def test_a_killed_clearing_is_followed_by_another(run, monkeypatch):
    """The mark of a complete run goes last: a run that is half cleared must not be taken for one that goes on."""
    change("units/2.json", "true", "false")(run.path)
    unlink = Path.unlink

    def killed(path: Path, **options: bool) -> None:
        if path.name == "done.json":
            raise KeyboardInterrupt
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            make(run.path.parents[1])
    assert not run.complete and run.damage()
    assert make(run.path.parents[1]).complete


# --- published runs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def published(run, tmp_path) -> Path:
    folder = tmp_path / "published"
    shutil.copytree(run.path, folder / run.path.name)
    shutil.rmtree(folder / run.path.name / "units")
    write_sums(folder)
    return folder / run.path.name


def read(path: Path) -> Run:
    name = path.name
    sums = {n.removeprefix(f"{name}/"): d for n, d in read_sums(path.parent).items() if n.startswith(f"{name}/")}
    return read_run(path, Walk, sums)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flip("weights.safetensors"), "weights.safetensors: is not what the run wrote"),
        (remove("trials.csv"), "trials.csv: is missing"),
        (change("done.json", "0.75", "0.85"), "done.json: is not what the run wrote"),
        (change("timing.jsonl", "seconds", "Seconds"), "timing.jsonl: is not what the run wrote"),
        (change("run.json", '"dirty"', '"Dirty"'), "run.json: is not what was written"),
        (lambda path: (path / "trials (1).csv").touch(), r"trials \(1\).csv: is not one of the published files"),
    ],
)
def test_a_damaged_published_run_is_refused_by_name(published, damage, said):
    assert read(published).summary["success"] == 0.75
    damage(published)
    with pytest.raises(DamagedFileError, match=rf"{said}; restore "):
        read(published)


def test_files_are_found_by_the_list_and_not_by_what_lies_there(run, published):
    (run.path / "study (1).journal").touch()
    assert run.files("*.journal") == [run.path / "study.journal"]
    assert read(published).files("*.journal") == [published / "study.journal"]


def test_runs_of_before_there_were_digests_are_read(run):
    without_digests(run.path)
    about = json.loads((run.path / "run.json").read_text())
    del about["sealed"], about["sha256"]
    (run.path / "run.json").write_text(json.dumps(about))
    old = read_run(run.path, Walk)
    assert old.summary == {"success": 0.75, "steps": 3} and old.files("*.journal") == [run.path / "study.journal"]


def test_digests_are_those_of_sha256sum(published):
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=published.parent, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert set(read_sums(published.parent)) == set(visible_files(published.parent)) - {"SHA256SUMS"}


@pytest.mark.parametrize(
    "line", ["no digest", "\xff", f"{'0' * 64}  x\n{'0' * 64}  x", f"{'0' * 63}g  x", f"{'0' * 64}"]
)
def test_a_list_that_is_none_is_refused(tmp_path, line):
    (tmp_path / "SHA256SUMS").write_text(f"{line}\n", encoding="latin-1")
    with pytest.raises(DamagedFileError, match="SHA256SUMS: not a list of SHA-256 digests and names"):
        read_sums(tmp_path)


# --- two starts -------------------------------------------------------------------------------------------------------

SLOW = """
import sys, time
from pathlib import Path
from dgrasp.config import Config
from dgrasp.runs import open_run

class Walk(Config):
    steps: int = 12

run = open_run(Path(sys.argv[1]), "slow", Walk())
with run.writing():
    if not run.complete:
        for step in range(run.recipe.steps):
            run.log(step, loss=1.0)
        while not (Path(sys.argv[1]) / "go").exists():
            time.sleep(0.05)
        run.finish(steps=run.recipe.steps)
        print("made")
"""


def test_of_two_starts_one_works_and_the_other_waits(tmp_path):
    both = [started.start(SLOW, tmp_path) for _ in range(2)]
    waits = "is at work on it; waiting until it ends\n"
    started.wait_until(lambda: any(waits in program.said for program in both))
    (tmp_path / "go").touch()
    assert [program.ended() for program in both] == [0, 0]
    made, waited = sorted((program.said for program in both), key=len)
    assert made == "made\n" and waited.endswith(waits) and waited.count("\n") == 1
    (folder,) = (tmp_path / "runs").iterdir()
    assert [row["step"] for row in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())] == list(
        range(12)
    )
    assert not list(folder.rglob(".*"))


def test_what_the_dead_left_half_written_is_cleared(tmp_path):
    run = open_run(tmp_path, "walk", Walk())
    left = run.path / "units" / ".3.json.4711.tmp"
    left.parent.mkdir()
    left.write_text("{")
    with run.writing():
        assert not left.exists()


def test_a_run_whose_lock_was_taken_is_not_written(tmp_path, monkeypatch):
    run = open_run(tmp_path, "walk", Walk())

    def lost(folder: Path) -> None:
        raise LockError(f"{folder}: taken")

    monkeypatch.setattr(runs, "check_lock", lost)
    for write in (lambda: run.log(1, loss=0.0), lambda: run.save("w", {"w": torch.ones(1)}), run.finish):
        with pytest.raises(LockError, match="taken"):
            write()
    assert visible_files(run.path) == ["run.json"]
