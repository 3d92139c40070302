"""The mathematics of hand-eye calibration: OpenCV's closed forms, then one least-squares fit of everything at once.

`cv2.calibrateCamera` (or `solvePnP` with known intrinsics) gives the board in each view, `cv2.calibrateHandEye` a
hand-eye pose that agrees with them. Both are only as good as single views are. The fit then uses that the board lay
still and that the arm knows where it stood: on synthetic data it brings errors of some millimetres below one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics
from dgrasp.cell.transforms import inverse, transform
from dgrasp.robot.calibration.board import Board, Sighting, opencv

METHODS = ("TSAI", "PARK", "HORAUD", "ANDREFF", "DANIILIDIS")  # of cv2.calibrateHandEye; the best is taken
IMPOSSIBLE = (
    "the views and the arm's poses do not go together: the fit runs to an impossible lens. Are poses those of the "
    "flange in the world, and quaternions x, y, z, w?"
)


class NoSolution(RuntimeError):
    """No hand-eye pose agrees with the views."""


@contextmanager
def _solving(what: str) -> Iterator[None]:
    """What OpenCV, NumPy or SciPy raise for views without an answer becomes NoSolution; OpenCV prints nothing of it.

    It takes one thread, so that the same pictures have the same calibration, and the same id: several add in any order.
    """
    logging, threads = opencv().utils.logging, opencv().getNumThreads()
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    opencv().setNumThreads(1)
    try:
        yield
    except (opencv().error, ValueError) as error:
        raise NoSolution(f"{what}: no answer for these views ({' '.join(str(error).split())[:200]})") from error
    finally:
        logging.setLogLevel(level)
        opencv().setNumThreads(threads)


@dataclass(frozen=True, eq=False)
class Lens:
    """Intrinsics, distortion (k1 k2 p1 p2 k3), and where single views saw the board: (views, 4, 4), metres."""

    intrinsics: Intrinsics
    distortion: np.ndarray
    Ts_cam_board: np.ndarray


@dataclass(frozen=True, eq=False)
class Solved:
    """A full calibration: lens, hand-eye pose, place of the board, and the closed form it began with."""

    lens: Lens
    T_tool0_cam: np.ndarray
    T_world_board: np.ndarray
    method: str

    def residuals(self, board: Board, used: Sequence[Sighting]) -> dict[str, float]:
        """RMS: pixels of the whole chain's reprojection; mm and degrees by which single views move the still board."""
        errors = np.concatenate(_errors_by_view(board, used, self))
        Ts = _board_in_views(board, used, self.lens)
        off = inverse(self.T_world_board) @ np.stack([s.T_world_tool0 for s in used]) @ self.T_tool0_cam @ Ts
        millimetres = 1e3 * np.sqrt((off[:, :3, 3] ** 2).sum(axis=1).mean())
        degrees = np.degrees(np.sqrt((Rotation.from_matrix(off[:, :3, :3]).magnitude() ** 2).mean()))
        pixels = np.sqrt((errors**2).sum(axis=1).mean())
        return {"pixels": float(pixels), "millimetres": float(millimetres), "degrees": float(degrees)}

    def pixels_by_view(self, board: Board, used: Sequence[Sighting]) -> np.ndarray:
        """RMS of the whole chain's reprojection in each view, (views,), pixels."""
        return np.array([np.sqrt((e**2).sum(axis=1).mean()) for e in _errors_by_view(board, used, self)])


@_solving("the camera")
def solve_camera(
    board: Board, used: Sequence[Sighting], size: tuple[int, int], known: Intrinsics | None, distorted: bool
) -> Lens:
    """Intrinsics (unless known), with distortion or without, and the board's pose in each view; raises NoSolution."""
    if known is not None:
        lens = Lens(known, np.zeros(5), np.empty((0, 4, 4)))
        return Lens(known, lens.distortion, _board_in_views(board, used, lens))
    cv2 = opencv()
    points = [board.corners[s.ids].astype(np.float32) for s in used]
    pixels = [s.uv.astype(np.float32) for s in used]
    flags = cv2.CALIB_FIX_K3  # a printed page does not tell the sixth order of the radius
    if not distorted:
        flags |= cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_ZERO_TANGENT_DIST
    _, K, d, turns, shifts = cv2.calibrateCamera(points, pixels, size, None, None, flags=flags)
    intrinsics = Intrinsics(*size, *(float(v) for v in (K[0, 0], K[1, 1], K[0, 2], K[1, 2])))
    return Lens(intrinsics, d.ravel()[:5], _poses(turns, shifts))


