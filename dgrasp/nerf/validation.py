"""Quality of Phi on held-out scenes: whole novel views against the images of the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.nerf.batches import HasViews, source_tensors
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.quality import psnr, ssim
from dgrasp.nerf.rendering import render_view
from dgrasp.streams import rng


class NovelView(NamedTuple):
    """A rendered view of a held-out scene beside the simulator's image; colours in [0, 1], depth in metres."""

    scene: int
    sources: Views
    target: Views
    rgb: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]

    @property
    def reference(self) -> Float[np.ndarray, "h w 3"]:
        return self.target.images[0].astype(np.float32) / 255


@torch.no_grad()
def novel_views(phi: MVNeRF, scenes: Sequence[HasViews], count: int, sources: int, seed: int) -> Iterator[NovelView]:
    """Render one view of each of `count` evenly spaced scenes from `sources` others of the same scene."""
    device = next(phi.parameters()).device
    for i in np.unique(np.linspace(0, len(scenes) - 1, count).astype(int)).tolist():
        views = scenes[i].views
        order = rng(seed, "nerf", "validation", i).permutation(len(views))[: sources + 1]
        given, target = views[order[:-1]], views[order[-1:]]
        enc = phi.encode(*(x.to(device) for x in source_tensors([given])))
        _, K, T_world_cam = (x.to(device) for x in source_tensors([target]))
        height, width = target.images.shape[1:3]
        rgb, depth = render_view(phi, enc, K[0, 0], T_world_cam[0, 0], width, height)
        yield NovelView(i, given, target, rgb.float().cpu().numpy(), depth.float().cpu().numpy())


def validate(phi: MVNeRF, scenes: Sequence[HasViews], seed: int = 0) -> dict[str, float]:
    """Mean PSNR (dB) and SSIM over whole novel views of held-out scenes."""
    config = phi.config.training
    views = list(novel_views(phi, scenes, config.validation_views, config.source_views, seed))
    return {
        "psnr": float(np.mean([psnr(view.rgb, view.reference) for view in views])),
        "ssim": float(np.mean([ssim(view.rgb, view.reference) for view in views])),
    }
