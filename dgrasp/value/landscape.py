"""Psi's landscape over one observation: scores and slopes of many poses at once, as fast as the processor multiplies.

Climbing asks for nothing but scores and slopes, of frozen weights, over and over. So both are worked out together, a
few poses at a time: small enough that all intermediate results stay in the processor's cache, in buffers that are made
once. The geometry (pose -> pixels and codes) is autograd's; from there to the score, derivatives are written out.

`GraspValue.logits` is the same function in autograd's operations: the reference of the tests, and what training uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.cameras import pixels_of
from dgrasp.checks import check_like
from dgrasp.nerf import EncodedViews, MVNeRF
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.sampling import bilinear_corners, bilinear_slopes
from dgrasp.nerf.trunk import block_backward, block_in_place, weights_by_block
from dgrasp.poses import check_poses, invert, rotate_directions, transform_points
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout, activation_with_slope

CHUNK_BYTES = 2 * 1024 * 1024  # of one layer's rows; our choice, by measurement


class Landscape:
    """`T_world_tcp` (n, 4, 4) -> scores (n,), differentiable in the poses: logits summed over single images.

    Made for frozen weights in one encoded scene, whose images are folded into the batch (`EncodedViews.single_views`).
    Slopes of slopes are not available: a second differentiation raises torch's RuntimeError.
    Raises ValueError for poses that are no finite rigid transforms in the weights' dtype.
    """

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints, images: EncodedViews) -> None:
        self.geometry = _Geometry(phi, queries, images)
        self.maps = [_Maps.of(phi, images, i) for i in range(len(images))]
        self.network = _Network(phi, readout, queries)
        rows = CHUNK_BYTES // (phi.config.field.hidden * images.rgb.element_size())
        self.poses_at_once = max(1, rows // len(queries))

    def __call__(self, T_world_tcp: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n"]:
        check_poses(T_world_tcp, "T_world_tcp", shape="(n, 4, 4)", ndims=(3,))
        check_like(T_world_tcp, "T_world_tcp", self.network.bias, "the weights of Phi")
        if torch.is_grad_enabled() and T_world_tcp.requires_grad:
            return _Scores.apply(T_world_tcp, self)
        return self.scores_and_slopes(T_world_tcp, slopes=False)[0]

    def scores_and_slopes(
        self, T_world_tcp: Float[Tensor, "n 4 4"], slopes: bool = True
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 4 4"] | None]:
        """Scores, and their derivatives in the entries of the poses."""
        buffers = self.network.buffers(min(len(T_world_tcp), self.poses_at_once), T_world_tcp)
        parts = [self._chunk(T, slopes, buffers) for T in T_world_tcp.detach().split(self.poses_at_once)]
        scores = torch.cat([score for score, _ in parts])
        return scores, torch.cat([slope for _, slope in parts if slope is not None]) if slopes else None

    def _chunk(self, T: Tensor, slopes: bool, buffers: _Buffers) -> tuple[Tensor, Tensor | None]:
        T = T.requires_grad_(slopes)
        with torch.set_grad_enabled(slopes):
            places = self.geometry(T)
        total, gradients = T.new_zeros(len(T)), []
        for i, maps in enumerate(self.maps):
            score, gradient = self.network(maps, places.of_image(i), slopes, buffers.rows(places.uv.shape[1]))
            total += score
            gradients.append(gradient)
        if not slopes:
            return total, None
        columns = [torch.stack(c) for c in zip(*gradients, strict=True)]
        if len(places.position) == 1:  # one code in the world frame for all images
            columns[1:] = [c.sum(0, keepdim=True) for c in columns[1:]]
        outputs = [places.uv, places.position, places.direction]
        return total, torch.autograd.grad(outputs, T, columns)[0]


class _Scores(torch.autograd.Function):
    """The landscape as one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, T_world_tcp: Tensor, landscape: Landscape) -> Tensor:
        scores, slopes = landscape.scores_and_slopes(T_world_tcp)
        assert slopes is not None
        ctx.save_for_backward(slopes)
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (slopes,) = ctx.saved_tensors
        return grads[0][:, None, None] * slopes, None


@dataclass(frozen=True)
class _Places:
    """Where Phi is asked, of all images or (without the first dimension) of one; differentiable in the poses.

    uv: pixels of the queries. position, direction: their codes; one for all images if they are the world's.
    """

    uv: Float[Tensor, "views rows 2"]
    position: Float[Tensor, "#views rows code"]
    direction: Float[Tensor, "#views lines code"]

    def of_image(self, i: int) -> _Places:
        """Those of one image, as plain numbers."""
        codes = (c[min(i, len(c) - 1)].detach() for c in (self.position, self.direction))
        return _Places(self.uv[i].detach(), *codes)


