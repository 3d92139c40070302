"""Named, independent random streams: scene i is the same scene however many workers made it.

Every stream is a child of one root `numpy.random.SeedSequence`, addressed by name and indices (what
`SeedSequence.spawn` does with counters), so no stream depends on how many numbers another has drawn.
"""

from __future__ import annotations

import operator
import zlib

import numpy as np
import torch

LARGEST_SEED = 2**63 - 1  # of torch and of tables


def check_seed(seed: object) -> int:
    """The seed as a plain int, NumPy's integers too. Raises ValueError unless it is one of 0 to `LARGEST_SEED`."""
    try:
        number = -1 if isinstance(seed, bool | np.bool_) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_SEED:
        raise ValueError(f"seed: expected an integer of 0 or more, {LARGEST_SEED} at most, got {seed!r}")
    return number


def seed_sequence(seed: int, *path: str | int) -> np.random.SeedSequence:
    """The stream at `path`, e.g. `seed_sequence(0, "scenes", "train", 12)`. Zero is a seed like any other.

    Raises ValueError as `check_seed` does, TypeError for an index that is no integer.
    """
    key = tuple(zlib.crc32(p.encode()) if isinstance(p, str) else operator.index(p) for p in path)
    return np.random.SeedSequence(check_seed(seed), spawn_key=key)


def rng(seed: int, *path: str | int) -> np.random.Generator:
    """NumPy generator of a stream."""
    return np.random.default_rng(seed_sequence(seed, *path))


def torch_generator(seed: int, *path: str | int) -> torch.Generator:
    """CPU torch generator of a stream; draw on the CPU and move, so that devices agree."""
    state = seed_sequence(seed, *path).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & 0x7FFF_FFFF_FFFF_FFFF)
