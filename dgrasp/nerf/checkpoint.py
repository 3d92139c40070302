"""Checkpoints: weights and Adam's state in one safetensors file, so that a resumed run continues bit for bit.

A checkpoint says whose it is and holds digests of its tensors and of the metrics up to it: one that is damaged, or does
not belong to what else is in the run's folder, is not gone on from.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping

import torch
from torch import nn

from dgrasp.devices import Worker
from dgrasp.files import DamagedFileError
from dgrasp.runs import CHECKPOINT, Run


def save(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Replace the run's checkpoint by the state after `step` optimizer steps."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    run.save(CHECKPOINT, tensors, step=step, proof=_proof(run, tensors, step))


def restore(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, worker: Worker) -> int:
    """Load the last checkpoint into model and optimizer, forget later metrics; returns the steps already made.

    A checkpoint that cannot be gone on from is told of, and training begins anew. All processes come back together:
    none may go on and replace, or remove, what another has yet to read.
    """
    step = 0
    try:
        if run.has(CHECKPOINT):
            step = _load(run, model, optimizer, worker.device)
    except DamagedFileError as error:
        if worker.leads:
            what = str(error).partition(";")[0]
            print(f"{what}; training begins anew", file=sys.stderr, flush=True)
    worker.wait()
    if worker.leads:
        run.rewind_metrics(step)
    worker.wait()
    return step


def discard(run: Run) -> None:
    """Remove the checkpoint of a run that needs it no more."""
    (run.path / f"{CHECKPOINT}.safetensors").unlink(missing_ok=True)


def _load(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    tensors, stated = run.load_all(CHECKPOINT, str(device))
    step = stated.get("step")
    if not isinstance(step, int) or stated.get("proof") != _proof(run, tensors, step):
        path = run.path / f"{CHECKPOINT}.safetensors"
        raise DamagedFileError(f"{path}: damaged, of another run, or of another step than its metrics")
    prefix = "model."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def _proof(run: Run, tensors: Mapping[str, torch.Tensor], step: int) -> str:
    """A digest of what a checkpoint holds and belongs to."""
    digest = hashlib.sha256(f"{run.fingerprint}\n{run.metrics_until(step)}".encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
