"""PSNR and SSIM on images with known answers."""

import math

import numpy as np
import pytest

from dgrasp.nerf.quality import psnr, ssim


def test_psnr_of_a_known_error():
    reference = np.full((8, 8, 3), 0.5)
    assert psnr(reference + 0.1, reference) == pytest.approx(20.0)
    assert psnr(reference, reference) == math.inf


def test_psnr_over_a_mask_counts_its_pixels_only():
    reference, mask = np.zeros((8, 8, 3)), np.zeros((8, 8), bool)
    image = reference.copy()
    image[0, 0], mask[0, :2] = 0.1, True
    assert psnr(image, reference, mask) == pytest.approx(-10 * math.log10(0.01 / 2))
    with pytest.raises(ValueError, match="mask: selects no pixel"):
        psnr(image, reference, np.zeros((8, 8), bool))


def test_ssim_of_equal_and_of_unrelated_images():
    random = np.random.default_rng(0)
    image = random.random((32, 32, 3))
    assert ssim(image, image) == pytest.approx(1.0)
    assert ssim(image, random.random((32, 32, 3))) < 0.1
