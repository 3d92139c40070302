"""Memory is counted with that of processes that work for this one, and what was the most is kept beside a run."""

import subprocess
import sys
import time

from dgrasp.config import Config
from dgrasp.footprint import footprint, memory_noted, memory_watched, peak_mib
from dgrasp.runs import open_run

HOLD = "held = bytearray(b'x' * 2**26); print(len(held), flush=True); input()"


class Nothing(Config):
    pass


def test_a_process_that_was_started_counts():
    before = footprint()
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()
        assert footprint() > before + 64
        child.communicate(b"\n")
    assert footprint() < before + 64


def test_it_is_looked_at_meanwhile_and_at_the_end():
    told = []
    with memory_watched(told.append, every=0.01):
        held = bytearray(b"x" * 2**26)
        while not told:
            time.sleep(0.01)
        during = len(told)
        del held
    assert len(told) > during and max(told) > 64


def test_only_growth_is_noted(tmp_path):
    log = tmp_path / "timing.jsonl"
    assert peak_mib(log) is None
    with memory_noted(log):
        pass
    with memory_noted(tmp_path / "nowhere" / "timing.jsonl"):
        pass  # a disk that is full, say: what is worked on tells of it
    (line,) = log.read_text().splitlines()
    assert 10 < peak_mib(log) < 16_000 and line == f'{{"mib": {peak_mib(log)}}}'


def test_a_run_keeps_its_peak_beside_its_seconds(tmp_path):
    run = open_run(tmp_path, "nothing", Nothing())
    with run.writing():
        run.finish()
    assert run.complete and 0 <= run.seconds < 60
    assert peak_mib(run.path / "timing.jsonl") > 10
