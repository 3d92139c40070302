"""Both trainings on one or two CPU processes, at a scale of seconds.

Run as a script (`python two_processes.py STAGE FOLDER`) it trains on two, and dies at $DEADLY_STEP without notice: all
processes at once, or ($DEADLY_FOR=parent) the one that started the others.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch
import value_runs

from dgrasp.data.demonstrations import DemonstrationSet
from dgrasp.devices import Worker
from dgrasp.files import save_tensors
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.nerf.pretrain import pretrain
from dgrasp.nerf.pretrain import train as train_phi
from dgrasp.runs import Run, open_run
from dgrasp.value.models import ValueRecipe
from dgrasp.value.observations import Observations
from dgrasp.value.trainer import Trainer
from dgrasp.value.training import build_value, train_value

TRAINING = {
    "steps": 10,
    "scenes_per_step": 2,
    "rays_per_scene": 24,
    "warmup_steps": 2,
    "background": "random",
    "learning_rate": 1e-3,
    "encoder_learning_rate": 1e-3,
    "checkpoint_every": 3,
    "log_every": 2,
    "validation_views": 1,
}
NERF = NerfConfig.model_validate({**value_runs.NERF.model_dump(), "training": TRAINING})


def phi_run(root: Path, devices: int, config: NerfConfig = NERF) -> Run:
    return pretrain(config, value_runs.demonstrations_run(root), root, devices=devices, threads=devices)


def psi_run(root: Path, devices: int) -> Run:
    inputs = value_runs.nerf_run(root), value_runs.demonstrations_run(root)
    return train_value(value_runs.CONFIG, *inputs, root, model="dgrasp_quat", devices=devices, threads=devices)


STAGES = {"phi": phi_run, "psi": psi_run}


def train_both(worker: Worker, root: Path) -> None:
    """A job: train Phi and Psi for some steps, and leave what this process has then."""
    train = DemonstrationSet(value_runs.demonstrations_run(root), split="train")
    phi = build_nerf(NERF)
    train_phi(open_run(root, f"phi-{worker.count}", NERF), phi, train, worker)
    value = build_value(value_runs.CONFIG, build_nerf(value_runs.NERF).requires_grad_(False))
    recipe = ValueRecipe(model="dgrasp_6d", value=value_runs.CONFIG)
    trainer = Trainer([recipe], [value], Observations(train, value, 1.0), 0, worker)
    losses = [trainer.step(step)[0] for step in range(10)]
    left = {"losses": torch.tensor([[row["main"], row["aux"]] for row in losses], dtype=torch.float64)}
    left |= {f"phi.{name}": tensor for name, tensor in phi.state_dict().items()}
    left |= {f"psi.{name}": tensor for name, tensor in value.readout.state_dict().items()}
    save_tensors(root / f"{worker.rank}-of-{worker.count}.safetensors", left)


def fail_on_the_second(worker: Worker, message: str) -> None:
    """A job of which one process fails while the other waits for it."""
    if worker.rank == 1:
        raise ValueError(message)
    worker.wait()


def die_at(step: int) -> None:
    """kill -9, by the second process: for the process group, or for the parent, whom the others must follow."""

    def deadly(function, number):
        def call(*arguments):
            if number(arguments) == step and os.environ.get("LOCAL_RANK") == "1":
                if os.environ.get("DEADLY_FOR") != "parent":
                    os.killpg(0, signal.SIGKILL)
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            return function(*arguments)

        return call

    pretraining = sys.modules["dgrasp.nerf.pretrain"]
    pretraining.gradient = deadly(pretraining.gradient, lambda arguments: arguments[-1])
    Trainer.step = deadly(Trainer.step, lambda arguments: arguments[1])


if "DEADLY_STEP" in os.environ:  # also in the processes that this one starts, which read this file again
    die_at(int(os.environ["DEADLY_STEP"]))

if __name__ == "__main__":
    STAGES[sys.argv[1]](Path(sys.argv[2]), 2)
