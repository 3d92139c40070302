"""Kernels of the running interpreter. On Linux they begin with everything loaded: forked from a process that has.

A new interpreter takes seconds to load torch and the rest, for every notebook. The process that kernels are forked from
starts with the first of them, ends with this one, and runs nobody's cells.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import util
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

from dgrasp.processes import end_with_parent

LOADED = ["ipykernel.kernelapp", "dgrasp.cli.notebooks.loaded"]  # and all that they import
LAUNCHER = ["-m", "ipykernel_launcher"]
CAN_FORK = sys.platform == "linux"  # macOS has it, too, and advises against it


class ThisInterpreter(AsyncKernelManager):
    """Starts kernels of the running interpreter, whatever kernelspecs are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        launcher = [*LAUNCHER, "--log-level=ERROR", "-f", "{connection_file}"]
        return KernelSpec(argv=[sys.executable, *launcher], display_name="Python 3", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        local = self.provisioner
        if not (CAN_FORK and isinstance(local, LocalProvisioner) and kernel_cmd[1:3] == LAUNCHER):
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        forked = Forked(kernel_cmd[2:], kw["env"], Path(kw.get("cwd") or Path.cwd()))
        local.process = cast("subprocess.Popen[bytes]", forked)
        local.pid = local.pgid = forked.pid
        self._reconcile_connection_info(local.connection_info)


class Forked:
    """A kernel that was forked, leading a process group of its own; what a provisioner asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        self._process = ForkServerProcess(target=_kernel, args=(command, dict(environment), str(folder)))
        with _without_main():
            self._process.start()
        assert self._process.pid
        self.pid = self._process.pid
        with suppress(ProcessLookupError):  # it has ended
            while os.getpgid(self.pid) != self.pid:
                time.sleep(0.001)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for the end."""
        self._process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel alone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def _without_main() -> Iterator[None]:
    """A process that starts in here does not run the script again that this one runs."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _kernel(command: list[str], environment: dict[str, str], folder: str) -> None:
    """What `python -m` does with the command, in an environment and a folder."""
    os.setsid()
    end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [*command, f"--IPKernelApp.parent_handle={os.getppid()}"]  # it ends with this, and prints no advice
    code: object = 0
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    util._run_finalizers(0)  # type: ignore[attr-defined]  # semaphores, say, of progress bars
    # Not by multiprocessing's end of a process, which waits for the threads of joblib's pool for ever. Its workers end
    # with this process.
    os._exit(code if isinstance(code, int) else int(code is not None))
