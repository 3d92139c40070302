"""The training stage as a run: complete, reusable, unharmed by kill -9, and clear about what it cannot use."""

import pytest
import started
import torch
import value_runs

from dgrasp.devices import DeviceError
from dgrasp.evaluation.config import EvaluationConfig
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.profiles import Profile
from dgrasp.experiment.store import Build
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run, RunError
from dgrasp.value.config import ValueConfig
from dgrasp.value.trainer import Trainer
from dgrasp.value.training import load_value, train_runs, train_value, value_run


def contents(run: Run) -> dict[str, bytes]:
    return {name: (run.path / name).read_bytes() for name in ("readout.safetensors", "metrics.jsonl", "done.json")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Run:
    return value_runs.train(tmp_path_factory.mktemp("undisturbed"))


def test_a_complete_run_explains_itself_and_is_used_again(undisturbed):
    assert undisturbed.complete and not undisturbed.has("checkpoint")
    assert {"main", "aux", "val_main", "val_top1", "val_cos_translation", "val_cos_rotation"} < set(undisturbed.summary)
    assert [row["step"] for row in undisturbed.metrics()] == [2, 4, 5, 6, 8, 10]
    before = contents(undisturbed)
    again = value_runs.train(undisturbed.path.parent.parent)
    assert again.path == undisturbed.path and contents(again) == before


KILLED = """
import sys
from pathlib import Path
import numpy as np
import value_runs
np.seterr(all="raise")
value_runs.die_at(int(sys.argv[2]))
value_runs.train(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", [1, 8])
def test_kill_and_resume_equals_an_undisturbed_run(undisturbed, tmp_path, step):
    """Killed before the first checkpoint, and between checkpoint and end."""
    assert started.run(KILLED, tmp_path, step)[0] == -9
    resumed = value_runs.train(tmp_path)
    assert contents(resumed) == contents(undisturbed)


def test_an_interrupted_average_goes_on_to_the_same_weights(undisturbed, tmp_path, monkeypatch):
    config = value_runs.CONFIG.model_copy(update={"averaged": 0.7})
    whole = value_runs.train(tmp_path / "whole", config=config)
    original = Trainer.step

    def failing(self: Trainer, step: int, *given: object) -> list[dict[str, float]]:
        if step == 8:
            raise KeyboardInterrupt
        return original(self, step, *given)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "step", failing)
        value_runs.train(tmp_path / "stopped", config=config)
    resumed = value_runs.train(tmp_path / "stopped", config=config)
    assert contents(resumed) == contents(whole)
    assert whole.load("readout").keys() == undisturbed.load("readout").keys()
    assert contents(whole)["readout.safetensors"] != contents(undisturbed)["readout.safetensors"]


def test_the_run_says_what_computed_it_and_how(undisturbed, tmp_path):
    wanted = ("device", "devices", "precision", "slope_precision")
    assert [undisturbed.summary[name] for name in wanted] == ["cpu", 1, "torch.float32", "torch.float32"]
    run = value_runs.train(tmp_path, nerf=value_runs.NERF.model_copy(update={"precision": "bf16"}))
    assert [run.summary[name] for name in wanted] == ["cpu", 1, "torch.bfloat16", "torch.float32"]
    assert "slope_precision" not in value_runs.train(tmp_path, "base").summary


def test_a_phi_trained_in_bfloat16_can_be_used_in_float32(tmp_path):
    nerf = value_runs.NERF.model_copy(update={"precision": "bf16", "frozen_precision": "fp32"})
    run = value_runs.train(tmp_path, nerf=nerf)
    assert run.summary["precision"] == "torch.float32"


def test_models_that_are_the_same_have_one_run(tmp_path):
    slope = {**value_runs.CONFIG.slope.model_dump(), "share_poses": True}
    shared = ValueConfig.model_validate({**value_runs.CONFIG.model_dump(), "slope": slope})
    base, control = (value_runs.train(tmp_path, model) for model in ("base", "base_control"))
    assert base.path == control.path and base.summary["model"] == "base"
    assert value_runs.train(tmp_path, "base_control", shared).path.name.startswith("value-base_control-")
    assert len(list((tmp_path / "runs").glob("value-*"))) == 2


def test_the_experiment_trains_the_same_model_once(tmp_path, monkeypatch):
    policies = ("base_quat_seq", "control_quat_seq")
    profile = Profile(name="mine", value=value_runs.CONFIG, evaluation=EvaluationConfig(policies=policies))
    inputs = value_runs.CONFIG, value_runs.nerf_run(tmp_path), value_runs.demonstrations_run(tmp_path)
    monkeypatch.setattr(Experiment, "value_inputs", lambda self, second: inputs)
    trained = []
    monkeypatch.setattr(Experiment, "_train", lambda self, root, models: trained.extend(models))
    runs = Experiment(profile, Build(tmp_path)).values()
    assert trained == ["base_control"] or trained == ["base"]
    assert runs["base"].path == runs["base_control"].path


def test_devices_that_do_not_fit_are_refused_before_anything_is_trained(tmp_path):
    inputs = value_runs.nerf_run(tmp_path), value_runs.demonstrations_run(tmp_path), tmp_path
    with pytest.raises(DeviceError, match=r"value\.batch: a batch of 2 cannot be shared out evenly to 3 devices"):
        train_value(value_runs.CONFIG, *inputs, model="base", devices=3)
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        train_value(value_runs.CONFIG, *inputs, model="base", device="gpu")


def test_a_loaded_value_is_the_trained_one(undisturbed):
    root = undisturbed.path.parent.parent
    value = load_value(undisturbed, value_runs.nerf_run(root))
    saved = undisturbed.load("readout")
    assert all(torch.equal(saved[name], tensor) for name, tensor in value.readout.state_dict().items())
    assert not any(p.requires_grad for p in value.readout.parameters())


def test_a_value_belongs_to_its_phi(undisturbed):
    other = value_runs.nerf_run(undisturbed.path.parent.parent, seed=1)
    with pytest.raises(RunError, match="another NeRF"):
        load_value(undisturbed, other)


def test_truncated_weights_are_named(tmp_path):
    run = value_runs.train(tmp_path, "base")
    file = run.path / "readout.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match=r"readout\.safetensors: is not what the run wrote"):
        load_value(run, value_runs.nerf_run(tmp_path))


def test_unknown_models_name_what_exists_and_cost_nothing(tmp_path):
    with pytest.raises(ValueError, match="unknown model 'dgrasp'; models: base, dgrasp_quat, dgrasp_6d, base_control"):
        value_runs.train(tmp_path, "dgrasp")
    assert not list((tmp_path / "runs").glob("value-*"))


def test_more_views_than_the_demonstrations_hold(tmp_path):
    config = value_runs.CONFIG.model_copy(update={"policy_views": 4})
    with pytest.raises(ValueError, match="policy_views: 4 asked, the demonstrations hold 2"):
        value_runs.train(tmp_path, config=config)


def test_replicas_share_a_pass_and_have_runs_of_their_own(undisturbed, tmp_path):
    inputs = value_runs.nerf_run(tmp_path), value_runs.demonstrations_run(tmp_path)
    config = value_runs.CONFIG
    runs = [value_run(config, *inputs, tmp_path, model="dgrasp_quat", replica=k) for k in (0, 1)]
    train_runs(runs, *inputs, threads=1)
    assert contents(runs[0]) == contents(undisturbed)
    assert runs[1].complete and contents(runs[1]) != contents(runs[0])
    others = [value_run(config, *inputs, tmp_path, model="base", seed=seed) for seed in (0, 1)]
    with pytest.raises(ValueError, match=r"runs: of seeds \[0, 1\], which see other observations"):
        train_runs(others, *inputs)