class _Geometry:
    """Pose -> places: query points, projection, positional codes."""

    def __init__(self, phi: MVNeRF, queries: QueryPoints, images: EncodedViews) -> None:
        self.queries, self.field = queries, phi.config.field
        self.K = images.K[:, 0]
        self.Ts_cam_world = invert(images.Ts_world_cam[:, 0])

    def __call__(self, T_world_tcp: Float[Tensor, "n 4 4"]) -> _Places:
        points, directions = (x.reshape(1, -1, 3) for x in self.queries.lines_in_world(T_world_tcp))
        p_cam = transform_points(self.Ts_cam_world, points)
        if self.field.frame == "camera":
            points, directions = p_cam, rotate_directions(self.Ts_cam_world, directions)
        return _Places(
            pixels_of(self.K, p_cam),
            positional_code(points, self.field.position_frequencies),
            positional_code(directions, self.field.direction_frequencies),
        )


@dataclass(frozen=True)
class _Maps:
    """One image: the projected feature map and the colours, as tables of rows."""

    features: Float[Tensor, "hh_ww hidden"]
    rgb: Float[Tensor, "h_w 3"]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    stride: int

    @classmethod
    def of(cls, phi: MVNeRF, images: EncodedViews, i: int) -> _Maps:
        dtype = images.K.dtype
        projected = images.fine if images.fine is not None else phi.fine.project(images.features)
        if projected.shape[-1] != phi.config.field.hidden:
            width = phi.config.field.hidden
            raise ValueError(f"enc: projected for a field of width {projected.shape[-1]}, this one has {width}")
        features, rgb = projected[i, 0].to(dtype), images.rgb[i, 0].to(dtype)
        sizes = (features.shape[0], features.shape[1]), (rgb.shape[0], rgb.shape[1])
        return cls(features.flatten(0, 1), rgb.flatten(0, 1), sizes, phi.encoder.stride)

    def corners(self, uv: Float[Tensor, "rows 2"]) -> tuple[_Corners, _Corners]:
        """Of features and of colours."""
        return _Corners.of(uv / self.stride, self.sizes[0]), _Corners.of(uv, self.sizes[1])


@dataclass(frozen=True)
class _Corners:
    """The four pixels round each (u, v) of a map of `size`: rows of its table, and their weights."""

    uv: Float[Tensor, "rows 2"]
    size: tuple[int, int]
    index: Int[Tensor, "rows 4"]
    weights: Float[Tensor, "rows 4"]

    @classmethod
    def of(cls, uv: Float[Tensor, "rows 2"], size: tuple[int, int]) -> _Corners:
        return cls(uv, size, *bilinear_corners(uv[None], *size))

    def mix(
        self, table: Float[Tensor, "pixels channels"], weights: Float[Tensor, "rows 4"] | None = None
    ) -> Float[Tensor, "rows channels"]:
        """Weighted sums of the table's rows."""
        weights = self.weights if weights is None else weights
        return F.embedding_bag(self.index, table, mode="sum", per_sample_weights=weights)

    def pull_back(
        self, table: Float[Tensor, "pixels channels"], grad: Float[Tensor, "rows channels"]
    ) -> Float[Tensor, "rows 2"]:
        """Gradient in (u, v) of the mixed rows."""
        slopes = bilinear_slopes(self.uv, *self.size)
        return torch.stack([self.mix(table, w).mul_(grad).sum(-1) for w in slopes], dim=-1)


@dataclass(frozen=True)
class _Buffers:
    """Intermediate results of one image and a few poses, written over again and again."""

    a: Float[Tensor, "blocks rows hidden"]  # rectified inputs of each block
    c: Float[Tensor, "blocks rows hidden"]  # rectified inner results of each block
    mixed: Float[Tensor, "rows parts"]  # the readout's layers on the activations, side by side

    def rows(self, n: int) -> _Buffers:
        """The first n rows."""
        return _Buffers(self.a[:, :n], self.c[:, :n], self.mixed[:n])


