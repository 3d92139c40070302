"""Publishing loses nothing, whenever it is stopped: what was there, or what takes its place, is whole."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from dgrasp.experiment import store
from dgrasp.experiment.record import _replacing
from dgrasp.experiment.store import Record, RecordError


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
