"""Random streams: independent of each other and of order, the same everywhere."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

from dgrasp.streams import check_seed, rng, seed_sequence, torch_generator


def test_a_stream_does_not_depend_on_what_others_drew():
    alone = rng(0, "scenes", "train", 12).random(5)
    rng(0, "scenes", "train", 11).random(1000)
    np.testing.assert_array_equal(rng(0, "scenes", "train", 12).random(5), alone)
    torch.rand(10)
    a = torch.rand(5, generator=torch_generator(0, "poses", 3))
    np.random.random(10)  # noqa: NPY002 (the global state is what must not matter)
    assert torch.equal(torch.rand(5, generator=torch_generator(0, "poses", 3)), a)


def test_streams_are_those_that_spawn_gives():
    child = np.random.SeedSequence(7).spawn(4)[3]
    np.testing.assert_array_equal(seed_sequence(7, 3).generate_state(8), child.generate_state(8))


def test_paths_and_seeds_are_told_apart():
    paths = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), (0,), (1,), (0, 0), ("a", 0), ("a", 1), ("a", 0, 1)]
    addresses = list(itertools.product([0, 1, 2**40], paths))
    states = {tuple(seed_sequence(seed, *path).generate_state(4)) for seed, path in addresses}
    assert len(states) == len(addresses)
    draws = {float(torch.rand(1, generator=torch_generator(0, "step", i), dtype=torch.float64)) for i in range(1000)}
    assert len(draws) == 1000


def test_streams_are_the_same_in_another_process():
    code = (
        "from dgrasp.streams import rng, torch_generator\n"
        "print(rng(0, 'scenes', 1).integers(1 << 60), torch_generator(0, 'x').initial_seed())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert other == [str(rng(0, "scenes", 1).integers(1 << 60)), str(torch_generator(0, "x").initial_seed())]


def test_neighbouring_streams_are_not_correlated():
    x = np.stack([rng(0, "scenes", i).standard_normal(200) for i in range(50)])
    correlation = np.corrcoef(x)[np.triu_indices(50, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(200)  # 5 sigma over 1,225 pairs


def test_numpy_integers_are_seeds_and_indices():
    expected = seed_sequence(3, "a", 4).generate_state(2)
    np.testing.assert_array_equal(seed_sequence(np.int64(3), "a", np.uint8(4)).generate_state(2), expected)


@pytest.mark.parametrize("seed", [-1, True, np.True_, 1.0, "0", None, 2**63, 2**70, np.array([1, 2])])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=r"seed: expected an integer of 0 or more, 9223372036854775807 at most, got"):
        rng(seed, "scenes")


@pytest.mark.parametrize("seed", [0, 3, 2**63 - 1, np.int64(3), np.uint64(2**63 - 1)])
def test_a_seed_is_a_plain_integer(seed):
    assert type(check_seed(seed)) is int and check_seed(seed) == int(seed)


def test_fractions_are_no_indices():
    with pytest.raises(TypeError):
        rng(0, "scenes", 1.5)
