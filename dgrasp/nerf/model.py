"""Phi: the multi-view image-conditioned NeRF (MVNeRF; Soti et al. 2024, after VisionNeRF)."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dgrasp.cameras import check_intrinsics, pixels_of
from dgrasp.checks import check_like, check_numbers, check_unit, described
from dgrasp.nerf.blocks import initialise
from dgrasp.nerf.config import ImagenetEncoderConfig, NerfConfig, VisionEncoderConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.encoder import ConvolutionEncoder
from dgrasp.nerf.field import RadianceField
from dgrasp.nerf.imagenet_encoder import ImagenetEncoder
from dgrasp.nerf.precision import check_precision, resolve_precision
from dgrasp.nerf.sampling import sample_bilinear
from dgrasp.nerf.vit import VisionEncoder
from dgrasp.poses import check_poses, invert, transform_points
from dgrasp.streams import torch_generator

SMALLEST_IMAGE = 4  # pixels: its feature map at half resolution still has neighbours to interpolate


class MVNeRF(nn.Module):
    """Image encoder with a coarse and a fine radiance field."""

    def __init__(self, config: NerfConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.coarse = RadianceField(config.field, self.encoder.channels)
        self.fine = RadianceField(config.field, self.encoder.channels)
        self.precision: str = config.precision

    @property
    def compute_dtype(self) -> torch.dtype | None:
        """What the blocks compute in on the device that the weights are on now; None: the dtype of the queries."""
        return resolve_precision(self.precision, self.fine.readout.weight.device.type)

    def with_precision(self, precision: str) -> MVNeRF:
        """Compute the blocks in "fp32" (the dtype of the queries), "bf16", or "auto"; returns itself."""
        check_precision(precision)
        self.precision = precision
        return self

    @property
    def activation_count(self) -> int:
        """Scene activations per query: the mean over views and each shared block."""
        return 1 + self.config.field.blocks_shared

    def encode(
        self,
        images: Float[Tensor, "b v 3 h w"],
        K: Float[Tensor, "b v 3 3"],
        Ts_world_cam: Float[Tensor, "b v 4 4"],
    ) -> EncodedViews:
        """Feature maps of calibrated images with colours in [0, 1]. Call `project` once before many `activations`.

        Raises ValueError for images without calibration, calibration that is none, and colours out of range.
        """
        _check_images(images, K, Ts_world_cam, self.fine.first.weight)
        b, v = images.shape[:2]
        features = self._encoded(images.flatten(0, 1)).permute(0, 2, 3, 1)
        rgb = images.permute(0, 1, 3, 4, 2).mul(2).sub(1).contiguous()
        return EncodedViews(rgb, features.contiguous().unflatten(0, (b, v)), K, Ts_world_cam)

    def _encoded(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c hh ww"]:
        """The encoder's maps, in `config.precision`: that of the step's autocast in pre-training, else one of ours."""
        device = images.device.type
        if torch.is_autocast_enabled(device) or resolve_precision(self.config.precision, device) is None:
            return self.encoder(images)
        with torch.autocast(device, torch.bfloat16):
            return self.encoder(images).to(images.dtype)

    def project(self, enc: EncodedViews) -> EncodedViews:
        """`enc` with the fine network's share of each map worked out, so that queries need not repeat it."""
        return replace(enc, fine=self.fine.project(enc.features))

    def activations(
        self,
        enc: EncodedViews,
        points: Float[Tensor, "b n 3"] | Float[Tensor, "b n s 3"],
        directions: Float[Tensor, "b n 3"],
    ) -> Float[Tensor, "b n ... a hidden"]:
        """Scene activations of the fine network at points (metres, world) seen along unit directions (world).

        `points` (b, n, 3) have one direction each and give (b, n, a, hidden); `points` (b, n, s, 3) share each
        direction among s points, which costs less, and give (b, n, s, a, hidden); a is `activation_count`.
        They come in the precision of the blocks (see `with_precision`). Differentiable in points and directions,
        in reverse and in forward mode.

        Raises ValueError for queries of another shape or dtype, NaN, and directions that are not of unit length.
        """
        _check_queries(enc, points, directions, self.fine.first.weight)
        projected = enc.fine if enc.fine is not None else self.fine.project(enc.features)
        shared = points.ndim == 4
        out = self.query(self.fine, enc, projected, points if shared else points[:, :, None], directions)
        return out if shared else out.squeeze(2)

    def query(
        self,
        field: RadianceField,
        enc: EncodedViews,
        projected: Float[Tensor, "b v hh ww hidden"],
        points: Float[Tensor, "b n s 3"],
        directions: Float[Tensor, "b n 3"],
        last: bool = False,
    ) -> Float[Tensor, "b n s activations hidden"]:
        """Activations of one field (or the last one alone): project into each view, sample, run the MLP."""
        b, v, (n, s) = len(enc), enc.views, points.shape[1:3]
        Ts_cam_world = invert(enc.Ts_world_cam).to(points.dtype)
        p_world, d_world = points.reshape(b, 1, n * s, 3), directions[:, None]
        p_cam = transform_points(Ts_cam_world, p_world)
        uv = pixels_of(enc.K.to(points.dtype), p_cam).flatten(0, 1)
        rgb = sample_bilinear(enc.rgb.flatten(0, 1).to(points.dtype), uv)
        scale = uv.new_tensor(1.0 / self.encoder.stride)  # pixel (u, v) of a symmetric stride-2 map is at (u/2, v/2)
        features = sample_bilinear(projected.flatten(0, 1).to(points.dtype), uv * scale)
        in_camera = self.config.field.frame == "camera"
        p, d = (p_cam, field.directions_in(Ts_cam_world, d_world)) if in_camera else (p_world, d_world)
        return field(
            p.unflatten(2, (n, s)),
            d[..., None, :],
            rgb.view(b, v, n, s, 3),
            features.view(b, v, n, s, -1),
            self.compute_dtype,
            last,
        )


