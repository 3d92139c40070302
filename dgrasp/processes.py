"""Processes that work for this one, and end with it, however it ends: nobody may go on with what is begun again."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import Any

LOOK_EVERY = 0.2  # s; less than an owner's workers are given to end (`dgrasp.locks.ORPHANS`)


def end_with_parent(parent: int | None = None) -> None:
    """From now on this process ends, at once, when the one that started it has ended.

    parent: its process id, where multiprocessing cannot wait for it (in joblib's workers).
    """
    threading.Thread(target=_end_after, args=(parent,), name="end-with-parent", daemon=True).start()


def bound() -> dict[str, Any]:
    """Arguments of `joblib.Parallel` by which its processes end with this one.

    What they are given is small, and passed on as it is: joblib's folder for large arrays, which it else makes in
    memory whether there are any or not, would outlive a killed group.
    """
    given = {"max_nbytes": None, "temp_folder": tempfile.gettempdir()}
    return {"initializer": end_with_parent, "initargs": (os.getpid(),), **given}


def _end_after(parent: int | None) -> None:
    if parent is None:
        known = multiprocessing.parent_process()
        assert known is not None
        known.join()
    elif sys.platform == "win32":  # where a parent's id stays what it was
        import psutil  # not above: only here

        with suppress(psutil.NoSuchProcess):
            psutil.Process(parent).wait()
    else:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
    os._exit(1)
