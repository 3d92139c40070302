"""Image encoders: RGB in [0, 1] to a feature map at half resolution."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.nerf.config import ConvolutionEncoderConfig


class ConvolutionBlock(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions (no norm, so that images do not mix)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.outer(F.relu(self.inner(F.relu(x))))


class ConvolutionEncoder(nn.Module):
    """Three scales (1/2, 1/4, 1/8), joined again at half resolution (not in the paper: see REPRODUCING.md).

    The coarse scales give each pixel enough of its neighbourhood to tell how far away and how large an object is.
    """

    stride = 2

    def __init__(self, config: ConvolutionEncoderConfig) -> None:
        super().__init__()
        w = config.width
        self.stem = nn.Conv2d(3, w, 5, stride=2, padding=2)
        self.at_half = ConvolutionBlock(w)
        self.to_quarter = nn.Conv2d(w, 2 * w, 3, stride=2, padding=1)
        self.at_quarter = ConvolutionBlock(2 * w)
        self.to_eighth = nn.Conv2d(2 * w, 4 * w, 3, stride=2, padding=1)
        self.at_eighth = nn.Sequential(ConvolutionBlock(4 * w), ConvolutionBlock(4 * w))
        self.from_eighth = nn.Conv2d(4 * w, 2 * w, 1)
        self.from_quarter = nn.Conv2d(2 * w, w, 1)
        self.join = nn.Conv2d(w, config.channels, 3, padding=1)
        self.channels = config.channels

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c hh ww"]:
        half = self.at_half(self.stem(images.mul(2).sub(1).contiguous(memory_format=_layout(images))))
        quarter = self.at_quarter(self.to_quarter(F.relu(half)))
        eighth = self.at_eighth(self.to_eighth(F.relu(quarter)))
        quarter = quarter + resized(self.from_eighth(F.relu(eighth)), quarter)
        half = half + resized(self.from_quarter(F.relu(quarter)), half)
        return self.join(F.relu(half))


def _layout(images: Tensor) -> torch.memory_format:
    """Channels last, except in float32 training on processors: there weight gradients take a third longer that way."""
    device = images.device.type
    float32 = device == "cpu" and not torch.is_autocast_enabled(device)
    return torch.contiguous_format if float32 and torch.is_grad_enabled() else torch.channels_last


def resized(x: Tensor, like: Tensor) -> Tensor:
    """Maps (n, c, h, w) interpolated bilinearly to the height and width of others."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def doubled(x: Tensor, like: Tensor) -> Tensor:
    """Maps of twice the stride (n, c, h, w), interpolated bilinearly to where their pixels are in the finer maps.

    Pixel i of a convolution of stride 2, padded alike on both sides, looks at pixel 2 i of its input. `resized` takes
    it for the middle of pixels 2 i and 2 i + 1, half a pixel away, and over three scales that adds up to seven pixels
    of the image. Raises ValueError for maps that are not half as large.
    """
    h, w = like.shape[-2:]
    if tuple(x.shape[-2:]) != ((h + 1) // 2, (w + 1) // 2):
        raise ValueError(f"maps: expected {(h + 1) // 2} x {(w + 1) // 2} pixels for {h} x {w}, got {x.shape[-2:]}")
    wider = F.pad(x, (0, 1, 0, 1), mode="replicate")
    sizes = [2 * n - 1 for n in wider.shape[-2:]]
    return F.interpolate(wider, size=sizes, mode="bilinear", align_corners=True)[..., :h, :w]
