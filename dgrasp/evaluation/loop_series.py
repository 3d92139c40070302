"""Open loop against closed loop while something goes wrong: the same plans, in the same scenes, led or not.

Every policy meets every condition in every scene, once in open and once in closed loop, from the same starts and under
the same disturbance. In the closed loop the first plan is the open loop's; from its pre-grasp on the ascent leads.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field
from scipy.spatial.transform import Rotation
from torch import Generator

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.following import StepLimits
from dgrasp.cell.transforms import transform
from dgrasp.config import Config
from dgrasp.evaluation.attempt import Attempt, Planner, attempt
from dgrasp.evaluation.closed_loop import ClosedLoop, follows, path_measures
from dgrasp.evaluation.rows import POSE, Judged, judged, on_table, write_rows
from dgrasp.evaluation.series import rows_of_units
from dgrasp.evaluation.stage import Asked, AttemptsRecipe, SeriesStage
from dgrasp.evaluation.statistics import with_rates
from dgrasp.evaluation.workers import PolicySource, Recent, worker_policy, worker_scene
from dgrasp.files import DamagedFileError, atomic_path
from dgrasp.policy.policies import PAIR, GraspPolicy, Plan, PolicyNames
from dgrasp.policy.servo import AscentConfig
from dgrasp.run_origin import made_from_of
from dgrasp.runs import Run
from dgrasp.sim.disturbances import Disturbance
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.oracle import OracleConfig
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import TaskName

STAGE = "closed-loop"
CONFIDENCE = 0.95  # of the intervals
STILL, PUSH, DRIFT, SHIFT, TURN = "none", "push (cm)", "drift (mm/s)", "cameras (mm)", "cameras (degrees)"
Loop = Literal["open", "closed"]
LOOPS: tuple[Loop, ...] = ("open", "closed")
SPACING = 0.02  # m between the poses of a straight approach that is measured
RATES = ("disturbance", "size", "loop", "policy", "successes", "n", "rate", "low", "high", "seed")
MEASURES = ("length", "detour", "smoothness", "cosine", "shown_length", "shown_smoothness")
PATHS = ("disturbance", "size", "loop", "policy", "n", *MEASURES)


class ClosedLoopConfig(Config):
    """Which disturbances, which policies, how many scenes. Not in the paper."""

    policies: PolicyNames = Field(default=PAIR, description="one Base and one dGrasp")
    task: TaskName = Field(default="simple", description="whose test scenes are met")
    scenes: int = Field(default=250, ge=1, description="attempts of each policy, in each loop, under each condition")
    push_cm: tuple[float, ...] = Field(
        default=(2.0, 5.0, 8.0), description="an object is pushed, once, on the arm's way"
    )
    drift_mm_s: tuple[float, ...] = Field(default=(10.0, 20.0), description="the board moves all the while")
    shift_mm: tuple[float, ...] = Field(default=(5.0, 20.0), description="both cameras stand off, a random direction")
    turn_degrees: tuple[float, ...] = Field(default=(1.0, 5.0), description="both cameras are turned, a random axis")
    correct_cameras: bool = Field(default=True, description="the closed loop sees by its hand how cameras are off")
    steps: StepLimits = StepLimits()
    ascent: AscentConfig = AscentConfig()

    @property
    def conditions(self) -> list[Condition]:
        """All of them, the undisturbed first."""
        sizes = {PUSH: self.push_cm, DRIFT: self.drift_mm_s, SHIFT: self.shift_mm, TURN: self.turn_degrees}
        return [Condition(STILL, 0.0), *(Condition(kind, size) for kind, all_ in sizes.items() for size in all_)]


class ClosedLoopRecipe(AttemptsRecipe):
    """What the attempts depend on."""

    loops: ClosedLoopConfig
    ycb_models: str = Field(default="not stated", description="looks of YCB objects: no comparison mixes two of them")


@dataclass(frozen=True)
class Condition:
    """A disturbance and its size, in the unit that its name says."""

    disturbance: str
    size: float

    def moves(self) -> Disturbance:
        """What it does to objects."""
        if self.disturbance == PUSH:
            return Disturbance(kind="push", size=self.size / 100)
        return Disturbance(kind="drift", size=self.size / 1000) if self.disturbance == DRIFT else Disturbance()

    def off(self, rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
        """Error of the cameras' poses, in a random direction; see `SteeredSimulation.E_cam`."""
        along = rng.standard_normal(3)
        along /= np.linalg.norm(along)
        if self.disturbance == SHIFT:
            return transform(None, self.size / 1000 * along)
        return transform(Rotation.from_rotvec(np.radians(self.size) * along)) if self.disturbance == TURN else np.eye(4)