def build_nerf(config: NerfConfig, seed: int = 0) -> MVNeRF:
    """A freshly initialised Phi; equal seeds give equal weights. A ViT takes ImageNet weights if a file is named,
    the encoder `imagenet` those of its package: raises MissingWeightsError where that is not installed."""
    phi = MVNeRF(config)
    initialise(phi, torch_generator(seed, "nerf", "weights"))
    if isinstance(phi.encoder, VisionEncoder) and phi.encoder.config.weights is not None:
        phi.encoder.transformer.load_imagenet()
    if isinstance(phi.encoder, ImagenetEncoder):
        phi.encoder.load_imagenet()
    return phi


def _encoder(config: NerfConfig) -> ConvolutionEncoder | VisionEncoder | ImagenetEncoder:
    if isinstance(config.encoder, VisionEncoderConfig):
        return VisionEncoder(config.encoder)
    if isinstance(config.encoder, ImagenetEncoderConfig):
        return ImagenetEncoder(config.encoder)
    return ConvolutionEncoder(config.encoder)


def _check_images(images: Tensor, K: Tensor, Ts_world_cam: Tensor, weights: Tensor) -> None:
    if not isinstance(images, Tensor) or images.ndim != 5 or images.shape[2] != 3 or images.numel() == 0:
        raise ValueError(
            f"images: expected shape (scenes, views, 3, height, width) with sizes of 1 or more, got {described(images)}"
        )
    if min(images.shape[-2:]) < SMALLEST_IMAGE:
        raise ValueError(
            f"images: expected height and width of {SMALLEST_IMAGE} pixels or more, got {tuple(images.shape[-2:])}"
        )
    for name, array, size in (("K", K, 3), ("Ts_world_cam", Ts_world_cam, 4)):
        expected = (*images.shape[:2], size, size)
        if not isinstance(array, Tensor) or array.shape != expected:
            raise ValueError(f"{name}: expected shape {expected}, one calibration per image, got {described(array)}")
    check_intrinsics(K, "K")
    check_poses(Ts_world_cam, "Ts_world_cam")
    low, high = images.min(), images.max()
    if not images.is_floating_point() or not bool((low >= 0) & (high <= 1)):
        got = f"{images.dtype} from {float(low):g} to {float(high):g}"
        raise ValueError(f"images: expected floating point colours in [0, 1] without NaN, got {got}")
    check_like(images, "images", weights, "the weights of Phi")


def _check_queries(enc: EncodedViews, points: Tensor, directions: Tensor, weights: Tensor) -> None:
    if not isinstance(enc, EncodedViews):
        raise ValueError(f"enc: expected EncodedViews, as `encode` returns them, got {described(enc)}")
    expected = f"({len(enc)}, n, 3) or ({len(enc)}, n, s, 3), one batch entry per encoded scene"
    check_numbers(points, "points", expected, (3, 4), (3,))
    if len(points) != len(enc):
        raise ValueError(f"points: expected shape {expected}, got {tuple(points.shape)}")
    shape = (*points.shape[:2], 3)
    if not isinstance(directions, Tensor) or directions.shape != shape:
        raise ValueError(f"directions: expected shape {shape} to go with the points, got {described(directions)}")
    check_unit(directions, "directions")
    for name, x in (("points", points), ("directions", directions)):
        check_like(x, name, weights, "the weights of Phi")
    if enc.fine is not None and enc.fine.shape[-1] != len(weights):
        raise ValueError(f"enc: projected for a field of width {enc.fine.shape[-1]}, this one has {len(weights)}")
