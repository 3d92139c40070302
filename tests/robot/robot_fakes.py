"""A cell and policies without physics, for the trial protocol: what they do is set by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from robot_poses import top_down

from dgrasp.cameras import Views
from dgrasp.cell.interface import Backend, Execution
from dgrasp.cell.outcome import Outcome
from dgrasp.policy.policies import NoGraspError, Plan
from dgrasp.robot.safety import SafetyLimits, check_pose
from dgrasp.robot.trials import Presentation, TrialProtocol, Verdict
from dgrasp.slopes.climb import Optimized
from dgrasp.slopes.config import OptimizerConfig

ROBOT = {
    "arm": "192.0.2.7",
    "gripper": "192.0.2.7",
    "robot": "real",
    "cameras": "wrist 825312070123",
}  # an address for documentation


class FakeCell:
    """A `RobotCell` whose `act` decides what an execution does (return an outcome, or raise)."""

    def __init__(self, backend: Backend = "twin", act: Callable[[int], str] = lambda n: "success") -> None:
        self._backend, self.act, self.executed, self.limits = backend, act, 0, SafetyLimits()

    @property
    def backend(self) -> Backend:
        return self._backend

    dry_run = False
    calibration_id = "c0ffee"

    @property
    def settings(self) -> Mapping[str, object]:
        return {"limits": self.limits.model_dump(mode="json")}

    @property
    def devices(self) -> Mapping[str, str]:
        return ROBOT if self._backend == "hardware" else {}

    def observe(self) -> Views:
        images = np.full((2, 4, 6, 3), self.executed, np.uint8)
        return Views(images, np.repeat(np.eye(3)[None], 2, 0), np.repeat(np.eye(4)[None], 2, 0))

    def rehearse(self, T_world_tcp: np.ndarray) -> None:
        check_pose(T_world_tcp, SafetyLimits())

    def execute(self, T_world_tcp: np.ndarray) -> Execution:
        self.rehearse(T_world_tcp)
        self.executed += 1
        word = self.act(self.executed)
        outcome = Outcome(word) if word else None
        return Execution(T_world_tcp, moved=bool(word), holds=word == "success", width=0.05, outcome=outcome)

    def close(self) -> None:
        pass


class FakePolicy:
    """Plans the pose it was given, or none."""

    def __init__(self, T_world_tcp: np.ndarray | None = None, **rule: object) -> None:
        self.T = torch.from_numpy(top_down(0.2, 0.0, 0.05) if T_world_tcp is None else T_world_tcp)
        self.config = OptimizerConfig(**{"approach": "downwards", "approach_offset": 0.01, **rule})
        self.starts: list[float] = []
        self.none = False

    def plan(self, views: Views, generator: torch.Generator) -> Plan:
        self.starts.append(float(torch.rand(1, generator=generator)))
        if self.none:
            raise NoGraspError("none of the 4 candidates approaches from above")
        found = Optimized(self.T[None].float(), torch.tensor([1.5]), torch.tensor([0]))
        return Plan(self.T, 1.5, 0, found)


class FakeOperator:
    """Notes what it is told; judges by the cell's word."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def present(self, presentation: Presentation) -> None:
        self.told.append(f"{presentation} {presentation!r}")

    def verdict(self, presentation: Presentation, execution: Execution) -> Verdict:
        self.told.append(f"{presentation!r} {execution!r}")
        return Verdict(Outcome(execution.outcome), "seen")


SHORT = TrialProtocol(
    policies=("base_6d_seq", "dgrasp_6d_seq"), objects=("tennis ball", "power drill"), presentations=2
)
