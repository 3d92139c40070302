"""Phi: image encoder, radiance fields, volume rendering, pre-training."""

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF, build_nerf
from dgrasp.nerf.pretrain import load_nerf, pretrain
from dgrasp.nerf.rendering import render_rays, render_view

__all__ = ["EncodedViews", "MVNeRF", "NerfConfig", "build_nerf", "load_nerf", "pretrain", "render_rays", "render_view"]
