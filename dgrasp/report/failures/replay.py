"""Attempts of one scene made once more from their rows, with pictures.

Scenes are functions of their names, and physics repeats itself from a pose that was written down: so what an attempt
left is found again by repeating it. Whether that worked is compared row by row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dgrasp.cameras import Intrinsics, view_from_sphere
from dgrasp.cell.config import CellConfig
from dgrasp.cell.interface import UnsafePose
from dgrasp.cell.observer import Observer
from dgrasp.cell.outcome import Outcome
from dgrasp.cell.transforms import pose_matrix
from dgrasp.evaluation.rows import POSE, on_table
from dgrasp.evaluation.workers import worker_cell, worker_scene
from dgrasp.report.failures.attempts import TWIN
from dgrasp.robot.trials import image_hash
from dgrasp.sim.cell import Cell
from dgrasp.sim.execution import GraspResult
from dgrasp.sim.simulated_cell import PhysicsCell
from dgrasp.twin.cell import TwinCell
from dgrasp.twin.reality import TwinConfig

Frame = tuple[str, np.ndarray]  # what it shows, and the picture (h, w, 3)
ENDS = ("approach", "close", "hold")  # of the attempt's phases: their last moments are shown, and where it ended
FRAME = (160, 120)  # pixels
ABOVE, DISTANCE, AROUND, DOWN = 0.06, 0.7, np.radians(60), np.radians(72)  # m, rad: as the films of Figure 7
SAME_SECONDS = 1e-9  # s: of an attempt that took as many time steps


@dataclass(frozen=True)
class Job:
    """One scene, and its attempts in all policies' episodes: plain values, so that it can go to another process.

    rows: of `attempts_of`, with `number` and `pictured`. twin: None for the simulated table.
    """

    rows: tuple[Mapping[str, Any], ...]
    cell: CellConfig
    observer: Observer
    twin: TwinConfig | None = None

    @property
    def policies(self) -> list[list[Mapping[str, Any]]]:
        """The rows of each policy that has some to picture, in order of the attempts, up to the last such."""
        found = []
        for name in dict.fromkeys(row["policy"] for row in self.rows):
            mine = sorted((row for row in self.rows if row["policy"] == name), key=lambda row: row["attempt"])
            last = max((i for i, row in enumerate(mine) if row["pictured"]), default=-1)
            found.append(mine[: last + 1])
        return [rows for rows in found if rows]


@dataclass(frozen=True, eq=False)
class Shown:
    """An attempt made once more.

    views: of the scene, as the policy saw it if `seen`; else its objects look different in this process. frames: none
    if the attempt did not end the `same` way as its row says. exact: so far the episode took as many time steps as its
    rows say; else objects may lie a little otherwise than they did.
    """

    number: int
    views: tuple[np.ndarray, ...]
    frames: tuple[Frame, ...]
    same: bool
    seen: bool
    exact: bool


def repeated(job: Job) -> Iterator[Shown]:
    """The job's attempts that get pictures, made once more.

    After an attempt that ended another way than its row says, the scene is another one: the rest of that episode is
    left out. Bullet is asked alone: no policy, and nothing random.
    """
    for rows in job.policies:
        yield from _in_twin(job, rows) if job.twin else _in_simulation(job, rows)


def drawn_again(row: Mapping[str, Any]) -> bool:
    """Whether today's code draws the scene of a row of the table: the same objects, as far as their names tell."""
    if row["table"] == TWIN:
        return True
    scene = worker_scene(row["task"], row["split"], row["scene"], row["seed"])
    return on_table(scene)["objects"] == row["objects"]


def _in_simulation(job: Job, rows: Sequence[Mapping[str, Any]]) -> Iterator[Shown]:
    cell, first = worker_cell(job.cell, job.observer), rows[0]
    drawn = first["task"], first["split"], first["scene"], first["seed"]
    scene, exact = worker_scene(*drawn, cell.description), True
    for row in rows:
        table = on_table(scene)
        if table["objects"] != row["objects"]:
            return
        cell.show(scene)
        views = tuple(cell.observe().images) if row["pictured"] else ()
        result, frames = _film(cell, _pose(row), row["pictured"])
        same = result is None or (result.outcome, result.object or "") == (row["outcome"], row["object"])
        exact &= result is None or abs(result.simulated_seconds - row["duration"]) < SAME_SECONDS
        if row["pictured"]:
            seen = table["models"] == row["models"]
            yield Shown(row["number"], views, frames if same else (), same, seen, exact)
        if not same:
            return
        scene = scene if result is None else result.scene_after


def _in_twin(job: Job, rows: Sequence[Mapping[str, Any]]) -> Iterator[Shown]:
    with TwinCell(job.twin, job.cell, job.observer, rows[0]["seed"]) as cell:
        for row in (row for row in rows if row["pictured"]):
            cell.present(row["presented"], row["scene"])
            views = tuple(cell.observe().images)
            seen = [image_hash(view) for view in views] == json.loads(row["images"])
            T_world_tcp = _pose(row)
            refused = T_world_tcp is not None and _is_refused(cell, T_world_tcp)
            if T_world_tcp is not None:
                T_world_tcp[:3, 3] += cell.reality.execution_shift
            result, frames = _film(cell, None if refused else T_world_tcp, wanted=True)
            same = (Outcome.REFUSED if refused else result.outcome if result else Outcome.NO_GRASP) == row["outcome"]
            seconds = sum(result.phases.values()) if result else row["duration"]
            exact = abs(seconds - row["duration"]) < SAME_SECONDS
            yield Shown(row["number"], views, frames if same else (), same, seen, exact)


def _is_refused(cell: TwinCell, T_world_tcp: np.ndarray) -> bool:
    try:
        cell.rehearse(T_world_tcp)
    except UnsafePose:
        return True
    return False


def _pose(row: Mapping[str, Any]) -> np.ndarray | None:
    pose = [row[name] for name in POSE]
    return None if np.isnan(np.array(pose, dtype=np.float64)).any() else pose_matrix(pose)


def _film(
    cell: PhysicsCell, T_world_tcp: np.ndarray | None, wanted: bool
) -> tuple[GraspResult | None, tuple[Frame, ...]]:
    """What a grasp leads to (None without one), and the last moments of its phases, which it is made twice to know."""
    if T_world_tcp is None:
        return None, ()
    looks: Counter[str] = Counter()
    result = cell.simulated.execute(T_world_tcp, watch=lambda phase: looks.update([phase]))
    if not wanted or not looks:
        return result, ()
    ends = {phase: looks[phase] for i, phase in enumerate(looks) if phase in ENDS or i == len(looks) - 1}
    aim = torch.from_numpy(T_world_tcp[:3, 3] + [0.0, 0.0, ABOVE])
    camera = view_from_sphere(aim, DISTANCE, AROUND, DOWN).numpy()[None]
    seen: Counter[str] = Counter()
    frames: list[Frame] = []
    simulator: Cell = cell.simulated

    def watch(phase: str) -> None:
        seen.update([phase])
        if seen[phase] == ends.get(phase):
            frames.append((phase, simulator.observe(camera, Intrinsics.d415(*FRAME)).images[0]))

    simulator.execute(T_world_tcp, watch=watch)
    return result, tuple(frames)
