"""What a worker keeps between jobs: Bullet clients, networks, policies, and what was seen of a scene.

A worker is a process, or one of the threads of a process that others started: each thread has its own.

Policies that meet the same scene see the same: it is drawn, rendered and encoded once for all that a process meets in
it. Scenes are functions of their names, views of scenes, codes of views, so that no row depends on what is kept.
"""

from __future__ import annotations

import platform
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch

from dgrasp.cameras import Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.cell.observer import Observer
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.pretrain import load_nerf
from dgrasp.policy.fingers import FingerCheck
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import Run, RunError
from dgrasp.sim.cell import Cell
from dgrasp.sim.objects.ycb import ENVIRONMENT, ycb_models
from dgrasp.sim.scene import Scene
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.added import AddedValues
from dgrasp.value.function import GraspValue
from dgrasp.value.training import load_value

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
Kept = TypeVar("Kept")


class Recent:
    """The last few things that were made, by key; keys are compared as dictionaries do and kept alive.

    drop: called with what is kept no longer, to close it, say.
    """

    def __init__(self, size: int, drop: Callable[[Any], None] | None = None) -> None:
        self.size, self.drop = size, drop
        self.made: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What is kept under the key; else it is made now."""
        if key not in self.made:
            self.made[key] = make()
            if len(self.made) > self.size:
                _, old = self.made.popitem(last=False)
                if self.drop is not None:
                    self.drop(old)
        self.made.move_to_end(key)
        kept: Kept = self.made[key]
        return kept


class _Kept(threading.local):
    """By what it is of."""

    def __init__(self) -> None:
        self.simulators: dict[str, Cell] = {}
        self.policies = Recent(64)
        self.values = Recent(16)
        self.phis = Recent(4)
        self.scenes = Recent(256)
        self.views = Recent(128)  # 0.3 MB each at the laptop profile's size
        self.codes = Recent(4)  # 12 MB each there


_ours = _Kept()


@dataclass(frozen=True)
class PolicySource:
    """A policy as recorded: the runs of Phi and Psi, and the optimizer's settings. Small: it goes to processes.

    added: further trainings of Psi on the same Phi, whose logits are added. fingers: see `GraspPolicy`.
    """

    name: str
    nerf: Run
    value: Run
    optimizer: OptimizerConfig
    workspace: Box
    device: str = "cpu"
    added: tuple[Run, ...] = ()
    fingers: FingerCheck | None = None

    @property
    def key(self) -> str:
        further = "".join(f"+{run.fingerprint}" for run in self.added) + (self.fingers.digest() if self.fingers else "")
        return f"{self.name}-{self.value.fingerprint}-{self.optimizer.digest()}-{self.device}{further}"

    def load(self) -> GraspPolicy:
        """Read the weights and build the policy; raises RunError or DamagedFileError."""
        first = load_value(self.value, self.nerf, device=self.device)
        others = [load_value(run, self.nerf, self.device, first.phi) for run in self.added]
        return self.with_value(AddedValues([first, *others]) if others else first)

    def with_value(self, value: GraspValue) -> GraspPolicy:
        """The policy on a Psi that has been loaded."""
        low, high = (torch.tensor(corner) for corner in self.workspace)
        return GraspPolicy(policy_spec(self.name), value, self.optimizer, (low, high), self.fingers)


class WorkerCell(SimulatedCell):
    """A simulated cell that renders no scene again which it has just rendered."""

    def observe(self) -> Views:
        """The fixed evaluation views."""
        key = (self.scene, self._simulator.config.digest(), self.observer.digest())
        return _ours.views.get(key, super().observe)


def worker_cell(config: CellConfig, observer: Observer) -> SimulatedCell:
    """The simulated cell of this process, which has one Bullet client for all of them."""
    key = config.digest()
    if key not in _ours.simulators:
        _ours.simulators[key] = Cell(config)
    return WorkerCell(observer=observer, simulator=_ours.simulators[key])


def check_looks(stated: str) -> None:
    """Raises RunError if YCB objects look otherwise in this process than a recipe states: results would differ."""
    if stated not in ("not stated", ycb_models()):
        raise RunError(
            f"YCB objects have {ycb_models()} on {platform.node()}, and the attempts are of {stated}; "
            f"set {ENVIRONMENT} there as where the stage was started"
        )


def worker_scene(name: str, split: str, index: int, seed: int, cell: CellDescription | None = None) -> Scene:
    """A task's scene in a cell (None: the paper's), drawn once per process."""
    drawn_by = task(name, cell)
    key = (type(drawn_by), name, split, index, seed, ycb_models(), cell)
    return _ours.scenes.get(key, lambda: drawn_by.scene(split=split, index=index, seed=seed))


def worker_policy(source: PolicySource) -> GraspPolicy:
    """The policy, made once per process; plans use one thread, whatever the number of workers.

    Policies share their networks, and the codes of the views that they see one after the other.
    """
    torch.set_num_threads(1)
    return _ours.policies.get(source.key, lambda: _policy(source))


def _policy(source: PolicySource) -> GraspPolicy:
    members = [_member(source, run) for run in (source.value, *source.added)]
    value = AddedValues(members) if len(members) > 1 else members[0]
    policy = source.with_value(value)
    policy.encode = partial(_encoded, value)
    return policy


def _member(source: PolicySource, run: Run) -> GraspValue:
    kept: GraspValue = _ours.values.get((run.path, run.fingerprint, source.device), lambda: _value(source, run))
    return kept


def _value(source: PolicySource, run: Run) -> GraspValue:
    key = (source.nerf.path, source.nerf.fingerprint, source.device)
    phi: MVNeRF = _ours.phis.get(key, lambda: load_nerf(source.nerf, source.device))
    return load_value(run, source.nerf, source.device, phi)


def _encoded(value: GraspValue, views: Views) -> EncodedViews:
    """The views as Phi sees them: worked out once for all policies on that Phi."""
    dtype = next(value.readout.parameters()).dtype
    key = (id(views), id(value.phi), dtype)
    kept: tuple[Views, MVNeRF, EncodedViews] = _ours.codes.get(key, lambda: (views, value.phi, value.encode(views)))
    return kept[-1]  # views and Phi are kept too, so that their ids are not given to others
