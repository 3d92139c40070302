"""Grasp attempts: observe, plan, execute, record. One scene is cleared object by object until its attempts are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pydantic import Field
from scipy.spatial.transform import Rotation

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.config import Config
from dgrasp.policy.policies import GraspPolicy, NoGraspError, Plan
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import Trial
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import task

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
NO_GRASP = "no grasp"  # beside the simulator's outcomes


@dataclass(frozen=True)
class Attempt:
    """One row of the trial records. Pose of the TCP in the world: metres and unit quaternion (xyzw).

    Pose and value are None, and the outcome is "no grasp", where the policy's rule left no candidate.
    """

    policy: str
    task: str
    split: str
    scene: int
    repetition: int
    attempt: int
    seed: int
    x: float | None
    y: float | None
    z: float | None
    qx: float | None
    qy: float | None
    qz: float | None
    qw: float | None
    value: float | None
    outcome: str
    success: bool
    reason: str
    object: str  # the lifted one
    objects: str  # all that stood on the table before the attempt
    models: str
    simulated_seconds: float


@dataclass(frozen=True)
class Episode:
    """The unit of parallel work: one policy in one scene, once."""

    policy: str
    task: str
    split: str
    scene: int
    repetition: int

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.task}-{self.split}-{self.scene:03d}-{self.repetition}"


class Observer(Config):
    """What a policy sees at test time: RGB from fixed viewpoints."""

    views: int = Field(default=2, ge=2, le=3, description="images per plan (Sec. 5: 2; the predecessor used 3)")
    width: int = Field(default=640, ge=8, description="image width, pixels")
    height: int = Field(default=480, ge=8, description="image height, pixels")

    def observe(self, cell: Cell) -> Views:
        """The fixed evaluation views of the scene in the cell."""
        return cell.observe(evaluation_viewpoints(self.views), Intrinsics.d415(self.width, self.height))


def attempts_in(
    cell: Cell, policy: GraspPolicy, episode: Episode, attempts: int, observer: Observer, seed: int
) -> Iterator[Attempt]:
    """Attempt grasps in one scene until the attempts are used or nothing is left on the table.

    Starting poses come from a stream addressed by scene, repetition and attempt but not by policy: the same
    starts for all policies, so that comparisons are paired.
    """
    scene = task(episode.task).scene(split=episode.split, index=episode.scene, seed=seed)
    for attempt in range(attempts):
        if not scene.objects:
            return
        cell.reset(scene)
        path = ("starts", episode.task, episode.split, episode.scene, episode.repetition, attempt)
        try:
            plan = policy.plan(observer.observe(cell), streams.torch_generator(seed, *path))
        except NoGraspError as error:
            yield _no_grasp(episode, attempt, seed, str(error), scene)
            continue
        trial = cell.execute(plan.T_world_tcp.double().cpu().numpy())
        yield _record(episode, attempt, seed, plan, trial, scene)
        scene = trial.scene_after


def _record(episode: Episode, attempt: int, seed: int, plan: Plan, trial: Trial, scene: Scene) -> Attempt:
    T = plan.T_world_tcp.double().cpu().numpy()
    q = Rotation.from_matrix(T[:3, :3]).as_quat(canonical=True)
    pose = dict(zip(POSE, map(float, (*T[:3, 3], *q)), strict=True))
    return Attempt(
        **asdict(episode),
        attempt=attempt,
        seed=seed,
        **pose,  # type: ignore[arg-type]
        value=plan.value,
        outcome=trial.outcome.value,
        success=trial.outcome is Outcome.SUCCESS,
        reason=trial.reason,
        object=trial.object or "",
        objects=_names(scene),
        models=_models(scene),
        simulated_seconds=trial.simulated_seconds,
    )


def _no_grasp(episode: Episode, attempt: int, seed: int, reason: str, scene: Scene) -> Attempt:
    """An attempt that failed before the arm moved."""
    return Attempt(
        **asdict(episode),
        attempt=attempt,
        seed=seed,
        **dict.fromkeys(POSE),  # type: ignore[arg-type]
        value=None,
        outcome=NO_GRASP,
        success=False,
        reason=reason,
        object="",
        objects=_names(scene),
        models=_models(scene),
        simulated_seconds=0.0,
    )


def _names(scene: Scene) -> str:
    return ", ".join(o.name for o in scene.objects)


def _models(scene: Scene) -> str:
    return ", ".join(scene.model_sources) or "prisms"
