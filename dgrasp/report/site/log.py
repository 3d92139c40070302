"""The experiment log: which runs stand behind the results, of which commit and seed, and how long they took."""

from __future__ import annotations

import pandas as pd

from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.seeds import all_seeds
from dgrasp.files import read_json
from dgrasp.policy.policies import POLICIES
from dgrasp.report.play.supply import model_title, policy_title
from dgrasp.report.site.markdown import table
from dgrasp.runs import Run

UNKNOWN = "not noted"
STAGES = {
    "demonstrations": "demonstrations",
    "nerf": "training of Φ",
    "evaluation": "attempts of Table 1",
    "twin-trials": "trials in the digital twin",
    "calibration-sweep": "calibration errors in the twin",
}


def runs_table(experiment: Experiment) -> str:
    """One row per stage of every published seed: run, seed, commit, machine, minutes."""
    runs = [(name, run) for one in all_seeds(experiment) for name, run in _stages(one).items()]
    rows = [_row(name, run) for name, run in runs]
    total = sum(run.seconds for _, run in runs) / 60
    return f"{table(pd.DataFrame(rows))}\nTogether {total:.0f} minutes of work; stages may have run side by side.\n"


def _stages(experiment: Experiment) -> dict[str, Run]:
    tried = {"evaluation": experiment.evaluation(), "twin-trials": experiment.twin_trials()}
    return {**experiment.used(), **tried, "calibration-sweep": experiment.calibration_sweep()}


def _stage(name: str) -> str:
    """A stage in words; the settings of each policy's climb are a study of its own."""
    if name in POLICIES:
        return f"settings of {policy_title(name)}"
    return STAGES.get(name) or f"training of {model_title(name)}"


def _row(name: str, run: Run) -> dict[str, str]:
    stated = read_json(run.path / "run.json")
    made = stated.get("made_by", {})
    commit = str(made.get("commit") or UNKNOWN)[:10]
    changed = " with changes" if made.get("dirty") else ""
    return {
        "stage": _stage(name),
        "run": f"`{run.fingerprint[:12]}`",
        "seed": str(stated.get("seed", UNKNOWN)),
        "commit": f"`{commit}`{changed}",
        "processors": str(made.get("processors") or UNKNOWN),
        "torch": str(made.get("versions", {}).get("torch", UNKNOWN)),
        "minutes": f"{run.seconds / 60:.1f}",
    }
