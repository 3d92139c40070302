"""The diagnosis: which stage failed, from one attempt in an untouched validation scene."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dgrasp import streams
from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.experiment import diagnosis
from dgrasp.experiment.diagnosis import diagnose
from dgrasp.policy.policies import NoGraspError
from dgrasp.runs import RunError
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task

SCENE = task("simple").scene(split="validation", index=1, seed=0)


class Sure:
    """Plans one pose, or none, and notes from which streams it was to start."""

    spec = SimpleNamespace(name="dgrasp_quat_sync")

    def __init__(self, T_world_tcp: np.ndarray | None, value: float = 1.0) -> None:
        self.T, self.value, self.streams = T_world_tcp, value, []

    def plan(self, views, generator):
        self.streams.append(generator.initial_seed())
        if self.T is None:
            raise NoGraspError("none of the 8 candidates approaches from above")
        return SimpleNamespace(T_world_tcp=torch.from_numpy(self.T), value=self.value)


@pytest.fixture(scope="module")
def cell() -> Iterator[SimulatedCell]:
    with SimulatedCell(observer=Observer(views=2, width=32, height=24)) as cell:
        yield cell


def in_the_air() -> np.ndarray:
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = 0.2, 0.0, 1.06
    return T


def on_an_object() -> np.ndarray:
    """The valid grasp that points down most."""
    grasps = oracle_grasps(SCENE)
    return np.asarray(grasps[np.argmin(grasps[:, 2, 2])], dtype=np.float64)


@pytest.mark.parametrize(
    ("T", "best", "stage", "outcome"),
    [
        (None, 2.0, "no grasp", "no grasp"),
        (in_the_air(), 2.0, "summit not reached", "missed"),
        (in_the_air(), 0.5, "wrong summit", "missed"),
        (on_an_object(), 2.0, "lifted", "success"),
    ],
    ids=["none", "summit not reached", "wrong summit", "lifted"],
)
def test_a_stage_is_named(cell, monkeypatch, T, best, stage, outcome) -> None:
    monkeypatch.setattr(diagnosis, "_highest_near", lambda policy, views, known: best)
    policy = Sure(T)
    found = diagnose(cell, policy, "simple", 1, seed=0)
    assert policy.streams == [streams.torch_generator(0, "diagnosis", "simple", 1).initial_seed()]
    assert (found.stage, found.outcome, found.policy, found.scene) == (stage, outcome, "dgrasp_quat_sync", 1)
    assert found.valid_value == (None if T is None else best) and found.split == "validation"
    assert found.objects == ", ".join(o.name for o in SCENE.objects) and found.models == "prisms"


def test_a_worker_whose_objects_look_otherwise_is_refused() -> None:
    with pytest.raises(RunError, match="and the attempts are of other looks"):
        diagnosis._diagnoses("other looks", None, CellConfig(), Observer(), "simple", 1, 0)  # type: ignore[arg-type]
