"""Arrays on their way to the browser: a safetensors file, compressed, with numbers rounded to as many bits as needed.

What is rounded lies on an even grid between the least and the largest value of each channel (the last axis). It is
stored as differences along rows, one plane per byte, which compresses best: neighbours in a feature map are alike.
`play/source/container.js` reads it. gzip's checksum tells damaged files.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import save

FORMAT = 1  # raise when readers of the older format would misread the newer one


def packed(
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    rounded: Mapping[str, Float[np.ndarray, "... channels"]],
    bits: int,
) -> bytes:
    """The file's bytes. facts: plain values. arrays: kept as they are. rounded: of which `bits` are kept.

    Raises ValueError for numbers to be rounded that are not finite, and for bits that do not fit three bytes.
    """
    if not 1 <= bits <= 24:
        raise ValueError(f"bits: expected 1 to 24, got {bits}")
    tensors, shapes = dict(arrays), {}
    for name, array in rounded.items():
        shapes[name] = list(array.shape)
        tensors |= {f"{name}.{part}": value for part, value in _rounded(name, np.asarray(array), bits).items()}
    header = {"format": FORMAT, "rounded": shapes, **facts}
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}  # it is written as it lies
    return gzip.compress(save(tensors, {"dgrasp": json.dumps(header)}), compresslevel=9, mtime=0)


def _rounded(name: str, array: np.ndarray, bits: int) -> dict[str, np.ndarray]:
    """Byte planes of the differences (least significant first), and the grid of each channel."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds numbers that are not finite")
    rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
    low = rows.min(axis=0).astype(np.float32)
    step = (np.ptp(rows, axis=0) / (2**bits - 1)).astype(np.float32)
    whole = np.round((rows - low) / np.where(step > 0, step, 1)).clip(0, 2**bits - 1).astype(np.int64)
    count = -(-bits // 8)
    differences = np.diff(whole.T, axis=1, prepend=0) % 256**count  # channel by channel
    planes = [(differences >> 8 * k & 0xFF).astype(np.uint8) for k in range(count)]
    return {"planes": np.stack(planes), "low": low, "step": step}


def facts_of(data: bytes) -> dict[str, Any]:
    """What a file says of itself. Raises ValueError for one that is damaged."""
    try:
        raw = gzip.decompress(data)
        length = int.from_bytes(raw[:8], "little")
        facts: dict[str, Any] = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["dgrasp"])
    except (OSError, EOFError, zlib.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no file of the page, or a damaged one: {error}") from error
    return facts
