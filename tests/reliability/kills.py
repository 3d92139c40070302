"""Kills at random moments: of a stage's whole group, of its process alone, or of one of its workers.

Whatever dies, the same start again must end with the bytes of a chain that nobody disturbed, and leave no process and
no half-written file. One chain is made undisturbed; of a copy of it one run is taken away, made again, and disturbed.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
import psutil

from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import load_profile
from dgrasp.experiment.store import Build
from dgrasp.files import rows_of, visible_files
from dgrasp.locks import ORPHANS
from dgrasp.runs import only_complete

MICRO = Path(__file__).parents[1] / "experiment" / "micro.yaml"
HOW = ("group", "parent", "worker")
ENDS = ("same", "different", "process left", "file left", "failed", "hung")
TIMED = ("time", "started", "seconds", "chain", "made_by")  # of a log's lines: what equal runs do not share
OF_ITSELF = ("run.json", "timing.jsonl", "volatile.json", "study.journal")  # when, how long, in how many goes
PATIENCE = 900.0  # s in which the small chain has ended, on a machine that does other work, too
START = 1.0  # s from a start to a stage's first work


def micro(build: Path) -> None:
    """The smallest experiment, with the trials of the twin and the sweep, and with workers."""
    profile = load_profile(str(MICRO))
    runtime = profile.runtime.model_copy(update={"workers": 2})
    experiment = Experiment(profile.model_copy(update={"runtime": runtime}), Build(build))
    experiment.evaluation()
    experiment.twin_trials()
    experiment.calibration_sweep()


@dataclass(frozen=True)
class Kill:
    """One kill and its end; `says` tells what is wrong."""

    stage: str
    how: str
    moment: float  # s after the start
    seed: int
    end: str
    says: str


class Killer:
    """An undisturbed build in `folder / "whole"`, made unless it is there, and copies of it that are disturbed."""

    def __init__(self, folder: Path, chain: Callable[[Path], None] = micro) -> None:
        self.folder, self.chain = folder, chain
        self.whole = folder / "whole"
        if self._go_on(self.whole):
            raise RuntimeError(f"the undisturbed chain failed: {self._said()}")
        with only_complete(), _quiet():
            chain(self.whole)  # what all starts need is loaded here, and they are forked
        self.expected = results(self.whole)
        stages = (self.whole / "runs").iterdir()
        self.seconds = {p.name: sum(r["seconds"] for r in rows_of(p / "timing.jsonl", "seconds")) for p in stages}

    def attempt(self, seed: int) -> Kill | None:
        """Disturb one stage; None if it had ended before."""
        rng = np.random.default_rng(seed)
        run = str(rng.choice(sorted(self.seconds)))
        how, moment = str(rng.choice(HOW)), float(rng.uniform(0, START + 1.2 * self.seconds[run]))
        build = self.folder / "disturbed"
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(self.whole, build)
        shutil.rmtree(build / "runs" / run)
        process = self._start(build)
        process.join(moment)
        if process.exitcode is not None:
            return None
        how = kill(process, how, rng)
        return Kill(run.rpartition("-")[0], how, moment, seed, *self._after(process, build))

    def _after(self, process: ForkProcess, build: Path) -> tuple[str, str]:
        process.join(PATIENCE)
        if process.exitcode is None:
            os.killpg(process.ident or 0, signal.SIGKILL)
            return "hung", "the parent did not end"
        if left := processes_left(process.ident or 0):
            return "process left", ", ".join(left)
        if code := self._go_on(build):
            return ("hung" if code == -signal.SIGKILL else "failed"), self._said()
        found = results(build)
        if hidden := [str(path.relative_to(build)) for path in build.rglob(".*")]:
            return "file left", ", ".join(hidden)
        names = sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name))
        return ("different", ", ".join(names)) if names else ("same", "")

    def _go_on(self, build: Path) -> int:
        """Start, and wait for the end."""
        process = self._start(build)
        process.join(PATIENCE)
        if process.exitcode is None:
            os.killpg(process.ident or 0, signal.SIGKILL)
            process.join()
        assert process.exitcode is not None
        return process.exitcode

    def _start(self, build: Path) -> ForkProcess:
        process = multiprocessing.get_context("fork").Process(target=_work, args=(self.chain, build, self._log))
        process.start()
        while process.exitcode is None and os.getpgid(process.ident or 0) != process.ident:
            time.sleep(0.001)
        return process

    @property
    def _log(self) -> Path:
        return self.folder / "said.txt"

    def _said(self) -> str:
        return " ".join(self._log.read_text(errors="replace").split())[-300:]


def kill(process: ForkProcess, how: str, rng: np.random.Generator) -> str:
    """SIGKILL; of a process without workers, the parent alone stands for a worker."""
    pid = process.ident or 0
    workers = workers_of(pid) if how == "worker" else []
    if how == "worker" and not workers:
        how = "parent"
    target = int(rng.choice(workers)) if workers else pid
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if how == "group" else os.kill)(target, signal.SIGKILL)
    return how


def workers_of(pid: int) -> list[int]:
    """Processes that work for this one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children(recursive=True)
        return [child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())]
    return []


def processes_left(group: int) -> list[str]:
    """Command lines of processes of the group that are alive, after the time that they have to end."""
    deadline = time.monotonic() + 60 * ORPHANS
    while (left := _alive(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _alive(group: int) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline())[:100])
    return found


def results(build: Path) -> dict[str, bytes]:
    """Everything that a build's runs computed, by name; of logs what does not depend on the clock."""
    runs = build / "runs"
    names = [name for name in visible_files(runs) if Path(name).name not in OF_ITSELF]
    return {name: _without_times(runs / name) if "/logs/" in name else (runs / name).read_bytes() for name in names}


def _without_times(log: Path) -> bytes:
    lines = (json.loads(line) for line in log.read_text().splitlines())
    told = [{key: value for key, value in line.items() if key not in TIMED} for line in lines if line["kind"] != "note"]
    return json.dumps(told).encode()


def _work(chain: Callable[[Path], None], build: Path, log: Path) -> None:
    os.setsid()
    with open(log, "wb") as handle:
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    code = 0
    try:
        chain(build)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)  # a forked process would wait for joblib's, which wait for more work for minutes; they end with it


@contextlib.contextmanager
def _quiet():
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def run(killer: Killer, seconds: float, number: int, seed: int) -> list[Kill]:
    """So many kills, as far as the time goes."""
    done: list[Kill] = []
    end = time.monotonic() + seconds
    while len(done) < number and time.monotonic() < end:
        if (one := killer.attempt(seed)) is not None:
            done.append(one)
            print(
                f"{len(done):4} {one.stage}, {one.how}, {one.moment:.1f} s, seed {seed}: {one.end} {one.says}",
                flush=True,
            )
        seed += 1
    return done


def table(done: list[Kill]) -> str:
    """Counts by stage and end, and by what was killed."""
    ends = Counter((row, one.end) for one in done for row in (one.stage, one.how, "all"))
    rows = [*sorted({one.stage for one in done}), *HOW, "all"]
    lines = [f"{'':26}{'killed':>13}" + "".join(f"{end:>13}" for end in ENDS)]
    for row in rows:
        counts = [ends[row, end] for end in ENDS]
        lines.append(f"{row:26}{sum(counts):13}" + "".join(f"{n:13}" for n in counts))
    return "\n".join(lines)
