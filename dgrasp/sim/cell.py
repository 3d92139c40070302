"""The simulated cell: one Bullet client that shows a scene, takes pictures of it, and executes grasps in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import pybullet as bullet
from jaxtyping import Float

from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.model import model_of
from dgrasp.sim.described_robot import SimulatedRobot
from dgrasp.sim.execution import GraspResult, run_grasp
from dgrasp.sim.render import Light, Picture, render
from dgrasp.sim.scene import Scene
from dgrasp.sim.world import World, build_world, sleep_if_still

Lenses = Intrinsics | Sequence[Intrinsics] | None


@dataclass(frozen=True)
class Geometry:
    """Depth (views, h, w) in metres along the optical axis (inf beyond the cell) and segmentation (views, h, w).

    `names[k]` is what label k shows. For plots and tests; never for a policy.
    """

    depth: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


class Cell:
    """The cell of the paper, or a described one. Use as a context manager; one (one client) per process is enough."""

    def __init__(self, config: CellConfig | None = None) -> None:
        self.config = config or CellConfig()
        self.light = Light()  # of the pictures; physics does not see it
        self.client = bullet.connect(bullet.DIRECT)
        self._world: World | None = None
        self._touched = False

    def __enter__(self) -> Cell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from Bullet; safe to call twice."""
        if self.client >= 0:
            bullet.disconnect(self.client)
            self.client = -1

    @property
    def world(self) -> World:
        """The built world; raises RuntimeError before the first `reset`."""
        if self._world is None:
            raise RuntimeError("the cell is empty: call cell.reset(scene) first")
        return self._world

    @property
    def _robot(self) -> SimulatedRobot:
        if self.world.robot is None:
            raise RuntimeError("the arm has left the scene after its trial: call cell.reset(scene) first")
        return self.world.robot

    @property
    def scene(self) -> Scene:
        return self.world.scene

    def reset(self, scene: Scene) -> None:
        """Rebuild the world with this scene and the robot at home; raises ValueError for a scene of another cell."""
        if scene.cell != self.config.description:
            here, there = (model_of(cell).name for cell in (self.config.description, scene.cell))
            raise ValueError(f"scene: was made for the cell {there!r}, and this one is {here!r}")
        self._world = build_world(self.client, self.config, scene)
        home = self._robot.model.home
        self._robot.place(home)
        sleep_if_still(self._world)
        self._robot.place(home)
        self._touched = False

    def observe(self, Ts_world_cam: Float[np.ndarray, "views 4 4"], intrinsics: Lenses = None) -> Views:
        """RGB views of the scene as it stands: all that a policy may see.

        intrinsics: of all views, or one per view; none: the cell's first camera's. Raises ValueError for another number
        of them.
        """
        pictures, K = self._pictures(Ts_world_cam, intrinsics)
        return Views(np.stack([p.rgb for p in pictures]), K, np.array(Ts_world_cam, dtype=np.float64))

    def observe_geometry(self, Ts_world_cam: Float[np.ndarray, "views 4 4"], intrinsics: Lenses = None) -> Geometry:
        """Depth and segmentation of the same views, for plots and tests."""
        pictures, _ = self._pictures(Ts_world_cam, intrinsics)
        world = self.world
        labels_of = {-1: "background", **world.names}
        if world.robot is not None:
            labels_of |= dict.fromkeys(world.robot.bodies, "robot")
        names = tuple(dict.fromkeys(labels_of.values()))
        bodies = np.stack([p.bodies for p in pictures])
        labels = np.zeros(bodies.shape, dtype=np.uint8)
        for body, name in labels_of.items():
            labels[bodies == body] = names.index(name)
        return Geometry(np.stack([p.depth for p in pictures]), labels, names)

    def wrist_viewpoint(self) -> Float[np.ndarray, "4 4"]:
        """`T_world_cam` of the wrist camera at the arm's present posture."""
        return self._robot.camera_pose()

    def execute(
        self,
        T_world_tcp: Float[np.ndarray, "4 4"],
        approach: Float[np.ndarray, "n 4 4"] | None = None,
        rate: float = 10.0,
        watch: Callable[[str], None] | None = None,
    ) -> GraspResult:
        """Attempt a grasp with the arm in physics: home, approach, close, lift, hold, judge.

        T_world_tcp: grasp pose (array or CPU tensor). approach: TCP poses at `rate` Hz that end in the grasp
        (default: straight along the approach axis). Bad poses give an outcome, never an exception. The world
        is rebuilt first if an attempt was made since `reset`; go on with `reset(trial.scene_after)`.
        """
        if self._touched:
            self.reset(self.scene)
        self._touched = True
        return run_grasp(self.world, np.asarray(T_world_tcp, dtype=np.float64), approach, rate, watch)

    def _pictures(self, Ts_world_cam: np.ndarray, intrinsics: Lenses) -> tuple[list[Picture], np.ndarray]:
        intrinsics = intrinsics or self.config.model.lens(self.config.width, self.config.height)
        Ts = np.asarray(Ts_world_cam, dtype=np.float64)
        if Ts.ndim != 3 or Ts.shape[1:] != (4, 4) or not len(Ts):
            raise ValueError(f"Ts_world_cam: expected shape (views, 4, 4) with at least one view, got {Ts.shape}")
        lenses = [intrinsics] * len(Ts) if isinstance(intrinsics, Intrinsics) else list(intrinsics)
        if len(lenses) != len(Ts):
            raise ValueError(f"intrinsics: {len(lenses)} lenses for {len(Ts)} views; expected one, or one per view")
        world = self.world
        if world.robot is not None:  # it is gone after a trial
            world.robot.draw_inner_knuckles()
        pictures = [render(world.client, self.config, T, k, self.light) for T, k in zip(Ts, lenses, strict=True)]
        return pictures, np.stack([k.matrix for k in lenses])
