"""Locks of the kernel's on an open file, which end with the process that holds them, however it ends.

On Unix flock. Windows has locks on bytes, none of them shared: there each that shares the lock has one of `SHARES`
bytes, far behind what anybody writes, and who wants it alone takes all of them.
"""

from __future__ import annotations

import os
import time
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None  # type: ignore[assignment]

FAR = 0x7FFF0000  # byte at which Windows's locks begin: nobody else reads what is locked, and offsets have 31 bits
SHARES = 64  # processes that can share a lock on Windows; our choice: more than make a study on one machine
POLL = 0.05  # s between attempts on Windows, where nobody tells that a lock is free


def lock_file(handle: IO[Any], *, shared: bool = False, wait: bool = False) -> None:
    """Lock an open file, alone or with others that share it, until it is closed.

    Raises BlockingIOError if somebody else has it (`wait`: waits until it is free).
    """
    if fcntl is not None:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        return
    while not _locked_bytes(handle.fileno(), shared):
        if not wait:
            raise BlockingIOError("another process has the lock")
        time.sleep(POLL)


def _locked_bytes(descriptor: int, shared: bool) -> bool:
    """Whether one of the bytes (all of them, where the lock is not shared) could be had."""
    here = os.lseek(descriptor, 0, os.SEEK_CUR)
    places = [(FAR + i, 1) for i in range(SHARES)] if shared else [(FAR, SHARES)]
    try:
        return any(_lock_bytes(descriptor, start, count) for start, count in places)
    finally:
        os.lseek(descriptor, here, os.SEEK_SET)


def _lock_bytes(descriptor: int, start: int, count: int) -> bool:
    os.lseek(descriptor, start, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, count)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
