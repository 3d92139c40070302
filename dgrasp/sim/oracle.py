"""The oracle: grasps from the scene's state, and the trajectory that a demonstrator takes to them.

Grasps are top-down on the annotated lines of a random object, as the predecessor's oracle takes them. The
paper does not say how trajectories start or how they are sampled: see `OracleConfig` for our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field
from scipy.spatial.transform import Rotation, Slerp

from dgrasp.cell.model import PAPERS, CellModel
from dgrasp.cell.motion import trapezoid
from dgrasp.cell.transforms import direction, inverse, transform
from dgrasp.config import Config
from dgrasp.sim.objects.lines import GraspLine
from dgrasp.sim.objects.shapes import Made
from dgrasp.sim.scene import Scene, SceneObject

LEVEL = np.radians(12)  # closing axes and lines within this of the horizontal count as horizontal
CLEARANCE = 0.006  # m kept between the open hand and other objects
INSIDE = 0.004  # m that the hand of a blocked grasp is inside a neighbour: of those that only come near, most lift
TRIES = 20  # random grasps of an object, until it is said that the hand does not reach any
BESIDE = 0.004  # m between an object and each open finger of a described hand


class OracleConfig(Config):
    """The demonstrator's motion. # not in the paper: none of these numbers is stated in any source."""

    rate: float = Field(10.0, gt=0, le=240, description="Recorded TCP poses per second")
    speed: float = Field(
        0.25, gt=0, le=1, description="TCP speed between the recorded poses, m/s: 25 mm a pose at 10 Hz"
    )
    turn_speed: float = Field(1.5, gt=0, le=6, description="Greatest turning speed of the TCP, rad/s")
    pregrasp: float = Field(
        0.10, gt=0, le=0.4, description="Height of the pre-grasp above the grasp, metres (student's code: 0.10)"
    )
    acceleration: float = Field(1.0, gt=0, le=10, description="Of the TCP at the start and before the grasp, m/s^2")
    start_height: tuple[float, float] = Field(
        (0.03, 0.30), description="TCP heights above the board where motions begin, metres"
    )
    start_tilt: float = Field(
        1.05, ge=0, le=3.15, description="Greatest tilt of the starting approach axis from down, radians"
    )
    start_turn: float = Field(
        1.57, ge=0, le=3.15, description="Greatest turn about the approach axis at the start, radians"
    )
    start_tries: int = Field(
        40, ge=1, le=1000, description="Starts tried until one is clear of objects; then straight from above"
    )
    candidates: int = Field(
        1,
        ge=1,
        le=20,
        description="Clear grasps drawn of an object, of which the one nearest to its centre of mass is demonstrated; "
        "1: any, as the predecessor's oracle",
    )


def oracle(
    scene: Scene, rng: np.random.Generator, config: OracleConfig | None = None
) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "steps 4 4"]]:
    """A grasp `T_world_tcp` and the recorded trajectory `Ts_world_tcp` to it; the last row is the grasp.

    Raises ValueError if no object of the scene has an annotated grasp that the open hand reaches.
    """
    config = config or OracleConfig()
    T, name = sample_grasp(scene, rng, config.candidates)
    return T, sample_trajectory(scene, T, name, rng, config)


def sample_grasp(scene: Scene, rng: np.random.Generator, candidates: int = 1) -> tuple[np.ndarray, str]:
    """A random object's grasp (T_world_tcp, object name), clear of its neighbours.

    A random one; of several `candidates` the one whose TCP is nearest to the object's origin, which is its centre of
    mass: gravity turns the object least in the fingers, and heights do not differ at random.
    """
    for i in rng.permutation(len(scene.objects)):
        o = scene.objects[i]
        clear = list(islice(_clear_grasps(scene, o, rng), candidates))
        if clear:
            return min(clear, key=lambda T: float(np.linalg.norm(T[:3, 3] - o.T_world_object[:3, 3]))), o.name
    raise ValueError(
        f"no object of this scene can be grasped from above; objects: {', '.join(o.name for o in scene.objects)}"
    )


