"""Optuna's journal in a file that survives what happens to files: a line that was cut, a full disk, a maker killed.

Same lines as Optuna's own `JournalFileBackend`, which reads them too. Different are the lock, which is the kernel's and
ends with its process, so that none is ever left behind, and the end: a line without its end (a crash, a full disk) is
left out when reading, and taken off before the next one is written, which it would swallow.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from optuna.storages.journal import BaseJournalBackend

from dgrasp.file_locks import lock_file
from dgrasp.files import DamagedFileError

BLOCK = 1 << 16  # bytes read at once in search of the last line's end
OLD_LOCK = 5.0  # s after which a lock of Optuna's own counts as left behind: it is held for one line
PATIENCE = 5.0  # s of waiting for another writer without a word


class Journal(BaseJournalBackend):
    """Lines of JSON in a file. Reading writes nothing, not even the file; DamagedFileError names the line."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._offsets = {0: 0}  # of lines by number, as far as they were read

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Lines from a number on, without one at the end that is being written or was cut."""
        if not self.path.is_file():
            return
        start = log_number_from if log_number_from in self._offsets else 0
        with open(self.path, "rb") as handle:
            handle.seek(self._offsets[start])
            for number, line in enumerate(handle, start):
                if not line.endswith(b"\n"):
                    return
                self._offsets[number + 1] = self._offsets[number] + len(line)
                if number >= log_number_from:
                    yield self._parsed(line, number)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines, or none of them; raises OSError naming the file where the disk refuses."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with only_writer(self.path), open(self.path, "a+b", buffering=0) as handle:
            end = self._end_of_last_line(handle.fileno())
            if end < os.fstat(handle.fileno()).st_size:
                print(f"{self.path}: its last line was cut, by a full disk or a crash; left out", file=sys.stderr)
                os.truncate(handle.fileno(), end)
            try:
                while text:  # a full disk takes a part first, and then says why not the rest
                    text = text[handle.write(text) :]
                os.fsync(handle.fileno())
            except BaseException as error:
                os.truncate(handle.fileno(), end)
                if isinstance(error, OSError):
                    raise OSError(error.errno, error.strerror, str(self.path)) from error
                raise

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DamagedFileError(
                f"{self.path}, line {number + 1}: not JSON ({error}); cut the file before this line and run again: the "
                "study goes on from there. Or delete the file, and it begins anew"
            ) from error

    def _end_of_last_line(self, descriptor: int) -> int:
        """Bytes up to the last line that has an end."""
        end = os.fstat(descriptor).st_size
        while end > 0:
            begin = max(0, end - BLOCK)
            os.lseek(descriptor, begin, os.SEEK_SET)
            found = os.read(descriptor, end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """One writer of a file at a time, by a lock file beside it, which goes with the lock.

    One that a killed writer left behind locks nobody out. Whoever waits long says so.
    """
    lock = path.with_name(f"{path.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        _remove_link(lock)
        with open(lock, "ab", opener=_no_link) as handle:
            _wait_for(handle, lock)
            if not _is_still(handle, lock):
                continue  # the writer before us has removed it
            try:
                yield
                return
            finally:
                with suppress(PermissionError):  # Windows removes no open file: there the next writer has it
                    lock.unlink(missing_ok=True)


def _wait_for(handle: IO[bytes], lock: Path) -> None:
    begun, said = time.monotonic(), False
    while True:
        try:
            return lock_file(handle)
        except BlockingIOError:
            if time.monotonic() - begun > PATIENCE and not said:
                said = True
                print(f"{lock}: another process is writing; waiting for it", file=sys.stderr)
            time.sleep(0.002)


def _is_still(handle: IO[bytes], lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), lock.lstat())
    except FileNotFoundError:
        return False


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has none


def _remove_link(lock: Path) -> None:
    """The lock of Optuna's own backend is a symbolic link, which stays when its writer is killed."""
    while lock.is_symlink():
        try:
            age = time.time() - lock.lstat().st_mtime
        except FileNotFoundError:
            return
        if age > OLD_LOCK:
            print(f"{lock}: left behind {age:.0f} s ago by a writer that is dead; removed", file=sys.stderr)
            lock.unlink(missing_ok=True)
            return
        time.sleep(0.1)
