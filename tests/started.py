"""Programs that tests start and kill: each a process of its own, forked from one that has loaded what they need.

A new interpreter takes seconds to load torch and the rest, for every program. Where that is what is tested (what is
imported, what a script says), tests start one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

LOADED = ["dgrasp.experiment.chain", "dgrasp.cli.notebooks.runner", "ipykernel.kernelapp"]  # and all that they import


def context() -> ForkServerContext:
    """Of processes that have everything loaded."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(LOADED)
    return found


@dataclass
class Program:
    """A program that was started, leading a process group of its own."""

    process: BaseProcess
    log: Path

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def said(self) -> str:
        """What it has written to stdout and stderr so far."""
        return self.log.read_text(encoding="utf-8")

    @property
    def runs(self) -> bool:
        return self.process.is_alive()

    def kill(self, everybody: bool = False) -> None:
        """kill -9 for it alone, or for its whole process group."""
        (os.killpg if everybody else os.kill)(self.pid, signal.SIGKILL)
        self.process.join()

    def ended(self, seconds: float = 300) -> int:
        """Wait for its end; returns the exit code, negative for a signal."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.kill(everybody=True)
            raise AssertionError(f"not at its end after {seconds:g} s; said: {self.said[-3000:]}")
        return self.process.exitcode


def start(program: str, *arguments: object, **environment: str) -> Program:
    """Start a program (source text) with `sys.argv[1:]`, and these variables besides those of this process."""
    handle, log = tempfile.mkstemp(suffix=".log")
    os.close(handle)
    variables = {**os.environ, **environment}
    # its path and folder are those of this process
    process = context().Process(target=_run, args=(program, [str(a) for a in arguments], variables, log))
    process.start()
    atexit.register(process.kill)  # of a test that failed: multiprocessing would wait for its end for ever
    return Program(process, Path(log))


def run(program: str, *arguments: object, **environment: str) -> tuple[int, str]:
    """Start a program and wait for its end: its exit code, negative for a signal, and what it said."""
    started = start(program, *arguments, **environment)
    return started.ended(), started.said


def wait_until(condition: object, seconds: float = 120, every: float = 0.02) -> None:
    """Wait until `condition()` is true; AssertionError if it takes too long."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(every)


def _run(program: str, arguments: list[str], variables: dict[str, str], log: str) -> None:
    os.setsid()
    with open(log, "ab") as handle:
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["program", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells that run tests in the background ignore it
    code: object = 0
    try:
        exec(compile(program, "program", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by multiprocessing's end of a process, which waits for the threads of joblib's pool for ever: in a program of
    # its own the pool is told that the interpreter ends. Its workers end with this process.
    os._exit(code if isinstance(code, int) else int(code is not None))
