"""Ablations beside the published results of their experiment, where they can be read whatever the code becomes.

figures/runs/<experiment>/seed-<n>/
    ablations.json               question and arm -> its run
    ablations-<fingerprint>/     attempts and probe of an arm
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from dgrasp.evaluation.arms import STAGE, TRAINING, TRIALS, ArmRecipe
from dgrasp.experiment.ablations.stage import Ablations, Result
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.kept_files import keep_files
from dgrasp.experiment.questions import questions
from dgrasp.experiment.store import PUBLISHED, Record, RecordError, published_folder
from dgrasp.files import SUMS, check_sums, read_json, read_sums, write_json, write_sums
from dgrasp.locks import sole_writer
from dgrasp.runs import read_run

INDEX = "ablations.json"
FILES = ("run.json", "done.json", "volatile.json", "timing.jsonl", TRIALS, "probe.csv", TRAINING)


def results(experiment: Experiment, names: Sequence[str] = ()) -> list[Result]:
    """The arms that have been tried: published ones, and those in the experiment's workspace, which count first.

    names: questions; default: the profile's, and after them others that were tried.
    """
    found = {(r.question, r.arm): r for r in published_results(experiment)}
    found |= {(r.question, r.arm): r for r in Ablations(experiment).done(names)}
    first = experiment.profile.ablations.names(tuple(names))
    order = list(names) or [*first, *(name for name in questions() if name not in first)]
    wanted = [r for r in found.values() if r.question in order]
    return sorted(wanted, key=lambda r: order.index(r.question))


def published_results(experiment: Experiment) -> list[Result]:
    """The arms that are published with an experiment; none of a build."""
    if not isinstance(experiment.store, Record) or not (experiment.store.folder / INDEX).is_file():
        return []
    folder = experiment.store.folder
    check_sums(folder, INDEX)
    sums = read_sums(folder) if (folder / SUMS).is_file() else {}
    read = []
    for entry in read_json(folder / INDEX):
        of_run = {n.removeprefix(f"{entry['run']}/"): d for n, d in sums.items() if n.startswith(f"{entry['run']}/")}
        run = read_run(folder / entry["run"], ArmRecipe, of_run or None, STAGE)
        read.append(Result(entry["question"], entry["arm"], run))
    return read


def write_results(found: Iterable[Result], folder: Path) -> None:
    """Copy arms into the folder of a published experiment; what its index has of others stays."""
    found = list(found)
    for run in {r.run.path: r.run for r in found}.values():
        if run.path.parent != folder:
            keep_files(run.path, [name for name in FILES if (run.path / name).is_file()], folder / run.path.name)
    known = read_json(folder / INDEX) if (folder / INDEX).is_file() else []
    index = {(e["question"], e["arm"]): e["run"] for e in known} | {(r.question, r.arm): r.run.path.name for r in found}
    write_json(folder / INDEX, [{"question": q, "arm": a, "run": run} for (q, a), run in index.items()])


def keep(experiment: Experiment, root: Path = PUBLISHED, names: Sequence[str] = ()) -> Path:
    """Put the arms that have been tried beside the published results of their experiment; returns the folder.

    names: questions beside the profile's. Arms that were kept before and are not among them stay. Raises RecordError
    where the experiment is not published.
    """
    folder = published_folder(experiment.profile.name, experiment.seed, root)
    if not (folder / "profile.json").is_file():
        raise RecordError(f"{folder}: no published experiment there to keep the ablations of; publish it first")
    with sole_writer(folder.parent):
        asked = tuple(dict.fromkeys((*experiment.profile.ablations.names(), *names)))
        found = Ablations(experiment).done(asked)
        renewed = (INDEX, *(f"{result.run.path.name}/*" for result in found))
        check_sums(folder, renewed=renewed)  # what is damaged is not listed as if it were sound
        write_results(found, folder)
        named = {entry["run"] for entry in read_json(folder / INDEX)}
        for stale in folder.glob(f"{STAGE}-*"):
            if stale.name not in named:
                shutil.rmtree(stale)
        write_sums(folder)
    return folder
