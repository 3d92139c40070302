"""Grasp poses in SE(3): the one place that states layouts and orders.

A pose is a homogeneous matrix `T_a_b` of shape (..., 4, 4) that maps points of frame b into frame a
(`p_a = T_a_b @ p_b`), in metres. The optimizer and the slope loss work on *pose vectors*: the three
coordinates of the translation followed by the rotation's coordinates.

    "quat"  (x, y, z, qx, qy, qz, qw)   scalar last, as in SciPy, RoMa and PyBullet
    "6d"    (x, y, z, a1, a2)           first two columns of the rotation matrix (Zhou et al. 2019)

TCP frame: z is the approach axis (out of the gripper), x the closing axis of the fingers, y their width.
The world frame has z up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dgrasp.checks import at_first, check_finite, check_numbers, check_plain, described

# RoMa is imported where it is first used: it loads torch's compiler, which takes as long as torch itself.

Pose = Float[Tensor, "*#batch 4 4"]


def make_pose(rotation: Float[Tensor, "*#batch 3 3"], translation: Float[Tensor, "*#batch 3"]) -> Pose:
    """Assemble homogeneous matrices; batch dimensions broadcast."""
    batch = torch.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    top = torch.cat([rotation.expand(*batch, 3, 3), translation.expand(*batch, 3)[..., None]], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*batch, 1, 4)
    return torch.cat([top, bottom], dim=-2)


def invert(T_a_b: Pose) -> Pose:
    """Inverse of a rigid transform, `T_b_a`."""
    R_b_a = T_a_b[..., :3, :3].transpose(-1, -2)
    return make_pose(R_b_a, -(R_b_a @ T_a_b[..., :3, 3:]).squeeze(-1))


def transform_points(T_a_b: Pose, p_b: Float[Tensor, "*#batch n 3"]) -> Float[Tensor, "*#batch n 3"]:
    """Coordinates in frame a of points given in frame b."""
    return p_b @ T_a_b[..., :3, :3].transpose(-1, -2) + T_a_b[..., None, :3, 3]


def rotate_directions(T_a_b: Pose, d_b: Float[Tensor, "*#batch n 3"]) -> Float[Tensor, "*#batch n 3"]:
    """Directions of frame b seen from frame a: rotation only, no translation leaks in."""
    return d_b @ T_a_b[..., :3, :3].transpose(-1, -2)


def rotation_angle(R_1: Float[Tensor, "*#batch 3 3"], R_2: Float[Tensor, "*#batch 3 3"]) -> Float[Tensor, "*#batch"]:
    """Geodesic distance in radians, in [0, pi]."""
    import roma

    return roma.rotmat_geodesic_distance(R_1, R_2)


def gripper_symmetric_angle(R_1: Float[Tensor, "*b 3 3"], R_2: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b"]:
    """Geodesic distance modulo the half turn about the approach axis that leaves a two-finger gripper the same."""
    half_turn = R_1.new_tensor([-1.0, -1.0, 1.0])  # columns x and y change sign, z stays
    return torch.minimum(rotation_angle(R_1, R_2), rotation_angle(R_1 * half_turn, R_2))


def uniform_rotations(n: int, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Float[Tensor, "n 3 3"]:
    """Rotations uniform on SO(3) (Haar measure), from normalised Gaussian quaternions."""
    import roma

    q = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return roma.unitquat_to_rotmat(F.normalize(q, dim=-1)).to(dtype)


def euler_uniform_rotations(
    n: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n 3 3"]:
    """Euler angles xyz each uniform in [0, 2 pi): the authors' sampling, NOT uniform on SO(3)."""
    import roma

    angles = torch.rand(n, 3, generator=generator, dtype=torch.float64) * 2 * torch.pi
    return roma.euler_to_rotmat("xyz", angles).to(dtype)


ROTATIONS = {"haar": uniform_rotations, "euler": euler_uniform_rotations}  # by the settings' names


