"""Freed memory is used again: the next tensor of the same size costs no new pages."""

import subprocess
import sys

import pytest

from dgrasp import memory

FAULTS = """
import resource
import torch
import dgrasp
torch.set_num_threads(1)
def use():
    return torch.ones(12_000_000).sum()
for _ in range(10):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(setting):
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, env={memory.ENVIRONMENT: setting}
    )
    return int(done.stdout)


@pytest.mark.skipif(not memory._is_glibc(), reason="only glibc can be told to keep freed memory")
def test_the_next_tensor_costs_no_new_pages():
    kept, handed_back = page_faults("1"), page_faults("0")
    assert kept < handed_back / 5, f"{kept} page faults with memory kept, {handed_back} without"


def test_the_environment_can_say_no(monkeypatch):
    monkeypatch.setenv(memory.ENVIRONMENT, "0")
    assert not memory.keep_freed_memory()


def test_other_c_libraries_are_left_alone(monkeypatch):
    def confstr(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(memory.os, "confstr", confstr)
    assert not memory.keep_freed_memory()
