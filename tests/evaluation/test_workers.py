"""What a worker keeps changes no row: scenes, views and codes are made once for policies that meet the same."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dgrasp.cell.config import CellConfig
from dgrasp.cell.observer import Observer
from dgrasp.evaluation import loop_series, outcomes, workers
from dgrasp.evaluation.episode import Episode, attempts_in
from dgrasp.evaluation.workers import Recent, worker_cell, worker_scene
from dgrasp.policy.policies import Plan
from dgrasp.sim.cell import Cell
from dgrasp.sim.following import SteeredSimulation
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.slopes.climb import Optimized

OBSERVER = Observer(views=2, width=64, height=48)


class Downwards:
    """Grasps the middle of what is brightest in the views: a plan that depends on every pixel."""

    def plan(self, views, generator):
        import torch

        T = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        T[:3, 3] = torch.tensor([0.2, 0.1 * (views.images.mean() / 255 - 0.5), 1.0])
        return Plan(T, float(views.images.sum()), 0, Optimized(T[None], torch.zeros(1), torch.zeros(1, dtype=int)))


@pytest.fixture
def rows():
    def of(cell, policy="base_quat_sync"):
        episode = Episode(policy, "simple", "validation", 0, 0)
        return list(attempts_in(cell, Downwards(), episode, 2, seed=0))

    return of


def test_rows_are_those_of_a_cell_that_keeps_nothing(rows, monkeypatch):
    config = CellConfig()
    with Cell(config) as simulator:
        plain = rows(SimulatedCell(observer=OBSERVER, simulator=simulator))
    shared = worker_cell(config, OBSERVER)
    first = rows(shared)
    rendered = []
    monkeypatch.setattr(
        shared._simulator, "observe", lambda *a: rendered.append(a) or Cell.observe(shared._simulator, *a)
    )
    again = rows(shared)
    assert plain == first == again
    assert len(rendered) <= 1, "the first scene was rendered before; what the attempt left is another"


def test_a_scene_is_drawn_once_and_is_what_its_name_says():
    scene = worker_scene("simple", "validation", 1, 0)
    assert worker_scene("simple", "validation", 1, 0) is scene
    other = worker_scene("simple", "validation", 1, 5)
    assert not np.array_equal(other.objects[0].T_world_object, scene.objects[0].T_world_object)


def test_codes_are_shared_by_policies_on_one_phi_alone():
    calls = []

    class Value:
        def __init__(self, phi):
            self.phi, self.readout = phi, self

        def parameters(self):
            yield np.zeros(1)

        def encode(self, views):
            calls.append(views)
            return object()

    phi, views = object(), object()
    code = workers._encoded(Value(phi), views)
    assert workers._encoded(Value(phi), views) is code and len(calls) == 1
    assert workers._encoded(Value(object()), views) is not code and workers._encoded(Value(phi), object()) is not code


def test_only_the_last_few_are_kept():
    kept = Recent(2)
    for key in "aba":
        kept.get(key, lambda key=key: [key])
    assert kept.get("c", lambda: ["c"]) == ["c"] and set(kept.made) == {"a", "c"}


@pytest.mark.parametrize("kept", [outcomes._ours, loop_series._ours])
def test_each_thread_has_cells_of_its_own_and_closes_what_it_keeps_no_longer(kept):
    """Two threads in one Bullet client would see each other's scenes."""

    def cells():
        made = [SteeredSimulation() for _ in range(3)]
        for i, cell in enumerate(made):
            kept.cells.get(i, lambda cell=cell: cell)
        alive = [cell._simulator.client >= 0 for cell in made]
        for cell in made:
            cell.close()
        return kept.cells, alive

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        (first, alive), (second, _) = one.submit(cells).result(), other.submit(cells).result()
    assert first is not second and alive == [False, True, True]
