"""Whether an arm is where its motion was to end, as it measures itself: a driver may drop a motion, or lag behind.

Every check either passes or raises CellFault with where the arm was to be, where it is, and what is allowed.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dgrasp.cell import arm_model
from dgrasp.cell.following import distance
from dgrasp.cell.interface import Arm, CellFault
from dgrasp.cell.transforms import orthonormal, pose_problem
from dgrasp.robot.limits import MODEL_ERROR, UNDER_TIPS, SafetyLimits

# m and rad from the end of a straight motion. Our choice: a compliant controller lags by some millimetres; more would
# be a quarter of the longest usual step (`StepLimits.step`), and half of what model and arm may differ by. `UrArm`
# allows its controller less.
ARRIVED = (0.005, 0.05)
AT_POSTURE = 0.01  # rad: nearer than this, the arm is there; 5 to 10 mm at the hand
ADVICE = "the arm was told to stop. Look why the driver does not arrive, close the cell and open it anew"


def measured_tcp(arm: Arm) -> Float[np.ndarray, "4 4"]:
    """The measured `T_world_tcp`, if it is a pose."""
    T = np.array(arm.tcp(), dtype=np.float64)
    if problem := pose_problem(T):
        raise CellFault(f"arm: its measured TCP is no pose ({problem}); {ADVICE}")
    return orthonormal(T)


def check_there(
    arm: Arm, T_world_tcp: Float[np.ndarray, "4 4"], when: str = "after a straight motion"
) -> Float[np.ndarray, "4 4"]:
    """The measured TCP, if it is where it was told to be, to `ARRIVED`."""
    T = measured_tcp(arm)
    _refuse_beyond(f"{when}, its TCP is to be", T, T_world_tcp, ARRIVED)
    return T


def check_reached(arm: Arm, q: Float[np.ndarray, "joints"], model: arm_model.Arm) -> None:
    """A joint motion has ended at `q`, to `AT_POSTURE`, and the TCP is where the model of the arm has it."""
    now = np.asarray(arm.joints(), dtype=np.float64)
    away = float(np.abs(now - q).max()) if now.shape == q.shape else float("nan")
    if not away <= AT_POSTURE:
        raise CellFault(
            f"arm: after a joint motion to {_degrees(q)} degrees its joints are at {_degrees(now)}, up to "
            f"{np.degrees(away):.1f} degrees off, allowed are {np.degrees(AT_POSTURE):.1f}; {ADVICE}"
        )
    where = "at its joint angles the cell's model has its TCP"
    _refuse_beyond(where, measured_tcp(arm), model.tcp_pose(now), MODEL_ERROR)


def check_above_board(T_world_tcp: Float[np.ndarray, "4 4"], limits: SafetyLimits) -> None:
    """Fingers that close here stay off the board: a lag downwards has used up no more than is left under their tips."""
    lowest = limits.minimum_height - UNDER_TIPS
    if not T_world_tcp[2, 3] >= lowest:
        raise CellFault(
            f"arm: its TCP is at z = {T_world_tcp[2, 3]:.4f} m, and fingers that close there would meet the board; "
            f"allowed are {lowest:.4f} m and more; {ADVICE}"
        )


def _refuse_beyond(where: str, T_measured: np.ndarray, T_expected: np.ndarray, most: tuple[float, float]) -> None:
    metres, radians = distance(T_measured, T_expected)
    if not (metres <= most[0] and radians <= most[1]):
        raise CellFault(
            f"arm: {where} at {_place(T_expected)} m, and is measured at {_place(T_measured)} m: {1000 * metres:.1f} "
            f"mm and {np.degrees(radians):.1f} degrees off, allowed are {1000 * most[0]:g} mm and "
            f"{np.degrees(most[1]):.1f} degrees; {ADVICE}"
        )


def _place(T: np.ndarray) -> str:
    return f"({', '.join(f'{v:.3f}' for v in T[:3, 3])})"


def _degrees(q: np.ndarray) -> list[float]:
    return np.degrees(q).round(1).tolist()
