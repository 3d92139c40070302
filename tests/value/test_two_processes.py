"""Training on two processes: the steps that one process makes, both ranks alike, and nothing lost by kill -9."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import started
import torch
import two_processes

from dgrasp.devices import Worker, run_on
from dgrasp.files import load_tensors, load_tensors_and_metadata
from dgrasp.runs import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("lightning_fabric") is None, reason="needs lightning-fabric"),
]


@pytest.fixture(autouse=True)
def started_at_once(monkeypatch):
    """The processes of a training begin with everything loaded; those of the killed ones are new interpreters."""
    original = torch.multiprocessing.start_processes
    context = started.context().get_start_method()

    def start(*arguments, **options):
        return original(*arguments, **options | {"start_method": context})

    monkeypatch.setattr(torch.multiprocessing, "start_processes", start)


def contents(run: Run) -> dict[str, bytes]:
    names = ("readout.safetensors", "weights.safetensors", "metrics.jsonl", "done.json")
    return {name: (run.path / name).read_bytes() for name in names if (run.path / name).is_file()}


def killed(stage: str, root: Path, dies: str) -> int:
    """The exit code of the script on two processes, in a group of its own, in which a step is deadly."""
    command = [sys.executable, two_processes.__file__, stage, str(root)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    variables |= {"DEADLY_STEP": "7", "DEADLY_FOR": dies}
    return subprocess.run(command, env=variables, start_new_session=True, capture_output=True, check=False).returncode


def test_two_processes_make_the_steps_of_one(tmp_path):
    """Up to rounding, which Adam can amplify: gradients are sums of floats, and sums depend on their order."""
    two_processes.value_runs.demonstrations_run(tmp_path)
    run_on(two_processes.train_both, tmp_path, devices=2, threads=2)
    two_processes.train_both(Worker(torch.device("cpu")), tmp_path)
    one, first, second = (load_tensors(tmp_path / f"{name}.safetensors") for name in ("0-of-1", "0-of-2", "1-of-2"))
    assert all(torch.equal(first[name], second[name]) for name in one)
    for part in ("phi.", "psi.", "losses"):
        a, b = (torch.cat([t.flatten() for n, t in side.items() if n.startswith(part)]) for side in (one, first))
        assert float((a - b).norm() / a.norm()) < 1e-5
    logs = [next((tmp_path / "runs").glob(f"phi-{n}-*/metrics.jsonl")).read_text().splitlines() for n in (1, 2)]
    assert len(logs[0]) == len(logs[1]) == 5


@pytest.mark.parametrize(("stage", "dies"), [("phi", "parent"), ("psi", "group")])
def test_killed_in_two_processes_it_resumes_to_the_same_bytes(tmp_path, stage, dies):
    """Killed after a checkpoint and before the next one. Where only the parent is, nobody else goes on either."""
    train = two_processes.STAGES[stage]
    undisturbed = train(tmp_path / "undisturbed", 2)
    assert undisturbed.summary["devices"] == 2 and not undisturbed.has("checkpoint")
    assert killed(stage, tmp_path / "killed", dies) == -9
    [cut] = (tmp_path / "killed" / "runs").glob(f"{undisturbed.stage}-*/checkpoint.safetensors")
    assert load_tensors_and_metadata(cut)[1]["step"] == "6"
    assert contents(train(tmp_path / "killed", 2)) == contents(undisturbed)


def test_bfloat16_in_two_processes(tmp_path):
    """Fabric's autocast is torch's: losses agree to what bfloat16's roundings leave."""
    config = two_processes.NERF.model_copy(update={"precision": "bf16"})
    runs = [two_processes.phi_run(tmp_path / str(devices), devices, config) for devices in (1, 2)]
    assert [run.summary["precision"] for run in runs] == ["torch.bfloat16"] * 2
    one, two = (torch.tensor([row["loss"] for row in run.metrics()]) for run in runs)
    torch.testing.assert_close(one, two, rtol=0.01, atol=0)


def test_one_device_needs_no_fabric(tmp_path):
    program = "import sys; from pathlib import Path; from two_processes import psi_run\n"
    program += "psi_run(Path(sys.argv[1]), 1); print('fabric imported:', 'lightning_fabric' in sys.modules)"
    code, said = started.run(program, tmp_path)
    assert code == 0 and "fabric imported: False" in said, said


def test_what_fails_in_a_process_is_told_and_stops_the_others():
    with pytest.raises(Exception, match="ValueError: no such thing as a grasp"):
        run_on(two_processes.fail_on_the_second, "no such thing as a grasp", devices=2)
