"""The cache of derived models: whole or absent, mended where it is not, readable by others, clear in its errors."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from dgrasp import cache
from dgrasp.cache import CacheError, build_once, cache_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "_known_whole", set())
    monkeypatch.setenv("DGRASP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    """Writes two files, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "parts").mkdir()
        (folder / "parts" / "a.obj").write_text("v 0 0 0\n")
        (folder / "about.json").write_text("{}")


def forget() -> None:
    """As another process would see it."""
    cache._known_whole.clear()


def test_an_entry_is_made_once():
    build = Builder()
    paths = [build_once("pear", build) for _ in range(2)]
    forget()
    assert build_once("pear", build) == paths[0] == paths[1]
    assert build.calls == 1 and (paths[0] / "parts" / "a.obj").read_text() == "v 0 0 0\n"
    assert [p.name for p in paths[0].parent.iterdir()] == ["pear"], "no draft is left"


def cut(entry: Path) -> None:
    (entry / "parts" / "a.obj").write_text("v 0 0")


def lose(entry: Path) -> None:
    (entry / "parts" / "a.obj").unlink()


def add(entry: Path) -> None:
    (entry / "parts" / "b.obj").touch()


def lose_list(entry: Path) -> None:
    (entry / cache.MANIFEST).unlink()


def cut_list(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text("{")


def empty(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


def replace(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.write_text("a file")


def nest_list(entry):
    (entry / cache.MANIFEST).write_text("[" * 100_000)


def list_a_folder(entry):
    (entry / cache.MANIFEST).unlink()
    (entry / cache.MANIFEST).mkdir()


def dead_link(entry):
    shutil.rmtree(entry)
    entry.symlink_to("gone")


DAMAGES = (cut, lose, add, lose_list, cut_list, nest_list, list_a_folder, dead_link, empty, replace)


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_entry_that_is_not_whole_is_made_again(damage):
    build = Builder()
    entry = build_once("pear", build)
    damage(entry)
    forget()
    assert build_once("pear", build) == entry and build.calls == 2
    assert sorted(p.name for p in entry.rglob("*")) == ["a.obj", "about.json", "parts", cache.MANIFEST]
    assert (entry / "parts" / "a.obj").read_text() == "v 0 0 0\n"
    assert len(list(entry.parent.iterdir())) == 1


def test_a_failed_build_leaves_nothing(folder):
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise FileNotFoundError(errno.ENOENT, "no such mesh", "source.obj")

    with pytest.raises(FileNotFoundError, match=r"no such mesh: 'source\.obj'"):
        build_once("pear", fail)
    assert list(folder.iterdir()) == []


def test_two_at_once_agree():
    barrier, paths = threading.Barrier(2), []

    def build(draft: Path) -> None:
        barrier.wait(timeout=300)  # both are at work
        Builder()(draft)

    threads = [threading.Thread(target=lambda: paths.append(build_once("pear", build))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 2
    assert [p.name for p in paths[0].parent.iterdir()] == ["pear"]


def test_a_second_user_can_read():
    before = os.umask(0o022)
    try:
        entry = build_once("pear", Builder())
    finally:
        os.umask(before)
    for path in (entry, *entry.rglob("*")):
        assert path.stat().st_mode & 0o044 == 0o044, path
        assert not path.is_dir() or path.stat().st_mode & 0o011 == 0o011, path


def test_drafts_of_the_dead_are_cleared_and_those_of_the_living_are_not(folder):
    for name, age in (("old", 2 * cache.ABANDONED), ("new", 0.0)):
        draft = folder / f"{cache.DRAFT}{name}"
        draft.mkdir(parents=True)
        moment = time.time() - age
        os.utime(draft, (moment, moment))
    build_once("pear", Builder())
    assert sorted(p.name for p in folder.iterdir()) == [f"{cache.DRAFT}new", "pear"]


def test_a_read_only_cache_serves_what_it_holds_and_names_itself_otherwise(folder, closed_folder, monkeypatch):
    monkeypatch.setenv("DGRASP_CACHE", str(closed_folder / "cache"))
    with pytest.raises(CacheError, match=r"closed/cache: derived models .*Permission denied.*; set DGRASP_CACHE"):
        build_once("pear", Builder())


def test_a_read_only_disk_is_named(folder, monkeypatch):
    entry = build_once("pear", Builder())
    forget()

    def read_only(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert build_once("pear", Builder()) == entry
    with pytest.raises(CacheError, match=r"cannot be kept there .Read-only file system.; set DGRASP_CACHE to a folder"):
        build_once("plum", Builder())


def test_a_full_disk_is_named():
    def full(draft: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CacheError, match=r"cannot be kept there .No space left on device."):
        build_once("pear", full)


def test_a_path_that_is_a_file_is_named(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("DGRASP_CACHE", str(path))
        with pytest.raises(CacheError, match=r"derived models cannot be kept there \((Not a directory|File exists)\)"):
            build_once("pear", Builder())


def test_a_home_that_is_no_folder_is_named(tmp_path, monkeypatch):
    for name in ("DGRASP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.devnull)
    with pytest.raises(CacheError, match=r"derived models cannot be kept there .Not a directory."):
        build_once("pear", Builder())

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", staticmethod(homeless))
    with pytest.raises(CacheError, match=r"no home folder to keep derived models in .*; set DGRASP_CACHE"):
        cache_folder()
