"""What happens in the simulated cell while the arm approaches: an object is pushed, or the board carries all along.

Off by default; an undisturbed grasp is that of `dgrasp.sim.execution`, to the byte.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pybullet as bullet
from jaxtyping import Float
from pydantic import Field

from dgrasp.cell.transforms import direction
from dgrasp.config import Config
from dgrasp.sim.world import World

DIRECTIONS = 16  # tried, evenly about a random one, until an object is pushed to a free place
EDGE, GAP = 0.03, 0.01  # m kept from the workspace's edge, and from other objects
PUSH_SPEED = 0.15  # m/s

Kind = Literal["none", "push", "drift"]


class Disturbance(Config):
    """One disturbance, from the moment the arm leaves its home.

    push: the object nearest to the planned grasp slides by `size` metres, once. drift: the board moves at `size` m/s
    and carries each object along until a finger touches it.
    """

    kind: Kind = "none"
    size: float = Field(default=0.0, ge=0, le=0.2, description="metres, or metres per second")


class Mover:
    """Moves objects of a world, physics step by physics step, as a disturbance says.

    T_world_tcp: the planned grasp. rng: of the directions.
    """

    def __init__(
        self, disturbance: Disturbance, world: World, T_world_tcp: Float[np.ndarray, "4 4"], rng: np.random.Generator
    ) -> None:
        self.disturbance, self.world = disturbance, world
        self.pushed = nearest_object(world, T_world_tcp)
        self.along = free_direction(world, self.pushed, disturbance, rng)
        self.left = disturbance.size if disturbance.kind == "push" else np.inf

    def step(self) -> None:
        """Before a step of physics."""
        if self.disturbance.kind == "none" or self.left <= 0 or self.pushed is None:
            return
        dt = self.world.config.time_step
        if self.disturbance.kind == "push":
            way = min(self.left, PUSH_SPEED * dt)
            self.left -= way
            self._shift(self.world.objects[self.pushed], way)
            return
        for body in self.world.objects.values():
            if not self._touched(body):
                self._shift(body, self.disturbance.size * dt)

    def _shift(self, body: int, way: float) -> None:
        position, turn = bullet.getBasePositionAndOrientation(body, physicsClientId=self.world.client)
        moved = [position[0] + way * self.along[0], position[1] + way * self.along[1], position[2]]
        bullet.resetBasePositionAndOrientation(body, moved, turn, physicsClientId=self.world.client)

    def _touched(self, body: int) -> bool:
        robot = self.world.robot
        return robot is not None and bool(bullet.getContactPoints(robot.body, body, physicsClientId=self.world.client))


def nearest_object(world: World, T_world_tcp: Float[np.ndarray, "4 4"]) -> str | None:
    """The object whose middle is nearest to the grasp, seen from above; None on an empty board."""
    away = {n: float(np.linalg.norm(world.object_pose(n)[:2, 3] - T_world_tcp[:2, 3])) for n in world.objects}
    return min(away, key=lambda name: away[name]) if away else None


def free_direction(
    world: World, name: str | None, disturbance: Disturbance, rng: np.random.Generator
) -> tuple[float, float]:
    """Where an object can be moved to without leaving the workspace or meeting another; else the roomiest direction."""
    angles = rng.uniform(-np.pi, np.pi) + np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    ways = [direction(angle) for angle in angles]
    if name is None or disturbance.kind == "none":
        return ways[0]
    reach = disturbance.size * (3.0 if disturbance.kind == "drift" else 1.0)  # of about three seconds
    rooms = [_room(world, name, reach * np.array(way)) for way in ways]
    return next((way for way, room in zip(ways, rooms, strict=True) if room > 0), ways[int(np.argmax(rooms))])


def _room(world: World, name: str, shift: np.ndarray) -> float:
    """Metres between an object that was moved and what it must keep away from; negative where it does not."""
    p = world.object_pose(name)[:2, 3] + shift
    radius = {o.name: float(np.hypot(*o.shape.extents[:2])) / 2 for o in world.scene.objects}
    others = [
        float(np.linalg.norm(world.object_pose(n)[:2, 3] - p)) - radius[n] - radius[name] - GAP
        for n in world.objects
        if n != name
    ]
    place = world.config.model
    edges = np.concatenate([p - place.low[:2], place.high[:2] - p]) - EDGE
    return min(float(edges.min()), *others) if others else float(edges.min())
