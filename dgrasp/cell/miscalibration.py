"""Cameras as a calibration states them, drawn about where they are: what is trained so knows no exact camera."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.spatial.transform import Rotation

from dgrasp.cell.transforms import transform
from dgrasp.config import Config


class CalibrationErrors(Config):
    """How far stated cameras are off in training. Not in the paper, whose simulated cameras are known exactly.

    The hand-eye pose's error is common to all views of an observation, as on a robot. The defaults reach a little
    beyond what careful calibrations leave (1 to 5 mm): who trains with much larger errors learns a blurred landscape.
    """

    hand_eye_shift: float = Field(
        0.006, ge=0, le=0.1, description="largest length of the hand-eye pose's error, metres; uniform from 0"
    )
    hand_eye_turn: float = Field(0.75, ge=0, le=30, description="largest angle of the same, degrees; uniform from 0")
    arm_shift: float = Field(0.0006, ge=0, le=0.05, description="metres, of each axis of each view; deviation")
    focal_share: float = Field(0.006, ge=0, le=0.2, description="of the focal length; deviation")
    centre_share: float = Field(0.004, ge=0, le=0.2, description="of the principal point, image widths; deviation")


def misstated(
    K: Float[np.ndarray, "views 3 3"],
    Ts_world_cam: Float[np.ndarray, "views 4 4"],
    width: int,
    errors: CalibrationErrors,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "views 3 3"], Float[np.ndarray, "views 4 4"]]:
    """Intrinsics and poses of an observation's cameras with one draw of errors: T_stated = T_true @ E.

    width: of the images, pixels.
    """
    turn = np.radians(errors.hand_eye_turn) * rng.uniform() * random_direction(rng)
    E = transform(Rotation.from_rotvec(turn), errors.hand_eye_shift * rng.uniform() * random_direction(rng))
    E = np.repeat(E[None], len(K), axis=0)
    E[:, :3, 3] += errors.arm_shift * rng.standard_normal((len(K), 3))
    stated = np.array(K, dtype=np.float64)
    stated[:, [0, 1], [0, 1]] *= 1 + errors.focal_share * rng.standard_normal()
    stated[:, :2, 2] += errors.centre_share * width * rng.standard_normal(2)
    return stated, np.asarray(Ts_world_cam, dtype=np.float64) @ E


def random_direction(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """A unit vector, all directions alike."""
    v = rng.standard_normal(3)
    return v / np.linalg.norm(v)
