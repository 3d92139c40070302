"""How close a rendered image is to a real one."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from skimage.metrics import structural_similarity


def psnr(
    image: Float[np.ndarray, "h w 3"],
    reference: Float[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "h w"] | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB of colours in [0, 1], over all pixels or those of `mask`.

    Raises ValueError for different shapes or an empty mask. Equal images give infinity.
    """
    if image.shape != reference.shape:
        raise ValueError(f"image: expected the reference's shape {reference.shape}, got {image.shape}")
    if mask is not None and not mask.any():
        raise ValueError("mask: selects no pixel")
    squared = np.square(image.astype(np.float64) - reference)
    error = float(squared.mean() if mask is None else squared[mask].mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: Float[np.ndarray, "h w 3"], reference: Float[np.ndarray, "h w 3"]) -> float:
    """Structural similarity of colours in [0, 1] (Wang et al. 2004, Gaussian weights), over pixels and channels."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(image, reference, channel_axis=-1, data_range=1.0, **options))
