"""Reading demonstrations: a sequence of what the policy is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np

from dgrasp.cameras import Views
from dgrasp.data import layout
from dgrasp.data.config import STAGE, DemonstrationsRecipe
from dgrasp.files import DamagedFileError
from dgrasp.runs import Run, RunError, read_run
from dgrasp.sim.scene import Scene, scene_from

SPLITS = ("train", "validation")


@dataclass(frozen=True, eq=False)
class Demonstration:
    """One lifted grasp: what was seen before, the TCP's way there, and the grasp.

    views: all views; the first `policy_views` are the value function's. T_world_grasp: (4, 4).
    Ts_world_tcp: (steps, 4, 4), the last row is the grasp. `scene`, `stage`: indices within the split.
    """

    scene: int
    stage: int
    views: Views
    T_world_grasp: np.ndarray
    Ts_world_tcp: np.ndarray
    object: str
    outcome: str
    state: Scene  # of the simulator before the grasp: for diagnostics and blocked negatives, never for a policy


class DemonstrationSet(Sequence[Demonstration]):
    """The demonstrations of one split, in order of scenes and stages. Files are checked when first read.

    source: a demonstrations run, or the path of its folder. keep: scenes held in memory, each with its first `views`
    views (None: with all). Raises ValueError for an unknown split, DamagedFileError naming the scene file.
    """

    def __init__(
        self, source: Run | Path | str, split: str = "train", keep: int = 32, views: int | None = None
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; splits: {', '.join(SPLITS)}")
        self.folder = source.path if isinstance(source, Run) else Path(source)
        self.split = split
        manifest = layout.read_manifest(self.folder)
        self.policy_views: int = manifest["policy_views"]
        self._files = {name: entry for name, entry in sorted(manifest["files"].items()) if name.startswith(f"{split}-")}
        self._index = [(name, k) for name, entry in self._files.items() for k in range(entry["demonstrations"])]
        self._views = views
        self._load = lru_cache(maxsize=keep)(self._load_file)

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, i: int) -> Demonstration: ...
    @overload
    def __getitem__(self, i: slice) -> list[Demonstration]: ...
    def __getitem__(self, i: int | slice) -> Demonstration | list[Demonstration]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        name, stage = self._index[i]
        scene = self._load(name)
        kept = scene.record["stages"][stage]
        return Demonstration(
            scene=scene.record["index"],
            stage=stage,
            views=Views(scene.images[stage], scene.K[stage], scene.Ts_world_cam[stage]),
            T_world_grasp=scene.T_world_grasp[stage],
            Ts_world_tcp=scene.trajectories[stage],
            object=kept["object"],
            outcome="success",
            state=scene_from(kept["scene"]),
        )

    def places(self) -> list[tuple[int, int]]:
        """Scene and stage of every demonstration, without reading its file."""
        return [(layout.scene_index(name), stage) for name, stage in self._index]

    def records(self) -> list[dict]:
        """The JSON record of every scene: states and outcomes of all attempts."""
        return [self._load(name).record for name in self._files]

    def verify(self) -> list[str]:
        """Names of scene files that are missing or damaged; empty if all is well."""
        bad = []
        for name, entry in self._files.items():
            try:
                layout.load_scene(self.folder / "scenes" / name, entry["sha256"])
            except DamagedFileError:
                bad.append(name)
        return bad

    def _load_file(self, name: str) -> layout.SceneRecord:
        scene = layout.load_scene(self.folder / "scenes" / name, self._files[name]["sha256"])
        if self._views is None:
            return scene
        first = {array: getattr(scene, array)[:, : self._views].copy() for array in ("images", "K", "Ts_world_cam")}
        return replace(scene, **first)


def places(demonstrations: Sequence[Demonstration]) -> list[tuple[int, int]]:
    """Scene and stage of each."""
    if isinstance(demonstrations, DemonstrationSet):
        return demonstrations.places()
    return [(d.scene, d.stage) for d in demonstrations]


def open_demonstrations(folder: Path | str) -> Run:
    """The complete run in `folder`, whatever version of the code made it; raises as `read_run` does."""
    folder = Path(folder)
    if (folder / "run.json").is_file() and not (folder / "done.json").is_file():
        raise RunError(f"{folder}: the run is not complete; call generate_demonstrations again, it resumes")
    return read_run(folder, DemonstrationsRecipe, stage=STAGE)