@dataclass(frozen=True, kw_only=True)
class LoopRow(Judged):
    """One attempt. x to qw: where the fingers closed, or were to close. looks: of the closed loop; 0 in the open one.

    length, detour, smoothness: of the way from the pre-grasp on (`path_measures`). cosine: of motion and demonstrated
    displacement, the demonstration being that from the same pose to the grasp that was reached (`demonstrated`);
    shown_length, shown_smoothness: the demonstration's own. What was not reached is None.
    """

    task: str
    scene: int
    seed: int
    disturbance: str
    size: float
    loop: str
    looks: int
    length: float | None = None
    detour: float | None = None
    smoothness: float | None = None
    cosine: float | None = None
    shown_length: float | None = None
    shown_smoothness: float | None = None


COLUMNS = (
    *("policy", "task", "scene", "seed", "disturbance", "size", "loop"),
    *POSE,
    *("value", "outcome", "success", "reason", "object", "objects", "models", "looks", "simulated_seconds"),
    *MEASURES,
)


class Remembered:
    """A planner that makes no plan twice from the same views and starts: both loops begin with the same one."""

    def __init__(self, policy: Planner, keep: int = 16) -> None:
        self.policy, self.keep = policy, keep
        self.plans: OrderedDict[tuple[bytes, bytes], Plan] = OrderedDict()

    def plan(self, views: Views, generator: Generator) -> Plan:
        """The policy's. Raises NoGraspError."""
        key = views.images.tobytes(), generator.get_state().numpy().tobytes()
        if key not in self.plans:
            self.plans[key] = self.policy.plan(views, generator)
            if len(self.plans) > self.keep:
                self.plans.popitem(last=False)
        return self.plans[key]


def loop_rates(attempts: pd.DataFrame) -> pd.DataFrame:
    """One row per condition, loop, policy and seed, in `RATES`: successes of n attempts, Wilson interval."""
    groups = attempts.groupby(["disturbance", "size", "loop", "policy", "seed"], sort=False)
    counts = groups["success"].agg(successes="sum", n="size").reset_index()
    return with_rates(counts.astype({"successes": int}), CONFIDENCE)[list(RATES)]


def loop_paths(attempts: pd.DataFrame) -> pd.DataFrame:
    """One row per condition, loop and policy, in `PATHS`: means of `MEASURES` over the n attempts that succeeded.

    What lifted nothing is left out: a way that ended at an object's edge is short, and no better for it.
    """
    lifted = attempts[attempts["success"]]
    numbers = lifted.assign(**{name: pd.to_numeric(lifted[name]) for name in MEASURES})
    groups = numbers.groupby(["disturbance", "size", "loop", "policy"], sort=False)
    return groups[list(MEASURES)].mean().assign(n=groups.size()).reset_index()[list(PATHS)]


def in_both_loops(
    cell: SteeredSimulation, policy: GraspPolicy, recipe: ClosedLoopRecipe, scene: Scene, seed: int
) -> Iterator[LoopRow]:
    """One policy in one scene: all conditions, each in both loops."""
    planner, loops = Remembered(policy), recipe.loops
    cell.correct_cameras = loops.correct_cameras
    closed = ClosedLoop(cell, policy, loops.ascent, seed=seed)
    address = (scene.task, scene.index)
    for condition in loops.conditions:
        about = (condition.disturbance, *address)  # not the size: larger ones go the same way
        cell.E_cam = condition.off(streams.rng(seed, "closed-loop", "cameras", *about))
        cell.disturbance, cell.disturbance_address = condition.moves(), about
        for loop in LOOPS:
            cell.show(scene)
            generator = streams.torch_generator(seed, "closed-loop", "starts", *address)
            made = attempt(closed if loop == "closed" else cell, planner, generator, rehearse=False)
            looks = len(closed.servo.looks) if loop == "closed" and closed.servo is not None else 0
            labels = {"policy": policy.spec.name, "task": scene.task, "scene": scene.index, "seed": seed, "loop": loop}
            yield _row(made, cell, looks, vars(condition) | labels | on_table(scene))


def _row(made: Attempt, cell: SteeredSimulation, looks: int, labels: Mapping[str, Any]) -> LoopRow:
    done = made.execution
    T = made.T_world_tcp if done is None else done.T_world_tcp
    measured = _measured(cell, T) if T is not None and done is not None and done.moved else {}
    return LoopRow(**judged(made, T), **labels, looks=looks, **measured)


def _measured(cell: SteeredSimulation, T_world_grasp: np.ndarray) -> dict[str, Any]:
    path = np.stack(cell.led) if cell.led else straight(T_world_grasp, cell.approach_distance)
    shown = demonstrated(path[0], T_world_grasp)
    of_shown = path_measures(shown)
    return path_measures(path) | {
        "cosine": follows(path, shown),
        "shown_length": of_shown["length"],
        "shown_smoothness": of_shown["smoothness"],
    }


