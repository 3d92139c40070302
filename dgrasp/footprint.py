"""The memory that work takes: of this process and of all that it started, looked at again and again meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dgrasp.files import rows_of

EVERY = 2.0  # s between looks; what is shorter is missed, but freed memory stays ours (`dgrasp.memory`), and is seen
GROWN = 1.02  # times the memory that was noted last: then it is noted anew
MIB = 2**20


def footprint() -> float:
    """MiB that this process and its descendants take now.

    Pages of files that they share, mostly libraries, count once where the system tells them apart (Linux), and
    elsewhere in each process. What a forked process still shares with its parent counts in both.
    """
    own, shared = 0, [0]
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.Error):  # it has ended, or is somebody else's
            taken = process.memory_info()
            shared.append(getattr(taken, "shared", 0))
            own += taken.rss - shared[-1]
    return (own + max(shared)) / MIB


@contextmanager
def memory_watched(tell: Callable[[float], None], every: float = EVERY) -> Iterator[None]:
    """Within this context, and at its end, a thread calls `tell` with the footprint, again and again."""
    over = threading.Event()

    def look() -> None:
        ended = False
        while not ended:
            ended = over.wait(every)
            tell(footprint())

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def memory_noted(log: Path) -> Iterator[None]:
    """Within this context the log has a line {"mib": most so far} more whenever the footprint has grown by 2 %."""
    most = 0.0

    def note(mib: float) -> None:
        nonlocal most
        if mib > GROWN * most:
            most = mib
            with suppress(OSError), open(log, "a", encoding="utf-8") as handle:  # of a full disk the work itself tells
                handle.write(json.dumps({"mib": round(mib, 1)}) + "\n")

    with memory_watched(note):
        yield


def peak_mib(log: Path) -> float | None:
    """The most that `memory_noted` noted there; None where it has not."""
    return max((row["mib"] for row in rows_of(log, "mib")), default=None)
