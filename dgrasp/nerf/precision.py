"""Precision of the MLP's matrix products: float32 is the reference, bfloat16 where the processor gains by it.

The processor's flags do not tell: with avx512_bf16 alone some CPUs multiply bfloat16 twice as fast as float32 and
others half as fast. So "auto" measures, on the device that computes, once per process; the run records what it found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import torch
from torch.nn import functional as F

PRECISIONS = ("fp32", "bf16", "auto")
GAIN_REQUIRED = 1.3  # our choice: far from 1, so that a noisy clock does not turn the decision
SIZE = (8192, 128, 128)  # queries, inputs, outputs: the shape of the field's products at the paper's width


class HasPrecision(Protocol):
    """A Phi, as far as this module goes."""

    precision: str

    def with_precision(self, precision: str) -> Any: ...


@contextmanager
def in_precision(phi: HasPrecision, precision: str) -> Iterator[None]:
    """Within this context, `phi` computes in the given precision."""
    before = phi.precision
    phi.with_precision(precision)
    try:
        yield
    finally:
        phi.with_precision(before)


def settled_precision(precision: str, device: str) -> str:
    """ "fp32" or "bf16": what "auto" means on a device. Ask once and tell all processes, since it is measured."""
    return "fp32" if resolve_precision(precision, device) is None else "bf16"


def resolve_precision(precision: str, device: str) -> torch.dtype | None:
    """The dtype to compute in on a device, or None for that of the inputs. Raises ValueError naming what exists."""
    check_precision(precision)
    if precision == "auto":
        precision = "bf16" if bfloat16_gain(torch.device(device).type) >= GAIN_REQUIRED else "fp32"
    return torch.bfloat16 if precision == "bf16" else None


def check_precision(precision: str) -> None:
    """Raises ValueError naming what exists."""
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; precisions: {', '.join(PRECISIONS)}")


@cache
def bfloat16_gain(device: str = "cpu") -> float:
    """Speed of bfloat16 over float32 matrix products on this kind of device (best of several, after warming up)."""
    return _seconds(torch.float32, device) / _seconds(torch.bfloat16, device)


def _seconds(dtype: torch.dtype, device: str, repeats: int = 8) -> float:
    n, k, m = SIZE
    x, w = torch.ones(n, k, dtype=dtype, device=device), torch.ones(m, k, dtype=dtype, device=device)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        F.linear(x, w)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
