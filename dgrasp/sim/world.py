"""The world in one Bullet client: workbench, robot and objects, built from nothing each time.

Rebuilding with the same commands is what makes trials repeat bit for bit; saving and restoring a state does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pybullet as bullet

from dgrasp.sim import gripper, robot_model, ur10, workspace
from dgrasp.sim.config import CellConfig
from dgrasp.sim.models import load_model
from dgrasp.sim.rigid import from_bullet, to_bullet
from dgrasp.sim.scene import Scene, SceneObject
from dgrasp.sim.shapes import Prism

SUNK = 0.0005  # neighbours overlap by this much, so that no two drawn surfaces coincide and flicker
ROLLING_FRICTION = 0.0005  # m, of round objects; not in the paper: a ball comes to rest on the board
SPINNING_FRICTION = 0.001  # m, of the same, which touch in points where real ones touch in patches
GEAR_FORCE = 100.0  # N m the linkage can carry; not in the paper: far above the driving torque


@dataclass
class Robot:
    """Indices of the robot's joints and links in Bullet; link -1 is the base."""

    body: int
    arm: list[int]
    cranks: list[int]  # left (driven), right
    linkage: list[int]  # every joint of the gripper
    fingers: dict[str, int]  # link of each side, with its pad
    links: dict[int, str]
    inner_knuckles: dict[str, int]  # bodies that are drawn and touch nothing


@dataclass
class World:
    """Handles of one built world."""

    client: int
    config: CellConfig
    scene: Scene
    robot: Robot | None
    statics: dict[int, str]
    objects: dict[str, int]
    steps: int = 0
    names: dict[int, str] = field(default_factory=dict)

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
            for body in (self.robot.body, *self.robot.inner_knuckles.values()):
                bullet.removeBody(body, physicsClientId=self.client)
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
    statics = _build_workbench(client, config)
    robot = _load_robot(client, config) if with_robot else None
    world = World(client, config, scene, robot, statics, {})
    for o in scene.objects:
        world.objects[o.name] = add_object(client, o)
    world.names = statics | {body: name for name, body in world.objects.items()}
    return world


