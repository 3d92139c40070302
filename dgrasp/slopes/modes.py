"""A good guest in other people's programs: torch's modes inside, and advice where torch would only say that it cannot.

Slopes need gradients, whatever the caller has switched off, and full precision, whatever the caller has switched on.
Both hold inside only: the caller's own modes are as before when a function returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import islice
from types import FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
# Nodes of torch's graph that only raise: an operation without a derivative, @once_differentiable, torch.compile's.
DEAD_ENDS = ("NotImplemented", "Error", "DelayedError", "CompiledFunctionBackwardBackward")
LEAK = 1e-6  # of a slope's largest entry; scores that depend on their own poses alone leak exactly nothing

LOOKED_THROUGH = 50  # objects, for the networks that a function uses; our choice: they take 0.1 ms at most
REMEMBERED = 100  # states of one owner; our choice

_stands_alone: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()  # owner -> states that have been looked at


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


def check_alone(
    function: Callable[[Tensor], Any], results: Tensor, inputs: Tensor, name: str = "value", what: str = "score"
) -> None:
    """Raise ValueError if the first pose's result also depends on another pose.

    results, inputs: one row per pose each. name: of the function. what: a result is, in a word. Looked at once for
    each function and each state of its networks: BatchNorm looks across poses in training mode alone.
    """
    if len(results) < 2:
        return
    owner, state = _remembered_as(function)
    known = _stands_alone.setdefault(owner, set())
    if state in known:
        return
    first = results[0]
    if first.ndim:  # weighted unevenly, since what is normalized adds up to the same, whatever it depends on
        first = (first.flatten() * torch.linspace(1, 2, first.numel(), dtype=first.dtype, device=first.device)).sum()
    (slope,) = torch.autograd.grad(first, inputs, retain_graph=True, allow_unused=True)
    if slope is not None:
        size = slope.abs().reshape(len(slope), -1).amax(-1)
        if (others := size[1:] > LEAK * size.max()).any():
            raise ValueError(
                f"{name}: the {what} of pose 0 also depends on pose {1 + int(others.nonzero()[0])}, but a slope is "
                "that of one pose alone; do without means, attention or normalization across poses (BatchNorm in eval "
                "mode)"
            )
    if len(known) >= REMEMBERED:
        known.clear()
    known.add(state)


def _remembered_as(function: Any) -> tuple[Any, tuple[Any, ...]]:
    """The first network that a function uses, else its code or its class; and what scores follow from: all of the
    networks, the modes of their parts, and the code around them."""
    networks, code = _used(function)
    modes = tuple(part.training for network in networks for part in network.modules())
    owner = networks[0] if networks else code[0] if code else type(function)
    return owner, (type(function), *code, *map(ref, networks), *modes)


def _used(function: Any) -> tuple[list[nn.Module], list[Any]]:
    """The networks that a function is, belongs to, closes over or names, and the code of the functions on the way."""
    networks: list[nn.Module] = []
    code: list[Any] = []
    waiting, seen = [function], set[int]()
    for x in waiting:  # which grows: nearest first
        if id(x) in seen or len(seen) == LOOKED_THROUGH:
            continue
        seen.add(id(x))
        if isinstance(x, nn.Module):
            networks.append(x)
            continue
        if isinstance(x, FunctionType):
            code.append(x.__code__)
        waiting += islice(_held(x), LOOKED_THROUGH)
    return networks, code


def _held(x: Any) -> Iterable[Any]:
    """What a function or an object works with."""
    if isinstance(x, FunctionType):
        named = (x.__globals__[name] for name in x.__code__.co_names if name in x.__globals__)
        return (*_contents(x), *(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values(), *named)
    if isinstance(x, MethodType):
        return x.__self__, x.__func__
    if isinstance(x, partial):
        return x.func, *x.args, *x.keywords.values()
    if isinstance(x, list | tuple):
        return x
    if isinstance(x, type | ModuleType | Tensor):
        return ()
    held: Mapping[Any, Any] = x if isinstance(x, dict) else getattr(x, "__dict__", {})
    return held.values()


def _contents(function: FunctionType) -> list[Any]:
    """What a function closes over, as far as that has been made."""
    contents = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty cell
            contents.append(cell.cell_contents)
    return contents


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
