"""PyBullet without the line that it prints when it is loaded: a command's stderr is for what the reader must know."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator


def load_pybullet() -> None:
    """Load PyBullet silently, if it is there; whoever needs it says what is missing."""
    with _silent_stderr(), contextlib.suppress(ImportError):
        importlib.import_module("pybullet")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Below Python, where C code writes: the file descriptor itself."""
    before = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)
