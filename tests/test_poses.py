"""Algebra of poses: group axioms near 0 and pi, both representations, symmetry, and what random rotations look like."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgrasp.poses import (
    QUATERNION,
    REPRESENTATIONS,
    SIX_D,
    check_poses,
    euler_uniform_rotations,
    gripper_symmetric_angle,
    invert,
    make_pose,
    representation,
    rotate_directions,
    rotation_angle,
    transform_points,
    uniform_poses,
    uniform_rotations,
)
from dgrasp.streams import torch_generator

IDENTITY = torch.eye(4, dtype=torch.float64)

# Rotation vectors (radians): anywhere, and where formulas break down: near 0 and near a half turn.
angles = st.one_of(
    st.floats(0.0, math.pi),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, math.pi - 1e-3, math.pi - 1e-6, math.pi - 1e-9, math.pi]),
)
axes = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: math.hypot(*v) > 0.1)
translations = st.tuples(*[st.floats(-1.0, 1.0)] * 3)


def rotation(angle: float, axis) -> torch.Tensor:
    unit = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    return roma.rotvec_to_rotmat(angle * unit)


@st.composite
def poses(draw) -> torch.Tensor:
    translation = torch.tensor(draw(translations), dtype=torch.float64)
    return make_pose(rotation(draw(angles), draw(axes)), translation)


# --- the group --------------------------------------------------------------------------------------------------------


@given(poses())
def test_inverse_from_both_sides(T_a_b):
    torch.testing.assert_close(T_a_b @ invert(T_a_b), IDENTITY)
    torch.testing.assert_close(invert(T_a_b) @ T_a_b, IDENTITY)


@given(poses(), poses())
def test_inverse_of_a_product(T_a_b, T_b_c):
    torch.testing.assert_close(invert(T_a_b @ T_b_c), invert(T_b_c) @ invert(T_a_b))


@given(poses(), poses())
def test_transforming_points_twice_is_transforming_by_the_product(T_a_b, T_b_c):
    p_c = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(
        transform_points(T_a_b, transform_points(T_b_c, p_c)), transform_points(T_a_b @ T_b_c, p_c)
    )


@given(poses())
def test_directions_turn_but_do_not_move(T_a_b):
    p_b = torch.tensor([[0.1, -0.2, 0.3], [0.4, 0.0, -0.1]], dtype=torch.float64)
    difference_a = transform_points(T_a_b, p_b)[1] - transform_points(T_a_b, p_b)[0]
    torch.testing.assert_close(rotate_directions(T_a_b, (p_b[1] - p_b[0])[None])[0], difference_a)
    torch.testing.assert_close(rotate_directions(T_a_b, torch.zeros_like(p_b)), torch.zeros_like(p_b))


def test_make_pose_broadcasts():
    T = make_pose(torch.eye(3), torch.rand(4, 2, 3))
    assert T.shape == (4, 2, 4, 4)
    torch.testing.assert_close(T[..., 3, :], torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(4, 2, 4))


# --- representations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPRESENTATIONS)
@given(T=poses())
def test_vectors_and_matrices_round_trip(name, T):
    rep = representation(name)
    vector = rep.from_matrix(T)
    assert vector.shape == (rep.dim,)
    torch.testing.assert_close(rep.to_matrix(vector), T)
    torch.testing.assert_close(rep.normalize(vector), vector)


@pytest.mark.parametrize("name", REPRESENTATIONS)
@given(T=poses(), noise=st.lists(st.floats(-0.3, 0.3), min_size=9, max_size=9))
def test_any_vector_near_a_pose_is_normalized_to_a_rigid_transform(name, T, noise):
    rep = representation(name)
    vector = rep.from_matrix(T) + torch.tensor(noise[: rep.dim], dtype=torch.float64)
    check_poses(rep.to_matrix(rep.normalize(vector)), tolerance=1e-9)
    torch.testing.assert_close(rep.normalize(rep.normalize(vector)), rep.normalize(vector))
    torch.testing.assert_close(rep.normalize(vector)[:3], vector[:3])


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_parts_cover_the_vector_once(name):
    rep = representation(name)
    assert [i for part in rep.parts for i in range(part.start, part.stop)] == list(range(rep.dim))


def test_quaternions_are_scalar_last():
    quarter_turn_z = QUATERNION.from_matrix(make_pose(rotation(math.pi / 2, (0, 0, 1)), torch.zeros(3).double()))
    expected = torch.tensor([0, 0, 0, 0, 0, math.sqrt(0.5), math.sqrt(0.5)], dtype=torch.float64)
    torch.testing.assert_close(quarter_turn_z, expected)


def test_six_numbers_are_the_first_two_columns_made_orthonormal():
    """Zhou et al. 2019, Eq. 15, worked by hand: a2 leans towards a1, and both have the wrong length."""
    vector = torch.tensor([0.1, 0.2, 0.3, 2.0, 0.0, 0.0, 5.0, 0.0, 3.0], dtype=torch.float64)
    R = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    torch.testing.assert_close(SIX_D.to_matrix(SIX_D.normalize(vector))[:3, :3], R)


def test_every_turn_moves_the_second_column_of_six_numbers():
    """A slope confined to one direction would give its cosine (Sec. 3.3) no gradient: both tangent directions count."""
    vector = SIX_D.from_matrix(torch.eye(4, dtype=torch.float64)).requires_grad_()
    sensitive = []
    for weight in (torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])):  # turns about z and about x
        (slope,) = torch.autograd.grad((SIX_D.to_matrix(vector)[:3, 1] * weight.double()).sum(), vector)
        sensitive.append(slope[6:].norm() > 0.5)
    assert all(sensitive)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_slopes_are_tangent(name):
    """Lengthening the rotation part changes no pose, so the slope along it is zero."""
    rep = representation(name)
    vectors = rep.from_matrix(
        make_pose(uniform_rotations(50, torch_generator(0)).double(), torch.zeros(50, 3).double())
    )
    vectors.requires_grad_(True)
    weights = torch.randn(50, 4, 4, generator=torch_generator(1), dtype=torch.float64)
    (slope,) = torch.autograd.grad((weights * rep.to_matrix(vectors)).sum(), vectors)
    radial = (slope[:, 3:] * vectors[:, 3:]).sum(-1)
    torch.testing.assert_close(radial, torch.zeros_like(radial), atol=1e-12, rtol=0)


@given(poses(), poses())
def test_displacement_of_quaternions_takes_the_short_way(T_1, T_2):
    source, target = QUATERNION.from_matrix(T_1), QUATERNION.from_matrix(T_2)
    flipped = torch.cat([target[:3], -target[3:]])
    delta = QUATERNION.displacement(source, target)
    assert delta[3:].norm() <= math.sqrt(2) + 1e-12
    torch.testing.assert_close(QUATERNION.to_matrix(source + delta), T_2)
    if abs(float(source[3:] @ target[3:])) > 1e-9:  # at right angles both ways are equally long
        torch.testing.assert_close(QUATERNION.displacement(source, flipped), delta)


@given(poses(), poses())
def test_displacement_of_six_numbers_is_the_difference(T_1, T_2):
    source, target = SIX_D.from_matrix(T_1), SIX_D.from_matrix(T_2)
    torch.testing.assert_close(SIX_D.displacement(source, target), target - source)


def test_unknown_representation_names_what_exists():
    with pytest.raises(ValueError, match="unknown pose representation 'euler'; representations: quat, 6d"):
        representation("euler")


# --- angles -----------------------------------------------------------------------------------------------------------


@given(angle=angles, axis=axes, T=poses())
def test_angle_between_rotations(angle, axis, T):
    R = T[:3, :3]
    # a chord of length 2 sin(angle/2) tells angles near pi to the square root of the precision only
    assert float(rotation_angle(R, R @ rotation(angle, axis))) == pytest.approx(angle, abs=1e-6)


@given(T_1=poses(), T_2=poses())
def test_a_half_turn_about_the_approach_axis_is_the_same_grasp(T_1, T_2):
    R_1, R_2 = T_1[:3, :3], T_2[:3, :3]
    turned = R_1 @ rotation(math.pi, (0, 0, 1))
    assert float(gripper_symmetric_angle(R_1, turned)) < 1e-6
    expected = float(gripper_symmetric_angle(R_1, R_2))
    assert float(gripper_symmetric_angle(turned, R_2)) == pytest.approx(expected, abs=1e-6)
    assert float(gripper_symmetric_angle(R_2, R_1)) == pytest.approx(expected, abs=1e-6)
    assert expected <= float(rotation_angle(R_1, R_2)) + 1e-12


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0)])
def test_a_half_turn_about_another_axis_is_another_grasp(axis):
    R = torch.eye(3, dtype=torch.float64)
    assert float(gripper_symmetric_angle(R, rotation(math.pi, axis))) > 3.0


# --- random poses -----------------------------------------------------------------------------------------------------


def test_uniform_rotations_follow_the_haar_measure():
    """The angle has density (1 - cos t) / pi, every axis is uniform on the sphere, and a fixed turn changes nothing."""
    R = uniform_rotations(20_000, torch_generator(0, "haar"), dtype=torch.float64)
    check_poses(make_pose(R, torch.zeros(3).double()), tolerance=1e-9)

    def angle_cdf(t):
        return (t - np.sin(t)) / np.pi

    turn = rotation(1.0, (1, 2, 3))
    for turned in (R, R @ turn, turn @ R):
        angle = rotation_angle(turned, torch.eye(3, dtype=torch.float64))
        assert scipy.stats.kstest(angle.numpy(), angle_cdf).pvalue > 0.001
        for entry in (turned[:, 2, 2], turned[:, 0, 1], turned[:, 1, 0]):  # Archimedes: uniform in [-1, 1]
            assert scipy.stats.kstest(entry.numpy(), scipy.stats.uniform(-1, 2).cdf).pvalue > 0.001


def test_euler_angles_are_not_uniform_and_the_test_above_would_notice():
    R = euler_uniform_rotations(20_000, torch_generator(0, "euler"), dtype=torch.float64)
    check_poses(make_pose(R, torch.zeros(3).double()), tolerance=1e-9)
    assert scipy.stats.kstest(R[:, 0, 2].numpy(), scipy.stats.uniform(-1, 2).cdf).pvalue < 1e-6


def test_uniform_poses_fill_the_box():
    low, high = torch.tensor([-0.1, 0.2, 0.9]), torch.tensor([0.5, 0.3, 1.0])
    T = uniform_poses(5_000, low, high, torch_generator(0, "box"))
    assert T.shape == (5_000, 4, 4) and T.dtype == torch.get_default_dtype()
    scaled = ((T[:, :3, 3] - low) / (high - low)).double().numpy()
    for axis in range(3):
        assert scipy.stats.kstest(scaled[:, axis], "uniform").pvalue > 0.001
    again = uniform_poses(5_000, low, high, torch_generator(0, "box"))
    assert torch.equal(T, again)


# --- what is not a pose -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("T", "message"),
    [
        (torch.eye(3), r"grasps: expected a tensor of shape \(..., 4, 4\), got \(3, 3\)"),
        ([[1.0]], "got list"),
        (torch.full((2, 4, 4), math.nan), "NaN or infinite"),
        (2 * torch.eye(4), "not a rotation"),
        (torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0])), "not a rotation: .*determinant -1, must be 1"),
        (torch.diag(torch.tensor([1.0, 1.0, 1.0, 2.0])), r"last row is not \(0, 0, 0, 1\), got \[0.0, 0.0, 0.0, 2.0\]"),
        (torch.eye(4).long(), "expected floating-point numbers, got torch.int64"),
        (torch.zeros(0, 4, 4), "empty"),
        (torch.stack([torch.eye(4), 2 * torch.eye(4)])[None], r"not a rotation at index \[0, 1\]: .* up to 3, allowed"),
    ],
)
def test_check_poses_says_what_is_wrong(T, message):
    with pytest.raises(ValueError, match=message):
        check_poses(T, "grasps")


def test_check_poses_returns_good_poses_unchanged():
    T = uniform_poses(10, torch.zeros(3), torch.ones(3), torch_generator(0))
    assert check_poses(T) is T


def test_the_number_of_dimensions_can_be_asked_for():
    with pytest.raises(ValueError, match=r"starts: expected a tensor of shape \(n, 4, 4\), got \(4, 4\)"):
        check_poses(torch.eye(4), "starts", shape="(n, 4, 4)", ndims=(3,))


@pytest.mark.parametrize("rep", REPRESENTATIONS.values(), ids=lambda r: r.name)
def test_coordinates_of_another_length_are_refused(rep):
    with pytest.raises(ValueError, match=rf"vector: '{rep.name}' takes shape \(..., {rep.dim}\), got \(2, 8\)"):
        rep.to_matrix(torch.zeros(2, 8))
    with pytest.raises(ValueError, match=r"T: expected poses of shape \(..., 4, 4\), got \(2, 8\)"):
        rep.from_matrix(torch.zeros(2, 8))


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ((0.0, 0.0, 0.2), (1.0, 1.0, 0.1), "low lies above high in z, 0.2 > 0.1 m"),
        ((0.0, 0.0), (1.0, 1.0), r"low corner of shape \(3,\), in metres, got \(2,\)"),
        ((0.0, math.nan, 0.0), (1.0, 1.0, 1.0), r"first nan at index \[1\]"),
    ],
)
def test_what_is_no_box_is_refused(low, high, message):
    with pytest.raises(ValueError, match=message):
        uniform_poses(3, torch.tensor(low), torch.tensor(high), torch_generator(0))
