"""The digital twin: the simulated cell with what reality adds, behind the interface of the real one.

It shows one everyday object per presentation, hands out views whose stated cameras are not quite those that took the
pictures, executes grasps in physics, and judges by physics. No robot moves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.interface import Backend, Execution
from dgrasp.cell.observer import Observer
from dgrasp.cell.transforms import inverse
from dgrasp.robot.safety import SafetyLimits, check_joints, check_pose
from dgrasp.robot.trials import Presentation
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects import ycb
from dgrasp.sim.objects.everyday import EVERYDAY, everyday
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import PhysicsCell, as_execution
from dgrasp.sim.tasks.everyday_scene import distractors, dress_object, dress_workbench, present
from dgrasp.twin.reality import Reality, TwinConfig

MOTIONS = 5  # commands of an execution: travel, approach, close, lift, release
_SCENES: dict[tuple[object, ...], Scene] = {}  # objects need a second to come to rest; all policies meet the same


class TwinCell(PhysicsCell):
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
        super().__init__(Cell(cell))
        self.config, self.seed = config or TwinConfig(), seed
        self.observer = observer or Observer(description=self.description)
        self.limits = SafetyLimits(cell=self.description)  # what a real cell refuses, the twin refuses
        self._nominal = self._simulator.config
        self._reality: Reality | None = None
        self._path: tuple[str | int, ...] = ()
        self._rehearsed = b""  # the pose that passed the dry run

    @property
    def backend(self) -> Backend:
        return "twin"

    @property
    def devices(self) -> Mapping[str, str]:
        """What stands in for arm, camera, calibration error and each of the paper's objects: it heads every log."""
        looks = ycb.TEXTURED if os.environ.get(ycb.ENVIRONMENT) else ycb.FLAT
        camera = "D415" if self.description is None else "camera"
        model = self._simulator.config.model
        cell = {"arm": f"PyBullet {model.name}", "camera": f"PyBullet {camera}", "YCB models": looks}
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
        spreads = (self.config.mass_spread, self.config.friction_spread, self.config.size_spread)
        key = (self.seed, *self._path, *spreads, self.description)
        if key not in _SCENES:
            rng = streams.rng(self.seed, "twin", "scenes", *self._path)
            drawn = self._reality
            _SCENES[key] = present(rng, name, drawn.mass, drawn.friction, drawn.size, self.description)
        scene = _SCENES[key]
        if self.config.distractors:
            rng = streams.rng(self.seed, "twin", "distractors", *self._path)
            others = distractors(rng, self.config.distractors, self.description)
            scene = scene.with_objects([*scene.objects, *others])
        self._put(scene)
        self._rehearsed = b""
        return self.scene

    def place(self, presentation: Presentation) -> None:
        """`present`, as the runner of trials asks for it."""
        self.present(presentation.object, presentation.presentation)

    def observe(self) -> Views:
        """Views with their stated calibration: the nominal viewpoints, and the cameras' nominal intrinsics.

        The camera that takes the pictures stands off by the calibration error.
        """
        self._restore()
        return self.taken(range(self.observer.views), self.observer.Ts_world_cam)

    def taken(self, views: Sequence[int], Ts_world_cam: Float[np.ndarray, "views 4 4"]) -> Views:
        """Pictures by the cameras of these fixed views, by number, from stated poses; of the world as it is now."""
        stated = [self.observer.lenses[i] for i in views]
        true = [self.reality.intrinsics(lens) for lens in stated]
        seen = self._simulator.observe(Ts_world_cam @ inverse(self.reality.E_cam[list(views)]), true)
        rng = streams.rng(self.seed, "twin", "noise", *self._path, *self._next_look())
        images = np.stack([as_photographed(image, self.reality, self.config, rng) for image in seen.images])
        return Views(images, np.stack([lens.matrix for lens in stated]), Ts_world_cam)

    def _next_look(self) -> tuple[int, ...]:
        """Where a look's noise stands among the presentation's streams: this twin looks once, before the grasp."""
        return ()

    def rehearse(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> None:
        """Dry run: the checks of the real cell, and the planner of the simulated arm. Raises UnsafePose."""
        T = check_pose(T_world_tcp, self.limits)
        if T.tobytes() == self._rehearsed:
            return
        plan = self._planned(T)
        for path in (plan.travel, plan.approach, plan.lift):
            check_joints(path, self.limits)
        self._rehearsed = T.tobytes()

    def execute(self, T_world_tcp: Float[np.ndarray, "4 4"]) -> Execution:
        """Rehearse, then the whole grasp in physics, with the verdict. Raises UnsafePose."""
        self.rehearse(T_world_tcp)
        T = np.array(T_world_tcp, dtype=np.float64)
        T[:3, 3] += self.reality.execution_shift
        latency = self.observer.views * self.config.camera_latency + MOTIONS * self.config.command_latency
        return as_execution(np.asarray(T_world_tcp), self.simulated.execute(T), latency=latency)

    @property
    def _error_note(self) -> str:
        size = f"{1e3 * self.config.hand_eye_shift:g} mm and {self.config.hand_eye_turn:g} degrees"
        return f"{size}, in another direction for every presentation, each of which stands for another cell"

    def _build(self) -> None:
        """The presentation as it was drawn: same object, same place, same light."""
        reality, simulator = self.reality, self._simulator
        simulator.config, simulator.light = reality.cell(self._nominal), reality.light
        simulator.reset(self.scene)
        if self.config.textured_bench:
            dress_workbench(simulator.world, *reality.surfaces)
        if reality.object_surface is not None:
            dress_object(simulator.world, self.scene.objects[0].name, reality.object_surface)


def as_photographed(
    image: UInt8[np.ndarray, "h w 3"], reality: Reality, config: TwinConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """What a camera makes of a rendering: blur, exposure and white balance, read and shot noise, clipping."""
    x = gaussian_filter(image.astype(np.float64), sigma=(config.blur, config.blur, 0)) * reality.gains
    spread = np.sqrt(config.read_noise**2 + config.shot_noise**2 * np.clip(x, 0, 255) / 255)
    return np.clip(x + spread * rng.standard_normal(x.shape), 0, 255).round().astype(np.uint8)
