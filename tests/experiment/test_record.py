"""Publishing loses nothing, whenever it is stopped: what was there, or what takes its place, is whole."""

import gzip
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from dgrasp.evaluation.table import EvaluationRecipe
from dgrasp.experiment import store
from dgrasp.experiment.attempts import read_attempts
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.kept_files import keep_files
from dgrasp.experiment.model_card import model_card
from dgrasp.experiment.record import _replacing, compact
from dgrasp.experiment.store import Record, RecordError
from dgrasp.files import DamagedFileError, read_sealed, visible_files, write_sealed, write_sums
from dgrasp.runs import RunError, read_run


def write(folder: Path, text: str) -> None:
    for name in ("a", "b"):
        (folder / name).write_text(text)


def published(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.iterdir()}


def _publish_and_die(folder: Path, at: int) -> None:
    """Dies, without a chance to tidy, before its `at`-th renaming."""
    rename, calls = Path.rename, []

    def dying(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.rename = dying
    with _replacing(folder) as new:
        write(new, "new")


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("then", ["nothing", "a full disk", "a finished one"])
def test_killed_between_its_renamings_it_loses_nothing(tmp_path, at, then):
    folder = tmp_path / "laptop" / "seed-0"
    folder.mkdir(parents=True)
    write(folder, "old")
    process = multiprocessing.get_context("fork").Process(target=_publish_and_die, args=(folder, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    there = [path for path in folder.parent.iterdir() if path.is_dir()]
    assert {"old"} in [published(path) for path in there], "under its name or under another"
    if then == "a full disk":
        with pytest.raises(OSError, match="No space"), _replacing(folder) as new:
            (new / "a").write_text("cut")
            raise OSError(28, "No space left on device")
        assert published(folder) == {"old"}
    if then == "a finished one":
        with _replacing(folder) as new:
            write(new, "newer")
        assert published(folder) == {"newer"}
    if then != "nothing":
        assert [path.name for path in folder.parent.iterdir()] == ["seed-0"]


def test_what_was_never_there_is_not_put_back(tmp_path):
    folder = tmp_path / "laptop" / "seed-0"
    with pytest.raises(ZeroDivisionError), _replacing(folder):
        raise ZeroDivisionError
    with _replacing(folder) as new:
        write(new, "new")
    assert published(folder) == {"new"}


def test_a_reader_is_told_of_publishing_that_was_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "PUBLISHED", tmp_path)
    (tmp_path / "laptop" / ".seed-0.old").mkdir(parents=True)
    with pytest.raises(RecordError, match=r"publishing was interrupted: publish again, or rename .*\.seed-0\.old"):
        Record.published("laptop", tmp_path)


# --- what is kept -----------------------------------------------------------------------------------------------------

OURS = store.published_folder("laptop", 0)


@pytest.fixture
def of_before(tmp_path: Path) -> Path:
    """A record as it was published before tables were compressed: the evaluation, with digests of two of its units."""
    folder = tmp_path / "laptop" / "seed-0"
    (run,) = OURS.glob("evaluation-*")
    shutil.copytree(run, folder / run.name)
    shutil.copy(OURS / "profile.json", folder)
    packed, done = folder / run.name / "trials.csv.gz", folder / run.name / "done.json"
    (packed.parent / "trials.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    stated = read_sealed(done)
    units = {f"episodes/{k}.json": "0" * 64 for k in range(2)}
    write_sealed(done, {**stated, "outputs": units | stated.pop("unpacked")})
    write_sums(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in visible_files(folder)}


def test_a_record_of_before_is_read_and_becomes_one_of_today(of_before, tmp_path):
    def attempts():
        return read_attempts(Record(of_before, tmp_path).run("evaluation", EvaluationRecipe, Path))

    known, before = attempts(), contents(of_before)
    compact(of_before)
    (name,) = (path.name for path in of_before.iterdir() if path.is_dir())
    made = contents(of_before)
    assert {n: d for n, d in made.items() if n.startswith(name)} == {
        f"{name}/{n}": d for n, d in contents(OURS / name).items()
    }
    assert sum(map(len, made.values())) < 0.5 * sum(map(len, before.values()))
    assert attempts().equals(known)
    assert read_run(of_before / name, EvaluationRecipe).complete, "its own list says the same as SHA256SUMS"
    summed = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=of_before, check=False)
    assert summed.returncode == 0
    compact(of_before)
    assert contents(of_before) == made
    assert [path.name for path in of_before.parent.iterdir()] == ["seed-0"]


def test_what_is_damaged_is_not_compacted(of_before):
    with pytest.raises(RecordError, match="no published experiment there"):
        compact(of_before.parent)
    (table,) = of_before.rglob("trials.csv")
    table.write_bytes(table.read_bytes()[:-9])
    with pytest.raises(DamagedFileError, match=r"trials\.csv: is not the published file; restore it"):
        compact(of_before)
    assert table.is_file()


def test_a_changed_table_of_a_record_is_refused(of_before, tmp_path):
    compact(of_before)
    (table,) = of_before.rglob("trials.csv.gz")
    table.write_bytes(gzip.compress(gzip.decompress(table.read_bytes()).replace(b"success", b"missed", 1), mtime=0))
    with pytest.raises(DamagedFileError, match=r"trials\.csv\.gz: is not what the run wrote; restore the published"):
        Record(of_before, tmp_path).run("evaluation", EvaluationRecipe, Path)


def test_lists_of_runs_without_digests_are_kept_as_they_are(tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "done.json").write_text('{"fingerprint": "a", "summary": {}}')
    keep_files(old, ["done.json"], tmp_path / "new")
    assert (tmp_path / "new" / "done.json").read_bytes() == (old / "done.json").read_bytes()


def test_a_seed_without_weights_is_read_beside_the_one_that_has_them(tmp_path, monkeypatch):
    """What is published of it has no weights, says so, and names the seed to take."""
    root = tmp_path / "runs"
    for seed in (0, 1):
        shutil.copytree(OURS, root / "laptop" / f"seed-{seed}")
    other = root / "laptop" / "seed-1"
    stated = json.loads((OURS / "profile.json").read_text(encoding="utf-8"))
    (other / "profile.json").write_text(json.dumps({**stated, "seed": 1}))
    write_sums(other)
    compact(other, weights=False)
    assert sum(map(len, contents(other).values())) < 4 * 2**20, "three seeds and more arms are below 25 MiB"
    monkeypatch.setattr(store, "PUBLISHED", root)
    assert store.seed_with_weights("laptop") == store.first_seed("published") == 0
    read = Experiment.open("published", tmp_path, seed=1)
    card = model_card(read)
    assert (other / "model_card.md").read_text(encoding="utf-8") == card
    assert card.count("| not kept |") == 4 and "seed 1," in card and "`.load_nerf()`" not in card
    theirs = model_card(Experiment.open("published", tmp_path))
    assert card.partition("## Quality")[2] == theirs.partition("## Quality")[2] != ""
    assert len(read.tuning()) == len(read.profile.evaluation.policies) and read.twin_trials().complete
    with pytest.raises(RunError, match=r"of seed \d only rows are; take seed 0, whose weights are published, or train"):
        read.policy("dgrasp_quat_sync")
