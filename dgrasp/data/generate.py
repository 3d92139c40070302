"""Generation of demonstrations: scene by scene, in parallel processes, resumable, the same bytes however many work.

A scene's content depends on (configuration, seed, split, index) alone: every random number comes from a
stream with that address (and the number of the draw, where a scene has to be drawn again), and every trial is run in a
world built from nothing.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed
from tqdm import tqdm

from dgrasp import streams
from dgrasp.cameras import Intrinsics, Views
from dgrasp.cell.config import CellConfig
from dgrasp.cell.model import CellModel
from dgrasp.cell.outcome import Outcome
from dgrasp.data import layout
from dgrasp.data.card import write_card
from dgrasp.data.config import STAGE, DataConfig, DemonstrationsRecipe
from dgrasp.files import DamagedFileError, known_sha256
from dgrasp.jobs.workforce import Workforce, as_they_come
from dgrasp.runs import Outputs, Run, RunError, open_run
from dgrasp.sim.cell import Cell
from dgrasp.sim.looks import Look, observe_in
from dgrasp.sim.oracle import oracle
from dgrasp.sim.scene import Scene
from dgrasp.sim.tasks.paper import own_module, task

# The manifest holds the digests of the scenes, of which the sound ones are kept.
OUTPUTS = Outputs(units=("manifest.json", "scenes/*"), listed=("scenes/*",))


class DemonstrationError(RunError):
    """A scene could not be demonstrated, however often it was drawn."""


def generate_demonstrations(
    data_config: DataConfig,
    cell_config: CellConfig,
    root: Path,
    seed: int = 0,
    workers: Workforce | int = 1,
) -> Run:
    """Make (or complete, or repair) the demonstrations below `root`; returns the complete run.

    Scenes whose files match the manifest are kept; missing and damaged ones are made again, and no others.
    workers: who makes them, or how many processes here; they write into the run's folder themselves.
    Raises BackendError, before anything is made, for a backend that cannot be used.
    """
    if isinstance(workers, Workforce):
        workers.check()
    root = Path(root).resolve()  # workers may stand in other folders
    recipe = DemonstrationsRecipe(data=data_config, cell=cell_config)
    code = (__name__, *own_module(data_config.task))
    run = open_run(root, STAGE, recipe, seed=seed, code=code, outputs=OUTPUTS)
    wanted = [("train", i) for i in range(data_config.train_scenes)]
    wanted += [("validation", i) for i in range(data_config.validation_scenes)]
    if run.complete and len(_intact(run.path, wanted)) == len(wanted):
        return run
    with run.writing():
        files = _intact(run.path, wanted)
        missing = [key for key in wanted if layout.scene_path(run.path, *key).name not in files]
        if missing or not run.complete:
            _make(run, missing, files, workers)
            run.finish(**write_card(run))
    return run


def _make(run: Run, missing: list[tuple[str, int]], files: dict[str, dict[str, Any]], workers: Workforce | int) -> None:
    """Make the missing scenes, and enter them into the manifest beside `files`."""
    recipe = run.recipe
    assert isinstance(recipe, DemonstrationsRecipe)
    jobs = [delayed(make_scene)(recipe, run.path, split, index, run.seed) for split, index in missing]
    results = as_they_come(jobs, workers, run.path)
    for name, entry in tqdm(results, total=len(missing), desc="demonstrations", unit="scene", mininterval=5):
        files[name] = entry
        layout.write_manifest(run.path, files, recipe.data.policy_views)


def _intact(folder: Path, wanted: list[tuple[str, int]]) -> dict[str, dict[str, Any]]:
    """Manifest entries whose files are there with the right checksum."""
    if not (folder / "manifest.json").is_file():
        return {}
    try:
        files = layout.read_manifest(folder)["files"]
    except DamagedFileError as error:
        print(f"{str(error).partition(';')[0]}; scenes are made anew", file=sys.stderr, flush=True)
        return {}
    paths = {layout.scene_path(folder, *key).name: layout.scene_path(folder, *key) for key in wanted}
    there = {name: entry for name, entry in files.items() if name in paths and paths[name].is_file()}
    return {name: entry for name, entry in there.items() if known_sha256(paths[name]) == entry["sha256"]}


_cells = threading.local()


def _worker_cell(config: CellConfig) -> Cell:
    """One Bullet client per worker (a process, or a thread of a Dask worker), kept between scenes."""
    if getattr(_cells, "config", None) != config:
        if hasattr(_cells, "cell"):
            _cells.cell.close()
        _cells.config, _cells.cell = config, Cell(config)
    return _cells.cell


def make_scene(
    recipe: DemonstrationsRecipe, folder: Path, split: str, index: int, seed: int
) -> tuple[str, dict[str, Any]]:
    """Make and write one scene file; returns its name and manifest entry (a joblib job)."""
    record = demonstrate_scene(_worker_cell(recipe.cell), recipe.data, split, index, seed)
    path = layout.scene_path(folder, split, index)
    layout.save_scene(path, record)
    return path.name, layout.manifest_entry(path, record)


def demonstrate_scene(cell: Cell, config: DataConfig, split: str, index: int, seed: int) -> layout.SceneRecord:
    """Clear one scene object by object with the oracle; a stage is kept only if its object was really lifted.

    A scene that is not cleared, or in which a grasp disturbed the others so that it is not the task's any more, is
    drawn again. Raises DemonstrationError if `config.draws` draws did not bring one; a last draw of one is kept as it
    is, cut short.
    """
    given_up: list[dict[str, Any]] = []
    for draw in range(config.draws):
        record, why = _clear(cell, config, split, index, seed, draw)
        if not why or config.draws == 1:
            return replace(record, record=record.record | ({"given_up": given_up} if given_up else {}))
        given_up.append({"draw": draw, "reason": why, "attempts": record.record["attempts"]})
    raise DemonstrationError(
        f"scene {index} of {split}: not cleared in {config.draws} draws (data.draws), the last time because {why}"
    )


def _clear(
    cell: Cell, config: DataConfig, split: str, index: int, seed: int, draw: int
) -> tuple[layout.SceneRecord, str]:
    """One draw of a scene as far as it was cleared, and why no further; empty where it was."""
    recipe = task(config.task, cell.config.description)
    scene = recipe.scene(split, index, seed, config.objects_per_scene, **({"draw": draw} if draw else {}))
    again = [draw] if draw else []  # streams and records of a first draw are those from before there were others
    record: dict[str, Any] = {"split": split, "index": index, "stages": [], "attempts": []}
    if draw:
        record["draw"] = draw
    views, grasps, trajectories, why = [], [], [], ""
    for stage in range(config.objects_per_scene):
        if not len(scene):
            why = f"{stage} of {config.objects_per_scene} objects left none on the board"
            break
        why = recipe.departure(scene) if config.draws > 1 else ""
        if why:
            break
        cell.reset(scene)
        cameras = _cameras(config, cell.config.model, streams.rng(seed, "viewpoints", split, index, stage, *again))
        seen = _seen(cell, config, *cameras, streams.rng(seed, "looks", split, index, stage, *again))
        address = (seed, split, index, stage, draw * config.tries)
        done = _demonstrate(cell, config, scene, address, record["attempts"])
        if done is None:
            why = f"object {stage + 1} was not lifted"
            break
        grasp, trajectory, name, after = done
        record["stages"].append({"object": name, "scene": scene.describe()})
        views.append(seen)
        grasps.append(grasp)
        trajectories.append(trajectory)
        scene = after
    shape = (0, config.views, config.height, config.width, 3)
    made = layout.SceneRecord(
        np.stack([v.images for v in views]) if views else np.zeros(shape, np.uint8),
        np.stack([v.K for v in views]) if views else np.zeros((0, config.views, 3, 3)),
        np.stack([v.Ts_world_cam for v in views]) if views else np.zeros((0, config.views, 4, 4)),
        np.array(grasps).reshape(-1, 4, 4),
        tuple(trajectories),
        record,
    )
    return made, why


def _seen(
    cell: Cell,
    config: DataConfig,
    Ts_world_cam: np.ndarray,
    lenses: tuple[Intrinsics, ...],
    rng: np.random.Generator,
) -> Views:
    """The views of one observation, in a look of its own if the settings ask for looks, but for a plain share."""
    looks = config.looks
    if looks is None or (looks.plain_share is not None and rng.uniform() < looks.plain_share):
        return cell.observe(Ts_world_cam, lenses)
    return observe_in(Look.draw(looks, rng), cell, Ts_world_cam, lenses, rng)


def _demonstrate(
    cell: Cell,
    config: DataConfig,
    scene: Scene,
    address: tuple[int, str, int, int, int],
    attempts: list[dict[str, Any]],
) -> tuple[np.ndarray, np.ndarray, str, Scene] | None:
    """Try oracle samples until one lifts its object: (grasp, trajectory, object, scene after), or None.

    address: seed, split, index, stage, and the number of the first attempt, which goes on from draw to draw.
    """
    seed, split, index, stage, first = address
    for attempt in range(first, first + config.tries):
        rng = streams.rng(seed, "demonstrations", split, index, stage, attempt)
        try:
            grasp, trajectory = oracle(scene, rng, config.oracle)
        except ValueError as error:
            attempts.append(
                {"stage": stage, "attempt": attempt, "outcome": Outcome.NO_GRASP, "reason": str(error), "object": None}
            )
            return None
        trial = cell.execute(grasp, trajectory, config.oracle.rate)
        attempts.append(
            {
                "stage": stage,
                "attempt": attempt,
                "outcome": str(trial.outcome),
                "reason": trial.reason,
                "object": trial.object,
                "simulated_seconds": round(trial.simulated_seconds, 6),
            }
        )
        if trial.success and trial.object is not None:
            return grasp, trajectory, trial.object, trial.scene_after
    return None


def _cameras(
    config: DataConfig, model: CellModel, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[Intrinsics, ...]]:
    """Poses and lenses of one observation: the fixed views first, if asked for, then random ones."""
    n = min(config.views, model.most_views) if config.policy_viewpoints == "fixed" else 0
    fixed = model.fixed_views(model.most_views)[:n]
    sampled = model.sampled_views(rng, config.views - n).reshape(-1, 4, 4)
    size = config.width, config.height
    lenses = model.lenses(model.most_views, *size)[:n] + model.sampled_lenses(rng, len(sampled), *size)
    return np.concatenate([fixed, sampled]), lenses
