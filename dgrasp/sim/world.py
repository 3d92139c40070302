"""The world in one Bullet client: workbench, robot and objects, built from nothing each time.

Rebuilding with the same commands is what makes trials repeat bit for bit; saving and restoring a state does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pybullet as bullet

from dgrasp.cell.config import CellConfig
from dgrasp.cell.transforms import from_bullet, to_bullet
from dgrasp.sim.bodies import add_object, add_workbench, draw_workbench
from dgrasp.sim.described_robot import SimulatedRobot, load_described
from dgrasp.sim.robot import load_robot
from dgrasp.sim.scene import Scene


@dataclass
class World:
    """Handles of one built world. statics: the workbench in physics; drawn: as it is seen; names: of all bodies."""

    client: int
    config: CellConfig
    scene: Scene
    robot: SimulatedRobot | None
    statics: dict[int, str]
    objects: dict[str, int]
    steps: int = 0
    drawn: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def stands_on(self) -> tuple[str, ...]:
        """What of the workbench the arm's base touches by construction: its mount, or the table where it has none."""
        return ("mount",) if "mount" in self.statics.values() else ("table", "board")

    def step(self, n: int = 1) -> None:
        for _ in range(n):
            bullet.stepSimulation(physicsClientId=self.client)
        self.steps += n

    @property
    def seconds(self) -> float:
        return self.steps * self.config.time_step

    def object_pose(self, name: str) -> np.ndarray:
        """`T_world_object` now."""
        return from_bullet(*bullet.getBasePositionAndOrientation(self.objects[name], physicsClientId=self.client))

    def object_height(self, name: str) -> float:
        """World z of an object's centre of mass."""
        return bullet.getBasePositionAndOrientation(self.objects[name], physicsClientId=self.client)[0][2]

    def remove_robot(self) -> None:
        if self.robot is not None:
            self.robot.remove()
            self.robot = None

    def remove_object(self, name: str) -> None:
        bullet.removeBody(self.objects.pop(name), physicsClientId=self.client)

    def is_still(self, body: int, speed: float = 0.002, turn: float = 0.05) -> bool:
        """Whether a body moves slower than `speed` (m/s) and `turn` (rad/s)."""
        v, w = bullet.getBaseVelocity(body, physicsClientId=self.client)
        return float(np.linalg.norm(v)) < speed and float(np.linalg.norm(w)) < turn

    def at_rest(self) -> bool:
        """Whether no object moves faster than 2 mm/s or 0.05 rad/s."""
        return all(self.is_still(body) for body in self.objects.values())

    def settle(self, seconds: float = 3.0, still: float = 0.1) -> bool:
        """Step until all objects have been at rest for `still` seconds; False if they were not after `seconds`."""
        chunk = max(1, round(still * self.config.frequency / 4))
        quiet = 0
        for _ in range(max(1, round(seconds * self.config.frequency / chunk))):
            self.step(chunk)
            quiet = quiet + 1 if self.at_rest() else 0
            if quiet >= 4:
                return True
        return False


def build_world(client: int, config: CellConfig, scene: Scene, with_robot: bool = True) -> World:
    """Empty the client and build everything in a fixed order."""
    bullet.resetSimulation(physicsClientId=client)
    bullet.setPhysicsEngineParameter(
        fixedTimeStep=config.time_step,
        numSolverIterations=config.solver_iterations,
        solverResidualThreshold=config.solver_residual,
        deterministicOverlappingPairs=1,
        physicsClientId=client,
    )
    bullet.setGravity(0.0, 0.0, -9.81, physicsClientId=client)
    statics = add_workbench(client, config)
    robot = _robot(client, config) if with_robot else None
    world = World(client, config, scene, robot, statics, {})
    for o in scene.objects:
        world.objects[o.name] = add_object(client, o)
    world.drawn = draw_workbench(client, config)
    world.names = statics | world.drawn | {body: name for name, body in world.objects.items()}
    return world


def _robot(client: int, config: CellConfig) -> SimulatedRobot:
    model = config.model
    if model.description is None:
        return load_robot(client, config.pad_friction)
    return load_described(client, model, config.pad_friction)


def sleep_if_still(world: World) -> None:
    """Let objects that lie still sleep until they are touched: cheaper, and piles do not creep while the arm travels.

    A few steps tell whether an object is at rest; one that is not stays awake. Poses are those of the scene again.
    """
    for _ in range(4):
        bullet.stepSimulation(physicsClientId=world.client)
    for o in world.scene.objects:
        body = world.objects[o.name]
        still = world.is_still(body, speed=0.03, turn=0.5)
        bullet.resetBasePositionAndOrientation(body, *to_bullet(o.T_world_object), physicsClientId=world.client)
        bullet.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=world.client)
        if still:
            asleep = bullet.ACTIVATION_STATE_ENABLE_SLEEPING | bullet.ACTIVATION_STATE_SLEEP
            bullet.changeDynamics(body, -1, activationState=asleep, physicsClientId=world.client)
