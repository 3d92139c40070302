"""A described cell's robot in Bullet: its arm, and two fingers that slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pybullet as bullet

from dgrasp.cell.arm_model import Arm
from dgrasp.cell.hand_model import Hand
from dgrasp.cell.model import CellModel
from dgrasp.cell.transforms import to_bullet
from dgrasp.cell.urdf import model_of_arm
from dgrasp.sim.described_urdf import SLIDES, described_urdf, efforts
from dgrasp.sim.robot_urdf import SIDES

STALLED = 0.005  # m/s of a finger; not in descriptions: hands report an object when their motors stall
TIED = 500.0  # N that hold both fingers at the same distance from the middle, as a rack does


class SimulatedRobot(Protocol):
    """What the simulator needs of a robot, whichever it is: `dgrasp.sim.robot.Robot`, or `DescribedRobot`."""

    body: int
    arm: list[int]
    fingers: dict[str, int]
    links: dict[int, str]
    model: Arm
    efforts: list[float]

    @property
    def bodies(self) -> tuple[int, ...]: ...
    def place(self, q_arm: Sequence[float] | np.ndarray) -> None: ...
    def gap(self) -> float: ...
    def open_hand(self, force: float) -> None: ...
    def close_hand(self, force: float) -> bool: ...
    def flange_pose(self) -> np.ndarray: ...
    def camera_pose(self) -> np.ndarray: ...
    def draw_inner_knuckles(self) -> None: ...
    def remove(self) -> None: ...


@dataclass
class DescribedRobot:
    """Indices of the robot's joints and links in Bullet; link -1 is the base. See `dgrasp.sim.robot.Robot`."""

    client: int
    body: int
    arm: list[int]
    slides: list[int]  # left, right
    fingers: dict[str, int]
    links: dict[int, str]
    model: Arm
    hand: Hand
    efforts: list[float]
    T_flange_cam: np.ndarray | None  # of the first camera that the arm carries

    @property
    def bodies(self) -> tuple[int, ...]:
        """All that is drawn of it."""
        return (self.body,)

    def place(self, q_arm: Sequence[float] | np.ndarray) -> None:
        """Put the joints somewhere at rest, the hand open."""
        for joint, q in zip([*self.arm, *self.slides], [*q_arm, 0.0, 0.0], strict=True):
            bullet.resetJointState(self.body, joint, float(q), 0.0, physicsClientId=self.client)

    def _slides(self) -> list[tuple[float, float]]:
        """Way (m) and speed (m/s) of each finger from fully open."""
        return [state[:2] for state in bullet.getJointStates(self.body, self.slides, physicsClientId=self.client)]

    def gap(self) -> float:
        """Metres between the fingers now."""
        return self.hand.opening - sum(way for way, _ in self._slides())

    def open_hand(self, force: float) -> None:
        """Drive the fingers apart with `force` (N each)."""
        self._drive(0.0, force)

    def close_hand(self, force: float) -> bool:
        """Drive the fingers together with `force` (N each); whether they stand still."""
        still = all(abs(speed) < STALLED for _, speed in self._slides())
        self._drive(self.hand.opening / 2, force)
        return still

    def _drive(self, target: float, force: float) -> None:
        for joint in self.slides:
            bullet.setJointMotorControl2(
                self.body,
                joint,
                bullet.POSITION_CONTROL,
                targetPosition=target,
                force=force,
                maxVelocity=self.hand.speed[1] / 2,
                physicsClientId=self.client,
            )

    def flange_pose(self) -> np.ndarray:
        """`T_world_flange` at the arm's present joint angles."""
        states = bullet.getJointStates(self.body, self.arm, physicsClientId=self.client)
        return self.model.flange_pose(np.array([state[0] for state in states]))

    def camera_pose(self) -> np.ndarray:
        """`T_world_cam` of the first camera on its flange; raises ValueError where all of them stand."""
        if self.T_flange_cam is None:
            raise ValueError(f"{self.model.name}: the cell's cameras stand; there is none on its wrist")
        return self.flange_pose() @ self.T_flange_cam

    def draw_inner_knuckles(self) -> None:
        """It has none."""

    def remove(self) -> None:
        bullet.removeBody(self.body, physicsClientId=self.client)


def load_described(client: int, model: CellModel, pad_friction: float) -> DescribedRobot:
    """Load the robot at its place, its fingers tied to each other. Raises UserFileError for a model that is none."""
    cell = model.description
    assert cell is not None
    flags = bullet.URDF_USE_INERTIA_FROM_FILE | bullet.URDF_USE_SELF_COLLISION
    at = to_bullet(cell.arm.T_world_base)
    path = str(described_urdf(cell))
    body = bullet.loadURDF(path, *at, useFixedBase=True, flags=flags, physicsClientId=client)
    joints, links = {}, {-1: cell.arm.base}
    for i in range(bullet.getNumJoints(body, physicsClientId=client)):
        info = bullet.getJointInfo(body, i, physicsClientId=client)
        joints[info[1].decode()], links[i] = i, info[12].decode()
    index = {name: i for i, name in links.items()}
    robot = DescribedRobot(
        client,
        body,
        arm=[joints[name] for name in cell.arm.joints],
        slides=[joints[name] for name in SLIDES],
        fingers={side: index[f"{side}_finger"] for side in SIDES},
        links=links,
        model=model.arm,
        hand=model.hand,
        efforts=efforts(cell.arm, model_of_arm(cell.arm)),
        T_flange_cam=next((camera.T_carrier_cam for camera in cell.cameras if camera.mounted), None),
    )
    _tie_fingers(robot)
    _ignore_what_touches_at_home(robot)
    for finger in robot.fingers.values():
        bullet.changeDynamics(body, finger, lateralFriction=pad_friction, physicsClientId=client)
    return robot


def _tie_fingers(robot: DescribedRobot) -> None:
    left, right = robot.slides
    for joint in robot.slides:
        bullet.setJointMotorControl2(
            robot.body, joint, bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=robot.client
        )
    tie: Any = bullet.createConstraint(
        robot.body, left, robot.body, right, bullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0],
        physicsClientId=robot.client,
    )  # fmt: skip
    bullet.changeConstraint(tie, gearRatio=-1, maxForce=TIED, erp=1.0, physicsClientId=robot.client)


def _ignore_what_touches_at_home(robot: DescribedRobot) -> None:
    """Convex hulls of neighbours overlap by construction; so does the hand with its fingers, and what carries it."""
    robot.place(robot.model.home)
    bullet.performCollisionDetection(physicsClientId=robot.client)
    contacts = bullet.getContactPoints(robot.body, robot.body, physicsClientId=robot.client) or ()
    touching = {(contact[3], contact[4]) for contact in contacts if contact[8] <= 0}
    index = {name: i for i, name in robot.links.items()}
    carried = [i for i in robot.links if i >= index["gripper_link"]]
    before = sorted(i for i in robot.links if i < index["gripper_link"])[-3:]
    fingers = set(robot.fingers.values())
    pairs = {(a, b) for a in carried for b in (*carried, *before) if a != b and {a, b} != fingers}
    for a, b in touching | pairs:
        bullet.setCollisionFilterPair(robot.body, robot.body, a, b, 0, physicsClientId=robot.client)
