"""What a worker process keeps between jobs: one Bullet client per cell, one loaded policy per recipe."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import Run
from dgrasp.sim.cell import Cell
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.training import load_value

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
_simulators: dict[str, Cell] = {}
_policies: dict[str, GraspPolicy] = {}


@dataclass(frozen=True)
class PolicySource:
    """A policy as recorded: the runs of Phi and Psi, and the optimizer's settings. Small: it goes to processes."""

    name: str
    nerf: Run
    value: Run
    optimizer: OptimizerConfig
    workspace: Box
    device: str = "cpu"

    @property
    def key(self) -> str:
        return f"{self.name}-{self.value.fingerprint}-{self.optimizer.digest()}-{self.device}"

    def load(self) -> GraspPolicy:
        """Read the weights and build the policy; raises RunError or DamagedFileError."""
        value = load_value(self.value, self.nerf, device=self.device)
        low, high = (torch.tensor(corner) for corner in self.workspace)
        return GraspPolicy(policy_spec(self.name), value, self.optimizer, (low, high))


def worker_cell(config: CellConfig, observer: Observer) -> SimulatedCell:
    """The simulated cell of this process, which has one Bullet client for all of them."""
    key = config.digest()
    if key not in _simulators:
        _simulators[key] = Cell(config)
    return SimulatedCell(observer=observer, simulator=_simulators[key])


def worker_policy(source: PolicySource) -> GraspPolicy:
    """The policy, loaded once per process; plans use one thread, whatever the number of workers."""
    torch.set_num_threads(1)
    if source.key not in _policies:
        _policies[source.key] = source.load()
    return _policies[source.key]
