"""One grasp attempt, read as a protocol: home, approach, close, lift, hold, judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pybullet as bullet

from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import orthonormal, pose_problem
from dgrasp.sim.planning import Infeasible, JointPaths, plan_motion
from dgrasp.sim.scene import Scene
from dgrasp.sim.world import World

LOOKS = 60  # per simulated second, at contact forces; `watch` is called at every second look
FORCE_WINDOW = 4  # looks over which contact forces are averaged: the peak of an impact depends on the time step
STALL_SECONDS = 0.05  # not in the paper: how long the gripper's motor stalls until it reports an object
TOUCH = 0.05  # N, below this a contact does not count


@dataclass(frozen=True, eq=False)
class GraspResult:
    """What happened: outcome, its reason in words, the lifted object, and the scene that remains."""

    outcome: Outcome
    reason: str
    T_world_tcp: np.ndarray
    scene_after: Scene
    simulated_seconds: float
    object: str | None = None
    lifted: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()  # objects pushed off the table
    phases: dict[str, float] = field(default_factory=dict)  # simulated seconds per phase

    @property
    def success(self) -> bool:
        return self.outcome is Outcome.SUCCESS


class _Stopped(Exception):
    """The arm stopped on contact; carries the reason."""


def run_grasp(
    world: World,
    T_world_tcp: np.ndarray,
    approach: np.ndarray | None = None,
    rate: float = 10.0,
    watch: Callable[[str], None] | None = None,
) -> GraspResult:
    """Execute a grasp in a freshly built world. `watch(phase)` is called at every ~30th of a second (filmstrips)."""
    problem = pose_problem(T_world_tcp)
    if problem:
        return _refused(world, np.full((4, 4), np.nan), Outcome.UNREACHABLE, problem)
    T = orthonormal(T_world_tcp)
    plan = plan_motion(world, T, approach, rate)
    if isinstance(plan, Infeasible):
        return _refused(world, T, Outcome(plan.kind), plan.reason)
    return GraspProtocol(world, T, plan, watch).run()


def _refused(world: World, T: np.ndarray, outcome: Outcome, reason: str) -> GraspResult:
    return GraspResult(outcome, reason, T, world.scene, 0.0)


class GraspProtocol:
    """One trial from home to verdict; `run` is the protocol, step by step."""

    def __init__(
        self, world: World, T_world_tcp: np.ndarray, plan: JointPaths, watch: Callable[[str], None] | None
    ) -> None:
        assert world.robot is not None
        self.world, self.config, self.robot = world, world.config, world.robot
        self.T_world_tcp, self.plan, self.watch = T_world_tcp, plan, watch
        self.phases: dict[str, float] = {}
        self.phase = "home"
        self.recent: list[dict[str, float]] = []
        n = len(self.robot.arm)
        self.at_rest, self.position_gains, self.velocity_gains = [0.0] * n, [0.4] * n, [1.0] * n

    def run(self) -> GraspResult:
        self.robot.place(self.robot.model.home)
        self.heights = {name: self.world.object_height(name) for name in self.world.objects}
        self.robot.open_hand(self.config.grip_force)
        try:
            self.move("travel", self.plan.travel)
            self.move("approach", self.plan.approach)
            self.close()
            if not self.touched():
                return self.judge(Outcome.MISSED, self.why_missed())
            enveloped, missed = self.enveloped(), self.why_missed()
            self.move("lift", self.plan.lift, guarded=False)
            held = [name for name in self.world.objects if self.lifted(name)]
            if not held and not enveloped:
                return self.judge(Outcome.MISSED, missed)
            if not held:
                return self.judge(
                    Outcome.SLIPPED, f"{_listed(enveloped)} was between the fingers but stayed behind in the lift"
                )
            self.hold()
            return self.verdict(held)
        except _Stopped as stop:
            return self.judge(Outcome.COLLISION, str(stop))

    # --- motion

    def move(self, phase: str, path: np.ndarray, guarded: bool = True) -> None:
        self.begin(phase)
        velocity = np.gradient(path, self.config.time_step, axis=0) if len(path) > 1 else np.zeros_like(path)
        for i, (q, v) in enumerate(zip(path.tolist(), velocity.tolist(), strict=True)):
            self.drive_arm(q, v)
            self.step(i, guarded)
        self.end()

    def close(self) -> None:
        """Drive the fingers with the set grip force until they stand still."""
        self.begin("close")
        q_arm = self.plan.approach[-1].tolist()
        still = 0
        for i in range(round(self.config.close_seconds * self.config.frequency)):
            self.drive_arm(q_arm, self.at_rest)
            if i % 4 == 0:
                stands = self.robot.close_hand(self.config.grip_force)
                still = still + 1 if i > 24 and stands else 0
                if still * 4 > STALL_SECONDS * self.config.frequency:
                    break
            self.step(i, guarded=True)
        self.end()

    def hold(self) -> None:
        self.begin("hold")
        q_arm = self.plan.lift[-1].tolist()
        for i in range(round(self.config.hold_seconds * self.config.frequency)):
            self.drive_arm(q_arm, self.at_rest)
            self.step(i, guarded=False)
        self.end()

    def drive_arm(self, q: list[float], velocity: list[float]) -> None:
        bullet.setJointMotorControlArray(
            self.robot.body,
            self.robot.arm,
            bullet.POSITION_CONTROL,
            targetPositions=q,
            targetVelocities=velocity,
            forces=self.robot.efforts,
            positionGains=self.position_gains,
            velocityGains=self.velocity_gains,
            physicsClientId=self.world.client,
        )

    def step(self, i: int, guarded: bool) -> None:
        self.world.step()
        every = max(1, round(self.config.frequency / LOOKS))
        if self.watch is not None and i % (2 * every) == 0:
            self.watch(self.phase)
        if guarded and i % every == every - 1:
            self.check_forces()

    def check_forces(self) -> None:
        """Protective stop: what presses on the robot harder than the limit, other than the object between the pads."""
        forces: dict[str, float] = {}
        for contact in bullet.getContactPoints(self.robot.body, physicsClientId=self.world.client):
            if contact[2] == self.robot.body or (self.phase == "close" and contact[2] not in self.world.statics):
                continue
            name = self.world.names[contact[2]]
            forces[name] = forces.get(name, 0.0) + contact[9]
        self.recent = [*self.recent, forces][-FORCE_WINDOW:]
        for name in forces:
            force = sum(look.get(name, 0.0) for look in self.recent) / FORCE_WINDOW
            if force > self.config.stop_force:
                raise _Stopped(f"the robot pressed on the {name} with {force:.0f} N during {self.phase}")

    def begin(self, phase: str) -> None:
        self.phase, self.started = phase, self.world.seconds

    def end(self) -> None:
        self.phases[self.phase] = self.world.seconds - self.started

    # --- judgement

    def pad_contacts(self, name: str) -> dict[str, float]:
        """Normal force (N) of each pad's face on an object; edges and tips of the pads do not count."""
        forces = dict.fromkeys(self.robot.fingers, 0.0)
        for side, link in self.robot.fingers.items():
            contacts = bullet.getContactPoints(
                self.robot.body, self.world.objects[name], linkIndexA=link, physicsClientId=self.world.client
            )
            if not contacts:
                continue
            state = bullet.getLinkState(self.robot.body, link, physicsClientId=self.world.client)
            closing = np.array(bullet.getMatrixFromQuaternion(state[5])).reshape(3, 3)[:, 0]
            inward = -closing if side == "right" else closing
            for contact in contacts:
                if float(-np.dot(contact[7], inward)) > 0.5:  # normal on B, pointing to the pad
                    forces[side] += contact[9]
        return forces

    def enveloped(self) -> list[str]:
        """Objects touched by the faces of both pads."""
        return [n for n in self.world.objects if min(self.pad_contacts(n).values()) > TOUCH]

    def lifted(self, name: str) -> bool:
        rise = self.world.object_height(name) - self.heights[name]
        return rise >= self.config.lifted_height and min(self.pad_contacts(name).values()) > TOUCH

    def touched(self) -> list[str]:
        """Objects touched by the face of at least one pad."""
        return [n for n in self.world.objects if max(self.pad_contacts(n).values()) > TOUCH]

    def why_missed(self) -> str:
        touched = self.touched()
        if touched:
            return f"only one finger touches {_listed(touched)}"
        if (gap := self.robot.gap()) > 0.005:
            return f"the fingers met something else than an object and stood still {1000 * gap:.0f} mm apart"
        return "the fingers closed on nothing"

    def verdict(self, held: list[str]) -> GraspResult:
        lifted = [name for name in held if self.lifted(name)]
        if not lifted:
            return self.judge(Outcome.DROPPED, f"{_listed(held)} was lifted but fell during the hold")
        firmest = max(lifted, key=lambda n: min(self.pad_contacts(n).values()))
        return self.judge(
            Outcome.SUCCESS, f"{_listed(lifted)} is held by both pads after the hold", firmest, tuple(lifted)
        )

    def judge(
        self, outcome: Outcome, reason: str, name: str | None = None, lifted: tuple[str, ...] = ()
    ) -> GraspResult:
        if self.phase not in self.phases:
            self.end()
        seconds = self.world.seconds
        scene, lost = self.aftermath(lifted)
        return GraspResult(outcome, reason, self.T_world_tcp, scene, seconds, name, lifted, lost, self.phases)

    def aftermath(self, lifted: tuple[str, ...]) -> tuple[Scene, tuple[str, ...]]:
        """What remains once lifted objects are put away and the arm has let go and left; objects come to rest."""
        world = self.world
        world_scene = world.scene
        for name in lifted:
            world.remove_object(name)
        if not lifted:
            self.robot.open_hand(self.config.grip_force)
            for _ in range(round(0.3 * self.config.frequency)):
                world.step()
        world.remove_robot()
        world.settle()
        remaining, lost = [], []
        for o in world_scene.objects:
            if o.name in lifted:
                continue
            T = world.object_pose(o.name)
            if T[2, 3] < self.config.model.lost_below:
                lost.append(o.name)
            else:
                remaining.append(o.moved(T))
        return world_scene.with_objects(remaining), tuple(lost)


def _listed(names: list[str]) -> str:
    return " and ".join(names)
