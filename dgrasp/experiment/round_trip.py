"""Demonstrations out through a public format and back in: are they the same, and is what is trained on them as good?

What a laboratory does with recordings of its own, shown on those whose originals are known (notebook 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dgrasp import streams
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet
from dgrasp.data.export import write_robomimic
from dgrasp.data.imports.check import read_import
from dgrasp.data.imports.episode import Episode
from dgrasp.data.imports.lerobot import write_lerobot
from dgrasp.data.imports.plain import write_plain
from dgrasp.data.imports.run import demonstrations_of
from dgrasp.evaluation.attempt import attempt
from dgrasp.experiment.chain import Experiment
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import Run
from dgrasp.sim.simulated_cell import SimulatedCell
from dgrasp.sim.tasks.paper import task
from dgrasp.value.training import load_value, train_value

VIEWS = 2  # that are exported: as many as plans see
MODEL, POLICY = "dgrasp_quat", "dgrasp_quat_sync"
# A training of seconds: enough for upright prisms on a Phi that is trained already.
SHORT = {"batch": 4, "group": 4, "n_poses": 64, "policy_views": VIEWS, "validation_scenes": 8,
         "checkpoint_every": 1_000_000}  # fmt: skip
STEPS = 60
FEW = {"n_starts": 256, "pruning": ((3, 64), (6, 16)), "pruning_first": None}  # of its plans
Splits = Mapping[str, list[Demonstration]]
WRITERS: dict[str, Callable[[Splits, Path], Path]] = {
    "folder": lambda demos, place: write_plain(demos, place / "folder", VIEWS),
    "lerobot": lambda demos, place: write_lerobot(demos, place / "lerobot", VIEWS),
    "robomimic": lambda demos, place: write_robomimic(
        {"train": demos["train"], "valid": demos["validation"]}, place / "demonstrations.hdf5", VIEWS
    ),
}


def splits(originals: Run, most: int | None = None) -> dict[str, list[Demonstration]]:
    """The first demonstrations of each split; most: of each, all of them by default."""
    sets = {split: DemonstrationSet(originals, split) for split in ("train", "validation")}
    return {split: [demos[i] for i in range(min(most or len(demos), len(demos)))] for split, demos in sets.items()}


def out_and_back(demos: Splits, form: str, place: Path) -> tuple[list[Episode], list[str]]:
    """What a reader makes of what a writer wrote into the folder, and what the check says of it.

    form: one of `dgrasp.data.imports.check.FORMATS`. Raises ImportError without the extra "export" (not for "folder").
    """
    return read_import(WRITERS[form](demos, place), form)


def differences(demos: Splits, form: str, episodes: list[Episode]) -> pd.Series:
    """The largest differences of episodes to their originals: grey values, pixels of K, and metres of both poses."""
    pairs = list(zip(episodes, [*demos["train"], *demos["validation"]], strict=True))

    def largest(of: Callable[[Episode, Demonstration], tuple[np.ndarray, np.ndarray]]) -> float:
        both = (of(e, d) for e, d in pairs)
        return max(float(np.abs(np.subtract(a, b, dtype=np.float64)).max()) for a, b in both)

    return pd.Series(
        {
            "demonstrations": len(pairs),
            "images": largest(lambda e, d: (e.views.images, d.views.images[:VIEWS])),
            "K": largest(lambda e, d: (e.views.K, d.views.K[:VIEWS])),
            "cameras": largest(lambda e, d: (e.views.Ts_world_cam, d.views.Ts_world_cam[:VIEWS])),
            "trajectories": largest(lambda e, d: (e.Ts_world_tcp, d.Ts_world_tcp)),
        },
        name=form,
    )


def trained_shortly(experiment: Experiment, demonstrations: Run, root: Path, steps: int = STEPS) -> Run:
    """dGrasp's Psi after a training of seconds on the experiment's Phi, whatever the demonstrations come from."""
    value, ends = experiment.profile.value, {"steps": steps, "validate_every": steps, "log_every": steps}
    slope = value.slope.model_dump() | {"n_poses": SHORT["n_poses"] // 4}
    negatives = value.negatives.model_dump() | {"blocked_share": 0.0}  # an import has no simulator state
    config = type(value).model_validate(value.model_dump() | SHORT | ends | {"slope": slope, "negatives": negatives})
    return train_value(config, experiment.nerf(), demonstrations, root, model=MODEL, seed=experiment.seed, threads=1)


def lifted(experiment: Experiment, trained: Run, scenes: int) -> int:
    """In how many validation scenes of the task "simple" its first grasp lifts an object; the same starts for all."""
    p, value = experiment.profile, load_value(trained, experiment.nerf())
    optimizer = type(p.optimizer).model_validate(p.optimizer.model_dump() | FEW)
    policy, won = GraspPolicy(policy_spec(POLICY), value, optimizer, p.value.bounds), 0
    with SimulatedCell(p.cell, experiment.observer) as cell:
        for index in range(scenes):
            cell.show(task("simple", cell.description).scene("validation", index, experiment.seed))
            starts = streams.torch_generator(experiment.seed, "round trip", index)
            made = attempt(cell, policy, starts, rehearse=False)
            won += bool(made.execution is not None and made.execution.holds)
    return won


def imported(experiment: Experiment, episodes: list[Episode], root: Path) -> Run:
    """The episodes as a run of demonstrations in the experiment's cell."""
    return demonstrations_of(episodes, root, experiment.profile.cell)
