"""From a grasp pose to joint paths: which of the arm's branches, and whether the way is free of arm and workbench."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet as bullet

from dgrasp.cell.motion import HALF_TURN, interpolate, joint_motion, line
from dgrasp.sim.world import World

PLAN_SAMPLES = 14  # postures checked for collisions per phase of a path


@dataclass(frozen=True)
class JointPaths:
    """Joint angles at every simulation step of travel, approach and lift, (steps, joints) each."""

    travel: np.ndarray
    approach: np.ndarray
    lift: np.ndarray


@dataclass(frozen=True)
class Infeasible:
    """Why a pose cannot be planned; `kind` is "unreachable" or "collision"."""

    kind: str
    reason: str


def plan_motion(
    world: World, T_world_tcp: np.ndarray, approach: np.ndarray | None = None, rate: float = 10.0
) -> JointPaths | Infeasible:
    """Joint paths to the grasp and up again, free of collisions with the arm itself and the workbench.

    approach: recorded TCP poses (n, 4, 4) at `rate` Hz that end in the grasp; by default a straight line along the
    approach axis. Objects are not asked: the real robot does not know them either.
    """
    config, arm = world.config, world.config.model.arm
    T_lifted = T_world_tcp.copy()
    T_lifted[2, 3] += config.lift_height
    Ts_lift = line(T_world_tcp, T_lifted, config)
    if approach is None:
        T_before = T_world_tcp.copy()
        T_before[:3, 3] -= config.approach_distance * T_world_tcp[:3, 2]
        Ts_approach = line(T_before, T_world_tcp, config)
        Ts_approach = np.concatenate([T_before[None], Ts_approach])
    else:
        Ts_approach = np.concatenate([approach[:1], interpolate(approach, rate, config.frequency)])
    options = arm.candidates(T_world_tcp, Ts_approach, config)
    if not options:
        return Infeasible("unreachable", f"no joint angles of the {arm.name} bring the TCP there")
    problem = Infeasible("unreachable", "the arm cannot follow the straight approach and lift within its joint limits")
    for _, branch, turned, q_start in options:
        turn = HALF_TURN if turned else np.eye(4)
        q_approach = arm.follow(Ts_approach @ turn, branch, q_start, config.time_step)
        q_lift = None if q_approach is None else arm.follow(Ts_lift @ turn, branch, q_approach[-1], config.time_step)
        if q_approach is None or q_lift is None:
            continue
        plan = JointPaths(joint_motion(arm.home, q_approach[0], config, arm.speeds), q_approach, q_lift)
        hit = _first_collision(world, plan)
        if hit is None:
            return plan
        if problem.kind == "unreachable":
            problem = Infeasible("collision", hit)
    return problem


def _first_collision(world: World, plan: JointPaths) -> str | None:
    """The first contact of the robot with itself or the workbench along the plan, in words."""
    for phase, path in (
        ("on the way to the pre-grasp", plan.travel),
        ("approaching", plan.approach),
        ("lifting", plan.lift),
    ):
        rows = np.unique(np.linspace(0, len(path) - 1, PLAN_SAMPLES).round().astype(int))
        for q in path[rows]:
            hit = collision_at(world, q)
            if hit:
                return f"{hit} {phase}"
    return None


def collision_at(world: World, q_arm: np.ndarray) -> str | None:
    """Contact of the open robot at these joint angles with itself or the workbench, by Bullet's queries; in words."""
    robot = world.robot
    assert robot is not None
    robot.place(q_arm)
    bullet.performCollisionDetection(physicsClientId=world.client)
    for contact in bullet.getContactPoints(robot.body, physicsClientId=world.client):
        body_a, body_b, link_a, link_b, distance = contact[1], contact[2], contact[3], contact[4], contact[8]
        if distance > 0:
            continue
        if body_a == body_b:
            return f"{_part(robot.links[link_a])} hits {_part(robot.links[link_b])}"
        other, link = (body_b, link_a) if body_a == robot.body else (body_a, link_b)
        stands = world.statics.get(other) in world.stands_on and robot.links[link] == robot.model.base_link
        if other in world.statics and not stands:
            return f"{_part(robot.links[link])} hits the {world.statics[other]}"
    return None


def _part(link: str) -> str:
    return "the " + link.removesuffix("_link").replace("_", " ")
