"""Calibration with known truth: a board on the table, a camera on the wrist, postures, and what the camera sees.

For the notebook and the tests: a procedure that does not find the truth here finds nothing in a lab.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics, pixels_of, view_from_sphere
from dgrasp.cell.transforms import inverse, transform
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.robot.calibration.board import Board, Sighting, opencv


@dataclass(frozen=True, eq=False)
class SyntheticCell:
    """The truth: T_tool0_cam, intrinsics, and where the printed board lies; metres."""

    board: Board
    intrinsics: Intrinsics
    T_tool0_cam: np.ndarray
    T_world_board: np.ndarray

    @classmethod
    def draw(
        cls, rng: np.random.Generator, board: Board | None = None, intrinsics: Intrinsics | None = None
    ) -> SyntheticCell:
        """A camera 5 to 8 cm beside the hand's axis, looking nearly along it; the board face up on the workbench."""
        board = board or Board()
        tilt = Rotation.from_rotvec(np.radians(rng.uniform(-5, 5, 3)))
        T_tool0_cam = transform(tilt, (rng.uniform(-0.01, 0.01), rng.uniform(0.05, 0.08), rng.uniform(0.02, 0.05)))
        # z of the board points into the paper, hence down
        R_board = Rotation.from_euler("zx", [rng.uniform(-0.3, 0.3), np.pi])
        middle = np.array([*board.size, 0.0]) / 2
        place = BOARD_CENTRE + np.append(rng.uniform(-0.03, 0.03, 2), 0.0)
        return cls(
            board, intrinsics or Intrinsics.d415(), T_tool0_cam, transform(R_board, place - R_board.apply(middle))
        )

    def postures(self, rng: np.random.Generator, n: int, tilt: float = 45.0) -> np.ndarray:
        """`Ts_world_tool0` (n, 4, 4) that show the board from up to `tilt` degrees off the vertical, 0.35 to 0.6 m off.

        The camera looks past the board's middle: looking at one point always, from one distance, would leave open how
        far ahead of the hand the camera sits.
        """
        Ts_world_cam = []
        for _ in range(n):
            aim = torch.from_numpy(self._middle + np.append(rng.uniform(-0.05, 0.05, 2), 0.0))
            azimuth, polar = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(0.05, 1.0) * tilt)
            Ts_world_cam.append(view_from_sphere(aim, rng.uniform(0.35, 0.6), azimuth, polar).numpy())
        return np.stack(Ts_world_cam) @ inverse(self.T_tool0_cam)

    def see(self, T_world_tool0: Float[np.ndarray, "4 4"], rng: np.random.Generator, pixels: float = 0.2) -> Sighting:
        """Corners projected into the image, with Gaussian noise of `pixels`; those outside are not seen."""
        T_cam_board = inverse(T_world_tool0 @ self.T_tool0_cam) @ self.T_world_board
        corners = self.board.corners @ T_cam_board[:3, :3].T + T_cam_board[:3, 3]
        uv = pixels_of(torch.from_numpy(self.intrinsics.matrix), torch.from_numpy(corners)).numpy()
        uv = uv + pixels * rng.standard_normal(uv.shape)
        k = self.intrinsics
        seen = (corners[:, 2] > 0) & ((uv >= 0) & (uv <= (k.width - 1, k.height - 1))).all(axis=1)
        return Sighting(np.flatnonzero(seen), uv[seen], T_world_tool0)

    def photograph(self, T_world_tool0: Float[np.ndarray, "4 4"], dpi: int = 120) -> UInt8[np.ndarray, "h w 3"]:
        """A picture of the printed board on a grey bench: the board's own image, seen in perspective."""
        k = self.intrinsics
        T_cam_board = inverse(T_world_tool0 @ self.T_tool0_cam) @ self.T_world_board
        flat = np.pad(self.board.picture(dpi), 40, constant_values=255)  # detection needs the white margin
        metres = self.board.size[0] / (flat.shape[1] - 80)
        # from texels to the board's plane: integer texel centres, so the squares' outer corner is at 39.5
        texel = np.array([[metres, 0, -39.5 * metres], [0, metres, -39.5 * metres], [0, 0, 1]])
        H = k.matrix @ T_cam_board[:3, [0, 1, 3]] @ texel
        image = opencv().warpPerspective(flat, H, (k.width, k.height), borderValue=110)
        return np.repeat(image[..., None], 3, axis=2)

    @property
    def _middle(self) -> np.ndarray:
        return (self.T_world_board @ [*(np.array(self.board.size) / 2), 0.0, 1.0])[:3]
