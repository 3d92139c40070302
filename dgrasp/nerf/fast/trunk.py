"""The residual blocks of the radiance field as one differentiable function that works in the processor's cache.

Written with autograd's own operations the blocks are limited by memory, not by arithmetic: each of their
twenty-odd results passes through main memory several times. Here rows are taken a chunk at a time, small enough to stay
in cache from the first block to the last, and intermediate results are overwritten where they are not needed again.

Derivatives (reverse, forward, and the second one where the weights are frozen) are worked out by hand and as fast.
In training, what backward needs of a chunk is computed again: that is a third more arithmetic, and still faster than
to write it to main memory and read it back. Second derivatives in trained weights fall back to `plain_trunk`, the same
function in autograd's operations, which is also what the tests compare with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from dgrasp.nerf.blocks import ResidualBlock

CHUNK_BYTES = 256 * 1024  # our choice, by measurement: several of these fit the second-level cache

Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # of one block: inner weight and bias, outer weight and bias
# relu(x) and relu(h) of one chunk: of the blocks per view (2, blocks, v * n, hidden), of the shared ones without v.
# Within a chunk rows are ordered view by view, also where a whole scene's are named (n, v).
Kept = tuple[Tensor, Tensor]


def trunk(
    x: Float[Tensor, "b v n hidden"], per_view: nn.ModuleList, shared: nn.ModuleList, last: bool = False
) -> Float[Tensor, "b n activations hidden"]:
    """Blocks for each view, mean over views, shared blocks: [mean, then the output of each shared block].

    Computes in the dtype of `x`. last: only the last of these outputs (rendering needs no more).
    """
    views, weights = ([w.to(x.dtype) for w in _weights(blocks)] for blocks in (per_view, [*per_view, *shared]))
    frozen = not any(w.requires_grad for w in weights)
    keep = (torch.is_grad_enabled() and frozen and x.requires_grad) or forward_ad.unpack_dual(x).tangent is not None
    return _Trunk.apply(x, len(views) // 4, keep, last, *weights)[0]


def plain_trunk(
    x: Float[Tensor, "b v n hidden"], per_view_count: int, weights: Sequence[Tensor]
) -> Float[Tensor, "b n activations hidden"]:
    """`trunk` in autograd's operations: the reference, and the path to second derivatives."""
    blocks = _by_block(weights)
    for block in blocks[:per_view_count]:
        x = _plain_block(x, block)
    out = [x.mean(dim=1)]
    for block in blocks[per_view_count:]:
        out.append(_plain_block(out[-1], block))
    return torch.stack(out, dim=-2)


def _plain_block(x: Tensor, weights: Weights) -> Tensor:
    w1, b1, w2, b2 = weights
    return x + F.linear(F.relu(F.linear(F.relu(x), w1, b1)), w2, b2)


class FrozenTrunk:
    """`trunk` with frozen weights at one input: the activations, and products with their Jacobian in the input."""

    def __init__(self, x: Float[Tensor, "b v n hidden"], per_view: nn.ModuleList, shared: nn.ModuleList) -> None:
        weights = [w.detach().to(x.dtype) for w in _weights([*per_view, *shared])]
        self.blocks = _by_block(weights)
        self.activations, self.kept_views, self.kept_shared = _Trunk.forward(x, len(per_view), True, False, *weights)

    def pull_back(self, grad: Float[Tensor, "b n activations hidden"]) -> Float[Tensor, "b v n hidden"]:
        """From the gradient of the activations to that of the input."""
        return _pull_back(grad, self.kept_views, self.kept_shared, self.blocks)

    def push_forward(self, dx: Float[Tensor, "b v n hidden"]) -> Float[Tensor, "b n activations hidden"]:
        """From tangents of the input to those of the activations."""
        return _push_forward(dx, self.kept_views, self.kept_shared, self.blocks)


def weights_by_block(blocks: Iterable[nn.Module]) -> list[Weights]:
    """Weights of each block, without gradients."""
    return _by_block([w.detach() for w in _weights(blocks)])


def _weights(blocks: Iterable[nn.Module]) -> list[Tensor]:
    return [w for block in blocks for w in cast(ResidualBlock, block).weights()]


