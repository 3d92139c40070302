"""The terminal while a chain runs: stage, progress and time left in one line; elsewhere a line for each stage.

At the end what each stage took, which is kept in the build's `costs.jsonl`: a line for each time that it was worked on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.progress import Progress, about, spoken
from dgrasp.footprint import memory_watched

COSTS = "costs.jsonl"
EVERY = 5.0  # s between looks at the files
CLEAR = "\r\x1b[K"  # of a terminal's line


@contextmanager
def watched(profile: Profile, build: Path, out: TextIO | None = None, every: float = EVERY) -> Iterator[None]:
    """Within this context `out` (default: stderr) is told how far the chain in `build` is, and then what it took.

    Bars of single stages are off meanwhile, in this process and those that it starts.
    """
    before, os.environ["TQDM_DISABLE"] = os.environ.get("TQDM_DISABLE"), "1"
    over = threading.Event()
    watch = Watch(Progress.of(profile), build / "runs", out or sys.stderr)
    thread = threading.Thread(target=watch.until, args=(over, every), name="watch", daemon=True)
    thread.start()
    try:
        with memory_watched(watch.remember):
            yield
    finally:
        over.set()
        thread.join()
        watch.end(build / COSTS)
        os.environ.pop("TQDM_DISABLE")
        if before is not None:
            os.environ["TQDM_DISABLE"] = before


class Above:
    """A terminal, written to from above the line that is told there; anything else as it is."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, text: str) -> int:
        """Write, in the place of the line, which comes again."""
        return self.out.write(f"{CLEAR}{text}" if self.out.isatty() and text.strip() else text)

    def flush(self) -> None:
        self.out.flush()


class Watch:
    """Tells `out` of the progress in a folder of runs."""

    def __init__(self, progress: Progress, runs: Path, out: TextIO) -> None:
        self.progress, self.runs, self.out = progress, runs, out
        self._told: int | None = None
        self._begun = time.monotonic()
        self._memory: list[float] = []  # MiB since the last look
        self._most = 0.0

    def until(self, over: threading.Event, every: float) -> None:
        """Look, and tell, again and again."""
        while not over.wait(every):
            with suppress(OSError):  # a file that somebody has just taken away, a shared folder that stumbles
                self.look(time.monotonic())
        if self._told is not None and self.out.isatty():
            self.out.write(CLEAR)
            self.out.flush()

    def remember(self, mib: float) -> None:
        """Of the memory that the chain takes now."""
        self._most = max(self._most, mib)
        self._memory.append(mib)

    def look(self, now: float) -> None:
        """Look once; nothing is told before the first stage is at work."""
        taken, self._memory = self._memory, []
        self.progress.look(self.runs, now, max(taken, default=0.0))
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

    def end(self, kept: Path) -> None:
        """Tell what the stages took, and add it to the file; nothing where none was at work."""
        stages = self.progress.costs()
        if not stages:
            return
        whole = {"seconds": round(time.monotonic() - self._begun, 1), "peak_mib": round(self._most, 1)}
        self.out.write(costs_table({**stages, "whole chain": whole}))
        try:
            with open(kept, "a", encoding="utf-8") as handle:
                handle.write(json.dumps({**whole, "stages": stages}) + "\n")
        except OSError as error:  # the chain's own errors are to be heard, too
            self.out.write(f"{kept}: not written ({error})\n")
        self.out.flush()


def costs_table(costs: Mapping[str, Mapping[str, float]]) -> str:
    """Lines of names, wall times and peak memory."""
    lines = [f"{'stage':<16}{'time':>12}{'peak memory':>14}"]
    for name, cost in costs.items():
        gib = f"{cost['peak_mib'] / 1024:.1f} GiB"
        lines.append(f"{name:<16}{spoken(cost['seconds']):>12}{gib:>14}")
    return "\n".join(lines) + "\n"
