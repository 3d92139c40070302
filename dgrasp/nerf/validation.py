"""Quality of Phi on held-out scenes: whole novel views against the images of the simulator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float

from dgrasp.cameras import Views
from dgrasp.devices import Worker
from dgrasp.nerf.batches import HasViews, source_tensors
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.object_masks import object_mask
from dgrasp.nerf.quality import psnr, ssim
from dgrasp.nerf.rendering import render_view
from dgrasp.streams import rng


class Demonstrated(HasViews, Protocol):
    """What the validation needs of a demonstration: views, and where objects are (for the mask alone)."""

    @property
    def state(self) -> Any: ...


class NovelView(NamedTuple):
    """A rendered view of a held-out scene beside the simulator's image; colours in [0, 1], depth in metres.

    mask: pixels that show an object.
    """

    scene: int
    sources: Views
    target: Views
    rgb: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    mask: Bool[np.ndarray, "h w"]

    @property
    def reference(self) -> Float[np.ndarray, "h w 3"]:
        return self.target.images[0].astype(np.float32) / 255


def novel_views(
    phi: MVNeRF,
    scenes: Sequence[Demonstrated],
    count: int,
    sources: int,
    seed: int,
    worker: Worker | None = None,
    beyond: int | None = None,
) -> Iterator[NovelView]:
    """Render one view of each of `count` evenly spaced scenes from `sources` others of the same scene.

    worker: this process among several, which render every n-th of them. beyond: so many views are set aside as sources,
    `sources` of which are used: the same view is rendered from one and from two. Default: as many as are used.
    """
    device = next(phi.parameters()).device
    rank, processes = (worker.rank, worker.count) if worker else (0, 1)
    if not len(scenes):
        return
    for i in np.unique(np.linspace(0, len(scenes) - 1, count).astype(int))[rank::processes].tolist():
        yield _novel_view(phi, scenes[i], i, sources, beyond or sources, seed, device)


@torch.no_grad()
def _novel_view(
    phi: MVNeRF, scene: Demonstrated, i: int, sources: int, aside: int, seed: int, device: torch.device
) -> NovelView:
    views = scene.views
    order = rng(seed, "nerf", "validation", i).permutation(len(views))
    given, target = views[order[:sources]], views[order[aside : aside + 1]]
    enc = phi.encode(*(x.to(device) for x in source_tensors([given])))
    _, K, T_world_cam = (x.to(device) for x in source_tensors([target]))
    height, width = target.images.shape[1:3]
    rgb, depth = render_view(phi, enc, K[0, 0], T_world_cam[0, 0], width, height)
    mask = object_mask(scene.state.objects, target.K[0], target.Ts_world_cam[0], height, width)
    return NovelView(i, given, target, rgb.float().cpu().numpy(), depth.float().cpu().numpy(), mask)


def validate(
    phi: MVNeRF, scenes: Sequence[Demonstrated], seed: int = 0, worker: Worker | None = None
) -> dict[str, float]:
    """Means over novel views of held-out scenes: PSNR (dB) of whole images and of object pixels alone, and SSIM.

    Nothing where no scene is held out, as of few demonstrations of one's own. worker: this process among several that
    share the views; all of them must call, and all get the means.
    """
    if not len(scenes):
        return {}
    config, worker = phi.config.training, worker or Worker(next(phi.parameters()).device)
    views = list(novel_views(phi, scenes, config.validation_views, config.source_views, seed, worker))
    scores = {
        "psnr": [psnr(v.rgb, v.reference) for v in views],
        "psnr_objects": [psnr(v.rgb, v.reference, v.mask) for v in views if v.mask.any()],
        "ssim": [ssim(v.rgb, v.reference) for v in views],
    }
    sums = worker.add_numbers({name: sum(values) for name, values in scores.items()})
    counts = worker.add_numbers({name: len(values) for name, values in scores.items()})
    return {name: sums[name] / counts[name] if counts[name] else math.nan for name in scores}
