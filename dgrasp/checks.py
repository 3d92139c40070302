"""Checks for public doors. Their errors name the argument, what it was and where, and what is expected.

They cost a few operations on whole arrays, and look for the culprit only once something is wrong. Doors check; what
runs inside them, step by step and chunk by chunk, does not.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def described(x: object) -> str:
    """The shape of a tensor or array, the type of anything else."""
    if isinstance(x, Tensor):
        return str(tuple(x.shape))
    return f"array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__


def at_first(wrong: Tensor) -> str:
    """' at index [i, j]' of the first True, or nothing if there is but one entry without an index."""
    return f" at index {torch.nonzero(wrong)[0].tolist()}" if wrong.ndim else ""


def check_numbers(x: object, name: str, expected: str, ndims: tuple[int, ...], last: tuple[int, ...] = ()) -> None:
    """Raise ValueError unless `x` is a tensor of floating-point numbers, none of them NaN or infinite, and not empty.

    ndims: how many dimensions it may have. last: its last sizes. expected: the shape in words.
    """
    if not isinstance(x, Tensor) or x.ndim not in ndims or x.shape[x.ndim - len(last) :] != last:
        raise ValueError(f"{name}: expected a tensor of shape {expected}, got {described(x)}")
    if x.numel() == 0:
        raise ValueError(f"{name}: empty, shape {tuple(x.shape)}; expected shape {expected} with sizes of 1 or more")
    check_plain(x, name)
    if not x.is_floating_point():
        raise ValueError(f"{name}: expected floating-point numbers, got {x.dtype}")
    check_finite(x, name)


def check_plain(x: Tensor, name: str) -> None:
    """Raise ValueError for tensors that are sparse, quantized or complex: poses and scores are plain real numbers."""
    if x.layout != torch.strided:
        raise ValueError(f"{name}: expected a dense tensor (`.to_dense()`), got layout {x.layout}")
    if x.is_quantized or x.is_complex():
        raise ValueError(f"{name}: expected real numbers, got {x.dtype}")


def check_finite(x: Tensor, name: str) -> None:
    """Raise ValueError for NaN and infinite entries, naming the first."""
    finite = torch.isfinite(x.detach())
    if not finite.all():
        first = float(x.detach()[~finite][0])
        raise ValueError(
            f"{name}: contains NaN or infinite entries, first {first}{at_first(~finite)}; every entry must be finite"
        )


def check_full_precision(x: Tensor, name: str) -> None:
    """Raise ValueError for half precision: slopes, and more so their slopes, would be mostly rounding."""
    if x.is_floating_point() and x.dtype.itemsize < torch.float32.itemsize:
        raise ValueError(f"{name}: computed in {x.dtype}; slopes need float32 or float64 (`.float()`)")


def check_unit(directions: Tensor, name: str, tolerance: float = 1e-3) -> None:
    """Raise ValueError unless the directions (..., 3) are finite and of unit length."""
    check_finite(directions, name)
    error = (directions.detach().norm(dim=-1) - 1).abs()
    if (wrong := error > tolerance).any():
        length = float(directions.detach()[wrong][0].norm())
        raise ValueError(f"{name}: expected unit length, got {length:.4g}{at_first(wrong)}")


def check_like(x: Tensor, name: str, other: Tensor, whose: str) -> None:
    """Raise ValueError unless `x` has the dtype and the device of what it will meet."""
    if x.dtype != other.dtype or x.device != other.device:
        expected, got = (f"{t.dtype} on {t.device}" for t in (other, x))
        raise ValueError(f"{name}: expected {expected}, as {whose}, got {got}")
