"""Standing cameras while the arm approaches: they look past it, and see by it how far they are off.

The arm knows where it is, and the picture shows where it is seen: the difference, in pixels at the hand, is the
camera's error there. A camera that is turned by as much sees the hand where it is, and what is beside the hand, too.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, shift
from scipy.signal import correlate
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.following import FreePixels
from dgrasp.cell.transforms import inverse, transform
from dgrasp.sim.silhouette import arm_silhouettes
from dgrasp.sim.world import World

MARGIN = 0.015  # of the image's width, kept round the arm: edges of pixels are mixed
CHANGED = 10  # of 255: more is no noise
FARTHEST = 0.13  # of the image's width: an error of 5 degrees or so
AROUND = 0.22  # of the image's width about the TCP: the hand, and not the arm behind it
EXACT = 1.0  # pixel: less says nothing against a calibration
SURE = 0.7  # of the hand that must be seen where it is found; with half, an arm's length was taken for the hand


class Sight:
    """Views of standing cameras without the arm, their stated poses put right where the hand is.

    before: the scene without the arm. model: a world without objects, for the arm's silhouettes. correct: whether poses
    are put right; else they are as stated.
    """

    def __init__(self, before: Views, model: World, *, correct: bool = True) -> None:
        self.free, self.model, self.correct = FreePixels(before), model, correct
        self.found: list[list[np.ndarray]] = [[] for _ in before.images]  # of each view: pixels (u, v), look by look

    def __call__(self, views: Views, q: Float[np.ndarray, "joints"]) -> Views:
        """views: of now, with stated poses. q: joint angles of the arm in them."""
        height, width = views.images.shape[1:3]
        lenses = [Intrinsics(width, height, K[0, 0], K[1, 1], K[0, 2], K[1, 2]) for K in views.K]
        arms = arm_silhouettes(self.model, q, views.Ts_world_cam, lenses)
        p_tcp = self.model.config.model.arm.tcp_pose(q)[:3, 3]
        if self.correct:
            changed = np.abs(views.images.astype(np.int16) - self.free.seen).max(-1) > CHANGED
            for i, (arm, new) in enumerate(zip(arms, changed, strict=True)):
                found = offset(arm, new, pixel(views.K[i], views.Ts_world_cam[i], p_tcp))
                self.found[i] += [] if found is None else [found]
        offs = [settled(found) for found in self.found]
        covered = np.stack([moved(arm, off) for arm, off in zip(arms, offs, strict=True)])
        poses = zip(views.K, views.Ts_world_cam, offs, strict=True)
        Ts_world_cam = np.stack([put_right(K, T, off, p_tcp) for K, T, off in poses])
        return self.free(Views(views.images, views.K, Ts_world_cam), covered)


def settled(found: list[np.ndarray]) -> Float[np.ndarray, "2"]:
    """What several looks say together: their mean, since a camera stands; none, where that is less than `EXACT`."""
    mean = np.mean(found, axis=0) if found else np.zeros(2)
    return mean if np.linalg.norm(mean) >= EXACT else np.zeros(2)


def pixel(
    K: Float[np.ndarray, "3 3"], T_world_cam: Float[np.ndarray, "4 4"], p_world: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "2"]:
    """Where a camera sees a point."""
    p = inverse(T_world_cam) @ [*p_world, 1.0]
    return (K @ p[:3])[:2] / p[2]


def offset(
    arm: Bool[np.ndarray, "h w"], changed: Bool[np.ndarray, "h w"], hand: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "2"] | None:
    """How many pixels (u, v) beside its expected silhouette the hand is seen; None where it is not seen well.

    changed: pixels that differ from the scene without the arm. hand: where the TCP is expected.
    """
    height, width = arm.shape
    v, u = np.mgrid[:height, :width]
    near = np.hypot(u - hand[0], v - hand[1]) < AROUND * width
    inside = arm & near
    if not inside.any() or inside.sum() == near.sum():
        return None
    template = np.where(near, arm - inside.sum() / near.sum(), 0.0)
    match = correlate(changed.astype(float), template, mode="same", method="fft")
    reach = round(FARTHEST * width)
    v_0, u_0 = height // 2, width // 2  # of no offset
    around = match[v_0 - reach : v_0 + reach + 1, u_0 - reach : u_0 + reach + 1]
    row, column = divmod(int(around.argmax()), around.shape[1])
    if around[row, column] < SURE * template[template > 0].sum():
        return None
    return np.array([_summit(around[row], column), _summit(around[:, column], row)]) - reach


def moved(arm: Bool[np.ndarray, "h w"], off: Float[np.ndarray, "2"]) -> Bool[np.ndarray, "h w"]:
    """A silhouette where it is seen, with a margin."""
    seen = shift(arm.astype(np.uint8), off[::-1].round(), order=0, mode="nearest").astype(bool)
    margin = max(1, round(MARGIN * arm.shape[1]))
    return binary_dilation(seen, np.ones((2 * margin + 1, 2 * margin + 1), bool))


def put_right(
    K: Float[np.ndarray, "3 3"],
    T_world_cam: Float[np.ndarray, "4 4"],
    off: Float[np.ndarray, "2"],
    p_world: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "4 4"]:
    """The camera turned, by the least that is needed, until it sees a point `off` pixels further."""
    if not np.any(off):
        return T_world_cam
    here = pixel(K, T_world_cam, p_world)
    expected, seen = (np.linalg.solve(K, [*uv, 1.0]) for uv in (here, here + off))
    expected, seen = expected / np.linalg.norm(expected), seen / np.linalg.norm(seen)
    axis = np.cross(seen, expected)
    angle = float(np.arctan2(np.linalg.norm(axis), seen @ expected))
    return T_world_cam @ transform(Rotation.from_rotvec(angle * axis / max(float(np.linalg.norm(axis)), 1e-12)))


def _summit(values: Float[np.ndarray, "n"], k: int) -> float:
    """Place of the maximum at `k`, between samples: of the parabola through it and its neighbours."""
    if not 0 < k < len(values) - 1:
        return float(k)
    left, middle, right = values[k - 1 : k + 2]
    bend = left - 2 * middle + right
    return float(k) if bend >= 0 else k + 0.5 * float(left - right) / float(bend)
