"""Rays for pre-training: scenes, source views, target pixels and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import uniform_filter
from torch import Tensor
from torch.nn import functional as F

from dgrasp.cameras import Views, pixel_rays
from dgrasp.cell.miscalibration import CalibrationErrors, misstated
from dgrasp.nerf.config import PretrainConfig
from dgrasp.nerf.object_masks import Solid, pixels_of_objects
from dgrasp.streams import rng

CONTRAST_WINDOW = 1 / 6  # our choice: share of the image's width, about twice an object on the board


class HasViews(Protocol):
    """What Phi needs of a demonstration."""

    @property
    def views(self) -> Views: ...


@dataclass(frozen=True)
class RayBatch:
    """Source views of b scenes, and n rays through another view of each with the colours they should see."""

    images: Float[Tensor, "b v 3 h w"]
    K: Float[Tensor, "b v 3 3"]
    Ts_world_cam: Float[Tensor, "b v 4 4"]
    origins: Float[Tensor, "b n 3"]
    directions: Float[Tensor, "b n 3"]
    rgb: Float[Tensor, "b n 3"]

    def to(self, device: torch.device | str) -> RayBatch:
        return RayBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def part(self, scenes: slice) -> RayBatch:
        """Some of the scenes."""
        return RayBatch(*(getattr(self, f.name)[scenes] for f in fields(self)))


def source_tensors(views: Sequence[Views]) -> tuple[Tensor, Tensor, Tensor]:
    """Images (b, v, 3, h, w) in [0, 1], K (b, v, 3, 3) and Ts_world_cam (b, v, 4, 4), float32."""
    images = torch.from_numpy(np.stack([v.images for v in views])).permute(0, 1, 4, 2, 3).float() / 255
    K = torch.from_numpy(np.stack([v.K for v in views])).float()
    return images, K, torch.from_numpy(np.stack([v.Ts_world_cam for v in views])).float()


def draw_batch(scenes: Sequence[HasViews], config: PretrainConfig, seed: int, step: int) -> RayBatch:
    """The batch of a step: it depends on (seed, step) alone, so that a resumed run repeats it.

    Sources and target of a scene are drawn without replacement from its views. Raises ValueError if a scene has
    too few of them, if there is no scene, and if `object_share` asks for objects that a demonstration does not state.
    """
    if len(scenes) == 0:
        raise ValueError("scenes: expected 1 demonstration or more, got none")
    random = rng(seed, "nerf", "batch", step)
    sources = int(random.integers(config.fewest_source_views, config.source_views + 1))
    chosen = random.choice(len(scenes), config.scenes_per_step, replace=len(scenes) < config.scenes_per_step)
    picked, rays = [], []
    for index in chosen:
        views = scenes[int(index)].views
        if len(views) <= config.source_views:
            raise ValueError(
                f"source_views: {config.source_views} sources and a target need {config.source_views + 1} views "
                f"of a scene, the demonstrations have {len(views)}; generate more views or use fewer sources"
            )
        order = random.permutation(len(views))[: sources + 1]
        picked.append(views[order[:-1]])
        solids = _solids(scenes[int(index)]) if config.object_share else ()
        rays.append(_target_rays(views[order[-1:]], config, random, solids))
    origins, directions, rgb = (torch.stack(column) for column in zip(*rays, strict=True))
    if config.calibration is not None:
        picked = _misstated(picked, config.calibration, rng(seed, "nerf", "calibration", step))
    return RayBatch(*source_tensors(picked), origins, directions, rgb)


def _misstated(scenes: Sequence[Views], errors: CalibrationErrors, random: np.random.Generator) -> list[Views]:
    """Source views whose cameras are stated with errors, scene by scene; target rays stay where they are."""
    return [Views(v.images, *misstated(v.K, v.Ts_world_cam, v.images.shape[2], errors, random)) for v in scenes]


def _solids(scene: HasViews) -> Sequence[Solid]:
    state = getattr(scene, "state", None)
    if state is None:
        raise ValueError(
            "object_share: needs demonstrations with the simulator's state, these have none; leave it out (null)"
        )
    solids: Sequence[Solid] = state.objects
    return solids


def _target_rays(
    target: Views, config: PretrainConfig, random: np.random.Generator, solids: Sequence[Solid] = ()
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays through pixels of one view: uniform, and shares of them where there is contrast, and through objects."""
    height, width = target.images.shape[1:3]
    pixels = random.integers(height * width, size=config.rays_per_scene)
    drawn = round(config.contrast_share * config.rays_per_scene)
    if drawn:
        contrast = local_contrast(target.images[0]).ravel()
        pixels[:drawn] = random.choice(height * width, size=drawn, p=contrast / contrast.sum())
    if config.object_share:
        asked = min(round(config.object_share * config.rays_per_scene), config.rays_per_scene - drawn)
        at = np.rint(pixels_of_objects(solids, target.K[0], target.Ts_world_cam[0], asked, random))
        at = at[(at >= 0).all(axis=1) & (at < (width, height)).all(axis=1)].astype(int)
        pixels[drawn : drawn + len(at)] = at[:, 1] * width + at[:, 0]
    v, u = np.divmod(pixels, width)
    uv = torch.from_numpy(np.stack([u, v], axis=-1)).double()
    origins, directions = pixel_rays(torch.from_numpy(target.K[0]), torch.from_numpy(target.Ts_world_cam[0]), uv)
    rgb = torch.from_numpy(target.images[0, v, u]).float() / 255
    return origins.float(), directions.float(), rgb


def halved(batch: RayBatch) -> RayBatch:
    """The batch with source images of half the size, each pixel the mean of four, and their intrinsics.

    Pixel centres are integers: the first small pixel's lies at (0.5, 0.5) of the large ones.
    """
    images = F.avg_pool2d(batch.images.flatten(0, 1), 2).unflatten(0, batch.images.shape[:2])
    shift = batch.K.new_tensor([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    return replace(batch, images=images, K=shift @ batch.K)


def local_contrast(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """How far each pixel's hue lies from that of its neighbourhood: small coloured objects stand out, brightness does
    not count. Positive everywhere: a floor of one grey level is added.
    """
    colours = image.astype(np.float64) / 255
    colours -= colours.mean(-1, keepdims=True)
    window = max(3, round(CONTRAST_WINDOW * image.shape[1]))
    return np.abs(colours - uniform_filter(colours, size=(window, window, 1))).mean(-1) + 1 / 255
