"""Cameras stated with errors: what a draw is, and batches of Phi with and without."""

from __future__ import annotations

import numpy as np
import synthetic
import torch
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cell.miscalibration import CalibrationErrors, misstated
from dgrasp.cell.transforms import inverse
from dgrasp.nerf.batches import draw_batch
from dgrasp.nerf.config import NerfConfig, PretrainConfig

NONE = dict.fromkeys(("hand_eye_shift", "hand_eye_turn", "arm_shift", "focal_share", "centre_share"), 0.0)


def test_views_of_an_observation_share_the_error_of_the_hand_and_none_exceeds_what_is_allowed() -> None:
    views, errors = synthetic.scene(0).views, CalibrationErrors(**{**NONE, "hand_eye_shift": 0.01, "hand_eye_turn": 2})
    sizes = []
    for k in range(200):
        _, Ts = misstated(views.K, views.Ts_world_cam, 16, errors, streams.rng(0, k))
        E = inverse(views.Ts_world_cam[0]) @ Ts[0]
        assert np.allclose(E, inverse(views.Ts_world_cam[3]) @ Ts[3], atol=1e-12)
        sizes.append((np.linalg.norm(E[:3, 3]), np.degrees(Rotation.from_matrix(E[:3, :3]).magnitude())))
    assert 0.009 < max(s for s, _ in sizes) <= 0.01 and 1.8 < max(a for _, a in sizes) <= 2.0
    assert 0.004 < np.mean([s for s, _ in sizes]) < 0.006


def test_intrinsics_keep_square_pixels_and_scatter_as_said() -> None:
    views, errors = synthetic.scene(0).views, CalibrationErrors(**{**NONE, "focal_share": 0.01, "centre_share": 0.01})
    K = np.stack([misstated(views.K, views.Ts_world_cam, 16, errors, streams.rng(1, k))[0][0] for k in range(300)])
    assert np.allclose(K[:, 0, 0] / views.K[0, 0, 0], K[:, 1, 1] / views.K[0, 1, 1])
    assert 0.008 < (K[:, 0, 0] / views.K[0, 0, 0]).std() < 0.012
    assert 0.13 < (K[:, 0, 2] - views.K[0, 0, 2]).std() < 0.19


def test_batches_without_errors_are_those_of_before() -> None:
    scenes = [synthetic.scene(i) for i in range(3)]
    settings = {"scenes_per_step": 2, "rays_per_scene": 8, "source_views": 2, "fewest_source_views": 2}
    assert "calibration" not in NerfConfig().canonical()
    plain, exact, off = (
        draw_batch(scenes, PretrainConfig.model_validate({**settings, **more}), 0, 5)
        for more in ({}, {"calibration": NONE}, {"calibration": {}})
    )
    for name in vars(plain):
        assert torch.equal(getattr(plain, name), getattr(exact, name))
        same = torch.equal(getattr(plain, name), getattr(off, name))
        assert same == (name not in ("K", "Ts_world_cam")), "the colours of rays belong to where they truly are"
