"""The slope explorer: two models' landscapes round a demonstrated grasp, and a candidate that climbs them (notebook 4).

`Explorer` computes and draws a `Choice`, and remembers what did not change; `explorer_widget` binds controls to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from dgrasp.data.demonstrations import Demonstration
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import policy_spec
from dgrasp.poses import Pose, representation
from dgrasp.report.explorer.canvas import Canvas, Panel, draw_whole, to_png
from dgrasp.report.explorer.data import (
    CandidatePath,
    SceneValues,
    SliceLandscape,
    SlopesOnPath,
    candidate_paths,
    check_comparable,
    slice_landscape,
    slopes_on_path,
)
from dgrasp.report.explorer.panels import ModelPanel, explorer_panels
from dgrasp.report.explorer.pose_slice import PoseSlice, poses_at
from dgrasp.report.figures.slope_arrows import one_per_method
from dgrasp.slopes.climb import SCHEDULES, Schedule
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.function import GraspValue

GRID = 11  # points to a side: what two cores compute for two models between two movements of a slider
REMEMBERED = 32


@dataclass(frozen=True)
class Choice:
    """Everything a reader can choose. Lengths in metres and radians.

    scene: index among the demonstrations. models: left and right. start: of the candidate, in half widths of the
    slice. step: of the path, cut at its end. grid: points to a side of each landscape.
    """

    models: tuple[str, str]
    scene: int = 0
    pose_slice: PoseSlice = field(default_factory=PoseSlice)
    start: tuple[float, float] = (-0.4, 0.4)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    representation: str = "quat"
    schedule: Schedule = "sync"
    step: int = 10**6
    grid: int = GRID

    def __post_init__(self) -> None:
        representation(self.representation)
        if self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}; schedules: {', '.join(SCHEDULES)}")
        if not all(-1 <= share <= 1 for share in self.start):
            raise ValueError(f"start: expected two shares of the slice's half widths in [-1, 1], got {self.start}")
        if self.step < 0:
            raise ValueError(f"step: expected 0 or more, got {self.step}")


class Explorer:
    """Computes and draws choices. Encoded views, landscapes and paths are kept for the next choice.

    demonstrations: whose grasps are the centres of slices. values: the models by name, on one Phi. bounds: corners of
    the workspace, metres. settings: optimizer settings to start from, by name. views: images that the models see.
    Raises ValueError for no demonstrations, no settings, or models that cannot be compared.
    """

    def __init__(
        self,
        demonstrations: Sequence[Demonstration],
        values: Mapping[str, GraspValue],
        bounds: tuple[Tensor, Tensor],
        settings: Mapping[str, OptimizerConfig],
        views: int = 2,
    ) -> None:
        if len(demonstrations) == 0 or not settings:
            raise ValueError("demonstrations, settings: expected one of each or more")
        check_comparable(values)
        self.demonstrations, self.values, self.bounds = demonstrations, dict(values), bounds
        self.settings, self.views = dict(settings), views
        self.scene = lru_cache(REMEMBERED)(self._scene)
        self.landscape = lru_cache(REMEMBERED)(self._landscape)
        self.demonstration = lru_cache(REMEMBERED)(self._demonstration)
        self.paths = lru_cache(REMEMBERED)(self._paths)
        # One candidate climbs beside the landscapes: many small operations beside few large ones, on two cores.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="climb")

    @classmethod
    def of(cls, experiment: Experiment, demonstrations: Sequence[Demonstration]) -> Explorer:
        """Every model of the experiment's policies, with the profile's and all tuned optimizer settings."""
        policies = experiment.profile.evaluation.policies
        models = dict.fromkeys(policy_spec(policy).model for policy in policies)
        settings = {"profile": experiment.profile.optimizer} | {p: experiment.optimizer(p) for p in policies}
        values = {model: experiment.load_value(model) for model in models}
        return cls(
            demonstrations, values, experiment.profile.value.bounds, settings, experiment.profile.evaluation.views
        )

    @property
    def start(self) -> Choice:
        """What is shown first: Base beside dGrasp (or the first model beside the last), with the first settings."""
        methods = list(one_per_method(self.values).values())
        names = methods if len(methods) > 1 else list(self.values)
        return Choice((names[0], names[-1]), optimizer=next(iter(self.settings.values())))

    def steps(self, choice: Choice) -> int:
        """Steps of the candidate's path: "seq" makes each part's one after the other."""
        return choice.optimizer.steps * len(SCHEDULES[choice.schedule])

    def figure(self, choice: Choice) -> Figure:
        """The picture of a choice, without controls. Raises ValueError or IndexError for what does not exist."""
        return draw_whole(self.panels(choice))

    def picture(self, choice: Choice, canvas: Canvas) -> bytes:
        """The same as PNG bytes, fast: of the canvas only what changed is drawn again."""
        return to_png(canvas.draw(self.panels(choice)))

    def panels(self, choice: Choice) -> list[Panel]:
        """What a choice shows, computed; raises ValueError or IndexError for what does not exist."""
        self._check(choice)
        names = tuple(dict.fromkeys(choice.models))
        self.scene(choice.scene)  # encoded once, before two threads ask for it
        climb = self._beside.submit(self.paths, *self._climb(choice, names))
        shown = [
            (
                self.landscape(choice.scene, name, choice.pose_slice, choice.grid),
                self.demonstration(choice.scene, name),
            )
            for name in names
        ]
        models = [ModelPanel(name, *s, path) for name, s, path in zip(names, shown, climb.result(), strict=True)]
        step = min(choice.step, self.steps(choice))
        note = f"dark: high value; each landscape {choice.grid} x {choice.grid} poses, images: {self.views}"
        demo = self.demonstrations[choice.scene]
        T_world_grasp, hand = self._grasp(choice.scene).numpy(), demo.state.model.hand
        return explorer_panels(models, choice.pose_slice, demo.views[: self.views], T_world_grasp, step, note, hand)

    def _check(self, choice: Choice) -> None:
        for model in choice.models:
            if model not in self.values:
                raise ValueError(f"unknown model {model!r}; models: {', '.join(self.values)}")
        if not 0 <= choice.scene < len(self.demonstrations):
            raise IndexError(f"scene: expected 0 to {len(self.demonstrations) - 1}, got {choice.scene}")

    def _scene(self, scene: int) -> SceneValues:
        first = next(iter(self.values.values()))
        return SceneValues(self.values, first.encode(self.demonstrations[scene].views[: self.views]))

    def _landscape(self, scene: int, model: str, pose_slice: PoseSlice, grid: int) -> SliceLandscape:
        return slice_landscape(self.scene(scene).score(model), self._grasp(scene), pose_slice, grid)

    def _demonstration(self, scene: int, model: str) -> SlopesOnPath:
        Ts = torch.as_tensor(self.demonstrations[scene].Ts_world_tcp, dtype=torch.get_default_dtype())
        return slopes_on_path(self.scene(scene).score(model), self._grasp(scene), Ts)

    def _climb(self, choice: Choice, models: tuple[str, ...]) -> tuple:
        return (
            choice.scene, models, choice.pose_slice, choice.start,
            choice.optimizer, choice.representation, choice.schedule,
        )  # fmt: skip

    def _paths(
        self,
        scene: int,
        models: tuple[str, ...],
        pose_slice: PoseSlice,
        start: tuple[float, float],
        optimizer: OptimizerConfig,
        rep: str,
        schedule: Schedule,
    ) -> list[CandidatePath]:
        grasp = self._grasp(scene)
        T_world_start = poses_at(grasp, pose_slice.coordinates(grasp.new_tensor([start])))[0]
        return candidate_paths(
            self.scene(scene), models, grasp, T_world_start, optimizer,
            representation=rep, schedule=schedule, bounds=self.bounds,
        )  # fmt: skip

    def _grasp(self, scene: int) -> Pose:
        return torch.as_tensor(self.demonstrations[scene].T_world_grasp, dtype=torch.get_default_dtype())


def with_optimizer(choice: Choice, **changes: float) -> Choice:
    """The choice with other optimizer settings; raises pydantic's ValidationError for impossible ones."""
    settings = OptimizerConfig.model_validate(choice.optimizer.model_dump() | changes)
    return replace(choice, optimizer=settings)
