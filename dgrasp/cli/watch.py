"""The terminal while a chain runs: stage, progress and time left in one line; elsewhere a line for each stage."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.progress import Progress, about

EVERY = 5.0  # s between looks at the files
CLEAR = "\r\x1b[K"  # of a terminal's line


@contextmanager
def watched(profile: Profile, build: Path, out: TextIO | None = None, every: float = EVERY) -> Iterator[None]:
    """Within this context `out` (default: stderr) is told how far the chain in `build` is.

    Bars of single stages are off meanwhile, in this process and those that it starts.
    """
    before, os.environ["TQDM_DISABLE"] = os.environ.get("TQDM_DISABLE"), "1"
    over = threading.Event()
    watch = Watch(Progress.of(profile), build / "runs", out or sys.stderr)
    thread = threading.Thread(target=watch.until, args=(over, every), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        os.environ.pop("TQDM_DISABLE")
        if before is not None:
            os.environ["TQDM_DISABLE"] = before


class Watch:
    """Tells `out` of the progress in a folder of runs."""

    def __init__(self, progress: Progress, runs: Path, out: TextIO) -> None:
        self.progress, self.runs, self.out = progress, runs, out
        self._told: int | None = None

    def until(self, over: threading.Event, every: float) -> None:
        """Look, and tell, again and again."""
        while not over.wait(every):
            self.look(time.monotonic())
        if self._told is not None and self.out.isatty():
            self.out.write(CLEAR)
            self.out.flush()

    def look(self, now: float) -> None:
        """Look once; nothing is told before the first stage is at work."""
        self.progress.look(self.runs, now)
        if self.progress.current is None:
            return
        if self.out.isatty():
            width = max(20, os.get_terminal_size(self.out.fileno()).columns - 1)
            self.out.write(CLEAR + self.progress.line()[:width])
        elif self.progress.current != self._told:
            seen = self.progress.seen[self.progress.current]
            stage = f"{seen.stage.name}: {seen.stage.count:,} {seen.stage.unit}"
            self.out.write(f"{stage}, {about(seen.left(self.progress.factor))}; {about(self.progress.left)} in all\n")
        self._told = self.progress.current
        self.out.flush()