def _clear_grasps(scene: Scene, o: SceneObject, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Random grasps of an object that the open hand reaches, of `TRIES` draws."""
    lines = usable_lines(o, scene.model)
    for _ in range(TRIES if lines else 0):
        line = lines[rng.integers(len(lines))]
        along = rng.uniform(-1, 1) * line.half_length
        T = grasp_pose(o, line, along, turned=bool(rng.integers(2)), cell=scene.model)
        if hand_is_clear(T, scene, ignore=o.name) and clear_of_its_own(T, o, scene.model):
            yield T


def oracle_grasps(scene: Scene, spacing: float = 0.005, clear: bool = True) -> Float[np.ndarray, "n 4 4"]:
    """All annotated grasps of a scene, one every `spacing` metres along each line; (0, 4, 4) if there are none.

    Each stands for its half-turned twin too. With `clear`, only those the open hand reaches past the neighbours.
    """
    grasps = [
        T
        for o in scene.objects
        for T in _annotated(o, spacing, scene.model)
        if not clear or hand_is_clear(T, scene, ignore=o.name)
    ]
    return np.array(grasps).reshape(-1, 4, 4)


def _annotated(o: SceneObject, spacing: float, cell: CellModel) -> Iterator[np.ndarray]:
    """An object's annotated grasps, one every `spacing` metres along each line."""
    for line in usable_lines(o, cell):
        n = 1 + 2 * int(np.ceil(line.half_length / spacing)) if line.half_length else 1
        for along in np.linspace(-line.half_length, line.half_length, n):
            T = grasp_pose(o, line, along, cell=cell)
            if clear_of_its_own(T, o, cell):
                yield T


def blocked_grasps(scene: Scene, spacing: float = 0.005) -> Float[np.ndarray, "n 4 4"]:
    """Annotated grasps, as in `oracle_grasps`, whose open hand would be inside a neighbour, by `INSIDE`; may be none.

    Those in between, which only come near a neighbour, are in neither: they are no demonstrations, and mostly lift.
    """
    annotated = ((o, T) for o in scene.objects for T in _annotated(o, spacing, scene.model))
    blocked = [T for o, T in annotated if not hand_is_clear(T, scene, ignore=o.name, clearance=-INSIDE)]
    return np.array(blocked).reshape(-1, 4, 4)


def distance_to_grasps(
    T_world_tcp: Float[np.ndarray, "*b 4 4"], grasps: Float[np.ndarray, "n 4 4"], radians_per_metre: float = 10.0
) -> tuple[Float[np.ndarray, "*b"], Float[np.ndarray, "*b"]]:
    """Metres and radians (modulo the gripper's half turn) from poses to their nearest valid grasp.

    Nearest in metres + radians / radians_per_metre, so that both numbers belong to one grasp.
    """
    if not len(grasps):
        raise ValueError("distance_to_grasps: there is no grasp to compare with")
    T = np.asarray(T_world_tcp, dtype=np.float64)[..., None, :, :]
    metres = np.linalg.norm(T[..., :3, 3] - grasps[:, :3, 3], axis=-1)
    R = T[..., :3, :3]
    diagonal = np.einsum("...ij,nij->...nj", R[..., 0, :, :], grasps[:, :3, :3])  # column by column
    straight = diagonal.sum(-1)
    turned = diagonal[..., 2] - diagonal[..., 0] - diagonal[..., 1]
    radians = np.arccos(np.clip((np.maximum(straight, turned) - 1) / 2, -1, 1))
    nearest = np.argmin(metres + radians / radians_per_metre, axis=-1)[..., None]
    return np.take_along_axis(metres, nearest, -1)[..., 0], np.take_along_axis(radians, nearest, -1)[..., 0]


def usable_lines(o: SceneObject, cell: CellModel = PAPERS) -> list[GraspLine]:
    """Annotated lines that are horizontal and closed horizontally as the object now lies, no wider than the hand."""
    R = o.T_world_object[:3, :3]
    limit = np.sin(LEVEL)
    level = [
        line
        for line in o.shape.grasp_lines
        if abs((R @ line.closing)[2]) < limit and abs((R @ line.direction)[2]) < limit
    ]
    if cell.description is not None:
        level = [line for line in level if line.width < cell.hand.opening - 2 * BESIDE]
    return [line for line in level if _in_reach(o, line, cell)] if isinstance(o.shape, Made) else level


def _in_reach(o: SceneObject, line: GraspLine, cell: CellModel) -> bool:
    """Whether the pads still hold a made object's line where the board lets the TCP go no lower."""
    height = float((o.T_world_object[:3, :3] @ np.array(line.centre))[2] + o.T_world_object[2, 3])
    return height > cell.board_top + cell.hand.tip_clearance - cell.hand.pads_below


def clear_of_its_own(T_world_tcp: Float[np.ndarray, "4 4"], o: SceneObject, cell: CellModel = PAPERS) -> bool:
    """Whether the open hand comes down to a grasp beside the object itself: around a head, into a ring.

    Prisms have nothing that could be in the way.
    """
    if not isinstance(o.shape, Made):
        return True
    T_object_tcp = inverse(o.T_world_object) @ T_world_tcp
    descent = np.stack([T_object_tcp @ transform(None, (0.0, 0.0, -back)) for back in (0.0, 0.03, 0.06)])
    points = (descent[:, None, :3, :3] @ cell.hand.points[..., None])[..., 0] + descent[:, None, :3, 3]
    return not o.shape.holds(points.reshape(-1, 3), margin=0.002).any()


def grasp_pose(
    o: SceneObject, line: GraspLine, along: float, turned: bool = False, cell: CellModel = PAPERS
) -> np.ndarray:
    """`T_world_tcp` on a line: z down, x along the closing axis, at the line's height or the lowest that is safe.

    cell: whose hand it is; of one with short fingers tall objects are grasped higher up.
    """
    T = o.T_world_object
    position = T[:3, :3] @ (np.array(line.centre) + along * np.array(line.direction)) + T[:3, 3]
    position[2] = max(position[2], cell.board_top + cell.hand.tip_clearance)
    if np.isfinite(cell.hand.depth):  # the hand's body stays above the object
        top = T[2, 3] + float(np.abs(T[2, :3]) @ np.array(o.shape.extents)) / 2
        position[2] = max(position[2], top - cell.hand.depth + BESIDE)
    closing = T[:3, :3] @ np.array(line.closing)
    x = np.array([closing[0], closing[1], 0.0]) * (-1.0 if turned else 1.0)
    x /= np.linalg.norm(x)
    z = np.array([0.0, 0.0, -1.0])
    return transform(np.stack([x, np.cross(z, x), z], axis=1), position)


def sample_trajectory(
    scene: Scene, T_grasp: np.ndarray, name: str, rng: np.random.Generator, config: OracleConfig
) -> np.ndarray:
    """From a random start, smoothly to the pre-grasp, straight down to the grasp; poses at `config.rate`."""
    T_pre = T_grasp @ transform(None, (0.0, 0.0, -config.pregrasp))
    for _ in range(config.start_tries):
        T_start = random_start(T_grasp, rng, config, scene.model)
        way, descent = blend(T_start, T_pre, T_grasp, config)
        if hand_is_clear(way, scene) and hand_is_clear(descent, scene, ignore=name):
            return np.concatenate([way, descent])
    T_above = T_pre @ transform(None, (0.0, 0.0, -0.05))
    return np.concatenate(blend(T_above, T_pre, T_grasp, config))


def random_start(
    T_grasp: np.ndarray, rng: np.random.Generator, config: OracleConfig, cell: CellModel = PAPERS
) -> np.ndarray:
    """A pose anywhere in the workspace or above it, tilted and turned at random against the grasp."""
    low, high = cell.low.copy(), cell.high.copy()
    low[2], high[2] = cell.board_top + config.start_height[0], cell.board_top + config.start_height[1]
    angle = rng.uniform(-np.pi, np.pi)
    tilt = rng.uniform(0, config.start_tilt) * np.array([*direction(angle), 0.0])
    turn = rng.uniform(-config.start_turn, config.start_turn)
    R = T_grasp[:3, :3] @ (Rotation.from_rotvec(tilt) * Rotation.from_rotvec([0, 0, turn])).as_matrix()
    return transform(R, rng.uniform(low, high))


def blend(
    T_start: np.ndarray, T_pre: np.ndarray, T_grasp: np.ndarray, config: OracleConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Recorded poses of (the curve to the pre-grasp, the straight descent); the last one is exactly the grasp.

    The curve is a cubic Bezier that ends in the direction of the descent; orientation turns with a smoothstep.
    Speed along both is one trapezoid from rest to rest.
    """
    start, pre, grasp = T_start[:3, 3], T_pre[:3, 3], T_grasp[:3, 3]
    back = pre - 0.5 * (grasp - pre)  # half a descent above the pre-grasp
    u = np.linspace(0, 1, 65)[:, None]
    curve = (
        (1 - u) ** 3 * start
        + 3 * u * (1 - u) ** 2 * (start + (pre - start) / 3)
        + 3 * u**2 * (1 - u) * back
        + u**3 * pre
    )
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    rotations = Rotation.from_matrix(np.stack([T_start[:3, :3], T_pre[:3, :3]]))
    radians = float((rotations[0].inv() * rotations[1]).magnitude())
    first = max(arc[-1], 1.5 * radians * config.speed / config.turn_speed)  # 1.5: the smoothstep's peak slope
    total = first + float(np.linalg.norm(grasp - pre))
    way = np.concatenate([[0.0], trapezoid(total, config.speed, config.acceleration, 1 / config.rate)]) * total
    f = np.minimum(way / first, 1.0)
    poses = np.zeros((len(way), 4, 4))
    poses[:, :3, :3] = Slerp([0, 1], rotations)(f * f * (3 - 2 * f)).as_matrix()
    poses[:, :3, 3] = np.stack([np.interp(f * arc[-1], arc, curve[:, k]) for k in range(3)], axis=1)
    late = way > first
    poses[late, :3, 3] = pre + ((way[late] - first) / (total - first))[:, None] * (grasp - pre)
    poses[:, 3, 3] = 1.0
    poses[-1] = T_grasp
    return poses[~late], poses[late]


def hand_is_clear(
    Ts_world_tcp: np.ndarray, scene: Scene, ignore: str | None = None, clearance: float = CLEARANCE
) -> bool:
    """Whether the open hand keeps clear of board and objects (but `ignore`) at poses (..., 4, 4).

    Objects count as the boxes of their extents, made ones as their parts, enlarged by `clearance` (m).
    """
    Ts = np.asarray(Ts_world_tcp).reshape(-1, 4, 4)
    cell = scene.model
    points = (Ts[:, None, :3, :3] @ cell.hand.points[..., None])[..., 0] + Ts[:, None, :3, 3]
    flat = points.reshape(-1, 3)
    if (flat[:, 2] < cell.board_top + 0.002).any():
        return False
    for o in scene.objects:
        if o.name == ignore:
            continue
        local = (flat - o.T_world_object[:3, 3]) @ o.T_world_object[:3, :3]
        if _near(o, local, clearance).any():
            return False
    return True


def _near(o: SceneObject, local: Float[np.ndarray, "n 3"], clearance: float) -> Bool[np.ndarray, "n"]:
    """Which points, in the object's frame, are in it, enlarged by so much: its box, or a made object's parts."""
    if isinstance(o.shape, Made):
        return o.shape.holds(local, clearance)
    near: np.ndarray = (np.abs(local) < np.array(o.shape.extents) / 2 + clearance).all(1)
    return near
