"""Checkpoints: weights and Adam's state in one safetensors file, so that a resumed run continues bit for bit.

What is loaded is checked first: weights are of this model, finite, and no layer of a trained one is all zeros; a
checkpoint is of this very run, and its content is what was saved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from dgrasp.devices import Worker
from dgrasp.files import DamagedFileError, load_tensors_and_metadata
from dgrasp.runs import Run

CHECKPOINT = "checkpoint"
SHOWN = 3  # of the tensors that are not as they should be, in an error


def save(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Replace the run's checkpoint by the state after `step` optimizer steps; raises OSError with its path."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors["step"] = torch.tensor(step)
    run.save(CHECKPOINT, tensors, run=run.fingerprint, sha256=digest(tensors))


def restore(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, worker: Worker) -> int:
    """Load the last checkpoint into model and optimizer, forget later metrics; returns the steps already made.

    All processes come back together: none may go on and replace, or remove, what another has yet to read. Raises
    DamagedFileError for a checkpoint that is damaged or another run's.
    """
    step = _load(run, model, optimizer, worker.device) if run.has(CHECKPOINT) else 0
    if worker.leads:
        run.rewind_metrics(step)
    worker.wait()
    return step


def discard(run: Run) -> None:
    """Remove the checkpoint of a run that needs it no more."""
    _path(run).unlink(missing_ok=True)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put trained weights, read from `path`, into a model.

    Raises DamagedFileError, naming the first tensors, for weights of another model (names, shapes, dtypes) and for such
    as no training leaves: NaN, infinite, a whole layer of zeros.
    """
    wrong = [f"{name} {problem}" for name, problem in _problems(model.state_dict(), weights)]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DamagedFileError(
            f"{path}: not the weights of this trained model ({'; '.join(wrong[:SHOWN])}{more}); the stage of its "
            "folder must be made again, or the file be put back"
        )
    model.load_state_dict(dict(weights))


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, dtypes, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _problems(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    for name in sorted(wanted.keys() | given.keys()):
        if name not in given:
            yield name, "is missing"
        elif name not in wanted:
            yield name, "is unknown"
        elif (found := _kind(given[name])) != (expected := _kind(wanted[name])):
            yield name, f"is {found}, expected {expected}"
        elif not torch.isfinite(given[name]).all():
            yield name, "has NaN or infinite entries"
        elif not name.endswith("bias") and not given[name].any():  # a bias may stay where it began
            yield name, "is all zeros"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _path(run: Run) -> Path:
    return run.path / f"{CHECKPOINT}.safetensors"


def _load(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    path = _path(run)
    tensors, stated = load_tensors_and_metadata(path, str(device))
    if stated.get("run") != f'"{run.fingerprint}"' or stated.get("sha256") != f'"{digest(tensors)}"':
        raise DamagedFileError(
            f"{path}: damaged, or the checkpoint of another run; delete this file and run again: the training of "
            f"{run.path.name} begins anew"
        )
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
