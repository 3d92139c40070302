"""The closed loop of an experiment: its policies led by what they see, against the same plans executed blindly.

    dgrasp closed-loop --profile published   with the published networks

It goes on where it was interrupted. The rows go to `figures/closed_loop.json` of the build.
"""

from __future__ import annotations

import json
from pathlib import Path

from dgrasp.evaluation.loop_series import (
    ClosedLoopConfig,
    ClosedLoopRecipe,
    closed_loop_run,
    loop_paths,
    loop_rates,
    read_loops,
)
from dgrasp.experiment.chain import Experiment
from dgrasp.files import write_json
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models

ROWS, PATHS = "closed_loop.json", "closed_loop_paths.json"


def closed_loop(experiment: Experiment, scenes: int | None = None) -> Run:
    """Make its attempts, as the profile says; scenes: so many instead. Returns the complete run."""
    p = experiment.profile
    asked = {} if scenes is None else {"scenes": scenes}
    settings = ClosedLoopConfig.model_validate(p.closed_loop.model_dump() | asked)
    recipe = ClosedLoopRecipe(loops=settings, cell=p.cell, observer=experiment.observer, ycb_models=ycb_models())
    tuned = {name: experiment.tuned(name) for name in settings.policies}
    workers = p.runtime.workforce
    sources = experiment.sources(tuned)
    return closed_loop_run(recipe, sources, tuned, experiment.workspace, seed=experiment.seed, workers=workers)


def write_closed_loop(run: Run, folder: Path) -> Path:
    """Write rates and paths of a complete run into a folder, as JSON rows; returns the file of the rates."""
    attempts = read_loops(run)
    for name, table in ((ROWS, loop_rates(attempts)), (PATHS, loop_paths(attempts))):
        write_json(folder / name, json.loads(table.to_json(orient="records")))
    return folder / ROWS
