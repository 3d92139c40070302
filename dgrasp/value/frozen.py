"""Phi at the poses of L_aux, worked out once for all readouts, with products of its Jacobian written out.

The exact scheme asks Phi for J^T g and J v of each readout. Autograd would sample the maps again for both. Here the
slopes of the sampled maps are kept, so that both are sums and matrix products; only the geometry, from pose to pixels
and codes, which is small, is autograd's. `FrozenActivations` on `GraspValue.activations` is the same in autograd's
operations: the reference of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dgrasp.cameras import pixels_of
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.fast.trunk import FrozenTrunk
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.sampling import bilinear_corners, bilinear_slopes
from dgrasp.poses import check_poses, invert, transform_points
from dgrasp.slopes.exact import FrozenActivations
from dgrasp.slopes.modes import own_modes, trackable
from dgrasp.value.function import GraspValue


class FrozenPhi(FrozenActivations):
    """Activations at m poses in each of b encoded scenes, in float32 or whatever the poses' dtype is.

    Raises ValueError for poses that are no finite rigid transforms.
    """

    def __init__(self, value: GraspValue, enc: EncodedViews, T_world_tcp: Float[Tensor, "b m 4 4"]) -> None:
        check_poses(T_world_tcp, "T_world_tcp", shape="(scenes, m, 4, 4)", ndims=(4,))
        self.field = field = value.phi.fine
        self.on_position, self.on_direction, self.on_rgb, _ = field.first.weight.detach().split(field.columns, dim=1)
        with own_modes():
            self.poses = trackable(T_world_tcp).flatten(0, 1).requires_grad_()
            self.places = self._geometry(value, enc, len(T_world_tcp))
        with torch.no_grad():
            x, self.of_pixels = self._sampled(enc, value.phi.encoder.stride)
            self.trunk = FrozenTrunk(x, field.per_view, field.shared)
        self.activations = self.trunk.activations.flatten(0, 1).unflatten(0, (len(self.poses), len(value.queries)))

    def columns(self, g: Tensor) -> list[Tensor]:
        """Gradients of pixels, position codes and direction codes."""
        gx = self.trunk.pull_back(g.flatten(0, 1).view_as(self.trunk.activations))
        of_uv = torch.stack([(gx * of_pixel).sum(-1) for of_pixel in self.of_pixels], dim=-1)
        _, position, direction = self.places
        summed = gx if position.shape[1] == gx.shape[1] else gx.sum(1, keepdim=True)
        lines = summed.unflatten(2, (direction.shape[2], -1)).sum(3)
        return [of_uv, summed @ self.on_position, lines @ self.on_direction]

    def slope_of(self, columns: list[Tensor]) -> Tensor:
        """J^T g in the entries of the poses, differentiable in the columns."""
        return torch.autograd.grad(self.places, self.poses, grad_outputs=columns, create_graph=True)[0]

    def tangents(self, of_columns: Sequence[Tensor]) -> Tensor:
        """J v from tangents of pixels and codes."""
        uv, position, direction = of_columns
        dx = self.of_pixels[0] * uv[..., :1]
        dx.addcmul_(self.of_pixels[1], uv[..., 1:])
        dx += self._codes(position, direction)
        return self.trunk.push_forward(dx).view_as(self.activations)

    def _geometry(self, value: GraspValue, enc: EncodedViews, b: int) -> list[Tensor]:
        """Pixels (b, v, n, 2), and codes of positions and of lines; one for all views if they are the world's."""
        points, directions = (x.reshape(b, 1, -1, 3) for x in value.queries.lines_in_world(self.poses))
        Ts_cam_world = invert(enc.Ts_world_cam).to(points.dtype)
        p_cam = transform_points(Ts_cam_world, points)
        uv, c = pixels_of(enc.K.to(points.dtype), p_cam), self.field.config
        if c.frame == "camera":
            points, directions = p_cam, self.field.directions_in(Ts_cam_world, directions)
        codes = (positional_code(points, c.position_frequencies), positional_code(directions, c.direction_frequencies))
        return [uv, *codes]

    def _sampled(self, enc: EncodedViews, stride: int) -> tuple[Tensor, list[Tensor]]:
        """The first layer's rows (b, v, n, hidden), and their derivatives in u and in v."""
        uv, position, direction = (x.detach() for x in self.places)
        projected = enc.fine if enc.fine is not None else self.field.project(enc.features)
        x, *slopes = _mixes(projected.to(uv.dtype), uv / stride)
        rgb, *rgb_slopes = _mixes(enc.rgb.to(uv.dtype), uv)
        x = x + rgb @ self.on_rgb.t() + self._codes(position, direction) + self.field.first.bias
        return x, [s / stride + r @ self.on_rgb.t() for s, r in zip(slopes, rgb_slopes, strict=True)]

    def _codes(self, position: Tensor, direction: Tensor) -> Tensor:
        """The first layer's share of codes; each line's direction belongs to all of its points."""
        along_lines = (direction @ self.on_direction.t())[..., None, :]
        x = position @ self.on_position.t()
        return (x.unflatten(2, (along_lines.shape[2], -1)) + along_lines).flatten(2, 3)


def _mixes(maps: Float[Tensor, "b v h w c"], uv: Float[Tensor, "b v n 2"]) -> list[Float[Tensor, "b v n c"]]:
    """Values of each map at its pixels by bilinear sampling, and their derivatives in u and in v."""
    h, w, channels = maps.shape[2:]
    index, weights = bilinear_corners(uv.flatten(0, 1), h, w)
    table, rows = maps.reshape(-1, channels), (weights, *bilinear_slopes(uv.reshape(-1, 2), h, w))
    mixed = (F.embedding_bag(index, table, mode="sum", per_sample_weights=r.contiguous()) for r in rows)
    return [m.view(*uv.shape[:3], channels) for m in mixed]
