"""Checkpoints: weights and Adam's state in one safetensors file, so that a resumed run continues bit for bit."""

from __future__ import annotations

import torch
from torch import nn

from dgrasp.devices import Worker
from dgrasp.runs import Run

CHECKPOINT = "checkpoint"


def save(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Replace the run's checkpoint by the state after `step` optimizer steps."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    run.save(CHECKPOINT, tensors | {"step": torch.tensor(step)})


def restore(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, worker: Worker) -> int:
    """Load the last checkpoint into model and optimizer, forget later metrics; returns the steps already made.

    All processes come back together: none may go on and replace, or remove, what another has yet to read.
    """
    step = _load(run, model, optimizer, worker.device) if run.has(CHECKPOINT) else 0
    if worker.leads:
        run.rewind_metrics(step)
    worker.wait()
    return step


def discard(run: Run) -> None:
    """Remove the checkpoint of a run that needs it no more."""
    (run.path / f"{CHECKPOINT}.safetensors").unlink(missing_ok=True)


def _load(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    tensors = run.load(CHECKPOINT, str(device))
    step = int(tensors.pop("step"))
    prefix = "model."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step