@_solving("the hand-eye pose")
def solve_hand(used: Sequence[Sighting], lens: Lens) -> Solved:
    """The best of OpenCV's closed forms: least scatter of the board, where a millimetre weighs as 0.1 degrees."""
    cv2 = opencv()
    Ts = np.stack([s.T_world_tool0 for s in used])
    hand: tuple[Any, Any] = (list(Ts[:, :3, :3]), list(Ts[:, :3, 3]))
    target: tuple[Any, Any] = (list(lens.Ts_cam_board[:, :3, :3]), list(lens.Ts_cam_board[:, :3, 3]))
    found = []
    for method in METHODS:
        try:
            R, t = cv2.calibrateHandEye(*hand, *target, method=getattr(cv2, f"CALIB_HAND_EYE_{method}"))
        except cv2.error:  # views that contradict each other break some methods
            continue
        if not (np.isfinite(R).all() and np.isfinite(t).all() and np.linalg.det(R) > 0):
            continue
        T_tool0_cam = transform(R, t.ravel())
        Ts_world_board = Ts @ T_tool0_cam @ lens.Ts_cam_board
        turns = Rotation.from_matrix(Ts_world_board[:, :3, :3])
        T_world_board = transform(turns.mean(), Ts_world_board[:, :3, 3].mean(axis=0))
        scatter = 1e3 * Ts_world_board[:, :3, 3].std(axis=0).sum()
        scatter += 10 * np.degrees((turns.mean().inv() * turns).magnitude().mean())
        found.append((scatter, Solved(lens, T_tool0_cam, T_world_board, method)))
    if not found:
        raise NoSolution(f"none of {', '.join(METHODS)} has a solution for these views")
    return min(found, key=lambda f: f[0])[1]


@_solving("the fit")
def refine(board: Board, used: Sequence[Sighting], begin: Solved, fit_lens: bool, distorted: bool) -> Solved:
    """Least squares of all corners' pixels over hand-eye pose, place of the board and, if asked, the lens."""
    k = begin.lens.intrinsics
    lens = [k.fx, k.fy, k.cx, k.cy] if fit_lens else []
    lens += begin.lens.distortion[:4].tolist() if fit_lens and distorted else []
    x0 = np.concatenate([_vector(begin.T_tool0_cam), _vector(begin.T_world_board), lens])

    def unpack(x: np.ndarray) -> Solved:
        seen = begin.lens
        if fit_lens:
            if min(x[12:14]) <= 0:
                raise NoSolution(IMPOSSIBLE)
            intrinsics = Intrinsics(k.width, k.height, *(float(v) for v in x[12:16]))
            seen = Lens(intrinsics, np.append(x[16:20], 0.0) if distorted else np.zeros(5), seen.Ts_cam_board)
        return Solved(seen, _pose(x[:6]), _pose(x[6:12]), begin.method)

    scale = np.array([0.01] * 12 + [10.0] * 4 + [0.01] * 4)[: len(x0)]  # rad and m, pixels, coefficients
    fitted = least_squares(lambda x: _errors(board, used, unpack(x)), x0, x_scale=scale)
    return unpack(fitted.x)


def _errors(board: Board, used: Sequence[Sighting], solved: Solved) -> np.ndarray:
    """Reprojection errors of all corners seen, (2 n,), pixels."""
    return np.concatenate(_errors_by_view(board, used, solved)).ravel()


def _errors_by_view(board: Board, used: Sequence[Sighting], solved: Solved) -> list[np.ndarray]:
    """The same of each view, (corners, 2)."""
    cv2 = opencv()
    K, d = solved.lens.intrinsics.matrix, solved.lens.distortion
    corners, errors = board.corners, []
    for s in used:
        T = inverse(s.T_world_tool0 @ solved.T_tool0_cam) @ solved.T_world_board
        turn = Rotation.from_matrix(T[:3, :3]).as_rotvec()
        uv, _ = cv2.projectPoints(corners[s.ids], turn, T[:3, 3], K, d)
        errors.append(uv.reshape(-1, 2) - s.uv)
    return errors


def _board_in_views(board: Board, used: Sequence[Sighting], lens: Lens) -> np.ndarray:
    cv2 = opencv()
    K, d, corners = lens.intrinsics.matrix, lens.distortion, board.corners
    solved = [cv2.solvePnP(corners[s.ids], s.uv, K, d) for s in used]
    if failed := [i for i, (found, *_) in enumerate(solved) if not found]:
        raise NoSolution(f"view {failed[0]} of those used does not tell where the board lies")
    return _poses([s[1] for s in solved], [s[2] for s in solved])


def _vector(T: np.ndarray) -> np.ndarray:
    return np.concatenate([Rotation.from_matrix(T[:3, :3]).as_rotvec(), T[:3, 3]])


def _pose(vector: np.ndarray) -> np.ndarray:
    return transform(Rotation.from_rotvec(vector[:3]), vector[3:])


def _poses(turns: Sequence[np.ndarray], shifts: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([_pose(np.concatenate([r.ravel(), t.ravel()])) for r, t in zip(turns, shifts, strict=True)])
