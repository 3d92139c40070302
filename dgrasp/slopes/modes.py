"""A good guest in other people's programs: torch's modes inside, and advice where torch would only say that it cannot.

Slopes need gradients, whatever the caller has switched off, and full precision, whatever the caller has switched on.
Both hold inside only: the caller's own modes are as before when a function returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
# Nodes of torch's graph that only raise: an operation without a derivative, @once_differentiable, torch.compile's.
DEAD_ENDS = ("NotImplemented", "Error", "DelayedError", "CompiledFunctionBackwardBackward")
LEAK = 1e-6  # of a slope's largest entry; scores that depend on their own poses alone leak exactly nothing

_stands_alone: WeakSet[Any] = WeakSet()  # owners of values that have been looked at, so that it is done once


@contextmanager
def no_autocast() -> Iterator[None]:
    """Full precision inside: autocast is off on every device."""
    with ExitStack() as stack:
        for device in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def own_modes() -> Iterator[None]:
    """Gradients are on inside, inference mode is left, and autocast is off."""
    with torch.inference_mode(False), torch.enable_grad(), no_autocast():
        yield


def trackable(x: Tensor) -> Tensor:
    """Detached from its history, and fit for autograd also if it was made under `torch.inference_mode`."""
    return x.detach().clone() if x.is_inference() else x.detach()


def call_value(value: Callable[[Tensor], Any], poses: Tensor) -> Any:
    """`value(poses)`; where it fails, its error says what `value` must be able to do.

    Raises ValueError if it holds tensors from `torch.inference_mode`, which autograd cannot use.
    """
    try:
        return value(poses)
    except RuntimeError as error:
        if "nference tensors cannot be saved" in str(error):
            raise ValueError(
                "value: holds weights or other tensors made under torch.inference_mode, which have no gradients; "
                "make them outside of it, or under torch.no_grad"
            ) from error
        error.add_note(
            f"Raised by `value`, called with poses of shape {tuple(poses.shape)}, gradients on and autocast off. "
            "It must take any number of poses, in the poses' dtype (cast what it holds from an autocast region)."
        )
        raise


def check_alone(value: Callable[[Tensor], Any], scores: Tensor, poses: Tensor) -> None:
    """Raise ValueError if the first pose's score also depends on another pose: looked at once for each `value`."""
    owner = _owner(value)
    if len(scores) < 2 or owner in _stands_alone:
        return
    (slope,) = torch.autograd.grad(scores[0], poses, retain_graph=True, allow_unused=True)
    if slope is not None:
        size = slope.abs().flatten(1).amax(-1)
        if (others := size[1:] > LEAK * size.max()).any():
            raise ValueError(
                f"value: the score of pose 0 also depends on pose {1 + int(others.nonzero()[0])}, but a slope is that "
                "of one pose alone; do without means, attention or normalization across poses (BatchNorm in eval mode)"
            )
    _stands_alone.add(owner)


def _owner(value: Any) -> Any:
    """The network that `value` is, belongs to or closes over; else its code, or its class."""
    value = getattr(value, "func", value)  # of functools.partial
    cells = (cell.cell_contents for cell in getattr(value, "__closure__", None) or ())
    held = (value, getattr(value, "__self__", None), *cells)
    return next((x for x in held if isinstance(x, nn.Module)), getattr(value, "__code__", type(value)))


def advise_on_second_derivatives(slope: Tensor) -> None:
    """Where the graph of `slope` cannot be differentiated, let backward say what to use instead (ValueError)."""
    seen, stack = set(), [slope.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__ in DEAD_ENDS:
            node.register_prehook(_no_second_derivative)
        stack += [below for below, _ in node.next_functions]


def _no_second_derivative(gradients: tuple[Tensor, ...]) -> None:
    raise ValueError(
        "value: an operation in it has no second derivative, but training by slopes needs one; use attention under "
        "torch.nn.attention.sdpa_kernel(SDPBackend.MATH), networks that torch.compile has not compiled, and no "
        "function marked once_differentiable (GraspValue.bind of frozen weights is one: use GraspValue.logits)"
    )
