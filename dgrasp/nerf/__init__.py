"""Phi: image encoder, radiance fields, volume rendering, pre-training."""

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF, build_nerf

__all__ = ["EncodedViews", "MVNeRF", "NerfConfig", "build_nerf"]
