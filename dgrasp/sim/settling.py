"""Objects that fall until they lie still: physics before any trial, without the robot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pybullet as bullet

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.cell.model import model_of
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.world import World, build_world

PULL = (
    1.2  # share of an object's weight that packs a pile; not in the paper: overcomes friction on board and neighbours
)
TOUCHING = 0.001  # m between surfaces of objects that count as touching


@contextmanager
def _world(objects: Sequence[SceneObject], cell: CellDescription | None = None) -> Iterator[World]:
    client = bullet.connect(bullet.DIRECT)
    try:
        yield build_world(client, CellConfig(description=cell), Scene(tuple(objects), cell=cell), with_robot=False)
    finally:
        bullet.disconnect(client)


def physics_rest(
    objects: Sequence[SceneObject],
    pull_to: Sequence[float] | np.ndarray | None = None,
    seconds: float = 4.0,
    cell: CellDescription | None = None,
) -> list[SceneObject] | None:
    """The objects where they come to rest, or None if they do not within `seconds` or one leaves the board.

    pull_to: (x, y) of a point that attracts all objects for a second before they are left alone, which packs them.
    cell: whose board it is (None: the paper's).
    """
    with _world(objects, cell) as world:
        if pull_to is not None:
            _pack(world, np.asarray(pull_to))
        if not world.settle(seconds, still=0.25):
            return None
        rested = [o.moved(world.object_pose(o.name)) for o in objects]
    fallen_below = model_of(cell).fallen_below
    return rested if all(o.T_world_object[2, 3] > fallen_below for o in rested) else None


def _pack(world: World, middle: np.ndarray, seconds: float = 1.0) -> None:
    weight = {o.name: 9.81 * o.mass for o in world.scene.objects}
    for _ in range(round(seconds * world.config.frequency)):
        for name, body in world.objects.items():
            position, _ = bullet.getBasePositionAndOrientation(body, physicsClientId=world.client)
            way = middle - np.array(position[:2])
            force = PULL * weight[name] * way / max(math.sqrt(way[0] * way[0] + way[1] * way[1]), 0.01)
            bullet.applyExternalForce(
                body, -1, [*force.tolist(), 0.0], position, bullet.WORLD_FRAME, physicsClientId=world.client
            )
        world.step()


def stays(objects: Sequence[SceneObject], seconds: float = 0.5, cell: CellDescription | None = None) -> bool:
    """Whether the objects hardly move (0.5 mm) in a world built anew: a pile that needs its history is not at rest."""
    with _world(objects, cell) as world:
        world.step(round(seconds * world.config.frequency))
        moved = [world.object_pose(o.name)[:3, 3] - o.T_world_object[:3, 3] for o in objects]
    return float(np.abs(moved).max()) < 0.0005


def touching(objects: Sequence[SceneObject], cell: CellDescription | None = None) -> bool:
    """Whether the objects form one pile: each is connected with every other through contacts."""
    with _world(objects, cell) as world:
        names = list(world.objects)
        reached, front = {names[0]}, [names[0]]
        while front:
            body = world.objects[front.pop()]
            for other in names:
                if other in reached:
                    continue
                if bullet.getClosestPoints(body, world.objects[other], TOUCHING, physicsClientId=world.client):
                    reached.add(other)
                    front.append(other)
    return len(reached) == len(names)
