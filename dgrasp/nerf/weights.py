"""Trained weights are looked at before they are used: names, shapes, dtypes, and what no training leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor, isfinite, nn

from dgrasp.files import DamagedFileError

SHOWN = 3  # of the tensors that are not as they should be, in an error


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


def _problems(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    for name in sorted(wanted.keys() | given.keys()):
        if name not in given:
            yield name, "is missing"
        elif name not in wanted:
            yield name, "is unknown"
        elif (found := _kind(given[name])) != (expected := _kind(wanted[name])):
            yield name, f"is {found}, expected {expected}"
        elif not isfinite(given[name]).all():
            yield name, "has NaN or infinite entries"
        elif not name.endswith("bias") and not given[name].any():  # a bias may stay where it began
            yield name, "is all zeros"


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
