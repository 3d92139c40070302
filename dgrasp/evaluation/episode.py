"""One scene cleared object by object until its attempts are used: what Table 1 and the studies count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from dgrasp.evaluation.attempt import Planner
from dgrasp.evaluation.rows import Row, on_table
from dgrasp.evaluation.series import Setup, rows
from dgrasp.evaluation.workers import worker_scene
from dgrasp.sim.simulated_cell import SimulatedCell


@dataclass(frozen=True)
class Episode:
    """The unit of parallel work: one policy in one scene, once."""

    policy: str
    task: str
    split: str
    scene: int
    repetition: int

    @property
    def name(self) -> str:
        return f"{self.policy}-{self.task}-{self.split}-{self.scene:03d}-{self.repetition}"


def attempts_in(cell: SimulatedCell, policy: Planner, episode: Episode, attempts: int, *, seed: int) -> Iterator[Row]:
    """Attempt grasps in one scene until the attempts are used or nothing is left on the table.

    They are not rehearsed: what the arm cannot reach is "unreachable", as the simulator says, and not "refused".
    """
    return rows(cell, _clearing(cell, policy, episode, attempts, seed), seed=seed, rehearse=False)


def _clearing(cell: SimulatedCell, policy: Planner, episode: Episode, attempts: int, seed: int) -> Iterator[Setup]:
    scene = worker_scene(episode.task, episode.split, episode.scene, seed, cell.description)
    for attempt in range(attempts):
        if not scene.objects:
            return
        cell.show(scene)
        address = ("starts", episode.task, episode.split, episode.scene, episode.repetition, attempt)
        yield Setup(policy, address, {**asdict(episode), "attempt": attempt, "seed": seed, **on_table(scene)})
        scene = cell.scene  # what the attempt left
