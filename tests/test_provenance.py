"""Which commit a run was made from: this repository's, or none; never another one's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def repository(folder: Path) -> str:
    """A repository with one commit, which is returned."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def archive(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as it comes out of a downloaded archive, below another folder."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which would be a change
    folder = tmp_path / "outer" / "dgrasp-main"
    (folder / "dgrasp").mkdir(parents=True)
    for file in (root / "dgrasp").glob("*.py"):
        shutil.copy(file, folder / "dgrasp")
    return folder


def recorded(folder: Path, **variables: str) -> list[str | bool | None]:
    """What the module in that folder says of itself, asked from there."""
    spec = importlib.util.spec_from_file_location("provenance_of_another", folder / "dgrasp" / "provenance.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in variables.items():
            patch.setenv(name, value)
        spec.loader.exec_module(module)
        said = module.provenance()
    return [said["commit"], said["dirty"]]


def test_a_clone_tells_its_commit_and_whether_it_was_changed(archive):
    commit = repository(archive)
    assert recorded(archive) == [commit, False]
    (archive / "figures").mkdir()
    (archive / "figures" / "table.json").touch()
    assert recorded(archive) == [commit, False], "results are no change of what makes them"
    (archive / "new.py").touch()
    assert recorded(archive) == [commit, True]


def test_without_git_nothing_is_known(archive, tmp_path):
    assert recorded(archive) == [None, None]
    repository(archive)
    assert recorded(archive, PATH=str(tmp_path)) == [None, None]


def test_the_commit_of_a_repository_around_it_is_not_ours(archive):
    repository(archive.parent)
    assert recorded(archive) == [None, None]


def test_git_dir_does_not_name_another_repository(archive, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    foreign, commit = repository(other), repository(archive)
    assert foreign != commit
    assert recorded(archive, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other)) == [commit, False]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_clone_of_another_user_is_not_trusted_and_not_guessed(archive):
    """Git refuses such a repository; then nothing is known, and nothing fails."""
    repository(archive)
    for path in (archive, archive / ".git"):
        os.chown(path, 65534, 65534)
    assert recorded(archive, HOME=str(archive.parent), GIT_CONFIG_SYSTEM=os.devnull) == [None, None]