def _build_workbench(client: int, config: CellConfig) -> dict[int, str]:
    """Table, board and robot mount as fixed boxes; body id -> name."""
    table_top = workspace.TABLE_SIZE[2]
    board_bottom = table_top - SUNK
    mount_top = workspace.BASE_POSITION[2]
    boxes = (
        ("table", workspace.TABLE_SIZE, (*workspace.TABLE_CENTRE_XY, table_top / 2), config.table_colour),
        (
            "board",
            (*workspace.BOARD_SIZE[:2], workspace.BOARD_TOP - board_bottom),
            (*workspace.BOARD_CENTRE_XY, (workspace.BOARD_TOP + board_bottom) / 2),
            config.board_colour,
        ),
        (
            "mount",
            (0.24, 0.24, mount_top - board_bottom - SUNK),
            (*workspace.BASE_POSITION[:2], (mount_top - SUNK + board_bottom) / 2),
            (0.30, 0.31, 0.33),
        ),
    )
    statics = {}
    for name, size, centre, colour in boxes:
        half = [s / 2 for s in size]
        shape = bullet.createCollisionShape(bullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
        visual = bullet.createVisualShape(
            bullet.GEOM_BOX, halfExtents=half, rgbaColor=[*colour, 1], physicsClientId=client
        )
        body = bullet.createMultiBody(
            0, shape, visual, basePosition=centre, useMaximalCoordinates=True, physicsClientId=client
        )
        bullet.changeDynamics(body, -1, lateralFriction=config.board_friction, physicsClientId=client)
        statics[body] = name
    return statics


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
    if not isinstance(o.shape, Prism) or o.shape.sides == 0:
        bullet.changeDynamics(
            body, -1, rollingFriction=ROLLING_FRICTION, spinningFriction=SPINNING_FRICTION, physicsClientId=client
        )
    return body


def _body_shapes(client: int, o: SceneObject) -> tuple[int, int]:
    rgba = [*o.colour, 1.0]
    if not isinstance(o.shape, Prism):
        return load_model(o.shape.name).bullet_shapes(client, rgba)
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
    vertices, normals = prism.mesh()
    visual = bullet.createVisualShape(
        bullet.GEOM_MESH,
        vertices=vertices.tolist(),
        normals=normals.tolist(),
        indices=list(range(len(vertices))),
        rgbaColor=rgba,
        specularColor=[0.0, 0.0, 0.0],
        physicsClientId=client,
    )
    return shape, visual


def _load_robot(client: int, config: CellConfig) -> Robot:
    flags = bullet.URDF_USE_INERTIA_FROM_FILE | bullet.URDF_USE_SELF_COLLISION
    body = bullet.loadURDF(
        str(robot_model.robot_urdf()), workspace.BASE_POSITION, useFixedBase=True, flags=flags, physicsClientId=client
    )
    joints, links = {}, {-1: "base_link"}
    for i in range(bullet.getNumJoints(body, physicsClientId=client)):
        info = bullet.getJointInfo(body, i, physicsClientId=client)
        joints[info[1].decode()], links[i] = i, info[12].decode()
    index = {name: i for i, name in links.items()}
    robot = Robot(
        body,
        arm=[joints[name] for name in ur10.JOINTS],
        cranks=[joints[name] for name in robot_model.CRANKS],
        linkage=[joints[name] for name in robot_model.CRANKS + robot_model.FINGERS],
        fingers={side: index[f"{side}_finger"] for side in robot_model.SIDES},
        links=links,
        inner_knuckles={side: _inner_knuckle(client) for side in robot_model.SIDES},
    )
    _ignore_contacts_inside_gripper(client, robot, index)
    _tie_linkage(client, robot)
    for finger in robot.fingers.values():
        bullet.changeDynamics(body, finger, lateralFriction=config.pad_friction, physicsClientId=client)
    return robot


def _inner_knuckle(client: int) -> int:
    half = [s / 2 for s in robot_model.INNER_KNUCKLE]
    rgba = [float(c) for c in robot_model.COLOURS["dark"].split()]
    visual = bullet.createVisualShape(bullet.GEOM_BOX, halfExtents=half, rgbaColor=rgba, physicsClientId=client)
    return bullet.createMultiBody(0, -1, visual, useMaximalCoordinates=True, physicsClientId=client)


def draw_inner_knuckles(world: World) -> None:
    """Put the drawn knuckles where the parallelogram has them (before a picture; physics does not feel them)."""
    robot = world.robot
    if robot is None:
        return
    arm = bullet.getJointStates(robot.body, robot.arm, physicsClientId=world.client)
    T_world_flange = ur10.forward(np.array([state[0] for state in arm]))
    T_world_flange[:3, 3] += workspace.BASE_POSITION
    for (side, knuckle), crank in zip(robot.inner_knuckles.items(), robot.cranks, strict=True):
        q = bullet.getJointState(robot.body, crank, physicsClientId=world.client)[0]
        T = T_world_flange @ gripper.inner_knuckle_pose(robot_model.SIDES[side], q)
        bullet.resetBasePositionAndOrientation(knuckle, *to_bullet(T), physicsClientId=world.client)


def _ignore_contacts_inside_gripper(client: int, robot: Robot, index: dict[str, int]) -> None:
    """Links of the hand touch by construction; only the two fingers can really collide with each other."""
    hand = [
        index[name]
        for name in ("wrist_3_link", "gripper_link", "left_crank", "left_finger", "right_crank", "right_finger")
    ]
    fingers = set(robot.fingers.values())
    pairs = [(a, b) for n, a in enumerate(hand) for b in hand[n + 1 :] if {a, b} != fingers]
    # joint housings of neighbours but one overlap by construction
    near = (("wrist_1_link", "wrist_3_link"), ("wrist_2_link", "gripper_link"), ("base_link", "upper_arm_link"))
    for a, b in pairs + [(index[a], index[b]) for a, b in near]:
        bullet.setCollisionFilterPair(robot.body, robot.body, a, b, 0, physicsClientId=client)


def _tie_linkage(client: int, robot: Robot) -> None:
    """Gear constraints: the right crank follows the left, each finger turns back as its crank turns (parallelogram)."""
    left, right = robot.cranks
    left_finger, right_finger = robot.linkage[2:]
    for joint in robot.linkage:
        bullet.setJointMotorControl2(robot.body, joint, bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=client)
        bullet.changeDynamics(robot.body, joint, jointDamping=0.0, physicsClientId=client)
    for parent, child in ((left, right), (left, left_finger), (right, right_finger)):
        constraint: Any = bullet.createConstraint(
            robot.body,
            parent,
            robot.body,
            child,
            bullet.JOINT_GEAR,
            [1, 0, 0],
            [0, 0, 0],
            [0, 0, 0],
            physicsClientId=client,
        )
        bullet.changeConstraint(constraint, gearRatio=-1, maxForce=GEAR_FORCE, erp=1.0, physicsClientId=client)


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


def place_robot(world: World, q_arm: Sequence[float] | np.ndarray, crank: float = 0.0) -> None:
    """Put the robot's joints somewhere at rest (before a trial, or for collision queries; never during a trial)."""
    assert world.robot is not None
    body = world.robot.body
    for joint, q in zip(world.robot.arm, q_arm, strict=True):
        bullet.resetJointState(body, joint, float(q), 0.0, physicsClientId=world.client)
    for joint in world.robot.linkage:
        bullet.resetJointState(body, joint, crank, 0.0, physicsClientId=world.client)


def tcp_pose(q_arm: np.ndarray) -> np.ndarray:
    """`T_world_tcp` of arm joint angles (..., 6)."""
    T = ur10.forward(q_arm).copy()
    T[..., :3, 3] += np.asarray(workspace.BASE_POSITION) + gripper.TOOL0_TCP * T[..., :3, 2]
    return T


def tool0_pose(T_world_tcp: np.ndarray) -> np.ndarray:
    """`T_base_tool0` that brings the TCP to poses (..., 4, 4)."""
    T = np.array(T_world_tcp, dtype=np.float64)
    T[..., :3, 3] -= np.asarray(workspace.BASE_POSITION) + gripper.TOOL0_TCP * T[..., :3, 2]
    return T
