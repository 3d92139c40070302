"""Precision of the MLP's matrix products: float32 is the reference, bfloat16 where the processor gains by it.

The processor's flags do not tell: with avx512_bf16 alone some CPUs multiply bfloat16 twice as fast as float32 and
others half as fast. So "auto" measures once per process, and the run records what it found.
"""

from __future__ import annotations

import time
from functools import cache

import torch
from torch.nn import functional as F

GAIN_REQUIRED = 1.3  # our choice: far from 1, so that a noisy clock does not turn the decision
SIZE = (8192, 128, 128)  # queries, inputs, outputs: the shape of the field's products at the paper's width


def resolve_precision(precision: str, device: str = "cpu") -> torch.dtype | None:
    """The dtype to compute in, or None for that of the inputs. Raises ValueError naming what exists."""
    if precision == "fp32":
        return None
    if precision == "bf16":
        return torch.bfloat16
    if precision == "auto":
        return torch.bfloat16 if bfloat16_gain(torch.device(device).type) >= GAIN_REQUIRED else None
    raise ValueError(f"unknown precision {precision!r}; precisions: fp32, bf16, auto")


@cache
def bfloat16_gain(device: str = "cpu") -> float:
    """Speed of bfloat16 over float32 matrix products on this processor (best of several, after warming up)."""
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
