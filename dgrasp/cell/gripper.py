"""The Robotiq 2F-140 as closed forms: a parallelogram of 100 mm cranks keeps the fingers parallel while they close.

Frame `gripper`: z = approach axis, x = closing axis, y = finger width; its origin is the gripper's mounting face.
q is the crank angle from fully open (0) to closed. Lengths in metres, from ros-industrial's robotiq_2f_140 model
(BSD), except the pads, which stand so that the opening is the vendor's 140 mm (the model's pads: 128.5 mm).
"""

from __future__ import annotations

import math

import numpy as np

CRANK = 0.100  # outer and inner knuckle, pivot to pivot
CRANK_TILT = 0.702810  # rad outward from the approach axis when open
OUTER_PIVOT = (0.030601, 0.054905)  # (|x|, z) of the driven crank
INNER_PIVOT = (0.0127, 0.06142)  # (|x|, z) of the parallel crank
PAD_SIZE = (0.0075, 0.027, 0.070)  # x, y, z of the rubber pad; the model's visual width, collision length
PAD_HEIGHT = 0.045755  # of the pad's centre above the finger's pivot
OPENING = 0.140  # vendor: stroke 140 mm
FORCE_RANGE = (10.0, 125.0)  # N, vendor
SPEED_RANGE = (0.030, 0.250)  # m/s of the gap, vendor
CRANK_SPEED = 2.0  # rad/s, velocity limit in the ROS model; at most 0.25 m/s of pad speed each
COUPLING = 0.0139  # flange to gripper base
TIP_BEHIND = 0.015  # the TCP lies this far behind the fingertips of the closed gripper (query points reach the tip)
Q_CLOSED = CRANK_TILT - math.asin(math.sin(CRANK_TILT) - OPENING / (2 * CRANK))  # 0.7565 rad
PAD_INSET = OUTER_PIVOT[0] + CRANK * math.sin(CRANK_TILT) - OPENING / 2  # pad face from the finger's pivot, inwards


def gap(q: float) -> float:
    """Distance between the pad faces at crank angle q."""
    return OPENING - 2 * CRANK * (math.sin(CRANK_TILT) - math.sin(CRANK_TILT - q))


def crank_angle(gap: float) -> float:
    """Inverse of `gap`; raises ValueError outside 0..140 mm."""
    if not 0.0 <= gap <= OPENING:
        raise ValueError(f"gap: {gap} m is outside the gripper's range of 0 to {OPENING} m")
    return CRANK_TILT - math.asin(math.sin(CRANK_TILT) - (OPENING - gap) / (2 * CRANK))


def tip_height(q: float) -> float:
    """Fingertip above the gripper's mounting face: the fingers grow 24 mm longer while closing."""
    return OUTER_PIVOT[1] + CRANK * math.cos(CRANK_TILT - q) + PAD_HEIGHT + PAD_SIZE[2] / 2


def inner_knuckle_pose(side: float, q: float) -> np.ndarray:
    """`T_flange_knuckle` of the middle of the inner knuckle (side -1 or +1 along x), z along it."""
    angle = side * (CRANK_TILT - q)
    c, s = math.cos(angle), math.sin(angle)
    T = np.array([[c, 0.0, s, 0.0], [0.0, 1.0, 0.0, 0.0], [-s, 0.0, c, 0.0], [0.0, 0.0, 0.0, 1.0]])
    T[:3, 3] = (side * INNER_PIVOT[0] + s * CRANK / 2, 0.0, COUPLING + INNER_PIVOT[1] + c * CRANK / 2)
    return T


def crank_torque(force: float, q: float) -> float:
    """Torque (N m) at the driving crank that presses each pad with `force` (N): virtual work over both fingers."""
    return 2 * force * CRANK * math.cos(CRANK_TILT - q)


TOOL0_TCP = COUPLING + tip_height(Q_CLOSED) - TIP_BEHIND  # TCP ahead of the flange, along z
