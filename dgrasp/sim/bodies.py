"""Workbench and objects as Bullet bodies."""

from __future__ import annotations

import numpy as np
import pybullet as bullet

from dgrasp.cell.config import CellConfig
from dgrasp.cell.transforms import to_bullet
from dgrasp.sim.objects.models import load_model
from dgrasp.sim.objects.prints import REACH, print_file, texture_coordinates
from dgrasp.sim.objects.shapes import Made, Prism
from dgrasp.sim.scene import SceneObject

Numbers = tuple[float, ...]
SUNK = 0.0005  # neighbours overlap by this much, so that no two drawn surfaces coincide and flicker
DOT = 1e-5  # m: half the edge of what is drawn inside a body that is not to be seen (without, Bullet draws its shape)
ROLLING_FRICTION = 0.0005  # m, of round objects; not in the paper: a ball comes to rest on the board
SPINNING_FRICTION = 0.001  # m, of the same, which touch in points where real ones touch in patches


def add_workbench(client: int, config: CellConfig) -> dict[int, str]:
    """Table, board and robot mount as fixed boxes in physics; body id -> name. `draw_workbench` makes them seen."""
    unseen = bullet.createVisualShape(bullet.GEOM_BOX, halfExtents=[DOT] * 3, physicsClientId=client)
    statics = {}
    for name, size, centre, _ in _workbench(config):
        half = [s / 2 for s in size]
        shape = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
        body = bullet.createMultiBody(
            0, shape, unseen, basePosition=centre, useMaximalCoordinates=True, physicsClientId=client
        )
        bullet.changeDynamics(body, -1, lateralFriction=config.board_friction, physicsClientId=client)
        statics[body] = name
    return statics


def draw_workbench(client: int, config: CellConfig) -> dict[int, str]:
    """What is seen of the workbench, as bodies that touch nothing; body id -> name.

    Bullet draws bodies in the order they were made in, and colours a pixel again for every body that is nearer than
    what was there. So these, which fill the picture behind everything, are made last, and the lowest last of all.
    """
    drawn = {}
    for name, size, centre, colour in reversed(_workbench(config)):
        half = [s / 2 for s in size]
        visual = bullet.createVisualShape(
            bullet.GEOM_BOX, halfExtents=half, rgbaColor=[*colour, 1], physicsClientId=client
        )
        drawn[bullet.createMultiBody(0, -1, visual, basePosition=centre, physicsClientId=client)] = name
    return drawn


def _workbench(config: CellConfig) -> tuple[tuple[str, Numbers, Numbers, Numbers], ...]:
    """Name, size, centre and colour of each box."""
    model = config.model
    table_top = model.table_size[2]
    board_bottom = table_top - SUNK
    x, y, mount_top = model.arm.base_position
    table = ("table", model.table_size, (*model.table_centre, table_top / 2), config.table_colour)
    board = (
        "board",
        (*model.board_size[:2], model.board_top - board_bottom),
        (*model.board_centre, (model.board_top + board_bottom) / 2),
        config.board_colour,
    )
    height = mount_top - board_bottom - SUNK
    if height < SUNK:  # the arm stands on the table itself, or beside it
        return (table, board)
    mount = ("mount", (0.24, 0.24, height), (x, y, (mount_top - SUNK + board_bottom) / 2), (0.30, 0.31, 0.33))
    return (table, board, mount)


def add_object(client: int, o: SceneObject) -> int:
    """Create an object's body at its pose; Bullet derives the inertia from shape and mass."""
    shape, visual = _body_shapes(client, o)
    position, quaternion = to_bullet(o.T_world_object)
    body = bullet.createMultiBody(
        o.mass,
        shape,
        visual,
        position,
        quaternion,
        useMaximalCoordinates=True,  # plain rigid bodies: half the time of bodies with joint coordinates
        physicsClientId=client,
    )
    bullet.changeDynamics(
        body,
        -1,
        lateralFriction=o.friction,
        frictionAnchor=1,  # static friction holds a position; without it resting prisms creep
        collisionMargin=0.0,  # the default adds 1 mm of air around hulls
        physicsClientId=client,
    )
    if o.printed is not None:
        texture = bullet.loadTexture(str(print_file(o.printed)), physicsClientId=client)
        bullet.changeVisualShape(body, -1, textureUniqueId=texture, physicsClientId=client)
    if not isinstance(o.shape, Prism) or o.shape.sides == 0:
        bullet.changeDynamics(
            body, -1, rollingFriction=ROLLING_FRICTION, spinningFriction=SPINNING_FRICTION, physicsClientId=client
        )
    return body


def _body_shapes(client: int, o: SceneObject) -> tuple[int, int]:
    rgba = [*o.colour, 1.0]
    if isinstance(o.shape, Made):
        return _made_shapes(client, o, o.shape)
    if not isinstance(o.shape, Prism):
        return load_model(o.shape.name).bullet_shapes(client, rgba, o.shape.scale)
    prism = o.shape
    if prism.sides == 0:
        shape = bullet.createCollisionShape(
            bullet.GEOM_CYLINDER, radius=prism.width / 2, height=prism.height, physicsClientId=client
        )
    elif prism.sides == 4:
        half = [e / 2 for e in prism.extents]
        shape = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
    else:
        corners = [[*xy, z] for xy in prism.outline.tolist() for z in (-prism.height / 2, prism.height / 2)]
        shape = bullet.createCollisionShape(bullet.GEOM_MESH, vertices=corners, physicsClientId=client)
    return shape, _visual(client, o, *prism.mesh())


def _made_shapes(client: int, o: SceneObject, made: Made) -> tuple[int, int]:
    return made.geometry.collision_shape(client), _visual(client, o, *made.mesh())


def _visual(client: int, o: SceneObject, vertices: np.ndarray, normals: np.ndarray) -> int:
    """What is drawn of an object: three vertices per triangle, in its colour or with room for its print."""
    printed = o.printed is not None
    scale = min(1.0, REACH / float(np.ptp(vertices, axis=0).max()))  # so that the print reaches the ends of long ones
    prints = {"uvs": texture_coordinates(scale * vertices, normals).tolist()} if printed else {}
    visual = bullet.createVisualShape(
        bullet.GEOM_MESH,
        vertices=vertices.tolist(),
        normals=normals.tolist(),
        indices=list(range(len(vertices))),
        rgbaColor=[1.0, 1.0, 1.0, 1.0] if printed else [*o.colour, 1.0],
        specularColor=[0.0, 0.0, 0.0],
        physicsClientId=client,
        **prints,
    )
    return int(visual)
