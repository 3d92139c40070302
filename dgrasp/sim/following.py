"""The simulated arm steered on its way, and the simulated cell in which that and disturbances happen; both opt-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.arm_model import Arm
from dgrasp.cell.config import CellConfig
from dgrasp.cell.following import (
    Guide,
    NoSummit,
    Pilot,
    StepLimits,
    check_step,
    half_turn_between,
    together,
)
from dgrasp.cell.interface import Execution, UnsafePose
from dgrasp.cell.model import PAPERS
from dgrasp.cell.motion import line
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import inverse, orthonormal, pose_problem
from dgrasp.sim.cell import Cell
from dgrasp.sim.disturbances import Disturbance, Mover
from dgrasp.sim.execution import GraspProtocol, GraspResult
from dgrasp.sim.planning import Infeasible, JointPaths, plan_motion
from dgrasp.sim.scene import Scene
from dgrasp.sim.sight import Sight
from dgrasp.sim.simulated_cell import PhysicsCell, SimulatedCell, as_execution
from dgrasp.sim.world import World

FARTHEST_TURN = 0.5  # rad of a joint in one step; more means another branch, or a singularity
Look = Callable[[np.ndarray], Views]  # views at joint angles
Poses = Float[np.ndarray, "views 4 4"]


class DisturbedProtocol(GraspProtocol):
    """One trial during which objects are moved."""

    def __init__(self, world: World, T_world_tcp: np.ndarray, plan: JointPaths, mover: Mover) -> None:
        super().__init__(world, T_world_tcp, plan, watch=None)
        self.mover = mover

    def step(self, i: int, guarded: bool) -> None:
        if self.phase in ("travel", "approach", "close"):
            self.mover.step()
        super().step(i, guarded)


class FollowingProtocol(DisturbedProtocol):
    """One trial whose approach is led by a pilot, step by step; the lift starts where it ended.

    path: `Ts_world_tcp` that the arm was led through, as the pilot sees them.
    """

    def __init__(
        self, world: World, T_world_tcp: np.ndarray, plan: JointPaths, mover: Mover, guide: Guide, look: Look
    ) -> None:
        super().__init__(world, T_world_tcp, plan, mover)
        self.guide, self.look = guide, look
        self.arm = world.config.model.arm
        self.turn = half_turn_between(T_world_tcp, self.arm.tcp_pose(plan.approach[-1]))
        self.q = plan.approach[0]
        self.path = [self.arm.tcp_pose(self.q) @ self.turn]

    def run(self) -> GraspResult:
        try:
            return super().run()
        except NoSummit as end:
            return self.judge(Outcome.NO_GRASP, str(end))
        except UnsafePose as refusal:
            return self.judge(Outcome.REFUSED, str(refusal))

    def move(self, phase: str, path: np.ndarray, guarded: bool = True) -> None:
        if phase != "approach":
            return super().move(phase, path, guarded)
        self.begin(phase)
        while (T_next := self.guide(self.look(self.q), self.path[-1])) is not None:
            self.step_to(T_next)
        self.T_world_tcp = self.path[-1]
        self.plan = JointPaths(self.plan.travel, self.q[None], self.lifting())
        self.end()

    def step_to(self, T_world_tcp: np.ndarray) -> None:
        """One control cycle: the arm moves evenly, and stands where it already is."""
        check_step(self.path[-1], T_world_tcp, self.guide.limits)
        q = nearest_posture(T_world_tcp @ self.turn, self.q, self.arm)
        steps = round(self.config.frequency / self.guide.limits.rate)
        ways = self.q + np.linspace(0, 1, steps + 1)[1:, None] * (q - self.q)
        velocity = ((q - self.q) * self.guide.limits.rate).tolist()
        for i, posture in enumerate(ways.tolist()):
            self.drive_arm(posture, velocity)
            self.step(i, guarded=True)
        self.q = q
        self.path.append(T_world_tcp)

    def lifting(self) -> np.ndarray:
        """Joint angles straight up from here, in the branch that the arm is in; raises UnsafePose."""
        T = self.path[-1] @ self.turn
        T_lifted = T.copy()
        T_lifted[2, 3] += self.config.lift_height
        path = self.arm.onward(line(T, T_lifted, self.config), T, self.q, self.config.time_step)
        if path is None:
            raise UnsafePose("refused: the arm cannot lift straight up from there within its joint limits")
        return path


def nearest_posture(
    T_world_tcp: Float[np.ndarray, "4 4"], q: Float[np.ndarray, "joints"], arm: Arm = PAPERS.arm
) -> Float[np.ndarray, "joints"]:
    """Joint angles of a pose a step away from `q`; raises UnsafePose where the arm would have to swing round."""
    near = arm.near(T_world_tcp, q)
    if near is None or float(np.abs(near - q).max()) > FARTHEST_TURN:
        raise UnsafePose(f"refused: no joint angles of the {arm.name} near its own bring the TCP there")
    return near


class SteeredCell(PhysicsCell):
    """What simulation and twin add to be steered: `follow`, by the pilot's steps, and the disturbance of an attempt.

    Use with a `PhysicsCell` that observes. correct_cameras: see `dgrasp.sim.sight.Sight`. led: `T_world_tcp` before and
    after each step of the last `follow`.
    """

    steps: StepLimits
    correct_cameras = True
    disturbance: Disturbance
    disturbance_address: tuple[str | int, ...] = ()  # of the stream of its directions
    observer: Observer
    led: list[np.ndarray]

    if TYPE_CHECKING:

        def observe(self) -> Views: ...
        def taken(self, views: Sequence[int], Ts_world_cam: Poses) -> Views: ...

    def follow(self, T_world_tcp: Float[np.ndarray, "4 4"], pilot: Pilot) -> Execution:
        """See `dgrasp.cell.following.FollowingCell`. A way that cannot be planned is an outcome, as in `execute`."""
        return self._attempted(T_world_tcp, pilot)

    def _attempted(self, T_world_tcp: np.ndarray, pilot: Pilot | None) -> Execution:
        """The whole trial in physics, led by the pilot or straight ahead; `scene` is then what it left."""
        before = self.observe()
        T = np.asarray(T_world_tcp, dtype=np.float64)
        self.led = []
        if problem := pose_problem(T):
            return Execution(T, moved=False, outcome=Outcome.UNREACHABLE, reason=problem)
        world = self._simulator.world
        plan = plan_motion(world, T := orthonormal(T))
        self._fresh = False  # the planner has moved the arm, and physics may raise
        if isinstance(plan, Infeasible):
            return Execution(T, moved=False, outcome=Outcome(plan.kind), reason=plan.reason)
        rng = streams.rng(self.scene.seed, "disturbances", *self.disturbance_address)
        mover = Mover(self.disturbance, world, T, rng)
        trial = self._protocol(world, T, plan, mover, pilot, before).run()
        self._put(trial.scene_after)
        return as_execution(trial.T_world_tcp, trial)

    def _protocol(
        self, world: World, T: np.ndarray, plan: JointPaths, mover: Mover, pilot: Pilot | None, before: Views
    ) -> DisturbedProtocol:
        if pilot is None:
            return DisturbedProtocol(world, T, plan, mover)
        guide = Guide(pilot, self.steps, watched=False)
        protocol = FollowingProtocol(world, T, plan, mover, guide, self._look(before))
        self.led = protocol.path
        return protocol

    def _look(self, before: Views) -> Look:
        """What the cameras see on the way: standing ones past the arm, carried ones from where it is, one view each.

        before: the fixed views without the arm, those of carried cameras from the first to the last of their looks.
        """
        standing, carried = self.observer.standing, self.observer.carried
        sight = Sight(before[standing], self._model.world, correct=self.correct_cameras) if standing else None

        def look(q: np.ndarray) -> Views:
            seen = [] if sight is None else [sight(self.taken(standing, before.Ts_world_cam[standing]), q)]
            for view, T_flange_cam in carried:
                seen.append(self.taken([view], (self._simulator.config.model.arm.flange_pose(q) @ T_flange_cam)[None]))
            return together(seen)

        return look

    @property
    def standing_views(self) -> int:
        """See `dgrasp.cell.following.FollowingCell`."""
        return len(self.observer.standing)

    @property
    def _model(self) -> Cell:
        """The arm alone, in a Bullet client of its own: what a real cell can know of where it is."""
        if not hasattr(self, "_alone"):
            self._alone = Cell(self._simulator.config)
            self._alone.reset(Scene((), cell=self._simulator.config.description))
        return self._alone

    @property
    def approach_distance(self) -> float:
        """From the pre-grasp, where leading begins, to the planned grasp, metres."""
        return self._simulator.config.approach_distance

    def close(self) -> None:
        if hasattr(self, "_alone"):
            self._alone.close()
        super().close()


class SteeredSimulation(SteeredCell, SimulatedCell):
    """The simulation in which arms can be steered, objects move and cameras are off.

    E_cam: (4, 4), error of every stated camera pose, in its camera's frame: T_stated = T_true @ E_cam.
    """

    def __init__(
        self,
        config: CellConfig | None = None,
        observer: Observer | None = None,
        simulator: Cell | None = None,
        *,
        steps: StepLimits | None = None,
        disturbance: Disturbance | None = None,
        E_cam: Float[np.ndarray, "4 4"] | None = None,
    ) -> None:
        super().__init__(config, observer, simulator)
        self.steps, self.disturbance = steps or StepLimits(), disturbance or Disturbance()
        self.E_cam = np.eye(4) if E_cam is None else E_cam

    def observe(self) -> Views:
        """The fixed evaluation views with their stated poses, taken from where the cameras really are."""
        self._restore()
        return self.taken(range(self.observer.views), self.observer.Ts_world_cam)

    def taken(self, views: Sequence[int], Ts_world_cam: Poses) -> Views:
        """Pictures through the lenses of these fixed views, by number, from stated poses; of the world as it is now."""
        lenses = [self.observer.lenses[i] for i in views]
        seen = self._simulator.observe(Ts_world_cam @ inverse(self.E_cam), lenses)
        return Views(seen.images, seen.K, Ts_world_cam)

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """As in `SimulatedCell`, under the disturbance, if there is one."""
        self.led = []
        if self.disturbance.kind == "none":
            return super().execute(T_world_tcp)
        return self._attempted(T_world_tcp, None)
