"""Locks on open files: the kernel's, and what stands for them on Windows."""

from __future__ import annotations

import errno
import os
import types
from pathlib import Path
from typing import IO

import pytest
import started

from dgrasp import file_locks
from dgrasp.file_locks import SHARES, lock_file


class Bytes(types.ModuleType):
    """Windows's `msvcrt.locking`: bytes from the file's position on, each for one descriptor."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.locked: dict[int, int] = {}  # byte -> descriptor

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        start = os.lseek(descriptor, 0, os.SEEK_CUR)
        assert mode == self.LK_NBLCK and start + count < 1 << 31
        if self.locked.keys() & range(start, start + count):
            raise PermissionError(errno.EACCES, "Permission denied")
        self.locked |= dict.fromkeys(range(start, start + count), descriptor)

    def close(self, handle: IO[bytes]) -> None:
        self.locked = {byte: who for byte, who in self.locked.items() if who != handle.fileno()}
        handle.close()


@pytest.fixture(params=["unix", "windows"])
def close(request, monkeypatch):
    """Closes a file, with which its lock ends."""
    if request.param == "unix":
        return lambda handle: handle.close()
    windows = Bytes()
    monkeypatch.setattr(file_locks, "fcntl", None)
    monkeypatch.setattr(file_locks, "msvcrt", windows, raising=False)
    return windows.close


def test_one_has_it_alone_or_several_share_it(tmp_path: Path, close) -> None:
    one, other, third = (open(tmp_path / "file", "a+b", buffering=0) for _ in range(3))  # noqa: SIM115
    one.write(b"text")
    lock_file(one)
    assert one.tell() == 4, "the file's position is as before"
    for shared in (True, False):
        with pytest.raises(BlockingIOError):
            lock_file(other, shared=shared)
    close(one)
    lock_file(other, shared=True)
    lock_file(third, shared=True, wait=True)
    with open(tmp_path / "file", "ab") as alone, pytest.raises(BlockingIOError):
        lock_file(alone)
    close(other)
    close(third)
    with open(tmp_path / "file", "ab") as alone:
        lock_file(alone)


def test_on_windows_many_share_a_lock(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(file_locks, "fcntl", None)
    monkeypatch.setattr(file_locks, "msvcrt", Bytes(), raising=False)
    handles = [open(tmp_path / "file", "ab") for _ in range(SHARES + 1)]  # noqa: SIM115
    for handle in handles[:-1]:
        lock_file(handle, shared=True)
    with pytest.raises(BlockingIOError):
        lock_file(handles[-1], shared=True)
    for handle in handles:
        handle.close()


WINDOWS = """
import importlib, sys, types
sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
for name in [name for name in sys.modules if name.startswith("dgrasp")]:
    del sys.modules[name]
for name in ("evaluation.study.storage", "evaluation.study.journal", "robot.log", "cli.main", "experiment.chain"):
    importlib.import_module(f"dgrasp.{name}")
print("file locks:", sys.modules["dgrasp.file_locks"].fcntl)
"""


def test_without_unix_s_locks_everything_is_imported() -> None:
    code, said = started.run(WINDOWS)
    assert code == 0 and "file locks: None" in said, said