class _Network:
    """Phi's fine field and Psi's readout on the queries of one image, with the derivatives of the score."""

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints) -> None:
        field = phi.fine
        on_position, on_direction, on_rgb, _ = field.first.weight.detach().split(field.columns, dim=1)
        self.on_position, self.on_direction, self.on_rgb = (w.contiguous() for w in (on_position, on_direction, on_rgb))
        self.bias = field.first.bias.detach()
        self.views, self.shared = weights_by_block(field.per_view), weights_by_block(field.shared)
        self.readout, self.queries = readout, len(queries)
        self.per_activation = [cast(nn.Linear, layer) for layer in readout.per_activation]
        self.activation = readout.config.activation

    def buffers(self, poses: int, like: Tensor) -> _Buffers:
        rows, blocks, hidden = poses * self.queries, len(self.views) + len(self.shared), len(self.bias)
        a, c = like.new_empty(2, blocks, rows, hidden)
        return _Buffers(a, c, like.new_empty(rows, self.readout.per_query.in_features))

    def __call__(
        self, maps: _Maps, at: _Places, slopes: bool, b: _Buffers
    ) -> tuple[Float[Tensor, "poses"], tuple[Tensor, Tensor, Tensor] | None]:
        """Scores, and their gradients in the places (pixels, position codes, direction codes)."""
        on_features, on_rgb = maps.corners(at.uv)
        z = on_features.mix(maps.features).addmm_(at.position, self.on_position.t())
        z.addmm_(on_rgb.mix(maps.rgb), self.on_rgb.t())
        along_lines = torch.addmm(self.bias, at.direction, self.on_direction.t())
        z.view(len(along_lines), -1, z.shape[-1]).add_(along_lines[:, None])
        features, kept = self._forward(z, b)
        scores, g = self._head(features, slopes)
        if g is None:
            return scores, None
        g = self._backward(g, kept, b, z)
        of_uv = on_features.pull_back(maps.features, g) / maps.stride + on_rgb.pull_back(maps.rgb, g @ self.on_rgb)
        of_direction = g.view(len(along_lines), -1, g.shape[-1]).sum(1) @ self.on_direction
        return scores, (of_uv, g @ self.on_position, of_direction)

    def _forward(self, z: Tensor, b: _Buffers) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """From the first layer's rows, which are written over, to the features of each query.

        Beside them, the derivatives of the readout's two activations.
        """
        layers, per_query = self.per_activation, self.readout.per_query
        for k, block in enumerate(self.views):
            block_in_place(z, block, b.a[k], b.c[k])
        for k, (layer, out) in enumerate(zip(layers, self._columns(b.mixed), strict=True)):
            if k > 0:
                place = len(self.views) + k - 1
                block_in_place(z, self.shared[k - 1], b.a[place], b.c[place])
            torch.addmm(layer.bias, z, layer.weight.t(), out=out)
        mixed, mixed_slope = activation_with_slope(self.activation, b.mixed)
        query = torch.addmm(per_query.bias, mixed, per_query.weight.t())
        features, slope = activation_with_slope(self.activation, query)
        return features, (mixed_slope, slope)

    def _columns(self, mixed: Tensor) -> tuple[Tensor, ...]:
        """What belongs to each scene activation."""
        return mixed.split([layer.out_features for layer in self.per_activation], dim=1)

    def _head(self, features: Tensor, slopes: bool) -> tuple[Tensor, Tensor | None]:
        """From the features of a pose's queries to its score: few rows, autograd's own operations."""
        x = features.view(-1, self.queries * features.shape[-1]).detach().requires_grad_(slopes)
        with torch.set_grad_enabled(slopes):
            scores = self.readout.score(x)
            g = torch.autograd.grad(scores.sum(), x)[0].view_as(features) if slopes else None
        return scores.detach(), g

    def _backward(self, g: Tensor, kept: tuple[Tensor, Tensor], b: _Buffers, out: Tensor) -> Tensor:
        """From the gradient of the features of each query to that of the first layer's rows, written to `out`."""
        layers, (mixed_slope, slope) = self.per_activation, kept
        columns = self._columns((g.mul_(slope) @ self.readout.per_query.weight).mul_(mixed_slope))
        torch.mm(columns[-1], layers[-1].weight, out=out)
        for k in reversed(range(len(self.shared))):
            place = len(self.views) + k
            block_backward(out, self.shared[k], b.a[place], b.c[place])
            out.addmm_(columns[k], layers[k].weight)
        for k in reversed(range(len(self.views))):
            block_backward(out, self.views[k], b.a[k], b.c[k])
        return out
