"""Settings of Phi: its three image encoders, its radiance fields, rays and pre-training. Defaults are the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from dgrasp.cell.miscalibration import CalibrationErrors
from dgrasp.config import Config, metres

Depth = Annotated[float, metres(10.0)]  # no part of a bench is that far from a camera or from the world's origin


class ConvolutionEncoderConfig(Config):
    """A small convolutional pyramid that trains on two cores (not in the paper: stands in for the ViT)."""

    kind: Literal["convolution"] = "convolution"
    channels: int = Field(64, ge=4, description="channels of the feature map at half resolution")
    width: int = Field(32, ge=4, description="channels inside the encoder at half resolution; doubled twice below")

    @property
    def stride(self) -> int:
        return 2


class VisionEncoderConfig(Config):
    """ViT-B/16 branch with reassembly, and a convolution branch (VisionNeRF, with the predecessor's widths)."""

    kind: Literal["vision"] = "vision"
    channels: int = Field(256, ge=4, multiple_of=2, description="channels of the feature map, half from each branch")
    image_size: int = Field(224, ge=32, description="pixels of the square image that the ViT sees")
    patch: int = Field(16, ge=4, description="pixels of a ViT patch")
    dim: int = Field(768, ge=8, description="width of the ViT")
    depth: int = Field(12, ge=4, multiple_of=4, description="transformer blocks; four evenly spaced ones are read")
    heads: int = Field(12, ge=1, description="attention heads")
    mlp_ratio: int = Field(4, ge=1, description="hidden width of the transformer's MLP over its width")
    reassemble: tuple[int, int, int, int] = Field((48, 96, 192, 384), description="channels after each reassembly")
    fusion: int = Field(256, ge=4, description="channels of each reassembled map before they are joined")
    stem: int = Field(64, ge=4, description="channels of the convolution branch's first layer")
    weights: Path | None = Field(
        None, description="file of ImageNet weights (see `dgrasp.nerf.imagenet`); null: from random weights"
    )
    weights_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="of that file, compared before it is read; null: any file is taken"
    )

    @model_validator(mode="after")
    def _divisible(self) -> VisionEncoderConfig:
        if self.image_size % (2 * self.patch) or self.dim % self.heads:
            raise ValueError("encoder: image_size must be a multiple of 2 x patch, and dim a multiple of heads")
        return self

    @property
    def stride(self) -> int:
        return 2


class ImagenetEncoderConfig(Config):
    """The first blocks of an EfficientNet-Lite0 with ImageNet weights, frozen, and what joins their scales.

    Not in the paper: what two cores can train in the place of a ViT that starts from ImageNet weights, too.
    """

    opt_in: ClassVar[frozenset[str]] = frozenset({"tuned_blocks", "aligned"})
    kind: Literal["imagenet"] = "imagenet"
    aligned: Literal[True] | None = Field(
        None,
        description="coarse scales are laid where they were seen; null: up to seven pixels of the image beside it, as "
        "networks were trained before there was this setting",
    )
    tuned_blocks: int | None = Field(
        None,
        ge=1,
        le=11,
        description="so many of the eleven blocks, the last ones, are trained, at a tenth of the encoder's rate, "
        "with their batch statistics as they are; null: all stay frozen",
    )
    channels: int = Field(64, ge=4, description="channels of the feature map at half resolution")
    width: int = Field(64, ge=4, description="channels of each scale before they are joined")

    @property
    def stride(self) -> int:
        return 2


EncoderConfig = Annotated[
    ConvolutionEncoderConfig | VisionEncoderConfig | ImagenetEncoderConfig, Field(discriminator="kind")
]


class FieldConfig(Config):
    """Radiance field: positional code and residual MLP (the same for coarse and fine)."""

    hidden: int = Field(128, ge=4, description="width of the MLP, and of each scene activation")
    blocks_per_view: int = Field(3, ge=1, description="residual blocks before the mean over views")
    blocks_shared: int = Field(3, ge=1, description="residual blocks after the mean over views")
    frame: Literal["camera", "world"] = Field(
        "camera", description="frame of coded positions and directions: each source camera's (the predecessor), or one"
    )
    directions: Literal["rotated", "moved"] = Field(
        "rotated",
        description="into a source camera's frame: view directions are rotated (vectors), or also moved by its "
        "translation as if they were points: the authors' code, where the camera's place leaks into them",
    )
    density_scale: float = Field(
        1.0, ge=1, description="1 / metre per unit of a large output; every scale starts from the same density"
    )
    position_frequencies: int = Field(10, ge=1, le=16, description="octaves of the positional code, from pi / metre")
    direction_frequencies: int = Field(10, ge=1, le=16, description="octaves of the code of view directions")

    @model_validator(mode="after")
    def _directions(self) -> FieldConfig:
        if self.directions == "moved" and self.frame == "world":
            raise ValueError("directions: 'moved' is about source cameras' frames; with frame 'world' use 'rotated'")
        return self


