"""A described cell's arm at rest, held against its bench, itself and what its cameras see."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pybullet as bullet

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import View
from dgrasp.cell.examined import Examined
from dgrasp.cell.transforms import inverse
from dgrasp.sim.cell import Cell
from dgrasp.sim.planning import collision_at
from dgrasp.sim.render import Light, Picture, render
from dgrasp.sim.scene import Scene
from dgrasp.sim.world import World

WIDTH = 320  # pixels of the pictures in which the arm is looked for
PLACES = (21, 21, 3)  # of the workspace, from the board up, that a camera is to see past the arm
SEEN = 0.01  # of a picture: more of the arm in it is told, though it covers nothing
CAMERA_SIZE = 0.03  # m round a lens that the arm is to leave free


def hold_home(found: Examined, source: str | Path) -> None:
    """Add what the open robot touches at home, by Bullet, and what it covers in the pictures of standing cameras.

    source: the examined cell's file or name, one that the simulator takes: raises ValueError and ImportError as
    `CellConfig` and `dgrasp.cell.model.model_of` do.
    """
    config = CellConfig.model_validate({"description": str(source)})
    with Cell(config) as simulated:
        simulated.reset(Scene((), cell=config.description))
        if hit := collision_at(simulated.world, config.model.arm.home):
            found.problems.append(f"arm: home: {hit}; expected is a posture that is free of bench and arm")
        for view in found.cell.views:
            if view.camera.mounted is None:
                _hold_view(found, view, simulated.world)


def _hold_view(found: Examined, view: View, world: World) -> None:
    """What the arm, which is at home, covers of one view."""
    if _meets(world, view.T_world_cam[:3, 3]):
        found.problems.append(
            f"cameras: {view.name} is in the arm at home, or nearer to it than {1000 * CAMERA_SIZE:.0f} mm; expected "
            "is a place beside it"
        )
        return
    picture, places = covered(view, world)
    said = f"the arm at home covers {picture:.1%} of the picture of {view.name}"
    if places > 0:
        found.problems.append(
            f"arm: home: {said}, and in it {places:.1%} of the workspace; expected is a posture out of the cameras' "
            "sight, or a camera on another side"
        )
    elif picture > SEEN:
        found.notes.append(f"arm: home: {said}, and none of the workspace; out of the cameras' sight is better")
    else:
        found.lines.append(f"{said}, and none of the workspace")


def covered(view: View, world: World) -> tuple[float, float]:
    """Which shares of a picture, and of the places of the workspace in it, the arm is in front of."""
    lens = view.camera.intrinsics
    lens = lens.resized(WIDTH, max(1, round(WIDTH * lens.height / lens.width)))
    seen = render(world.client, world.config, view.T_world_cam, lens, Light())
    assert world.robot is not None
    arm = np.isin(seen.bodies, list(world.robot.bodies))
    return float(arm.mean()), _share_behind(seen, arm, lens.matrix, view.T_world_cam, world)


def _share_behind(seen: Picture, arm: np.ndarray, K: np.ndarray, T_world_cam: np.ndarray, world: World) -> float:
    model = world.config.model
    axes = [np.linspace(a, b, n) for a, b, n in zip(model.low, model.high, PLACES, strict=True)]
    p_world = np.array(list(itertools.product(*axes)))
    T_cam_world = inverse(T_world_cam)
    p_cam = p_world @ T_cam_world[:3, :3].T + T_cam_world[:3, 3]
    p_cam = p_cam[p_cam[:, 2] > 0]
    u, v = ((p_cam / p_cam[:, 2:]) @ K.T)[:, :2].round().astype(int).T
    height, width = arm.shape
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    if not inside.any():
        return 0.0
    u, v, depth = u[inside], v[inside], p_cam[inside, 2]
    return float((arm[v, u] & (seen.depth[v, u] < depth)).mean())


def _meets(world: World, p_world: np.ndarray) -> bool:
    """Whether the arm, as it stands, is where a camera is."""
    robot, client = world.robot, world.client
    assert robot is not None
    shape = bullet.createCollisionShape(bullet.GEOM_SPHERE, radius=CAMERA_SIZE, physicsClientId=client)
    camera = bullet.createMultiBody(
        0, baseCollisionShapeIndex=shape, basePosition=p_world.tolist(), physicsClientId=client
    )
    met = any(bullet.getClosestPoints(body, camera, 0.0, physicsClientId=client) for body in robot.bodies)
    bullet.removeBody(camera, physicsClientId=client)
    return met
