"""The chain as a whole, at a scale of seconds: it resumes after kill -9, and equal seeds give equal bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MICRO = Path(__file__).parent / "data" / "micro.yaml"
COMPARED = ("trials.csv", "weights.safetensors", "readout.safetensors", "metrics.jsonl", "done.json")
CHAIN = """
import sys
from dgrasp.experiment import Experiment
if __name__ == "__main__":
    Experiment.at(sys.argv[1], sys.argv[2], seed=int(sys.argv[3])).evaluation()
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    script = tmp_path_factory.mktemp("chain") / "chain.py"
    script.write_text(CHAIN)

    def start(build, seed=0):
        command = [sys.executable, str(script), str(MICRO), str(build), str(seed)]
        return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    return start


def finish(process):
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()[-3000:]


def kill(process):
    """kill -9 for the whole process group: the stage and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


def results(build):
    """Everything that a run computed, by run and file name."""
    files = sorted(p for p in (build / "runs").rglob("*") if p.name in COMPARED)
    return {f"{p.parent.name}/{p.name}": p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def undisturbed(chain, tmp_path_factory):
    build = tmp_path_factory.mktemp("undisturbed")
    finish(chain(build))
    return build


@pytest.mark.slow
def test_killed_again_and_again_the_chain_ends_with_the_same_bytes(chain, undisturbed, tmp_path):
    """A kill in every stage: as soon as the stage's folder appears, and a little later."""
    for stage in ("demonstrations", "nerf", "value-", "tuning-", "evaluation"):
        process = chain(tmp_path)
        deadline = time.monotonic() + 300
        while process.poll() is None and not list((tmp_path / "runs").glob(f"{stage}*")):
            assert time.monotonic() < deadline, f"stage {stage} was not reached"
            time.sleep(0.02)
        time.sleep(0.7)
        if process.poll() is None:
            kill(process)
    finish(chain(tmp_path))
    expected, got = results(undisturbed), results(tmp_path)
    assert len(expected) > 20
    assert got.keys() == expected.keys()
    assert [name for name in expected if got[name] != expected[name]] == []


@pytest.mark.slow
def test_another_seed_is_another_result(chain, undisturbed, tmp_path):
    finish(chain(tmp_path, seed=1))
    trials = [next((b / "runs").glob("evaluation-*/trials.csv")).read_bytes() for b in (undisturbed, tmp_path)]
    assert trials[0] != trials[1]


@pytest.mark.slow
def test_a_finished_chain_computes_nothing_again(chain, undisturbed):
    def stamps():
        return {p: p.stat().st_mtime_ns for p in (undisturbed / "runs").rglob("*") if p.is_file()}

    before = stamps()
    finish(chain(undisturbed))
    assert stamps() == before


@pytest.mark.slow
def test_a_truncated_weights_file_is_named_and_costs_nothing_else(chain, undisturbed, tmp_path):
    build = tmp_path / "build"
    shutil.copytree(undisturbed, build)
    shutil.rmtree(next((build / "runs").glob("evaluation-*")))
    weights = next((build / "runs").glob("value-base-*")) / "readout.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    process = chain(build)
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    assert "damaged or truncated safetensors file" in errors.decode() and weights.name in errors.decode()
    assert next((build / "runs").glob("nerf-*/done.json")).is_file()
    shutil.rmtree(weights.parent)  # what the message says
    finish(chain(build))
    assert results(build) == results(undisturbed)
