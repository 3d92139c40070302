"""The simulator behind the interface of a robot's cell: what Table 1 is made in."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.cell.interface import Backend, Execution, UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import orthonormal, pose_problem
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import GraspResult
from dgrasp.sim.planning import Infeasible, JointPaths, plan_motion
from dgrasp.sim.scene import Scene

_REFUSED_BY_PLANNER = (Outcome.UNREACHABLE, Outcome.COLLISION)


class PhysicsCell:
    """What the cells in PyBullet share: a scene, rebuilt once a grasp or its dry run has touched the world."""

    dry_run = False

    def __init__(self, simulator: Cell) -> None:
        self._simulator = simulator
        self._scene: Scene | None = None
        self._fresh = False  # whether the world is as `scene` says

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from Bullet; safe to call twice."""
        self._simulator.close()

    @property
    def description(self) -> CellDescription | None:
        """Of the cell that is simulated; None: the paper's. Scenes must be of the same."""
        return self._simulator.config.description

    @property
    def scene(self) -> Scene:
        """What stands on the board; raises RuntimeError before anything was shown."""
        if self._scene is None:
            raise RuntimeError("the cell is empty: show a scene, or present an object, first")
        return self._scene

    @property
    def simulated(self) -> Cell:
        """The simulator, with the scene as it was shown; for figures and tests, never for a policy."""
        self._restore()
        self._fresh = False
        return self._simulator

    def _put(self, scene: Scene) -> None:
        self._scene, self._fresh = scene, False

    def _restore(self) -> None:
        if not self._fresh:
            self._build()
            self._fresh = True

    def _build(self) -> None:
        """The world as `scene` says."""
        self._simulator.reset(self.scene)

    def _planned(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> JointPaths:
        """The simulated arm's way to the grasp. Raises UnsafePose."""
        plan = plan_motion(self.simulated.world, T_world_tcp)  # which moves the simulated arm about
        if isinstance(plan, Infeasible):
            raise UnsafePose(f"refused: {plan.reason}")
        return plan


class SimulatedCell(PhysicsCell):
    """A `RobotCell` of backend "simulation": cameras are known exactly, and physics judges. Use as a context manager.

    Call `show` before every attempt. observer: number and size of the views that a policy gets. simulator: a Bullet
    client to share, by default one of its own with `config`.
    """

    def __init__(
        self, config: CellConfig | None = None, observer: Observer | None = None, simulator: Cell | None = None
    ) -> None:
        super().__init__(simulator or Cell(config))
        self.observer = observer or Observer(description=self.description)

    @property
    def backend(self) -> Backend:
        return "simulation"

    @property
    def devices(self) -> Mapping[str, str]:
        return {}

    @property
    def settings(self) -> Mapping[str, Any]:
        cell = self._simulator.config.model_dump(mode="json")
        return {"cell": cell, "observer": self.observer.model_dump(mode="json")}

    @property
    def calibration_id(self) -> str:
        return "exact"

    def show(self, scene: Scene) -> None:
        """Put a scene on the board. After an attempt, `show(cell.scene)` goes on with what it left."""
        self._put(scene)

    def observe(self) -> Views:
        """The fixed evaluation views."""
        self._restore()
        return self._simulator.observe(self.observer.Ts_world_cam, self.observer.lenses)

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """Dry run: the planner of the simulated arm. Raises UnsafePose for what it cannot reach."""
        if problem := pose_problem(T_world_tcp):
            raise UnsafePose(f"refused: {problem}")
        self._planned(orthonormal(T_world_tcp))

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """The whole grasp in physics, with the verdict; `scene` is then what it left.

        A pose that the rehearsal would refuse is no error here but an outcome, as Table 1 counts it.
        """
        trial = self.simulated.execute(T_world_tcp)
        self._put(trial.scene_after)
        return as_execution(T_world_tcp, trial)


def as_execution(T_world_tcp: np.ndarray, trial: GraspResult, **seconds: float) -> Execution:
    """What physics says of a grasp, as a cell reports it; `seconds` are added to those of its phases."""
    return Execution(
        T_world_tcp,
        moved=trial.outcome not in _REFUSED_BY_PLANNER or bool(trial.phases),
        holds=trial.success,
        seconds={**trial.phases, **seconds},
        outcome=trial.outcome,
        reason=trial.reason,
        object=trial.object or "",
        duration=trial.simulated_seconds,
    )
