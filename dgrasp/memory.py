"""Freed memory is kept for the next tensor. glibc hands large blocks back to the system at once and gets them anew for
the next tensor of the same size, page by page: a fifth of a plan's time (benchmarks/bench_memory.py)."""

from __future__ import annotations

import ctypes
import os

ENVIRONMENT = "DGRASP_KEEP_MEMORY"  # "0": as the system does it
# mallopt(3): option, and values of which the first one that this glibc takes is set (older ones take 32 MiB at most)
MMAP_THRESHOLD, MMAP_BYTES = -3, (2**30, 2**25)
TRIM_THRESHOLD, TRIM_BYTES = -1, (2**31 - 1,)
TOP_PAD, PAD_BYTES = -2, (2**26,)


def keep_freed_memory() -> bool:
    """Tell glibc to keep up to 2 GiB of freed memory in this process; returns whether it does.

    False, and nothing is changed, with another C library or if the environment says `DGRASP_KEEP_MEMORY=0`.
    """
    if os.environ.get(ENVIRONMENT) == "0" or not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = ((MMAP_THRESHOLD, MMAP_BYTES), (TRIM_THRESHOLD, TRIM_BYTES), (TOP_PAD, PAD_BYTES))
    taken = [any(mallopt(option, value) == 1 for value in values) for option, values in options]  # each is asked
    return all(taken)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # no such question: Windows, macOS, musl
        return False
