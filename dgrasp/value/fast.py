"""Psi's landscape over one observation: scores and slopes of many poses at once, as fast as the processor multiplies.

Climbing asks for nothing but scores and slopes, of frozen weights, over and over. So both are worked out together, a
few poses at a time, small enough that intermediate results stay in the processor's cache, and with derivatives that are
written out, from the pose to the score and back.

`GraspValue.logits` is the same function in autograd's operations: the reference of the tests, and what training uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.checks import check_like
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.fast.layers import FrozenBlock, FrozenLayer
from dgrasp.nerf.fast.trunk import weights_by_block
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.sampling import bilinear_corners, bilinear_slopes
from dgrasp.poses import check_poses
from dgrasp.slopes.modes import no_autocast
from dgrasp.value.geometry import Geometry, Places
from dgrasp.value.head import Head
from dgrasp.value.queries import QueryPoints
from dgrasp.value.readout import GraspReadout, activation_with_slope

CHUNK_BYTES = 4 * 1024 * 1024  # of one layer's rows; our choice, by measurement


class Landscape:
    """`T_world_tcp` (n, 4, 4) -> scores (n,), differentiable in the poses: the sum of the logits of all of `groups`.

    groups: one observation of a scene, with frozen weights in mind. Its images fused in the network are one group of
    several views; logits summed over images are groups of one view each (`EncodedViews.single_views`).
    Slopes of slopes are not available: a second differentiation raises torch's RuntimeError. Autocast is off inside.
    Raises ValueError for poses that are no finite rigid transforms in the weights' dtype.
    """

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints, groups: EncodedViews) -> None:
        self.geometry = Geometry(phi, queries, groups)
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

    @torch.no_grad()
    def scores_and_slopes(
        self, T_world_tcp: Float[Tensor, "n 4 4"], slopes: bool = True
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 4 4"] | None]:
        """Scores, and their derivatives in the entries of the poses."""
        parts = [self._chunk(T, slopes) for T in T_world_tcp.detach().split(self.poses_at_once)]
        scores = torch.cat([score for score, _ in parts])
        return scores, torch.cat([slope for _, slope in parts if slope is not None]) if slopes else None

    def _chunk(self, T: Tensor, slopes: bool) -> tuple[Tensor, Tensor | None]:
        places = self.geometry(T)
        begun = self.network.of_codes(places)
        total, of_uv, of_first = T.new_zeros(len(T)), [], []
        for i, maps in enumerate(self.maps):
            images = slice(i * self.views, (i + 1) * self.views)
            score, gradients = self.network(maps, places.uv[images], begun[images] if len(begun) > 1 else begun, slopes)
            total += score
            if gradients is not None:
                of_uv.append(gradients[0])
                of_first.append(gradients[1])
        if not slopes:
            return total, None
        of_codes = self.network.to_codes(torch.cat(of_first), places)
        return total, self.geometry.pull_back(places, torch.cat(of_uv), *of_codes)


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
class _Maps:
    """One image: the projected feature map and the colours, as tables of rows."""

    features: Float[Tensor, "hh_ww hidden"]
    rgb: Float[Tensor, "h_w 3"]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    stride: int

    @classmethod
    def of(cls, phi: MVNeRF, groups: EncodedViews, i: int, view: int) -> _Maps:
        dtype = phi.fine.first.weight.dtype
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


Kept = list[tuple[Tensor, Tensor]]  # of each block: what its backward pass needs


class _Network:
    """Phi's fine field and Psi's readout on the queries of a group of images, with the derivatives of the score."""

    def __init__(self, phi: MVNeRF, readout: GraspReadout, queries: QueryPoints) -> None:
        field = phi.fine
        on_position, on_direction, on_rgb, _ = field.first.weight.split(field.columns, dim=1)
        self.bias = field.first.bias.detach()
        self.on_position, self.on_direction = FrozenLayer(on_position), FrozenLayer(on_direction, self.bias)
        self.on_rgb = FrozenLayer(on_rgb)
        self.per_view, self.shared = (
            [FrozenBlock(w) for w in weights_by_block(blocks)] for blocks in (field.per_view, field.shared)
        )
        self.per_activation = [FrozenLayer.of(cast(nn.Linear, layer)) for layer in readout.per_activation]
        self.per_query = _side_by_side(readout)
        self.head, self.queries = Head(readout), len(queries)
        self.activation = readout.config.activation
        back = self.on_position, self.on_direction, self.on_rgb
        self.to_position, self.to_direction, self.to_rgb = (layer.transposed() for layer in back)
        self.from_activation, self.from_query = (
            [layer.transposed() for layer in layers] for layers in (self.per_activation, self.per_query)
        )

    def of_codes(self, places: Places) -> Float[Tensor, "#images rows hidden"]:
        """The first layer's share of the codes: one for all images where they are the world's."""
        z = self.on_position(places.position.flatten(0, 1)).unflatten(0, places.position.shape[:2])
        along_lines = self.on_direction(places.direction.flatten(0, 1)).unflatten(0, places.direction.shape[:2])
        z.view(*along_lines.shape[:2], -1, z.shape[-1]).add_(along_lines[:, :, None])
        return z

    def to_codes(self, g: Float[Tensor, "images rows hidden"], places: Places) -> tuple[Tensor, Tensor]:
        """From gradients of the first layer's rows to those of the codes of positions and directions."""
        if len(places.position) < len(g):
            g = g.sum(0, keepdim=True)
        along_lines = g.view(len(g), places.direction.shape[1], -1, g.shape[-1]).sum(2)
        return tuple(
            layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            for layer, x in ((self.to_position, g), (self.to_direction, along_lines))
        )  # type: ignore[return-value]

    def __call__(
        self,
        maps: list[_Maps],
        uv: Float[Tensor, "views rows 2"],
        begun: Float[Tensor, "#views rows hidden"],
        slopes: bool,
    ) -> tuple[Float[Tensor, "poses"], tuple[Tensor, Tensor] | None]:
        """Scores, and their gradients in the pixels (views, rows, 2) and in the first layer (views, rows, hidden)."""
        corners = [m.corners(x) for m, x in zip(maps, uv, strict=True)]
        z = begun.new_empty(len(maps), *begun.shape[1:])
        for i, (m, c) in enumerate(zip(maps, corners, strict=True)):
            seen = self.on_rgb.plus(c[1].mix(m.rgb), c[0].mix(m.features))
            torch.add(seen, begun[min(i, len(begun) - 1)], out=z[i])
        features, kept = self._forward(z)
        scores, g = self.head(features.view(-1, self.queries * features.shape[-1]), slopes)
        if g is None:
            return scores, None
        of_first = self._backward(g.view_as(features), kept, len(maps)).view_as(z)
        of_uv = [self._of_uv(m, c, x) for m, c, x in zip(maps, corners, of_first, strict=True)]
        return scores, (torch.stack(of_uv), of_first)

    def _of_uv(self, maps: _Maps, corners: tuple[_Corners, _Corners], g: Tensor) -> Tensor:
        """From the gradient of one image's rows of the first layer to that of its pixels."""
        on_features, on_rgb = corners
        return on_features.pull_back(maps.features, g).div_(maps.stride) + on_rgb.pull_back(maps.rgb, self.to_rgb(g))

    def _forward(self, z: Float[Tensor, "views rows hidden"]) -> tuple[Tensor, tuple[Kept, Kept, list[Tensor]]]:
        """From the first layer's rows to the features of each query, and what the way back needs."""
        x, of_views = z.flatten(0, 1), []
        *before, last = self.per_view
        for block in before:
            x, kept = block.forward(x)
            of_views.append(kept)
        x, kept = last.forward_to_mean(x.view_as(z)) if len(z) > 1 else last.forward(x)
        of_views.append(kept)
        of_shared: Kept = []
        query, slopes = None, []
        for k, (layer, on_query) in enumerate(zip(self.per_activation, self.per_query, strict=True)):
            if k > 0:
                x, kept = self.shared[k - 1].forward(x)
                of_shared.append(kept)
            y, slope = activation_with_slope(self.activation, layer(x))
            query = on_query(y) if query is None else on_query.plus(y, query)
            slopes.append(slope)
        assert query is not None
        features, slope = activation_with_slope(self.activation, query)
        return features, (of_views, of_shared, [*slopes, slope])

    def _backward(self, g: Tensor, kept: tuple[Kept, Kept, list[Tensor]], views: int) -> Tensor:
        """From the gradient of the features of each query to that of the first layer's rows, view by view."""
        of_views, of_shared, (*slopes, slope) = kept
        g = g * slope
        out = None
        for k in reversed(range(len(slopes))):
            column = self.from_query[k](g).mul_(slopes[k])
            if out is None:
                out = self.from_activation[k](column)
            else:
                out = self.from_activation[k].plus(column, self.shared[k].backward(out, of_shared[k]))
        assert out is not None
        *before, last = zip(self.per_view, of_views, strict=True)
        out = last[0].backward_from_mean(out, last[1], views) if views > 1 else last[0].backward(out, last[1])
        for block, of_block in reversed(before):
            out = block.backward(out, of_block)
        return out


def _side_by_side(readout: GraspReadout) -> list[FrozenLayer]:
    """The layer on all activations of a query, as one layer on each of them, to be added up."""
    widths = [cast(nn.Linear, layer).out_features for layer in readout.per_activation]
    first, *others = readout.per_query.weight.split(widths, dim=1)
    return [FrozenLayer(first, readout.per_query.bias), *map(FrozenLayer, others)]
