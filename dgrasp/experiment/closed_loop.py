"""The closed loop of an experiment: its policies led by what they see, against the same plans executed blindly.

    dgrasp closed-loop                  with the published networks; goes on where it was interrupted
    dgrasp closed-loop --scenes 120     no more than these, and of those that are made none again
    dgrasp closed-loop --keep           and put the attempts beside the published results

Rates and paths go to `figures/closed_loop.json` of the build; notebook 09 shows whatever has been made.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from dgrasp.evaluation.loop_series import (
    STAGE,
    TABLE,
    ClosedLoopConfig,
    ClosedLoopRecipe,
    closed_loop_run,
    loop_paths,
    loop_rates,
    read_loops,
)
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.kept_files import keep_files
from dgrasp.experiment.store import PUBLISHED, Record, RecordError, published_folder
from dgrasp.files import SUMS, check_sums, read_sums, write_json, write_sums
from dgrasp.locks import sole_writer
from dgrasp.run_origin import made_from_of
from dgrasp.runs import Run, RunError, only_complete, read_run
from dgrasp.sim.objects.ycb import ycb_models

ROWS, PATHS = "closed_loop.json", "closed_loop_paths.json"
FILES = ("run.json", "done.json", "volatile.json", "timing.jsonl", TABLE)


def closed_loop(experiment: Experiment, scenes: int | None = None) -> Run:
    """Make its attempts, as the profile says; scenes: so many instead. Returns the complete run."""
    p = experiment.profile
    asked = {} if scenes is None else {"scenes": scenes}
    settings = ClosedLoopConfig.model_validate(p.closed_loop.model_dump() | asked)
    recipe = ClosedLoopRecipe(loops=settings, cell=p.cell, observer=experiment.observer, ycb_models=ycb_models())
    return experiment.try_policies(closed_loop_run, recipe, settings.policies)


def made(experiment: Experiment) -> Run | None:
    """The complete run with most scenes, of the experiment's workspace or beside its published results; or None.

    Runs of other networks, which were published before these or are those of another seed, do not count.
    """
    places = [(path, None) for path in experiment.workspace.glob(f"runs/{STAGE}-*")]
    if isinstance(experiment.store, Record):
        places += [(path, experiment.store.folder) for path in experiment.store.folder.glob(f"{STAGE}-*")]
    found = [run for path, of in sorted(places, key=str) if (run := _complete(path, of)) is not None]
    return max((run for run in found if _is_of(run, experiment)), key=_scenes, default=None)


def _is_of(run: Run, experiment: Experiment) -> bool:
    """Whether a run's policies are the experiment's; looks alone, and begins no stage."""
    inputs = made_from_of(run.path)["inputs"]
    try:
        with only_complete():
            return run.seed == experiment.seed and all(
                experiment.tuned(name).fingerprint == fingerprint for name, fingerprint in inputs.items()
            )
    except RunError:
        return False


def keep(run: Run, experiment: Experiment, root: Path = PUBLISHED) -> Path:
    """Put a complete run beside the published results of its experiment, in the place of another; returns its folder.

    Raises RecordError where the experiment is not published.
    """
    run.check()
    folder = published_folder(experiment.profile.name, experiment.seed, root)
    if not (folder / "profile.json").is_file():
        raise RecordError(f"{folder}: no published experiment there to keep the closed loop of; publish it first")
    with sole_writer(folder.parent):
        check_sums(folder, renewed=(f"{STAGE}-*/*",))  # what is damaged is not listed as if it were sound
        keep_files(run.path, [name for name in FILES if (run.path / name).is_file()], folder / run.path.name)
        for stale in folder.glob(f"{STAGE}-*"):  # now, and not before the new one is whole
            if stale.name != run.path.name:
                shutil.rmtree(stale)
        write_sums(folder)
    return folder / run.path.name


def write_closed_loop(run: Run, folder: Path) -> Path:
    """Write rates and paths of a complete run into a folder, as JSON rows; returns the file of the rates."""
    attempts = read_loops(run)
    for name, table in ((ROWS, loop_rates(attempts)), (PATHS, loop_paths(attempts))):
        write_json(folder / name, json.loads(table.to_json(orient="records")))
    return folder / ROWS


def _complete(path: Path, record: Path | None) -> Run | None:
    """The run in a folder, checked; None for one that is not finished."""
    sums = read_sums(record) if record is not None and (record / SUMS).is_file() else {}
    of_run = {n.removeprefix(f"{path.name}/"): d for n, d in sums.items() if n.startswith(f"{path.name}/")}
    try:
        return read_run(path, ClosedLoopRecipe, of_run or None, STAGE)
    except RunError:
        return None


def _scenes(run: Run) -> int:
    assert isinstance(run.recipe, ClosedLoopRecipe)
    return run.recipe.loops.scenes
