"""Pinhole cameras: the convention, projection against rays, and views that refuse wrong calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dgrasp.cameras import Intrinsics, Views, look_at, pixel_rays, pixels_of, project, view_from_sphere, visible
from dgrasp.poses import check_poses, transform_points

K = torch.tensor([[450.0, 0, 320], [0, 450, 240], [0, 0, 1]], dtype=torch.float64)
CENTRE = torch.tensor([0.2, 0.0, 0.9605], dtype=torch.float64)


def camera(azimuth: float = 0.7, polar: float = 0.8) -> torch.Tensor:
    return view_from_sphere(CENTRE, 0.8, azimuth, polar)


def test_the_target_is_in_the_middle_at_its_distance():
    uv, depth = project(K, camera(), CENTRE[None])
    torch.testing.assert_close(uv[0], torch.tensor([320.0, 240.0], dtype=torch.float64))
    assert float(depth[0]) == pytest.approx(0.8)


def test_up_in_the_world_is_up_in_the_image_and_the_image_is_not_mirrored():
    above = CENTRE + torch.tensor([0.0, 0.0, 0.05])
    left_of_camera = view_from_sphere(
        CENTRE, 0.8, 0.0, 0.8
    )  # stands at +x and looks along -x: world +y is on its right
    uv, _ = project(K, left_of_camera, torch.stack([above, CENTRE + torch.tensor([0.0, 0.05, 0.0])]))
    assert float(uv[0, 1]) < 240 and float(uv[0, 0]) == pytest.approx(320)
    assert float(uv[1, 0]) > 320 and float(uv[1, 1]) == pytest.approx(240)


@pytest.mark.parametrize("azimuth", [-2.6, 0.0, 1.0, 2.6])
@pytest.mark.parametrize("polar", [math.radians(30), math.radians(60)])
def test_cameras_are_rigid_and_stand_on_the_sphere(azimuth, polar):
    T_world_cam = check_poses(camera(azimuth, polar), tolerance=1e-9)
    offset = T_world_cam[:3, 3] - CENTRE
    assert float(offset.norm()) == pytest.approx(0.8)
    assert math.atan2(offset[1], offset[0]) == pytest.approx(azimuth)
    assert math.acos(offset[2] / 0.8) == pytest.approx(polar)


def test_looking_straight_down_has_no_upward_direction():
    with pytest.raises(ValueError, match="one vertical"):
        look_at(CENTRE + torch.tensor([0.0, 0.0, 1.0]), CENTRE)


def test_cameras_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="eye and target must be two points some way apart"):
        look_at(CENTRE, CENTRE)
    with pytest.raises(ValueError, match="radius: expected a positive number"):
        view_from_sphere(CENTRE, -0.8, 0.0, 0.5)
    with pytest.raises(ValueError, match=r"fx: expected a positive number, got 0\.0"):
        Intrinsics(640, 480, 0.0, 617.0, 320.0, 240.0)
    with pytest.raises(ValueError, match="cy: expected a finite number, got nan"):
        Intrinsics(640, 480, 617.0, 617.0, 320.0, math.nan)
    with pytest.raises(ValueError, match="width: expected a positive whole number of pixels, got 0"):
        Intrinsics.d415(0, 48)


INF, NAN, ORIGIN = math.inf, math.nan, torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: look_at(torch.tensor([INF, 0.0, 1.0]), ORIGIN), r"eye: contains NaN or infinite entries, first inf"),
        (lambda: look_at(CENTRE, CENTRE * NAN), "target: contains NaN or infinite entries, first nan"),
        (lambda: look_at(torch.full((3,), 3e38), torch.full((3,), -3e38)), "two points some way apart"),
        (lambda: look_at((0.0, 0.0, 1.0), ORIGIN), r"eye: expected a tensor of shape \(3,\), got tuple"),
        (lambda: look_at(torch.ones(2, 3), ORIGIN), r"eye: expected a tensor of shape \(3,\), got \(2, 3\)"),
        (lambda: view_from_sphere(CENTRE, 0.8, INF, 0.5), "azimuth: expected a finite number of radians, got inf"),
        (lambda: view_from_sphere(CENTRE, 0.8, 0.0, "0.5"), "polar: expected a finite number of radians, got '0.5'"),
        (lambda: view_from_sphere(CENTRE, "0.8", 0.0, 0.5), "radius: expected a positive number of metres, got '0.8'"),
        (lambda: view_from_sphere(CENTRE * INF, 0.8, 0.0, 0.5), "centre: contains NaN or infinite entries"),
        (lambda: Intrinsics("640", 480, 617.0, 617.0, 320.0, 240.0), "width: expected .* whole number .* got '640'"),
        (lambda: Intrinsics(640.5, 480, 617.0, 617.0, 320.0, 240.0), "width: expected .* whole number .* got 640.5"),
        (lambda: Intrinsics(640, True, 617.0, 617.0, 320.0, 240.0), "height: expected .* whole number .* got True"),
        (lambda: Intrinsics(640, 480, None, 617.0, 320.0, 240.0), "fx: expected a positive number, got None"),
        (lambda: Intrinsics(640, 480, 617.0, 617.0, [320.0], 240.0), r"cx: expected a finite number, got \[320.0\]"),
        (lambda: Intrinsics.d415("640", 480), "width: expected a positive whole number of pixels, got '640'"),
    ],
)
def test_numbers_that_are_none_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_whole_numbers_are_points_and_sizes_of_images():
    eye, target = torch.tensor([1, 2, 3]), torch.tensor([0, 0, 1])
    torch.testing.assert_close(look_at(eye, target), look_at(eye.float(), target.float()))
    torch.testing.assert_close(
        view_from_sphere(target, 0.8, 0.1, 0.5), view_from_sphere(target.float(), 0.8, 0.1, 0.5), rtol=0, atol=0
    )
    lens = Intrinsics(640.0, np.int64(480), 617.0, 617.0, 320.0, 240.0)
    assert lens == Intrinsics.d415() and type(lens.width) is type(lens.height) is int


def test_points_lie_on_the_rays_of_their_pixels():
    generator = torch.Generator().manual_seed(0)
    p_world = CENTRE + 0.2 * (torch.rand(3, 20, 3, generator=generator, dtype=torch.float64) - 0.5)
    Ts_world_cam = torch.stack([camera(0.0), camera(1.0), camera(-2.0)])
    Ks = K.expand(3, 3, 3)
    uv, depth = project(Ks, Ts_world_cam, p_world)
    origins, directions = pixel_rays(Ks, Ts_world_cam, uv)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(3, 20, dtype=torch.float64))
    along = ((p_world - origins) * directions).sum(-1, keepdim=True)
    torch.testing.assert_close(origins + along * directions, p_world)
    axis = Ts_world_cam[:, None, :3, 2]
    torch.testing.assert_close((along * directions * axis).sum(-1), depth)


def test_pixels_stay_finite_behind_and_beside_the_camera():
    p_cam = torch.tensor([[[0.1, 0.1, -1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    uv = pixels_of(K.float()[None], p_cam)
    uv.sum().backward()
    assert torch.isfinite(uv).all() and torch.isfinite(p_cam.grad).all()


def test_visible_points_are_in_front_and_within_the_image():
    K = torch.from_numpy(Intrinsics(64, 48, 60.0, 60.0, 31.5, 23.5).matrix)
    border = [[-31.5, 0, 60], [31.5, 0, 60], [0, 23.5, 60], [0, -23.5, 60], [0, 0, 1]]
    beyond = [[-31.6, 0, 60], [31.6, 0, 60], [0, 23.6, 60], [0, -23.6, 60], [0, 0, -1]]
    p = torch.tensor(border + beyond, dtype=torch.float64)
    assert visible(K, torch.eye(4, dtype=torch.float64), p, (64, 48)).tolist() == [True] * 5 + [False] * 5


def test_resized_camera_sees_the_same():
    full, small = Intrinsics.d415(), Intrinsics.d415(96, 72)
    assert (full.fx, full.fy, full.cx, full.cy) == (617.0, 617.0, 320.0, 240.0)
    p = transform_points(torch.eye(4, dtype=torch.float64), torch.tensor([[0.1, -0.05, 0.7]], dtype=torch.float64))
    uv_full = pixels_of(torch.as_tensor(full.matrix), p)
    uv_small = pixels_of(torch.as_tensor(small.matrix), p)
    torch.testing.assert_close(uv_small, uv_full * torch.tensor([96 / 640, 72 / 480], dtype=torch.float64))


# --- views ------------------------------------------------------------------------------------------------------------


def views(n: int = 3) -> dict[str, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 255, (n, 4, 6, 3), dtype=np.uint8)
    return {
        "images": images,
        "K": np.stack([K.numpy()] * n),
        "Ts_world_cam": np.stack([camera(float(i)) for i in range(n)]),
    }


def in_third(calibration: np.ndarray, factor: float) -> np.ndarray:
    changed = calibration.copy()
    changed[2] *= factor
    return changed


def test_views_are_selected_together():
    chosen = Views(**views())[[2, 0]]
    assert len(chosen) == 2
    np.testing.assert_array_equal(chosen.images, views()["images"][[2, 0]])
    np.testing.assert_array_equal(chosen.Ts_world_cam, views()["Ts_world_cam"][[2, 0]])
    assert len(Views(**views())[:1]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 4, 6, 3), np.float32)}, "images: expected uint8 .* got float32"),
        ({"images": np.zeros((3, 4, 6), np.uint8)}, "images: expected uint8"),
        ({"images": np.zeros((0, 4, 6, 3), np.uint8)}, "at least one view"),
        (
            {"K": np.zeros((2, 3, 3))},
            r"K: expected .* of shape \(3, 3, 3\), one calibration per image, got float64 of shape \(2, ",
        ),
        ({"Ts_world_cam": None}, "Ts_world_cam: .* one calibration per image, got NoneType"),
        ({"K": K.numpy()}, r"K: expected .* got float64 of shape \(3, 3\)"),
        ({"K": [K.numpy()] * 3}, "K: expected a numpy array .* got list"),
        ({"K": np.ones((3, 3, 3), int)}, "K: expected a numpy array of floats .* got int64"),
        ({"K": K.expand(3, 3, 3)}, "K: expected a numpy array .* got Tensor"),
        ({"K": views()["K"].astype(np.float16)}, "K: expected float32 or float64, got float16, too coarse"),
        ({"Ts_world_cam": views()["Ts_world_cam"].astype(np.float16)}, "Ts_world_cam: expected float32 or float64"),
        ({"K": np.zeros((3, 3, 3))}, r"K: focal lengths must be positive \(pixels\), got \[0.0, 0.0\] at index \[0\]"),
        ({"K": in_third(views()["K"], -1.0)}, r"K: focal lengths must .* got \[-450.0, -450.0\] at index \[2\]"),
        ({"K": in_third(views()["K"], 2.0)}, r"K: last row must be \(0, 0, 1\), got \[0.0, 0.0, 2.0\] at index \[2\]"),
        ({"K": in_third(views()["K"], np.nan)}, r"K: contains NaN or infinite entries, first nan at index \[2, 0, 0\]"),
        ({"images": None}, "images: expected uint8 .* got NoneType"),
        ({"images": np.zeros((3, 0, 6, 3), np.uint8)}, "at least one view and pixel"),
        ({"Ts_world_cam": np.full((3, 4, 4), np.nan)}, "Ts_world_cam: contains NaN"),
        ({"Ts_world_cam": in_third(views()["Ts_world_cam"], 1.1)}, r"Ts_world_cam: .*not a rotation at index \[2\]"),
        ({"Ts_world_cam": np.zeros((3, 4, 4))}, r"Ts_world_cam: .*not a rotation at index \[0\]"),
    ],
)
def test_views_refuse_wrong_images_and_calibration(change, message):
    with pytest.raises(ValueError, match=message):
        Views(**{**views(), **change})


@pytest.mark.parametrize(
    "awkward",
    [
        {"images": views()["images"][..., ::-1].copy()[..., ::-1]},  # as OpenCV's are turned
        {"K": views()["K"][::-1].copy()[::-1]},
        {"K": views()["K"].astype(">f8")},
        {"Ts_world_cam": views()["Ts_world_cam"].astype(np.longdouble)},
        {"K": np.array([(1, k) for k in views()["K"]], dtype=[("camera", "u1"), ("K", "f8", (3, 3))])["K"]},
    ],
    ids=["bgr", "reversed", "big-endian", "longdouble", "of records"],
)
def test_arrays_that_torch_does_not_take_are_the_same_observation(awkward):
    plain, observed = Views(**views()), Views(**{**views(), **awkward})
    for name in ("images", "K", "Ts_world_cam"):
        kept, same = (torch.from_numpy(getattr(seen, name)) for seen in (observed, plain))
        assert kept.dtype == same.dtype and torch.equal(kept, same)


def test_arrays_that_torch_takes_are_kept_as_they_are():
    given = views()
    given["images"] = np.ascontiguousarray(given["images"].transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    given["K"] = given["K"].astype(np.float32)
    kept = Views(**given)
    assert kept.images is given["images"] and kept.K is given["K"] and kept.Ts_world_cam is given["Ts_world_cam"]


def test_selecting_no_view_is_refused():
    with pytest.raises(ValueError, match="at least one view"):
        Views(**views())[3:]
