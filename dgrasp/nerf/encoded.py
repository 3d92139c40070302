"""Encoded observations: everything Phi needs to know of the images, computed once per image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class EncodedViews:
    """Feature maps of `batch` scenes with `views` calibrated images each; an immutable value.

    rgb: colours in [-1, 1], channels last.
    features: the encoder's map (half resolution), channels last. What a cache on disk or in memory keeps.
    K, Ts_world_cam: intrinsics in pixels of `rgb`, and camera poses in the world (metres).
    fine: the map already multiplied with the fine network's first layer (`MVNeRF.project`), or None. It belongs to
        the weights it was made with.
    """

    rgb: Float[Tensor, "batch views h w 3"]
    features: Float[Tensor, "batch views hh ww c"]
    K: Float[Tensor, "batch views 3 3"]
    Ts_world_cam: Float[Tensor, "batch views 4 4"]
    fine: Float[Tensor, "batch views hh ww hidden"] | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            x, ndim = getattr(self, f.name), 4 if f.name in ("K", "Ts_world_cam") else 5
            if x is not None and (x.ndim != ndim or x.shape[:2] != self.features.shape[:2]):
                raise ValueError(
                    f"{f.name}: expected {ndim} dimensions (batch, views, ...), got shape {tuple(x.shape)} beside "
                    f"features of shape {tuple(self.features.shape)}; index scenes with a slice, enc[i : i + 1]"
                )

    def __len__(self) -> int:
        return self.features.shape[0]

    @property
    def views(self) -> int:
        """Images per scene."""
        return self.features.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Storage type of the maps."""
        return self.features.dtype

    @property
    def device(self) -> torch.device:
        return self.features.device

    def __getitem__(self, scenes: slice | list[int] | Tensor) -> EncodedViews:
        """A selection of scenes; index with a slice, list or tensor so that the batch dimension stays."""
        return self._map(lambda x: x[scenes])

    def single_views(self) -> EncodedViews:
        """Each view as a scene of its own: batch becomes `batch * views` (scene-major), views becomes 1."""
        return self._map(lambda x: x.flatten(0, 1)[:, None])

    def to(self, target: torch.device | str | torch.dtype) -> EncodedViews:
        """On another device, or with the maps stored in another dtype (calibration keeps its precision)."""
        if isinstance(target, torch.dtype):
            fine = None if self.fine is None else self.fine.to(target)
            return replace(self, rgb=self.rgb.to(target), features=self.features.to(target), fine=fine)
        return self._map(lambda x: x.to(target))

    @staticmethod
    def concatenate(parts: Iterable[EncodedViews]) -> EncodedViews:
        """Join batches of scenes with equally many views and equal sizes."""
        parts = list(parts)
        if not parts:
            raise ValueError("EncodedViews.concatenate: no parts given")
        return EncodedViews(**{f.name: _cat([getattr(part, f.name) for part in parts]) for f in fields(EncodedViews)})

    def _map(self, change: Callable[[Tensor], Tensor]) -> EncodedViews:
        return EncodedViews(**{f.name: _apply(change, getattr(self, f.name)) for f in fields(self)})


def _apply(change: Callable[[Tensor], Tensor], x: Any) -> Any:
    return x if x is None else change(x)


def _cat(column: list[Any]) -> Any:
    return None if any(x is None for x in column) else torch.cat(column)