class RayConfig(Config):
    """Sampling along rays."""

    near: Depth = Field(0.3, gt=0, description="first depth along a ray, metres")
    far: Depth = Field(1.3, gt=0, description="last depth along a ray, metres")
    coarse_samples: int = Field(64, ge=2, description="stratified samples of the coarse network")
    fine_samples: int = Field(64, ge=1, description="importance samples; the fine network sees the union")
    heights: tuple[Depth, Depth] | None = Field(
        None,
        description="lowest and highest z in the world, metres: samples lie between them where a ray gets there "
        "(not in the paper: fewer samples, and closer ones where objects can be); null: from near to far everywhere",
    )

    @model_validator(mode="after")
    def _ordered(self) -> RayConfig:
        if self.far <= self.near:
            raise ValueError(f"rays: far must lie beyond near, got near={self.near}, far={self.far}")
        if self.heights is not None and not self.heights[0] < self.heights[1]:
            raise ValueError(f"rays: heights are the lower and the higher one, got {list(self.heights)}")
        return self


class PretrainConfig(Config):
    """Novel view synthesis (Sec. 3.1 by reference; Soti et al. 2024)."""

    opt_in: ClassVar[frozenset[str]] = frozenset({"calibration", "object_share"})
    calibration: CalibrationErrors | None = Field(
        None, description="errors of the source views' stated cameras (not in the paper); null: known exactly"
    )
    steps: int = Field(500_000, ge=1, description="optimizer steps")
    scenes_per_step: int = Field(4, ge=1, description="scenes in a batch")
    rays_per_scene: int = Field(512, ge=1, description="rays per scene and step")
    contrast_share: float = Field(
        0.0, ge=0, le=1, description="share of rays drawn where the image has local contrast; the rest uniformly"
    )
    object_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of rays drawn through random points of the objects' surfaces, besides contrast_share, in "
        "training alone; needs the simulator's state (not in the paper); null: none",
    )
    background: Literal["black", "random"] = Field(
        "black",
        description="behind what rays did not stop at, in training: 'random' colours make surfaces opaque sooner",
    )
    half_size_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the steps, the first ones, that see source images at half their size (not in the paper: "
        "the encoder then costs a quarter); the colours of rays keep theirs",
    )
    source_views: int = Field(1, ge=1, description="most source views a step may use")
    fewest_source_views: int = Field(1, ge=1, description="fewest source views a step may use")
    learning_rate: float = Field(1e-4, gt=0, description="Adam, radiance fields with their read-outs")
    encoder_learning_rate: float = Field(1e-5, gt=0, description="Adam, image encoder")
    warmup_steps: int = Field(10_000, ge=0, description="linear warm-up")
    decay: Literal["step", "cosine"] = Field("step", description="'step' falls once, 'cosine' gradually")
    decay_factor: float = Field(0.1, gt=0, le=1, description="learning rate at the end over that after the warm-up")
    decay_at: float = Field(0.9, gt=0, le=1, description="share of the steps after which 'step' decays")
    gradient_clip: float = Field(1.0, gt=0, description="gradients are clipped by value")
    checkpoint_every: int = Field(5_000, ge=1, description="steps between checkpoints")
    log_every: int = Field(500, ge=1, description="steps between logged losses")
    scenes_in_memory: int = Field(64, ge=1, description="scenes of demonstrations kept decoded")
    validation_views: int = Field(16, ge=1, description="held-out views rendered at the end")

    @model_validator(mode="after")
    def _views(self) -> PretrainConfig:
        if self.fewest_source_views > self.source_views:
            raise ValueError("training: fewest_source_views must not exceed source_views")
        if self.contrast_share + (self.object_share or 0) > 1:
            raise ValueError(
                f"training: contrast_share and object_share are shares of the same rays, 1 together at most, got "
                f"{self.contrast_share:g} and {self.object_share:g}"
            )
        return self


class NerfConfig(Config):
    """Phi, the multi-view image-conditioned NeRF, and its pre-training."""

    encoder: EncoderConfig = Field(VisionEncoderConfig(), description="image encoder")
    field: FieldConfig = Field(FieldConfig(), description="radiance fields, coarse and fine alike")
    rays: RayConfig = Field(RayConfig(), description="sampling along rays")
    training: PretrainConfig = Field(PretrainConfig(), description="pre-training")
    precision: Literal["fp32", "bf16", "auto"] = Field(
        "fp32",
        description=(
            "of the encoder's and the MLP's products; 'auto' takes bf16 where the device that computes is measurably "
            "faster with it. Slopes are learned in fp32 in any case"
        ),
    )
    frozen_precision: Literal["fp32", "bf16", "auto"] | None = Field(
        None, description="of the trained MLP, in renderings, under Psi and in plans; null: `precision`"
    )

    @property
    def precision_in_use(self) -> Literal["fp32", "bf16", "auto"]:
        """Of the trained Phi."""
        return self.frozen_precision or self.precision