def uniform_poses(
    n: int,
    low: Float[Tensor, "3"],
    high: Float[Tensor, "3"],
    generator: torch.Generator,
    rotations: Callable[..., Tensor] = uniform_rotations,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "n 4 4"]:
    """Poses with translations uniform in the box [low, high] (metres) and random rotations.

    Drawn in float64, whatever the dtype of the result (default: torch's default dtype).
    Raises ValueError unless low and high are finite corners of shape (3,) with low <= high.
    """
    low, high = check_box((low, high), "low, high")
    u = torch.rand(n, 3, generator=generator, dtype=torch.float64)
    translation = (low.double() + u * (high - low).double()).to(dtype or torch.get_default_dtype())
    return make_pose(rotations(n, generator, dtype=translation.dtype), translation)


# --- pose vectors -------------------------------------------------------------------------------------------------


def _quat_to_rotmat(q: Tensor) -> Tensor:
    import roma

    return roma.unitquat_to_rotmat(F.normalize(q, dim=-1))


def _rotmat_to_quat(R: Tensor) -> Tensor:
    import roma

    return roma.rotmat_to_unitquat(R)


def _sixd_to_rotmat(a: Tensor) -> Tensor:
    """Columns N(a1), N(a2) and their cross product: a rotation if a1 and a2 are orthogonal, as `normalize` leaves them.

    Gram-Schmidt is not part of this map on purpose: it would confine the slope of the second column to one
    direction, and a cosine with a one-dimensional slope (Sec. 3.3) has no gradient to learn from.
    """
    b1 = F.normalize(a[..., :3], dim=-1)
    b2 = F.normalize(a[..., 3:], dim=-1)
    return torch.stack([b1, b2, torch.linalg.cross(b1, b2)], dim=-1)


def _gram_schmidt(a: Tensor) -> Tensor:
    """Orthonormal columns (Zhou et al. 2019, Eq. 15): b1 = N(a1), b2 = N(a2 - (b1.a2) b1)."""
    b1 = F.normalize(a[..., :3], dim=-1)
    a2 = a[..., 3:]
    b2 = F.normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1)
    return torch.cat([b1, b2], dim=-1)


def _rotmat_to_sixd(R: Tensor) -> Tensor:
    return torch.cat([R[..., :, 0], R[..., :, 1]], dim=-1)


