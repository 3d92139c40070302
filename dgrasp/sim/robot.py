"""The paper's robot in Bullet: its joints and links, the constraints of its linkage, where hand and camera are.

A described cell's is in `dgrasp.sim.described_robot`, with the same methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pybullet as bullet

from dgrasp.cell import gripper, hand, ur10, workspace
from dgrasp.cell.arm_model import Arm
from dgrasp.cell.model import PAPERS
from dgrasp.cell.transforms import to_bullet, transform
from dgrasp.sim import robot_urdf

GEAR_FORCE = 100.0  # N m the linkage can carry; not in the paper: far above the driving torque
STALLED = 0.05  # rad/s of the crank; not in the paper: the gripper reports an object when its motor stalls


@dataclass
class Robot:
    """Indices of the robot's joints and links in Bullet; link -1 is the base."""

    client: int
    body: int
    arm: list[int]
    cranks: list[int]  # left (driven), right
    linkage: list[int]  # every joint of the gripper
    fingers: dict[str, int]  # link of each side, with its pad
    links: dict[int, str]
    inner_knuckles: dict[str, int]  # bodies that are drawn and touch nothing
    model: Arm
    efforts: list[float]  # N m, of the arm's joints

    @property
    def bodies(self) -> tuple[int, ...]:
        """All that is drawn of it."""
        return (self.body, *self.inner_knuckles.values())

    def place(self, q_arm: Sequence[float] | np.ndarray, crank: float = 0.0) -> None:
        """Put the joints somewhere at rest (before a trial, or for collision queries; never during a trial)."""
        for joint, q in zip(self.arm, q_arm, strict=True):
            bullet.resetJointState(self.body, joint, float(q), 0.0, physicsClientId=self.client)
        for joint in self.linkage:
            bullet.resetJointState(self.body, joint, crank, 0.0, physicsClientId=self.client)

    def crank_state(self) -> tuple[float, float]:
        """Angle (rad) and speed (rad/s) of the driven crank."""
        return bullet.getJointState(self.body, self.cranks[0], physicsClientId=self.client)[:2]

    def gap(self) -> float:
        """Metres between the pads now."""
        return gripper.gap(self.crank_state()[0])

    def open_hand(self, force: float) -> None:
        """Drive the pads apart with `force` (N each)."""
        self._drive(0.0, force, 0.0)

    def close_hand(self, force: float) -> bool:
        """Drive the pads together with `force` (N each); whether they stand still."""
        q, speed = self.crank_state()
        self._drive(gripper.Q_CLOSED, force, q)
        return abs(speed) < STALLED

    def _drive(self, target: float, force: float, q: float) -> None:
        bullet.setJointMotorControl2(
            self.body,
            self.cranks[0],
            bullet.POSITION_CONTROL,
            targetPosition=target,
            force=gripper.crank_torque(force, q),
            maxVelocity=gripper.SPEED_RANGE[1] / (2 * gripper.CRANK),
            physicsClientId=self.client,
        )

    def flange_pose(self) -> np.ndarray:
        """`T_world_flange` at the arm's present joint angles."""
        states = bullet.getJointStates(self.body, self.arm, physicsClientId=self.client)
        return self.model.flange_pose(np.array([state[0] for state in states]))

    def camera_pose(self) -> np.ndarray:
        """`T_world_cam` of the wrist camera's colour sensor, looking along the approach axis, OpenCV axes."""
        return self.flange_pose() @ transform(None, hand.CAMERA_SENSOR)

    def draw_inner_knuckles(self) -> None:
        """Put the drawn knuckles where the parallelogram has them (before a picture; physics does not feel them)."""
        T_world_flange = self.flange_pose()
        for (side, knuckle), crank in zip(self.inner_knuckles.items(), self.cranks, strict=True):
            q = bullet.getJointState(self.body, crank, physicsClientId=self.client)[0]
            T = T_world_flange @ gripper.inner_knuckle_pose(robot_urdf.SIDES[side], q)
            bullet.resetBasePositionAndOrientation(knuckle, *to_bullet(T), physicsClientId=self.client)

    def remove(self) -> None:
        for body in self.bodies:
            bullet.removeBody(body, physicsClientId=self.client)


def load_robot(client: int, pad_friction: float) -> Robot:
    """Load the URDF at its place on the table, and tie the linkage."""
    flags = bullet.URDF_USE_INERTIA_FROM_FILE | bullet.URDF_USE_SELF_COLLISION
    body = bullet.loadURDF(
        str(robot_urdf.robot_urdf()), workspace.BASE_POSITION, useFixedBase=True, flags=flags, physicsClientId=client
    )
    joints, links = {}, {-1: "base_link"}
    for i in range(bullet.getNumJoints(body, physicsClientId=client)):
        info = bullet.getJointInfo(body, i, physicsClientId=client)
        joints[info[1].decode()], links[i] = i, info[12].decode()
    index = {name: i for i, name in links.items()}
    robot = Robot(
        client,
        body,
        arm=[joints[name] for name in ur10.JOINTS],
        cranks=[joints[name] for name in robot_urdf.CRANKS],
        linkage=[joints[name] for name in robot_urdf.CRANKS + robot_urdf.FINGERS],
        fingers={side: index[f"{side}_finger"] for side in robot_urdf.SIDES},
        links=links,
        inner_knuckles={side: _inner_knuckle(client) for side in robot_urdf.SIDES},
        model=PAPERS.arm,
        efforts=ur10.EFFORT_LIMITS.tolist(),
    )
    _ignore_contacts_inside_gripper(client, robot, index)
    _tie_linkage(client, robot)
    for finger in robot.fingers.values():
        bullet.changeDynamics(body, finger, lateralFriction=pad_friction, physicsClientId=client)
    return robot


def _inner_knuckle(client: int) -> int:
    half = [s / 2 for s in robot_urdf.INNER_KNUCKLE]
    rgba = [float(c) for c in robot_urdf.COLOURS["dark"].split()]
    visual = bullet.createVisualShape(bullet.GEOM_BOX, halfExtents=half, rgbaColor=rgba, physicsClientId=client)
    return bullet.createMultiBody(0, -1, visual, useMaximalCoordinates=True, physicsClientId=client)


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
