"""The digital twin: the simulated cell with what reality adds, behind the interface of the real one.

It shows one everyday object per presentation, hands out views whose stated cameras are not quite those that took the
pictures, executes grasps in physics, and judges by physics. No robot moves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.interface import Backend, Execution, UnsafePose
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import inverse
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.evaluation.attempt import Observer
from dgrasp.robot.safety import SafetyLimits, check_joints, check_pose
from dgrasp.robot.trials import Presentation
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import Trial
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.everyday import EVERYDAY, everyday
from dgrasp.sim.planning import Infeasible, plan_motion
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.everyday_scene import dress_workbench, present
from dgrasp.twin.reality import Reality, TwinConfig

MOTIONS = 5  # commands of an execution: travel, approach, close, lift, release
_NOT_MOVED = (Outcome.UNREACHABLE, Outcome.COLLISION)
_SCENES: dict[tuple[object, ...], Scene] = {}  # objects need a second to come to rest; all policies meet the same


class TwinCell:
    """A `RobotCell` in PyBullet. Call `present` before every trial; use as a context manager.

    observer: number and size of the views that the policy gets.
    """

    def __init__(
        self,
        config: TwinConfig | None = None,
        cell: CellConfig | None = None,
        observer: Observer | None = None,
        seed: int = 0,
    ) -> None:
        self.config, self.observer, self.seed = config or TwinConfig(), observer or Observer(), seed
        self.limits = SafetyLimits()  # what a real cell refuses, the twin refuses
        self._settings = cell or CellConfig()
        self._cell = Cell(self._settings)
        self._scene: Scene | None = None
        self._reality: Reality | None = None
        self._path: tuple[str | int, ...] = ()
        self._fresh = False  # whether the simulated cell shows the presentation as it was drawn
        self._rehearsed = b""  # the pose that passed the dry run

    def __enter__(self) -> TwinCell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from Bullet; safe to call twice."""
        self._cell.close()

    @property
    def dry_run(self) -> bool:
        return False

    @property
    def backend(self) -> Backend:
        return "twin"

    @property
    def devices(self) -> Mapping[str, str]:
        """What stands in for arm, camera, calibration error and each of the paper's objects: it heads every log."""
        looks = ycb.TEXTURED if os.environ.get(ycb.ENVIRONMENT) else ycb.FLAT
        cell = {"arm": "PyBullet UR10 with 2F-140", "camera": "PyBullet D415", "YCB models": looks}
        return cell | {"hand-eye error": self._error_note} | {o.name: o.note for o in EVERYDAY}

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"limits": self.limits.model_dump(mode="json"), "reality": self.config.model_dump(mode="json")}

    @property
    def calibration_id(self) -> str:
        """Of the twin's settings, from which every presentation draws a calibration error of its own.

        That of one trial is `Reality.draw(config, views, seed, object, presentation).off`.
        """
        return f"twin-{self.config.digest()[:12]}"

    @property
    def scene(self) -> Scene:
        """What stands on the board; raises RuntimeError before the first `present`."""
        if self._scene is None:
            raise RuntimeError("nothing is presented: call cell.present(object, presentation) first")
        return self._scene

    @property
    def reality(self) -> Reality:
        """What was drawn for this presentation; raises RuntimeError before the first `present`."""
        self.scene  # noqa: B018
        assert self._reality is not None
        return self._reality

    def present(self, name: str, presentation: int) -> Scene:
        """Put an object (by the paper's name) on the board: the same for everybody who asks for the same.

        Raises ValueError naming the objects that exist, or for a negative presentation.
        """
        everyday(name)
        if presentation < 0:
            raise ValueError(f"presentation: expected 0 or more, got {presentation}")
        self._path = (name, presentation)
        self._reality = Reality.draw(self.config, self.observer.views, self.seed, *self._path)
        key = (self.seed, *self._path, self.config.mass_spread, self.config.friction_spread)
        if key not in _SCENES:
            rng = streams.rng(self.seed, "twin", "scenes", *self._path)
            _SCENES[key] = present(rng, name, self._reality.mass, self._reality.friction)
        self._scene = _SCENES[key]
        self._fresh, self._rehearsed = False, b""
        return self._scene

    def place(self, presentation: Presentation) -> None:
        """`present`, as the runner of trials asks for it."""
        self.present(presentation.object, presentation.presentation)

    def observe(self) -> Views:
        """Views with their stated calibration: the nominal viewpoints, and a D415's nominal intrinsics.

        The camera that takes the pictures stands off by the calibration error.
        """
        self._restore()
        stated = Intrinsics.d415(self.observer.width, self.observer.height)
        Ts_stated = evaluation_viewpoints(self.observer.views)
        views = self._cell.observe(Ts_stated @ inverse(self.reality.E_cam), self.reality.intrinsics(stated))
        rng = streams.rng(self.seed, "twin", "noise", *self._path)
        images = np.stack([as_photographed(image, self.reality, self.config, rng) for image in views.images])
        return Views(images, np.repeat(stated.matrix[None], len(images), axis=0), Ts_stated)

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """Dry run: the checks of the real cell, and the planner of the simulated arm. Raises UnsafePose."""
        T = check_pose(T_world_tcp, self.limits)
        if T.tobytes() == self._rehearsed:
            return
        self._restore()
        self._fresh = False  # the planner moves the simulated arm about
        plan = plan_motion(self._cell.world, T)
        if isinstance(plan, Infeasible):
            raise UnsafePose(f"refused: {plan.reason}")
        for path in (plan.travel, plan.approach, plan.lift):
            check_joints(path, self.limits)
        self._rehearsed = T.tobytes()

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """Rehearse, then the whole grasp in physics, with the verdict. Raises UnsafePose."""
        self.rehearse(T_world_tcp)
        T = np.array(T_world_tcp, dtype=np.float64)
        T[:3, 3] += self.reality.execution_shift
        self._restore()
        self._fresh = False
        trial = self._cell.execute(T)
        return self._execution(np.asarray(T_world_tcp), trial)

    @property
    def simulated(self) -> Cell:
        """The cell behind the twin, as presented; for figures and tests, never for a policy."""
        self._restore()
        self._fresh = False
        return self._cell

    @property
    def _error_note(self) -> str:
        size = f"{1e3 * self.config.hand_eye_shift:g} mm and {self.config.hand_eye_turn:g} degrees"
        return f"{size}, in another direction for every presentation, each of which stands for another cell"

    def _execution(self, T_world_tcp: np.ndarray, trial: Trial) -> Execution:
        latency = self.observer.views * self.config.camera_latency + MOTIONS * self.config.command_latency
        return Execution(
            T_world_tcp,
            moved=trial.outcome not in _NOT_MOVED or bool(trial.phases),
            holds=trial.success,
            seconds={**trial.phases, "latency": latency},
            outcome=trial.outcome.value,
            reason=trial.reason,
        )

    def _restore(self) -> None:
        """The presentation as it was drawn: same object, same place, same light."""
        reality = self.reality
        if self._fresh:
            return
        self._cell.config, self._cell.light = reality.cell(self._settings), reality.light
        self._cell.reset(self.scene)
        if self.config.textured_bench:
            dress_workbench(self._cell.world, *reality.surfaces)
        self._fresh = True


def as_photographed(
    image: UInt8[np.ndarray, "h w 3"], reality: Reality, config: TwinConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """What a camera makes of a rendering: blur, exposure and white balance, read and shot noise, clipping."""
    x = gaussian_filter(image.astype(np.float64), sigma=(config.blur, config.blur, 0)) * reality.gains
    spread = np.sqrt(config.read_noise**2 + config.shot_noise**2 * np.clip(x, 0, 255) / 255)
    return np.clip(x + spread * rng.standard_normal(x.shape), 0, 255).round().astype(np.uint8)
