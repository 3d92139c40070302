"""An import as a run of demonstrations, on which everything trains that trains on the simulator's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from dgrasp.cell.config import CellConfig
from dgrasp.cell.description import CellDescription
from dgrasp.data import layout
from dgrasp.data.config import STAGE, DataConfig, DemonstrationsRecipe
from dgrasp.data.imports.episode import Episode, ImportRefused
from dgrasp.data.imports.problems import problem_as_a_run
from dgrasp.runs import Outputs, Run, open_run
from dgrasp.sim.scene import Scene

OUTPUTS = Outputs(units=("manifest.json", "scenes/*"), listed=("scenes/*",))


def demonstrations_of(episodes: list[Episode], root: Path, cell: CellConfig | None = None) -> Run:
    """Write the episodes, one scene each, as a run in `root/runs`, and return it; the same episodes, the same run.

    cell: that they are from; default the paper's. The scenes have no simulator state: what needs it (blocked negatives,
    masks of objects) finds no objects. Raises ImportRefused where episodes differ in views or sizes, none is to be
    trained on, or no camera sees the grasp of one.
    """
    if problem := problem_as_a_run(episodes):
        raise ImportRefused(problem)
    counts = {split: sum(e.split == split for e in episodes) for split in ("train", "validation")}
    views, height, width, _ = episodes[0].views.images.shape
    data = DataConfig(
        task=f"import {_digest(episodes)[:16]}", train_scenes=counts["train"], validation_scenes=counts["validation"],
        objects_per_scene=1, views=views, policy_views=views, width=width, height=height,
    )  # fmt: skip
    cell = cell or CellConfig()
    recipe = DemonstrationsRecipe(data=data, cell=cell)
    run = open_run(Path(root), STAGE, recipe, code=(__name__,), outputs=OUTPUTS)
    if run.complete:
        return run
    with run.writing():
        files = {}
        for split in counts:
            for index, episode in enumerate(e for e in episodes if e.split == split):
                path = layout.scene_path(run.path, split, index)
                scene = _scene(episode, index, cell.description)
                layout.save_scene(path, scene)
                files[path.name] = layout.manifest_entry(path, scene)
        layout.write_manifest(run.path, files, policy_views=views)
        run.finish(demonstrations=len(episodes), imported=True)
    return run


def _scene(e: Episode, index: int, cell: CellDescription | None) -> layout.SceneRecord:
    empty = Scene((), task="import", split=e.split, index=index, cell=cell)
    record = {
        "split": e.split,
        "index": index,
        "attempts": [],
        "stages": [{"object": e.object, "scene": empty.describe()}],
    }
    v = e.views
    return layout.SceneRecord(
        v.images[None], v.K[None], v.Ts_world_cam[None], e.Ts_world_tcp[-1:], (e.Ts_world_tcp,), record
    )


def _digest(episodes: list[Episode]) -> str:
    digest = hashlib.sha256()
    for e in episodes:
        digest.update(f"{e.split} {e.object}\n".encode())
        for array in (e.views.images, e.views.K, e.views.Ts_world_cam, e.Ts_world_tcp):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
