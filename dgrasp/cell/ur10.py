"""Kinematics of the UR10 (CB3): the DH table forwards, and its closed-form inverse with all eight branches.

Joint order: shoulder pan, shoulder lift, elbow, wrist 1, wrist 2, wrist 3; radians. Poses are
`T_base_tool0` with base = the URDF's `base_link` (the controller's base turned half a turn about z).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dgrasp.cell import transforms

JOINTS = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
# DH table: Universal Robots' published parameters of the CB3 UR10, metres and radians.
D1, A2, A3, D4, D5, D6 = 0.1273, -0.612, -0.5723, 0.163941, 0.1157, 0.0922
ALPHA = np.array([np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0])
A = np.array([0.0, A2, A3, 0.0, 0.0, 0.0])
D = np.array([D1, 0.0, 0.0, D4, D5, D6])
POSITION_LIMITS = np.array([2 * np.pi, 2 * np.pi, np.pi, 2 * np.pi, 2 * np.pi, 2 * np.pi])  # +- rad
VELOCITY_LIMITS = np.array([2.0944, 2.0944, 3.1416, 3.1416, 3.1416, 3.1416])  # 120 and 180 deg/s, data sheet
REACH = 1.3  # m from the shoulder, data sheet
EFFORT_LIMITS = np.array([330.0, 330.0, 150.0, 54.0, 54.0, 54.0])  # N m, URDF
# Not in the paper. From a search over retracted postures: the hand hangs 0.5 m above the board's edge next to the
# robot, outside all lines of sight from the fixed and 60 sampled views to the workspace, and close to all grasps.
HOME = np.radians([-19.0, -124.0, 107.0, -73.0, -90.0, -109.0])
HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])  # base_link <- controller's base


def _link(theta: np.ndarray, i: int) -> np.ndarray:
    c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(ALPHA[i]), np.sin(ALPHA[i])
    T = np.zeros((*np.shape(theta), 4, 4))
    T[..., 0, 0], T[..., 0, 1], T[..., 0, 2], T[..., 0, 3] = c, -s * ca, s * sa, A[i] * c
    T[..., 1, 0], T[..., 1, 1], T[..., 1, 2], T[..., 1, 3] = s, c * ca, -c * sa, A[i] * s
    T[..., 2, 1], T[..., 2, 2], T[..., 2, 3], T[..., 3, 3] = sa, ca, D[i], 1.0
    return T


def forward(q: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch 4 4"]:
    """`T_base_tool0` of joint angles."""
    q = np.asarray(q, dtype=np.float64)
    T = HALF_TURN
    for i in range(6):
        T = T @ _link(q[..., i], i)
    return T


BRANCHES = np.array([[s, w, e] for s in (1.0, -1.0) for w in (1.0, -1.0) for e in (1.0, -1.0)])


def inverse(
    T_base_tool0: Float[np.ndarray, "n 4 4"], branches: slice | list[int] = slice(None)
) -> Float[np.ndarray, "n branches 6"]:
    """Joint angles in (-pi, pi] that reach each pose, in all eight or the asked branches; NaN where out of reach.

    The branch index (shoulder left/right, wrist up/down, elbow up/down) is continuous along a path that stays
    away from singularities, so following a line means keeping the index.
    """
    T06 = HALF_TURN @ np.asarray(T_base_tool0, dtype=np.float64)
    shoulder, wrist, elbow = BRANCHES[branches].T
    R, p = T06[:, None, :3, :3], T06[:, None, :3, 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        p05 = p - D6 * R[..., :, 2]
        q1 = (
            np.arctan2(p05[..., 1], p05[..., 0])
            + shoulder * _arccos(D4 / np.hypot(p05[..., 0], p05[..., 1]))
            + np.pi / 2
        )
        s1, c1 = np.sin(q1), np.cos(q1)
        q5 = wrist * _arccos((p[..., 0] * s1 - p[..., 1] * c1 - D4) / D6)
        s5 = np.sin(q5)
        q6 = np.arctan2((-R[..., 0, 1] * s1 + R[..., 1, 1] * c1) / s5, (R[..., 0, 0] * s1 - R[..., 1, 0] * c1) / s5)
        q6 = np.where(np.abs(s5) < 1e-9, 0.0, q6)  # wrist singularity: joint 6 is free
        T14 = transforms.inverse(_link(q1, 0)) @ T06[:, None] @ transforms.inverse(_link(q5, 4) @ _link(q6, 5))
        x, z = T14[..., 0, 3], T14[..., 1, 3]
        reach = np.hypot(x, z)
        q3 = elbow * _arccos((reach**2 - A2**2 - A3**2) / (2 * A2 * A3))
        q2 = np.arctan2(z, x) - np.arctan2(A3 * np.sin(q3), A2 + A3 * np.cos(q3))
        R34 = transforms.inverse(_link(q2, 1) @ _link(q3, 2)) @ T14
        q4 = np.arctan2(R34[..., 1, 0], R34[..., 0, 0])
    q = np.stack([q1, q2, q3, q4, q5, q6], axis=-1)
    q = np.where(np.isfinite(q).all(-1, keepdims=True), q, np.nan)
    return np.pi - np.mod(np.pi - q, 2 * np.pi)


def _arccos(x: np.ndarray) -> np.ndarray:
    """NaN beyond [-1, 1], save for an excess of rounding."""
    return np.where(np.abs(x) > 1 + 1e-9, np.nan, np.arccos(np.clip(x, -1.0, 1.0)))


def nearest_turns(q: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The same angles modulo 2 pi, each as close to `reference` as the joint's limits allow."""
    turned = q + 2 * np.pi * np.round((reference - q) / (2 * np.pi))
    over = np.abs(turned) > POSITION_LIMITS
    return np.where(over, turned - 2 * np.pi * np.sign(turned), turned)
