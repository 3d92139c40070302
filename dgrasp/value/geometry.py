"""From poses to the places where Phi is asked, and from gradients there back to the poses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dgrasp.cameras import FARTHEST, NEAREST, pixels_of
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.model import MVNeRF
from dgrasp.poses import invert, transform_points
from dgrasp.value.queries import QueryPoints


@dataclass(frozen=True)
class Places:
    """Where Phi is asked, in some images.

    p_cam: queries in the cameras' frames, metres. uv: their pixels. position, direction: their codes; one for all
    images if they are the world's.
    """

    p_cam: Float[Tensor, "images rows 3"]
    uv: Float[Tensor, "images rows 2"]
    position: Float[Tensor, "#images rows code"]
    direction: Float[Tensor, "#images lines code"]


class Geometry:
    """Pose -> places: query points, projection, positional codes; and the way back, written out."""

    def __init__(self, phi: MVNeRF, queries: QueryPoints, groups: EncodedViews) -> None:
        self.queries, self.field, self.directions_in = queries, phi.config.field, phi.fine.directions_in
        dtype = phi.fine.first.weight.dtype  # calibration may be kept in another one
        self.K = groups.K.flatten(0, 1).to(dtype)
        self.Ts_cam_world = invert(groups.Ts_world_cam.flatten(0, 1)).to(dtype)

    @property
    def in_camera(self) -> bool:
        """Whether codes are of the cameras' frames, and not of the world's."""
        return self.field.frame == "camera"

    def __call__(self, T_world_tcp: Float[Tensor, "n 4 4"]) -> Places:
        points, directions = (x.reshape(1, -1, 3) for x in self.queries.lines_in_world(T_world_tcp))
        p_cam = transform_points(self.Ts_cam_world, points)
        if self.in_camera:
            points, directions = p_cam, self.directions_in(self.Ts_cam_world, directions)
        return Places(
            p_cam,
            pixels_of(self.K, p_cam),
            positional_code(points, self.field.position_frequencies),
            positional_code(directions, self.field.direction_frequencies),
        )

    def pull_back(
        self,
        places: Places,
        of_uv: Float[Tensor, "images rows 2"],
        of_position: Float[Tensor, "#images rows code"],
        of_direction: Float[Tensor, "#images lines code"],
    ) -> Float[Tensor, "n 4 4"]:
        """From gradients in the places to those in the entries of the poses; the last row's are zero."""
        R_cam_world = self.Ts_cam_world[:, :3, :3]
        of_p, of_d = _through_code(of_position, places.position), _through_code(of_direction, places.direction)
        of_p_cam = self._through_pixels(of_uv, places)
        if self.in_camera:
            of_p_cam, of_d = of_p_cam + of_p, (of_d @ R_cam_world).sum(0)
            of_p = (of_p_cam @ R_cam_world).sum(0)
        else:
            of_p, of_d = of_p[0] + (of_p_cam @ R_cam_world).sum(0), of_d[0]
        return self._through_pose(of_p, of_d)

    def _through_pixels(self, of_uv: Tensor, places: Places) -> Float[Tensor, "images rows 3"]:
        """Gradients in camera coordinates; none where `pixels_of` clamps."""
        z, uv = places.p_cam[..., 2:], places.uv
        g = (of_uv / z.clamp(min=NEAREST)).mul_(uv.abs() < FARTHEST)
        through_depth = (g * uv).sum(-1).mul_(z.squeeze(-1) > NEAREST)
        of_p_cam = g @ self.K[:, :2]
        of_p_cam[..., 2].sub_(through_depth)
        return of_p_cam

    def _through_pose(self, of_p: Float[Tensor, "rows 3"], of_d: Float[Tensor, "lines 3"]) -> Float[Tensor, "n 4 4"]:
        points, directions = self.queries.points.flatten(0, 1).to(of_p), self.queries.directions.to(of_p)
        of_p, of_d = of_p.view(-1, len(points), 3), of_d.view(-1, len(directions), 3)
        slopes = of_p.new_zeros(len(of_p), 4, 4)
        slopes[:, :3, :3] = of_p.mT @ points + of_d.mT @ directions
        slopes[:, :3, 3] = of_p.sum(1)
        return slopes


def _through_code(g: Float[Tensor, "*batch code"], code: Float[Tensor, "*batch code"]) -> Float[Tensor, "*batch 3"]:
    """Gradient in what `positional_code` encodes: the derivative of each half is the other half, up to its sign."""
    half = code.shape[-1] // 2
    angles = (g[..., :half] * code[..., half:]).addcmul_(g[..., half:], code[..., :half], value=-1)
    octaves = math.pi * 2.0 ** torch.arange(half // 3, dtype=g.dtype, device=g.device)
    return angles.unflatten(-1, (-1, 3)).mul_(octaves[:, None]).sum(-2)
