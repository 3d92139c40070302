"""Where the hand is: TCP and wrist camera on the flange (tool0), and the flange on the arm's base."""

from __future__ import annotations

import numpy as np

from dgrasp.cell import gripper, ur10, workspace

CAMERA_SIZE = (0.099, 0.023, 0.02005)  # D415 body: width, height, depth
CAMERA_CENTRE = (0.0, 0.062, 0.030)  # from the flange; not in the paper: clear of the 75 mm gripper body

# Colour sensor: 35 mm from the body's middle (15 mm beside the left imager, which is 20 mm off), on its front face.
CAMERA_SENSOR = (CAMERA_CENTRE[0] + 0.035, CAMERA_CENTRE[1], CAMERA_CENTRE[2] + CAMERA_SIZE[2] / 2)


def tcp_pose(q_arm: np.ndarray) -> np.ndarray:
    """`T_world_tcp` of arm joint angles (..., 6)."""
    T = ur10.forward(q_arm).copy()
    T[..., :3, 3] += np.asarray(workspace.BASE_POSITION) + gripper.TOOL0_TCP * T[..., :3, 2]
    return T


def tool0_pose(T_world_tcp: np.ndarray) -> np.ndarray:
    """`T_base_tool0` that brings the TCP to poses (..., 4, 4)."""
    T = np.array(T_world_tcp, dtype=np.float64)
    T[..., :3, 3] -= np.asarray(workspace.BASE_POSITION) + gripper.TOOL0_TCP * T[..., :3, 2]
    return T