def _by_block(weights: Sequence[Tensor]) -> list[Weights]:
    return [(weights[i], weights[i + 1], weights[i + 2], weights[i + 3]) for i in range(0, len(weights), 4)]


class _Trunk(torch.autograd.Function):
    """Outputs: the activations, and relu(x) and relu(h) of every block: per view, then shared (empty if not kept)."""

    @staticmethod
    def forward(x: Tensor, per_view_count: int, keep: bool, last: bool, *weights: Tensor) -> tuple[Tensor, ...]:
        b, v, n, hidden = x.shape
        blocks = _by_block(weights)
        views, shared = blocks[:per_view_count], blocks[per_view_count:]
        out = x.new_empty(b, n, 1 if last else 1 + len(shared), hidden)
        kept_views = x.new_empty(2, len(views), b, n if keep else 0, v, hidden)
        kept_shared = x.new_empty(2, len(shared), b, n if keep else 0, hidden)
        overwritten = None if keep else _scratch(x, len(views), len(shared), one_for_all=True)
        for i, rows in _chunks(x):
            kept = overwritten or (kept_views[:, :, i, rows].flatten(2, 3), kept_shared[:, :, i, rows])
            for k, z in enumerate(_forward_rows(x[i, :, rows], views, shared, kept)):
                if not last:
                    out[i, rows, k] = z
            if last:
                out[i, rows, 0] = z
        return out, kept_views, kept_shared

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, ctx.per_view_count, ctx.kept, ctx.last, *weights = inputs
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, *output[1:], *weights)
        ctx.save_for_forward(x, *output[1:], *weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, kept_views, kept_shared, *weights = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], *ctx.needs_input_grad[4:]]
        if grads[0] is None:
            return (None,) * (4 + len(weights))
        if ctx.kept and not any(wanted[1:]):
            of_x = _Slope.apply(grads[0], kept_views, kept_shared, *weights)
            return of_x, None, None, None, *([None] * len(weights))
        if torch.is_grad_enabled():
            of_x, *of_weights = _differentiable_backward(x, ctx.per_view_count, ctx.last, weights, grads[0], wanted)
            return of_x, None, None, None, *of_weights
        grad_x, sums = _pull_back_again(grads[0], x, ctx.per_view_count, _by_block(weights))
        of_weights = [w.to(x.dtype) if want else None for w, want in zip(sums, wanted[1:], strict=True)]
        return grad_x, None, None, None, *of_weights

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, None, None]:
        _, kept_views, kept_shared, *weights = ctx.saved_tensors
        if tangents[0] is None or any(t is not None for t in tangents[4:]):
            raise NotImplementedError("forward mode: tangents of the blocks' input only, not of their weights")
        pushed = _push_forward(tangents[0], kept_views, kept_shared, _by_block(weights))
        return pushed[:, :, -1:] if ctx.last else pushed, None, None