@dataclass(frozen=True)
class Representation:
    """Coordinates of a pose for gradient-based optimization (Sec. 3.3).

    `parts` are the slices of the pose vector that the slope loss compares one by one: translation first,
    then the quaternion, or each 6D column on its own (Sec. 3.3, last sentence of the second paragraph).
    """

    name: str
    dim: int
    parts: tuple[slice, ...]
    _to_rotmat: Callable[[Tensor], Tensor]
    _from_rotmat: Callable[[Tensor], Tensor]
    _to_manifold: Callable[[Tensor], Tensor]

    def to_matrix(self, vector: Float[Tensor, "*#batch d"]) -> Pose:
        """Pose matrices of vectors with a valid rotation part (see `normalize`).

        Quaternion and 6D columns are normalised inside, so that slopes never point along them.
        """
        if vector.shape[-1] != self.dim:
            raise ValueError(f"vector: {self.name!r} takes shape (..., {self.dim}), got {tuple(vector.shape)}")
        return make_pose(self._to_rotmat(vector[..., 3:]), vector[..., :3])

    def from_matrix(self, T: Pose) -> Float[Tensor, "*#batch d"]:
        """Pose vectors with a valid rotation part (unit quaternion, orthonormal columns)."""
        if T.shape[-2:] != (4, 4):
            raise ValueError(f"T: expected poses of shape (..., 4, 4), got {tuple(T.shape)}")
        return torch.cat([T[..., :3, 3], self._from_rotmat(T[..., :3, :3])], dim=-1)

    def normalize(self, vector: Float[Tensor, "*#batch d"]) -> Float[Tensor, "*#batch d"]:
        """Put the rotation part back on its manifold after a gradient step (Sec. 3.1, 3.3)."""
        return torch.cat([vector[..., :3], self._to_manifold(vector[..., 3:])], dim=-1)

    def displacement(self, source: Float[Tensor, "*b d"], target: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """`target - source` (the Delta p of Eq. 4); quaternions are sign-aligned first: q and -q are one rotation."""
        if self.name == "quat":
            same_half = (source[..., 3:] * target[..., 3:]).sum(-1, keepdim=True) >= 0
            target = torch.cat([target[..., :3], torch.where(same_half, target[..., 3:], -target[..., 3:])], dim=-1)
        return target - source


QUATERNION = Representation(
    "quat", 7, (slice(0, 3), slice(3, 7)), _quat_to_rotmat, _rotmat_to_quat, partial(F.normalize, dim=-1)
)
SIX_D = Representation(
    "6d", 9, (slice(0, 3), slice(3, 6), slice(6, 9)), _sixd_to_rotmat, _rotmat_to_sixd, _gram_schmidt
)
REPRESENTATIONS = {r.name: r for r in (QUATERNION, SIX_D)}


def representation(name: str | Representation) -> Representation:
    """Look up "quat" or "6d" (a representation is returned as it is); raises ValueError naming what exists."""
    if isinstance(name, Representation):
        return name
    if not isinstance(name, str) or name not in REPRESENTATIONS:
        raise ValueError(f"unknown pose representation {name!r}; representations: {', '.join(REPRESENTATIONS)}")
    return REPRESENTATIONS[name]


def check_poses(
    T: Tensor, name: str = "poses", tolerance: float = 1e-3, shape: str = "(..., 4, 4)", ndims: tuple[int, ...] = ()
) -> Tensor:
    """Raise ValueError unless `T` holds finite rigid transforms, one or more; returns it unchanged.

    shape: what is expected, in words. ndims: how many dimensions `T` may have, if not any number from 2.
    """
    ndims = ndims or (max(2, getattr(T, "ndim", 2)),)
    check_numbers(T, name, shape, ndims, (4, 4))
    R = T.detach()[..., :3, :3]
    x, y, z = R.unbind(-1)
    products = (R[..., None] * R[..., None, :]).sum(-3)  # R^T R; a matrix product would be rounded under autocast
    error = (products - torch.eye(3, dtype=T.dtype, device=T.device)).abs().amax((-1, -2))
    volume = (torch.linalg.cross(x, y) * z).sum(-1)
    if (wrong := (error > tolerance) | (volume < 0)).any():
        raise ValueError(
            f"{name}: rotation part is not a rotation{at_first(wrong)}: |R^T R - I| up to {error[wrong][0]:.2g}, "
            f"allowed {tolerance:g}; determinant {volume[wrong][0]:.2g}, must be 1"
        )
    _check_last_row(T.detach(), name, tolerance)
    return T


def _check_last_row(T: Tensor, name: str, tolerance: float) -> None:
    if (wrong := (T[..., 3, :] - T.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().amax(-1) > tolerance).any():
        row = T[..., 3, :][wrong][0].tolist()
        raise ValueError(f"{name}: last row is not (0, 0, 0, 1){at_first(wrong)}, got {row}")


def check_box(corners: Sequence[Tensor], name: str = "bounds") -> tuple[Tensor, Tensor]:
    """The low and high corner of a box, metres, as tensors (3,).

    Raises ValueError that names the corner and what it was unless they are three finite numbers each, low <= high.
    """
    if not isinstance(corners, Sequence | Tensor) or len(corners) != 2:
        raise ValueError(f"{name}: expected (low, high), the two corners of a box in metres, got {described(corners)}")
    low, high = (_corner(corner, which, name) for corner, which in zip(corners, ("low", "high"), strict=True))
    for axis, a, b in zip("xyz", low.tolist(), high.tolist(), strict=True):
        if a > b:
            raise ValueError(f"{name}: low lies above high in {axis}, {a:g} > {b:g} m; expected (low, high)")
    return low, high


def _corner(corner: object, which: str, name: str) -> Tensor:
    tensor: Tensor | None = None
    with suppress(TypeError, ValueError, RuntimeError):  # no numbers, or another number of them in each row
        tensor = torch.as_tensor(corner)
    if tensor is None or tensor.shape != (3,):
        got = described(corner if tensor is None else tensor)
        raise ValueError(f"{name}: expected the {which} corner of shape (3,), in metres, got {got}")
    check_plain(tensor, f"{name} ({which})")
    check_finite(tensor, f"{name} ({which})")
    return tensor
