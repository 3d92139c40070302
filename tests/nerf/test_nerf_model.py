"""Phi's interface: shapes, frames, derivatives, errors."""

import pytest
import torch
from nerf_helpers import calibrated, random_queries, tiny_config

from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import make_pose, rotate_directions, transform_points, uniform_rotations


def test_shapes(phi, enc):
    points, directions = random_queries(2, 5)
    assert phi.activation_count == 4
    assert phi.activations(enc, points, directions).shape == (2, 5, 4, 8)
    assert phi.activations(enc, points[:, :, None].expand(2, 5, 7, 3), directions).shape == (2, 5, 7, 4, 8)
    assert enc.features.shape == (2, 3, 9, 12, 6)


def test_queries_that_share_a_direction_equal_single_ones(phi, enc):
    points, _ = random_queries(2, 12)
    directions = random_queries(2, 4, seed=5)[1]
    shared = phi.activations(enc, points.view(2, 4, 3, 3), directions)
    single = phi.activations(enc, points, directions.repeat_interleave(3, dim=1))
    torch.testing.assert_close(shared.flatten(1, 2), single, rtol=0, atol=1e-12)


def test_moving_world_and_queries_together_changes_nothing(phi):
    """Only relative poses count: neither the world frame nor a camera's position leaks into the directions."""
    if phi.config.field.frame == "world":
        pytest.skip("with positions coded in the world frame, the world's place counts")
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(2, 3, 3, 18, 24, generator=generator, dtype=torch.float64)
    K, Ts = calibrated(2, 3)
    points, directions = random_queries(2, 20)
    rotation = uniform_rotations(1, generator, torch.float64)[0]
    T = make_pose(rotation, torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    here = phi.activations(phi.encode(images, K, Ts), points, directions)
    seen = (transform_points(T, points), rotate_directions(T, directions))
    moved = phi.activations(phi.encode(images, K, T @ Ts), *seen)
    torch.testing.assert_close(here, moved, rtol=0, atol=1e-9)


def with_views(enc: EncodedViews, views: list[int]) -> EncodedViews:
    """The same scenes in some of their views."""
    return EncodedViews(**{name: None if x is None else x[:, views] for name, x in vars(enc).items()})


def test_order_of_views_does_not_matter(phi, enc):
    points, directions = random_queries(2, 20)
    swapped = with_views(enc, [2, 0, 1])
    torch.testing.assert_close(
        phi.activations(enc, points, directions), phi.activations(swapped, points, directions), rtol=0, atol=1e-12
    )


def test_an_image_is_encoded_alone(phi, enc):
    """Features of an image do not depend on the others in its batch, so they can be cached."""
    generator = torch.Generator().manual_seed(11)
    images = torch.rand(2, 3, 3, 18, 24, generator=generator, dtype=torch.float64)
    K, Ts = calibrated(2, 3)
    alone = phi.encode(images[1:, 2:], K[1:, 2:], Ts[1:, 2:])
    torch.testing.assert_close(alone.features[0, 0], enc.features[1, 2], rtol=0, atol=1e-12)


def test_single_views_are_scenes_of_one_view(phi, enc):
    single = enc.single_views()
    assert (len(single), single.views) == (6, 1)
    points, directions = random_queries(2, 4)
    expected = phi.activations(with_views(enc, [1]), points, directions)
    folded = phi.activations(single, points.repeat_interleave(3, 0), directions.repeat_interleave(3, 0))
    torch.testing.assert_close(folded[1::3], expected, rtol=0, atol=1e-12)


def test_encoded_views_select_store_and_join(phi, enc):
    enc = phi.project(enc)
    again = EncodedViews.concatenate([enc[:1], enc[[1]]])
    assert torch.equal(again.fine, enc.fine) and torch.equal(again.K, enc.K)
    half = enc.to(torch.bfloat16)
    assert half.dtype == half.fine.dtype == torch.bfloat16 and half.K.dtype == torch.float64
    points, directions = random_queries(2, 9)
    kept, stored = phi.activations(enc, points, directions), phi.activations(half, points, directions)
    assert 0 < (kept - stored).abs().max() < 0.05 * kept.abs().max()


def test_slopes_equal_finite_differences_forward_and_reverse(phi, enc):
    points, directions = random_queries(2, 3, seed=4)
    inputs = (points.requires_grad_(), directions.requires_grad_())
    assert torch.autograd.gradcheck(lambda p, d: phi.activations(enc, p, d), inputs, check_forward_ad=True, atol=1e-4)


def test_functional_jvp_equals_double_vjp(phi, enc):
    points, directions = random_queries(2, 10)
    tangents = tuple(torch.randn_like(x) for x in (points, directions))
    _, forward = torch.func.jvp(lambda p, d: phi.activations(enc, p, d), (points, directions), tangents)
    twice = torch.autograd.functional.jvp(lambda p, d: phi.activations(enc, p, d), (points, directions), tangents)[1]
    torch.testing.assert_close(forward, twice, rtol=1e-9, atol=1e-9)


def test_second_order_by_create_graph_works(phi, enc):
    """The slow reference of the slope loss: a gradient of a slope, through Phi."""
    points, directions = random_queries(2, 6)
    points.requires_grad_()
    readout = torch.randn(8, dtype=torch.float64, requires_grad=True)
    score = (phi.activations(enc, points, directions) @ readout).tanh().sum()
    (slope,) = torch.autograd.grad(score, points, create_graph=True)
    (gradient,) = torch.autograd.grad(slope.square().sum(), readout)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_frozen_phi_computes_input_gradients_only(phi, enc):
    points, directions = random_queries(2, 6)
    phi.activations(enc, points.requires_grad_(), directions).sum().backward()
    assert points.grad is not None and all(p.grad is None for p in phi.parameters())


def test_points_behind_a_camera_stay_finite(phi, enc):
    points = torch.full((2, 3, 3), 5.0, dtype=torch.float64, requires_grad=True)
    activations = phi.activations(enc, points, random_queries(2, 3)[1])
    (slope,) = torch.autograd.grad(activations.sum(), points)
    assert torch.isfinite(activations).all() and torch.isfinite(slope).all()


def test_equal_seeds_equal_weights():
    first, again, other = (build_nerf(tiny_config(), seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_images_without_calibration_are_refused(phi):
    images = torch.rand(2, 3, 3, 18, 24, dtype=torch.float64)
    K, Ts = calibrated(2, 3)
    with pytest.raises(ValueError, match="K: expected shape"):
        phi.encode(images, K[:, :2], Ts)
    with pytest.raises(ValueError, match="images: expected shape"):
        phi.encode(images[0], K, Ts)
    with pytest.raises(ValueError, match=r"images: expected floating point colours in \[0, 1\]"):
        phi.encode(images * 255, K, Ts)
    with pytest.raises(ValueError, match="without NaN"):
        phi.encode(images.where(images > 0.5, torch.nan), K, Ts)


def test_queries_of_wrong_shape_are_refused(phi, enc):
    points, directions = random_queries(2, 5)
    with pytest.raises(ValueError, match=r"points: expected shape \(2, n, 3\)"):
        phi.activations(enc, points[:1], directions[:1])
    with pytest.raises(ValueError, match=r"directions: expected shape \(2, 5, 3\)"):
        phi.activations(enc, points, directions[:, :4])


def spoil(x, index, number):
    x = x.clone()
    x[index] = number
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, K, T: (i.numpy(), K, T), "images: expected shape .* got array"),
        (lambda i, K, T: (i, None, T), r"K: expected shape \(2, 3, 3, 3\), one calibration per image, got NoneType"),
        (lambda i, K, T: (i, spoil(K, (1, 2, 0, 0), torch.nan), T), r"K: contains NaN .* index \[1, 2, 0, 0\]"),
        (lambda i, K, T: (i, spoil(K, (0, 1, 1, 1), 0.0), T), r"K: focal lengths .* at index \[0, 1\]"),
        (lambda i, K, T: (i, K, 2 * T), r"Ts_world_cam: rotation part is not a rotation at index \[0, 0\]"),
        (lambda i, K, T: (i.float(), K, T), "images: expected torch.float64 on cpu, as the weights of Phi, got"),
        (lambda i, K, T: (i[..., :3], K, T), r"images: expected height and width of 4 pixels or more, got \(18, 3\)"),
    ],
)
def test_cameras_without_a_calibration_are_refused(phi, change, message):
    images = torch.rand(2, 3, 3, 18, 24, dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        phi.encode(*change(images, *calibrated(2, 3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, d: (spoil(p, (1, 3, 2), torch.nan), d), r"points: contains NaN .* first nan at index \[1, 3, 2\]"),
        (
            lambda p, d: (p, spoil(d, (0, 4, 0), torch.inf)),
            r"directions: contains NaN .* first inf at index \[0, 4, 0\]",
        ),
        (lambda p, d: (p, 2 * d), r"directions: expected unit length, got 2 at index \[0, 0\]"),
        (lambda p, d: (p[0], d[0]), r"points: expected a tensor of shape \(2, n, 3\) .* got \(5, 3\)"),
        (lambda p, d: (p[:, :0], d[:, :0]), "points: empty"),
        (lambda p, d: (p.numpy(), d), "points: .* got array"),
        (lambda p, d: (p.float(), d.float()), "points: expected torch.float64 on cpu, as the weights of Phi"),
        (lambda p, d: (p, d.float()), "directions: expected torch.float64"),
    ],
)
def test_queries_that_ask_nothing_are_refused(phi, enc, change, message):
    with pytest.raises(ValueError, match=message):
        phi.activations(enc, *change(*random_queries(2, 5)))


def test_encoded_views_keep_their_dimensions(phi, enc):
    with pytest.raises(ValueError, match=r"rgb: expected 5 dimensions .* index scenes with a slice, enc\[i : i \+ 1\]"):
        enc[0]
    with pytest.raises(ValueError, match=r"enc: expected EncodedViews, .* got NoneType"):
        phi.activations(None, *random_queries(2, 5))


def test_unknown_settings_are_refused_by_name():
    with pytest.raises(ValueError, match="hiden"):
        NerfConfig.model_validate({"field": {"hiden": 3}})
    with pytest.raises(ValueError, match="far must lie beyond near"):
        NerfConfig.model_validate({"rays": {"near": 2.0}})
    with pytest.raises(ValueError, match="the lower and the higher one"):
        NerfConfig.model_validate({"rays": {"heights": [1.2, 0.9]}})


@pytest.mark.parametrize("rays", [{"near": 300, "far": 1300}, {"far": 1300}, {"heights": [930, 1200]}])
def test_rays_in_millimetres_are_refused(rays):
    with pytest.raises(ValueError, match=r"m; allowed are up to 10 m, are these millimetres, not metres\?"):
        NerfConfig.model_validate({"rays": rays})


def test_the_encoder_says_the_same_in_training():
    """Its images are laid out otherwise there: the same maps, to rounding."""
    encoder, images = build_nerf(tiny_config()).encoder, torch.rand(2, 3, 18, 24)
    trained = encoder(images)
    with torch.no_grad():
        frozen = encoder(images)
    assert trained.is_contiguous() and not frozen.is_contiguous()
    torch.testing.assert_close(trained.detach(), frozen, rtol=0, atol=1e-6)
