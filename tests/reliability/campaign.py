"""A campaign of damages: every kind of file of a small build, damaged in every way, is read as it was, or refused.

    python tests/reliability/campaign.py --minutes 5 [--seed 1]
    python tests/reliability/campaign.py --kills 100 --minutes 40 [--seed 1]    instead, kills (see `kills.py`)

It prints counts: tried; repaired (read as before the damage); refused by a clear error that names the file; other
(what people write by hand, changed into something else that is allowed); silent (something else was read without a
word); traceback (an error that does not say what is wrong with which file). The last two are failures, and are listed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import kills
import numpy as np
from damages import damages_of
from small_build import Subject, subjects

from dgrasp.evaluation.study.storage import StudyError
from dgrasp.files import DamagedFileError, UserFileError
from dgrasp.robot.log import LogError
from dgrasp.runs import RunError

CLEAR = (DamagedFileError, UserFileError, LogError, RunError, StudyError, FileNotFoundError)
ENDS = ("repaired", "refused", "other", "silent", "traceback")
FAILURES = ("silent", "traceback")


@dataclass(frozen=True)
class Try:
    """One damage and its end; `says` is the error's text, or what it did."""

    subject: str
    damage: str
    seed: int
    end: str
    says: str


class Campaign:
    """A build, a second one for files to be mixed up with, and what each file says undamaged."""

    def __init__(self, folder: Path) -> None:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            self.subjects = subjects(folder / "a", 0)
            others = subjects(folder / "b", 1)
        self.whole = {name: subject.read() for name, subject in self.subjects.items()}
        self.data = {name: subject.path.read_bytes() for name, subject in self.subjects.items()}
        self.others = {name: subject.path.read_bytes() for name, subject in others.items()}
        self.kinds = [(name, d) for name, s in self.subjects.items() for d in damages_of(self.data[name], s.path.name)]

    def attempt(self, name: str, damage: str, seed: int) -> Try:
        """Damage one file, read it, and put it back."""
        subject, data = self.subjects[name], self.data[name]
        apply = damages_of(data, subject.path.name)[damage]
        damaged = apply(data, np.random.default_rng(seed), self.others[name])
        subject.path.unlink()
        if damaged is not None:
            subject.path.write_bytes(damaged)
        try:
            return Try(name, damage, seed, *self._read(subject, self.whole[name]))
        finally:
            subject.path.unlink(missing_ok=True)
            subject.path.write_bytes(data)

    def _read(self, subject: Subject, whole: str) -> tuple[str, str]:
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                found = subject.read()
        except CLEAR as error:
            named = subject.path.name in str(error) or str(subject.path.parent) in str(error)
            return ("refused" if named else "traceback"), f"{type(error).__name__}: {error}"
        except Exception as error:
            return "traceback", f"{type(error).__name__}: {error}"
        if found == whole:
            return "repaired", ""
        return ("other" if subject.by_hand else "silent"), "something else was read"


def run(campaign: Campaign, seconds: float, seed: int) -> list[Try]:
    """Every kind of damage to every kind of file in turn, until the time is over."""
    done: list[Try] = []
    end = time.monotonic() + seconds
    while True:
        for name, damage in campaign.kinds:
            if time.monotonic() > end:
                return done
            done.append(campaign.attempt(name, damage, seed))
        seed += 1


def table(done: list[Try]) -> str:
    """Counts by file and end."""
    counts = Counter((one.subject, one.end) for one in done)
    lines = [f"{'':12}{'tried':>10}" + "".join(f"{end:>10}" for end in ENDS)]
    for subject in [*dict.fromkeys(one.subject for one in done), "all"]:
        row = [sum(n for (s, e), n in counts.items() if e == end and subject in (s, "all")) for end in ENDS]
        lines.append(f"{subject:12}{sum(row):10}" + "".join(f"{n:10}" for n in row))
    return "\n".join(lines)


def main() -> int:
    """Entry point; 1 if anything was silent or a traceback, or a kill left its mark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="default: 1")
    parser.add_argument("--seed", type=int, default=0, help="of the first round of damages; default: 0")
    parser.add_argument("--kills", type=int, default=0, help="instead of damages, so many kills")
    parser.add_argument("--folder", type=Path, help="of the kills' builds, for the next time; default: a temporary one")
    options = parser.parse_args()
    if options.kills:
        return kill(options)
    with tempfile.TemporaryDirectory() as folder:
        done = run(Campaign(Path(folder)), 60 * options.minutes, options.seed)
    print(table(done))
    failed = [one for one in done if one.end in FAILURES]
    for one in failed[:50]:
        print(f"{one.end}: {one.subject}, {one.damage}, seed {one.seed}: {' '.join(one.says.split())[:300]}")
    return 1 if failed else 0


def kill(options: argparse.Namespace) -> int:
    """The campaign of kills."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        done = kills.run(kills.Killer(folder), 60 * options.minutes, options.kills, options.seed)
    print(kills.table(done))
    return 1 if any(one.end != "same" for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
