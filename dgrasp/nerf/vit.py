"""The paper's image encoder: a ViT branch reassembled into a map, and a convolution branch at full resolution.

After VisionNeRF (Lin et al. 2023) with the widths of Soti et al. 2024. Where their published code departs from
both papers (batch norm inside attention blocks, a missing residual), the standard transformer block stands here,
so that ImageNet weights mean what they meant. See REPRODUCING.md.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.nerf.config import VisionEncoderConfig
from dgrasp.nerf.imagenet import imagenet_weights


class VisionEncoder(nn.Module):
    """RGB in [0, 1] to a feature map at half resolution: half its channels from each branch."""

    stride = 2

    def __init__(self, config: VisionEncoderConfig) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels
        self.transformer = VisionTransformer(config)
        self.reassembly = Reassembly(config)
        self.convolutions = ConvolutionBranch(config)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c hh ww"]:
        centred = images.mul(2).sub(1)
        local = self.convolutions(centred)
        context = self.reassembly(self.transformer(centred))
        context = F.interpolate(context, size=local.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([context, local], dim=1)


class VisionTransformer(nn.Module):
    """ViT with class token and learned positions (Dosovitskiy et al. 2021); parameters are named as timm names them."""

    def __init__(self, config: VisionEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size, self.grid = config.image_size, config.image_size // config.patch
        self.read_after = [config.depth * k // 4 for k in (1, 2, 3, 4)]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.grid**2 + 1, config.dim))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, config.dim, config.patch, stride=config.patch)})
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.depth))

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n dim grid grid"]]:
        """Patch tokens after a quarter, half, three quarters and all of the blocks, as maps."""
        size = (self.image_size, self.image_size)
        patches = self.patch_embed["proj"](F.interpolate(images, size, mode="bilinear", align_corners=False))
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self.pos_embed
        maps = []
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            if number in self.read_after:
                maps.append(tokens[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid)))
        return maps

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Tokens start small and random (ViT: standard deviation 0.02)."""
        for token in (self.cls_token, self.pos_embed):
            token.normal_(std=0.02, generator=generator)

    def load_imagenet(self) -> None:
        """Start from the weights of the file that the settings name; raises what `imagenet_weights` raises."""
        self.load_state_dict(imagenet_weights(self.config, self.state_dict()))


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and MLP, each with a residual."""

    def __init__(self, config: VisionEncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.dim, eps=1e-6)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(config.dim, 3 * config.dim), "proj": nn.Linear(config.dim, config.dim)}
        )
        self.norm2 = nn.LayerNorm(config.dim, eps=1e-6)
        hidden = config.mlp_ratio * config.dim
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(config.dim, hidden), "fc2": nn.Linear(hidden, config.dim)})

    def forward(self, x: Float[Tensor, "n tokens dim"]) -> Float[Tensor, "n tokens dim"]:
        x = x + self._attend(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))

    def _attend(self, x: Tensor) -> Tensor:
        q, k, v = self.attn["qkv"](x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Reassembly(nn.Module):
    """Four maps of tokens at four scales, joined into one of half the encoder's channels."""

    def __init__(self, config: VisionEncoderConfig) -> None:
        super().__init__()
        a, b, c, d = config.reassemble
        self.reduce = nn.ModuleList(nn.Conv2d(config.dim, width, 1) for width in config.reassemble)
        self.rescale = nn.ModuleList(
            [
                nn.ConvTranspose2d(a, a, 4, stride=4),
                nn.ConvTranspose2d(b, b, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(d, d, 3, stride=2, padding=1),
            ]
        )
        fusion, out = config.fusion, config.channels // 2
        self.even = nn.ModuleList(nn.Conv2d(w, fusion, 3, padding=1, bias=False) for w in (a, b, c, d))
        self.join = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(4 * fusion, fusion, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(fusion, out, 3, padding=1),
        )
        self.size = 8 * config.image_size // config.patch  # twice the finest of the four scales

    def forward(self, maps: list[Float[Tensor, "n dim grid grid"]]) -> Float[Tensor, "n c size size"]:
        layers = zip(self.reduce, self.rescale, self.even, maps, strict=True)
        levels = [even(rescale(reduce(tokens))) for reduce, rescale, even, tokens in layers]
        size = (self.size, self.size)
        fine = [F.interpolate(level, size, mode="bilinear", align_corners=False) for level in levels]
        return self.join(torch.cat(fine, dim=1))


class ConvolutionBranch(nn.Module):
    """7x7 convolution with stride 2 and three residual blocks: what the image looks like up close."""

    def __init__(self, config: VisionEncoderConfig) -> None:
        super().__init__()
        out = config.channels // 2
        self.stem = nn.Conv2d(3, config.stem, 7, stride=2, padding=3)
        self.norm = instance_norm(config.stem)
        self.blocks = nn.Sequential(NormedBlock(config.stem, out), NormedBlock(out, out), NormedBlock(out, out))

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c hh ww"]:
        return self.blocks(F.relu(self.norm(self.stem(images))))


class NormedBlock(nn.Module):
    """Two 3x3 convolutions with norms; the skip is projected where the widths differ."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.second = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([instance_norm(out), instance_norm(out)])
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h w"]:
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.skip(x) + self.norms[1](self.second(inner)))


def instance_norm(channels: int) -> nn.GroupNorm:
    """Statistics of each image and channel alone: the predecessor's batch norm, always in training mode, at one image.

    An image's features must not depend on what else is in its batch, or they could not be cached.
    """
    return nn.GroupNorm(channels, channels)