def demonstrated(
    T_world_start: Float[np.ndarray, "4 4"], T_world_grasp: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "n 4 4"]:
    """The way of the demonstrations, without their curve: straight to the oracle's pre-grasp, and straight down."""
    descent = straight(T_world_grasp, OracleConfig().pregrasp)
    way = descent[0, :3, 3] - T_world_start[:3, 3]
    shares = np.linspace(0, 1, max(1, round(float(np.linalg.norm(way)) / SPACING) + 1))[:-1]
    before = np.repeat(descent[:1], len(shares), axis=0)
    before[:, :3, 3] = T_world_start[:3, 3] + shares[:, None] * way
    return np.concatenate([before, descent])


def straight(T_world_grasp: Float[np.ndarray, "4 4"], metres: float) -> Float[np.ndarray, "n 4 4"]:
    """The open loop's approach: from the pre-grasp straight ahead."""
    behind = np.linspace(metres, 0.0, max(2, round(metres / SPACING) + 1))
    return np.stack([T_world_grasp @ transform(None, (0.0, 0.0, -b)) for b in behind])


class _Kept(threading.local):
    """Cells of this worker, which may be a thread."""

    def __init__(self) -> None:
        self.cells = Recent(2, drop=SteeredSimulation.close)


_ours = _Kept()


@dataclass(frozen=True)
class _InScene:
    policy: str
    scene: int

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.scene:03d}"


def _units(recipe: ClosedLoopRecipe) -> Iterator[_InScene]:
    for scene in range(recipe.loops.scenes):
        yield from (_InScene(policy, scene) for policy in recipe.loops.policies)


def _attempts(recipe: ClosedLoopRecipe, source: PolicySource, unit: _InScene, seed: int) -> Iterator[LoopRow]:
    key = recipe.digest()
    cell = _ours.cells.get(key, lambda: SteeredSimulation(recipe.cell, recipe.observer, steps=recipe.loops.steps))
    scene = worker_scene(recipe.loops.task, "test", unit.scene, seed, cell.description)
    yield from in_both_loops(cell, worker_policy(source), recipe, scene, seed)


@dataclass(frozen=True, kw_only=True)
class LoopStage(SeriesStage[ClosedLoopRecipe, _InScene]):
    """A series whose scenes do not depend on how many are asked for: runs of fewer and of more share what they made.

    So one that is interrupted ends early if it is asked for fewer scenes, and one that has ended goes on with more.
    """

    def make(self, run: Run, asked: Asked[ClosedLoopRecipe]) -> Run:
        """Take up what others made, then make the rest; the table is compressed, for it is published."""
        recipe, sources = asked.recipe, asked.sources
        units = list(self.units(recipe))
        self._take_up(run, units)
        lines = rows_of_units(
            {u.name: joblib.delayed(self.attempts)(recipe, sources[u.policy], u, asked.seed) for u in units},
            asked.workers, desc=self.doing, unit=self.unit, folder=run.path / self.folder, shared=run.path,
        )  # fmt: skip
        write_rows(run.path / self.table, pd.DataFrame(lines, columns=list(self.columns)))
        return run.finish(attempts=len(lines), successes=sum(bool(line["success"]) for line in lines))

    def _take_up(self, run: Run, units: list[_InScene]) -> None:
        folders = [p for p in run.path.parent.glob(f"{self.name}-*") if p != run.path and _but_scenes(p, run.path)]
        for name in (f"{unit.name}.json" for unit in units):
            made = (folder / self.folder / name for folder in sorted(folders))
            if not (place := run.path / self.folder / name).is_file() and (kept := next(_files(made), None)):
                with atomic_path(place) as temporary:
                    shutil.copyfile(kept, temporary)


def _files(paths: Iterator[Path]) -> Iterator[Path]:
    return (path for path in paths if path.is_file())


def _but_scenes(path: Path, other: Path) -> bool:
    """Whether two runs were made from the same, but for the number of scenes."""
    try:
        stated = [made_from_of(folder) for folder in (path, other)]
    except DamagedFileError:
        return False
    for made_from in stated:
        made_from["fingerprint"] = made_from["config"]["loops"]["scenes"] = None
    return stated[0] == stated[1]


closed_loop_run = LoopStage(
    name=STAGE,
    code=__name__,
    folder="scenes",
    table="attempts.csv.gz",
    columns=COLUMNS,
    units=_units,
    attempts=_attempts,
    doing="closed loop",
    unit="scene",
)
TABLE, read_loops = closed_loop_run.table, closed_loop_run.read