class _Slope(torch.autograd.Function):
    """Gradient of the blocks' input where their weights are frozen.

    It is linear in the incoming gradient, and rectified layers have no second derivative in their input: so the only
    second-order term is the push forward of the gradient of the slope, with the same masks.
    """

    @staticmethod
    def forward(ctx: Any, grad: Tensor, kept_views: Tensor, kept_shared: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(kept_views, kept_shared, *weights)
        ctx.last = grad.shape[2] == 1
        return _pull_back(grad, kept_views, kept_shared, _by_block(weights))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        kept_views, kept_shared, *weights = ctx.saved_tensors
        pushed = _push_forward(grads[0], kept_views, kept_shared, _by_block(weights))
        return pushed[:, :, -1:] if ctx.last else pushed, *([None] * (2 + len(weights)))


def _pull_back(
    grad: Float[Tensor, "b n activations hidden"],
    kept_views: Float[Tensor, "2 blocks b n v hidden"],
    kept_shared: Float[Tensor, "2 shared b n hidden"],
    blocks: list[Weights],
) -> Float[Tensor, "b v n hidden"]:
    """Gradient of the blocks' input from what was kept of the forward pass."""
    b, n, v, hidden = kept_views.shape[2:]
    grad_x = grad.new_empty(b, v, n, hidden)
    for i, rows in _chunks(grad_x):
        kept = kept_views[:, :, i, rows].flatten(2, 3), kept_shared[:, :, i, rows]
        grad_x[i, :, rows] = _pull_back_rows(grad[i, rows], kept, blocks, v).view(v, -1, hidden)
    return grad_x


def _pull_back_again(
    grad: Float[Tensor, "b n activations hidden"],
    x: Float[Tensor, "b v n hidden"],
    per_view_count: int,
    blocks: list[Weights],
) -> tuple[Float[Tensor, "b v n hidden"], list[Tensor]]:
    """Gradients of the blocks' input and of their weights; each chunk's forward pass is made again."""
    v, hidden = x.shape[1], x.shape[3]
    grad_x, sums = torch.empty_like(x), _accumulators([w for block in blocks for w in block])
    views, shared = blocks[:per_view_count], blocks[per_view_count:]
    scratch = _scratch(x, len(views), len(shared))
    for i, rows in _chunks(x):
        n = x[i, :, rows].shape[1]
        kept = scratch[0][:, :, : n * v], scratch[1][:, :, :n]
        for _ in _forward_rows(x[i, :, rows], views, shared, kept):
            pass
        g = _pull_back_rows(grad[i, rows], kept, blocks, v, _by_block(sums))
        grad_x[i, :, rows] = g.view(v, -1, hidden)
    return grad_x, sums


def _forward_rows(
    x: Float[Tensor, "v n hidden"], views: list[Weights], shared: list[Weights], kept: Kept
) -> Iterator[Float[Tensor, "n hidden"]]:
    """One chunk's activations one after the other, each written over by the next; leaves relu(x), relu(h) in `kept`."""
    v, n, hidden = x.shape
    z = x.clone(memory_format=torch.contiguous_format).flatten(0, 1)  # may be overwritten, view by view
    for k, block in enumerate(views):
        a, c = kept[0][:, k, : n * v]
        block_in_place(z, block, a, c)
    z = mean_of_views(z.view(v, n, hidden))
    yield z
    for k, block in enumerate(shared):
        a, c = kept[1][:, k, :n]
        block_in_place(z, block, a, c)
        yield z


def _pull_back_rows(
    upstream: Float[Tensor, "n activations hidden"],
    kept: Kept,
    blocks: list[Weights],
    v: int,
    sums: list[Weights] | None = None,
) -> Float[Tensor, "v_n hidden"]:
    """Gradient of one chunk's input; those of the weights are added to `sums`, if given.

    `upstream` has one entry per activation, or the last one's alone.
    """
    kept_views, kept_shared = kept
    per_view, last_only = kept_views.shape[1], upstream.shape[1] == 1
    g = upstream[:, -1].clone()
    for k in reversed(range(len(blocks) - per_view)):
        place = per_view + k
        a, c = kept_shared[:, k]
        block_backward(g, blocks[place], a, c, sums[place] if sums else None)
        if not last_only:
            g += upstream[:, k]
    if v > 1:
        g = g.div_(v).repeat(v, 1)
    for k in reversed(range(per_view)):
        a, c = kept_views[:, k]
        block_backward(g, blocks[k], a, c, sums[k] if sums else None)
    return g


def _push_forward(
    dx: Float[Tensor, "b v n hidden"], kept_views: Tensor, kept_shared: Tensor, blocks: list[Weights]
) -> Float[Tensor, "b n activations hidden"]:
    """Tangents of the activations from those of the blocks' input; may itself be differentiated."""
    b, v, n, hidden = dx.shape
    per_view = kept_views.shape[1]
    out = dx.new_empty(b, n, 1 + len(blocks) - per_view, hidden)
    for i, rows in _chunks(dx):
        d = dx[i, :, rows].flatten(0, 1)
        for k, block in enumerate(blocks[:per_view]):
            d = _block_forward_mode(d, block, *kept_views[:, k, i, rows].flatten(1, 2))
        d = mean_of_views(d.view(v, -1, hidden))
        out[i, rows, 0] = d
        for k, block in enumerate(blocks[per_view:]):
            d = _block_forward_mode(d, block, *kept_shared[:, k, i, rows])
            out[i, rows, k + 1] = d
    return out


def _chunks(x: Tensor) -> Iterator[tuple[int, slice]]:
    """Scene and rows of each chunk."""
    b, n, rows = x.shape[0], x.shape[2], _rows_at_once(x)
    return ((i, slice(first, first + rows)) for i in range(b) for first in range(0, n, rows))


def _rows_at_once(x: Float[Tensor, "b v n hidden"]) -> int:
    return max(1, CHUNK_BYTES // (x.shape[1] * x.shape[3] * x.element_size()))


def _scratch(x: Float[Tensor, "b v n hidden"], views: int, shared: int, one_for_all: bool = False) -> Kept:
    """Room for what so many blocks keep of the largest chunk; one_for_all: the same room for every block."""
    v, n, hidden = x.shape[1:]
    rows = min(n, _rows_at_once(x))

    def room(blocks: int, rows: int) -> Tensor:
        if one_for_all:
            return x.new_empty(2, 1, rows, hidden).expand(2, blocks, rows, hidden)
        return x.new_empty(2, blocks, rows, hidden)

    return room(views, rows * v), room(shared, rows)


def mean_of_views(z: Float[Tensor, "v n hidden"]) -> Float[Tensor, "n hidden"]:
    """The only view itself, or the mean as sums of whole matrices: several times as fast as `mean` over so few."""
    first, *others = z.unbind()
    return sum(others[1:], first + others[0]) / len(z) if others else first


def block_in_place(z: Tensor, weights: Weights, a: Tensor, c: Tensor) -> None:
    """Replace z by the block's output; leave relu(z) in a and relu(h) in c."""
    w1, b1, w2, b2 = weights
    torch.clamp_min(z, 0, out=a)
    torch.mm(a, w1.t(), out=c).add_(b1).clamp_min_(0)
    z.add_(b2).addmm_(c, w2.t())


def block_backward(g: Tensor, weights: Weights, a: Tensor, c: Tensor, sums: Weights | None = None) -> None:
    """Replace the gradient of a block's output by that of its input, and add up the gradients of its weights."""
    w1, _, w2, _ = weights
    of_h = _mask(g @ w2, c)
    if sums is not None:
        _add_product(sums[0], of_h, a)
        sums[1].add_(of_h.sum(0))
        _add_product(sums[2], g, c)
        sums[3].add_(g.sum(0))
    g += _mask(of_h @ w1, a)


def _add_product(total: Tensor, g: Tensor, x: Tensor) -> None:
    """Add `g.t() @ x`: within the product where both have the dtype of the sum."""
    if total.dtype == g.dtype:
        total.addmm_(g.t(), x)
    else:
        total.add_(g.t() @ x)


def _block_forward_mode(d: Tensor, weights: Weights, a: Tensor, c: Tensor) -> Tensor:
    """Tangent of a block's output from that of its input; may itself be differentiated."""
    w1, _, w2, _ = weights
    masked = torch.ops.aten.threshold_backward
    return torch.addmm(d, masked(masked(d, a, 0) @ w1.t(), c, 0), w2.t())


def _mask(g: Tensor, activated: Tensor) -> Tensor:
    """Set `g` to zero where the rectifier stopped its input; returns it."""
    return torch.ops.aten.threshold_backward.grad_input(g, activated, 0, grad_input=g)


def _accumulators(weights: Sequence[Tensor]) -> list[Tensor]:
    """Zeros to add weight gradients to, at least in float32."""
    return [torch.zeros_like(w, dtype=torch.promote_types(w.dtype, torch.float32)) for w in weights]


def _differentiable_backward(
    x: Tensor, per_view_count: int, last: bool, weights: list[Tensor], grad: Tensor, wanted: list[bool]
) -> list[Tensor | None]:
    """Gradients that can be differentiated again."""
    inputs = [t for t, want in zip([x, *weights], wanted, strict=True) if want]
    out = plain_trunk(x, per_view_count, weights)
    grads = iter(torch.autograd.grad(out[:, :, -1:] if last else out, inputs, grad, create_graph=True))
    return [next(grads) if want else None for want in wanted]
