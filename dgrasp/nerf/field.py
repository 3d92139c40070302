"""The radiance field: positional code, residual MLP per view, mean over views, shared blocks, read-out."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.nerf.blocks import ResidualBlock
from dgrasp.nerf.config import FieldConfig
from dgrasp.nerf.fast.trunk import trunk
from dgrasp.poses import Pose, rotate_directions, transform_points

RGB = 3


def positional_code(x: Float[Tensor, "*batch d"], frequencies: int) -> Float[Tensor, "*batch code"]:
    """`[sin(pi 2^k x), cos(pi 2^k x)]` for k = 0 .. frequencies-1, without the identity: 2 d frequencies numbers."""
    octaves = math.pi * 2.0 ** torch.arange(frequencies, dtype=x.dtype, device=x.device)
    angles = (x[..., None, :] * octaves[:, None]).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class RadianceField(nn.Module):
    """ResNet MLP of the predecessor (MVResNetMLP), coarse and fine alike.

    The first layer is linear in [position code ; direction code ; rgb ; features], so it is applied piece by
    piece: features once per pixel of the map, directions once per ray, positions and rgb once per sample.
    Bilinear sampling is linear too, hence both orders give the same number.
    """

    def __init__(self, config: FieldConfig, feature_channels: int) -> None:
        super().__init__()
        self.config = config
        self.columns = [6 * config.position_frequencies, 6 * config.direction_frequencies, RGB, feature_channels]
        self.first = nn.Linear(sum(self.columns), config.hidden)
        self.per_view = nn.ModuleList(ResidualBlock(config.hidden) for _ in range(config.blocks_per_view))
        self.shared = nn.ModuleList(ResidualBlock(config.hidden) for _ in range(config.blocks_shared))
        self.readout = nn.Linear(config.hidden, RGB + 1)

    def project(self, features: Float[Tensor, "*map channels"]) -> Float[Tensor, "*map hidden"]:
        """The first layer's share of a feature map."""
        return F.linear(features, self.first.weight[:, -self.columns[3] :].to(features.dtype))

    def forward(
        self,
        p: Float[Tensor, "b #v n s 3"],
        d: Float[Tensor, "b #v n 1 3"],
        rgb: Float[Tensor, "b v n s 3"],
        projected: Float[Tensor, "b v n s hidden"],
        dtype: torch.dtype | None = None,
        last: bool = False,
    ) -> Float[Tensor, "b n s activations hidden"]:
        """Activations [mean, each shared block]: the scene activations of the predecessor.

        p: metres, in each source camera's frame (or in the world, once for all views); d: unit directions there,
        one for s samples; rgb: sampled colours in [-1, 1]; projected: samples of the projected map;
        dtype: precision of the blocks; last: only the last activation.
        """
        on_position, on_direction, on_rgb, _ = self.first.weight.split(self.columns, dim=1)
        position = positional_code(p, self.config.position_frequencies)
        direction = positional_code(d, self.config.direction_frequencies)
        if p.shape[1] == rgb.shape[1]:
            position, on_position = torch.cat([position, rgb], dim=-1), torch.cat([on_position, on_rgb], dim=1)
            x = torch.addmm(projected.flatten(0, -2), position.flatten(0, -2), on_position.t()).view_as(projected)
        else:
            x = torch.addmm(projected.flatten(0, -2), rgb.flatten(0, -2), on_rgb.t()).view_as(projected)
            x = x + F.linear(position, on_position)
        x = (x + F.linear(direction, on_direction, self.first.bias)).to(dtype or x.dtype)
        return trunk(x.flatten(2, 3), self.per_view, self.shared, last).unflatten(1, p.shape[2:4])

    def directions_in(self, T: Pose, directions: Float[Tensor, "*#batch n 3"]) -> Float[Tensor, "*#batch n 3"]:
        """View directions in another frame, by the rule of `config.directions`."""
        move = rotate_directions if self.config.directions == "rotated" else transform_points
        return move(T, directions)

    def radiance(
        self, activation: Float[Tensor, "*batch hidden"]
    ) -> tuple[Float[Tensor, "*batch 3"], Float[Tensor, "*batch"]]:
        """Colour in [0, 1] and density (1 / metre) read from the last activation.

        Density is `scale * softplus(x + shift)`; the shift gives x = 0 the density log 2 at every scale. Scale 1 is the
        predecessor's softplus; a larger one lets surfaces become opaque within few steps.
        """
        out = self.readout(F.relu(activation).to(self.readout.weight.dtype))
        scale = self.config.density_scale
        shift = math.log(math.expm1(math.log(2) / scale))
        return out[..., :RGB].sigmoid(), scale * F.softplus(out[..., RGB] + shift)
