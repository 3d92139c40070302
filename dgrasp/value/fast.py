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
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.fast.trunk import block_backward, block_in_place, weights_by_block
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.sampling import bilinear_corners, bilinear_slopes
from dgrasp.poses import check_poses, invert, transform_points
from dgrasp.slopes.modes import no_autocast
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout, activation_with_slope

CHUNK_BYTES = 2 * 1024 * 1024  # of one layer's rows; our choice, by measurement


class Landscape:
    """`T_world_tcp` (n, 4, 4) -> scores (n,), differentiable in the poses: the sum of the logits of all of `groups`.

    groups: one observation of a scene, with frozen weights in mind. Its images fused in the network are one group of
    several views; logits summed over images are groups of one view each (`EncodedViews.single_views`).
    Slopes of slopes are not available: a second differentiation raises torch's RuntimeError. Autocast is off inside.
    Raises ValueError for poses that are no finite rigid transforms in the weights' dtype.
    """

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints, groups: EncodedViews) -> None:
        self.geometry = _Geometry(phi, queries, groups)
        self.maps = [[_Maps.of(phi, groups, i, view) for view in range(groups.views)] for i in range(len(groups))]
        self.network = _Network(phi, readout, queries)
        self.views = groups.views
        rows = CHUNK_BYTES // (phi.config.field.hidden * groups.rgb.element_size())
        self.poses_at_once = max(1, rows // (len(queries) * self.views))

    @no_autocast()
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
        buffers = self.network.buffers(min(len(T_world_tcp), self.poses_at_once), self.views, T_world_tcp)
        parts = [self._chunk(T, slopes, buffers) for T in T_world_tcp.detach().split(self.poses_at_once)]
        scores = torch.cat([score for score, _ in parts])
        return scores, torch.cat([slope for _, slope in parts if slope is not None]) if slopes else None

    def _chunk(self, T: Tensor, slopes: bool, buffers: _Buffers) -> tuple[Tensor, Tensor | None]:
        T = T.requires_grad_(slopes)
        with torch.set_grad_enabled(slopes):
            places = self.geometry(T)
        total, gradients = T.new_zeros(len(T)), []
        for i, maps in enumerate(self.maps):
            at = places.of_images(slice(i * self.views, (i + 1) * self.views))
            score, gradient = self.network(maps, at, slopes, buffers.rows(places.uv.shape[1], self.views))
            total += score
            gradients.append(gradient)
        if not slopes:
            return total, None
        columns = [torch.cat(c) for c in zip(*gradients, strict=True)]
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
    """Where Phi is asked, in some images; differentiable in the poses.

    uv: pixels of the queries. position, direction: their codes; one for all images if they are the world's.
    """

    uv: Float[Tensor, "images rows 2"]
    position: Float[Tensor, "#images rows code"]
    direction: Float[Tensor, "#images lines code"]

    def of_images(self, images: slice) -> _Places:
        """Those of some images, as plain numbers."""
        codes = ((c if len(c) == 1 else c[images]).detach() for c in (self.position, self.direction))
        return _Places(self.uv[images].detach(), *codes)


class _Geometry:
    """Pose -> places: query points, projection, positional codes."""

    def __init__(self, phi: MVNeRF, queries: QueryPoints, groups: EncodedViews) -> None:
        self.queries, self.field, self.directions_in = queries, phi.config.field, phi.fine.directions_in
        self.K = groups.K.flatten(0, 1)
        self.Ts_cam_world = invert(groups.Ts_world_cam.flatten(0, 1))

    def __call__(self, T_world_tcp: Float[Tensor, "n 4 4"]) -> _Places:
        points, directions = (x.reshape(1, -1, 3) for x in self.queries.lines_in_world(T_world_tcp))
        p_cam = transform_points(self.Ts_cam_world, points)
        if self.field.frame == "camera":
            points, directions = p_cam, self.directions_in(self.Ts_cam_world, directions)
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
    def of(cls, phi: MVNeRF, groups: EncodedViews, i: int, view: int) -> _Maps:
        dtype = groups.K.dtype
        projected = groups.fine if groups.fine is not None else phi.fine.project(groups.features)
        if projected.shape[-1] != phi.config.field.hidden:
            width = phi.config.field.hidden
            raise ValueError(f"enc: projected for a field of width {projected.shape[-1]}, this one has {width}")
        features, rgb = projected[i, view].to(dtype), groups.rgb[i, view].to(dtype)
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
    """Intermediate results of one group and a few poses, written over again and again.

    Each pair: rectified inputs of each block, rectified inner results of each block.
    """

    of_views: Float[Tensor, "2 blocks views_rows hidden"]
    of_shared: Float[Tensor, "2 shared rows hidden"]
    mixed: Float[Tensor, "rows parts"]  # the readout's layers on the activations, side by side

    def rows(self, n: int, views: int) -> _Buffers:
        """The first n rows of as many views."""
        return _Buffers(self.of_views[:, :, : n * views], self.of_shared[:, :, :n], self.mixed[:n])


class _Network:
    """Phi's fine field and Psi's readout on the queries of a group of images, with the derivatives of the score."""

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints) -> None:
        field = phi.fine
        on_position, on_direction, on_rgb, _ = field.first.weight.detach().split(field.columns, dim=1)
        self.on_position, self.on_direction, self.on_rgb = (w.contiguous() for w in (on_position, on_direction, on_rgb))
        self.bias = field.first.bias.detach()
        self.per_view, self.shared = weights_by_block(field.per_view), weights_by_block(field.shared)
        self.readout, self.queries = readout, len(queries)
        self.per_activation = [cast(nn.Linear, layer) for layer in readout.per_activation]
        self.activation = readout.config.activation

    def buffers(self, poses: int, views: int, like: Tensor) -> _Buffers:
        rows, hidden = poses * self.queries, len(self.bias)
        of_views = like.new_empty(2, len(self.per_view), rows * views, hidden)
        of_shared = like.new_empty(2, len(self.shared), rows, hidden)
        return _Buffers(of_views, of_shared, like.new_empty(rows, self.readout.per_query.in_features))

    def __call__(
        self, maps: list[_Maps], at: _Places, slopes: bool, b: _Buffers
    ) -> tuple[Float[Tensor, "poses"], tuple[Tensor, Tensor, Tensor] | None]:
        """Scores, and their gradients in the places (pixels, position codes, direction codes)."""
        corners = [m.corners(uv) for m, uv in zip(maps, at.uv, strict=True)]
        z = _join([self._first(m, c, at, i) for i, (m, c) in enumerate(zip(maps, corners, strict=True))])
        features, kept = self._forward(z, b, len(maps))
        scores, g = self._head(features, slopes)
        if g is None:
            return scores, None
        of_images = self._backward(g, kept, b, z, len(maps)).view(len(maps), -1, z.shape[-1])
        of_uv = [self._of_uv(m, c, g) for m, c, g in zip(maps, corners, of_images, strict=True)]
        summed = of_images if len(at.position) == len(maps) else of_images.sum(0, keepdim=True)
        along_lines = summed.view(len(summed), at.direction.shape[1], -1, z.shape[-1]).sum(2)
        return scores, (torch.stack(of_uv), summed @ self.on_position, along_lines @ self.on_direction)

    def _first(self, maps: _Maps, corners: tuple[_Corners, _Corners], at: _Places, image: int) -> Tensor:
        """The first layer's rows for one image."""
        on_features, on_rgb = corners
        position, direction = (c[min(image, len(c) - 1)] for c in (at.position, at.direction))
        z = on_features.mix(maps.features).addmm_(position, self.on_position.t())
        z.addmm_(on_rgb.mix(maps.rgb), self.on_rgb.t())
        along_lines = torch.addmm(self.bias, direction, self.on_direction.t())
        z.view(len(along_lines), -1, z.shape[-1]).add_(along_lines[:, None])
        return z

    def _of_uv(self, maps: _Maps, corners: tuple[_Corners, _Corners], g: Tensor) -> Tensor:
        """From the gradient of one image's rows of the first layer to that of its pixels."""
        on_features, on_rgb = corners
        return on_features.pull_back(maps.features, g) / maps.stride + on_rgb.pull_back(maps.rgb, g @ self.on_rgb)

    def _forward(self, z: Tensor, b: _Buffers, views: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """From the first layer's rows, which are written over, to the features of each query.

        Beside them, the derivatives of the readout's two activations.
        """
        layers, per_query = self.per_activation, self.readout.per_query
        for k, block in enumerate(self.per_view):
            block_in_place(z, block, *b.of_views[:, k])
        if views > 1:
            z = z.view(views, -1, z.shape[-1]).mean(0)
        for k, (layer, out) in enumerate(zip(layers, self._columns(b.mixed), strict=True)):
            if k > 0:
                block_in_place(z, self.shared[k - 1], *b.of_shared[:, k - 1])
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

    def _backward(self, g: Tensor, kept: tuple[Tensor, Tensor], b: _Buffers, z: Tensor, views: int) -> Tensor:
        """From the gradient of the features of each query to that of the first layer's rows, written to `z`."""
        layers, (mixed_slope, slope) = self.per_activation, kept
        columns = self._columns((g.mul_(slope) @ self.readout.per_query.weight).mul_(mixed_slope))
        out = z if views == 1 else z.new_empty(len(g), z.shape[-1])
        torch.mm(columns[-1], layers[-1].weight, out=out)
        for k in reversed(range(len(self.shared))):
            block_backward(out, self.shared[k], *b.of_shared[:, k])
            out.addmm_(columns[k], layers[k].weight)
        if views > 1:
            z.view(views, -1, z.shape[-1]).copy_(out.div_(views))
        for k in reversed(range(len(self.per_view))):
            block_backward(z, self.per_view[k], *b.of_views[:, k])
        return z


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
