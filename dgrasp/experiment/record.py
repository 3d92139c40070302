"""Publishing: what one whole experiment computed, kept beside its figures, and read again whatever the code became.

    figures/runs/<experiment>/seed-<n>/
        SHA256SUMS                   digests of all other files, which are compared when they are read
        profile.json                 the profile and seed of the experiment
        model_card.md                what the models are, from what, how good, and for what
        demonstrations-<fingerprint>/  data card, and the manifest with every scene's checksum
        nerf-<fingerprint>/          run.json, metrics, weights.safetensors, done.json
        value-<model>-<fingerprint>/
        tuning-<policy>-<fingerprint>/
        evaluation-<fingerprint>/    trials.csv.gz: one row per attempt
        twin-trials-<fingerprint>/   logs of the trials in the digital twin
        calibration-sweep-<fingerprint>/
        ablations.json, ablations-<fingerprint>/   arms of ablations, as many as have been tried

`dgrasp.experiment.store.Record` reads them. Scenes of the demonstrations are not kept: those that figures need are made
again. Weights and pictures are kept of one seed, that which is published first (`seed_with_weights`): of the others,
rows are what tables need. `dgrasp publish` calls this.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dgrasp.data.layout import read_manifest
from dgrasp.evaluation.study import JOURNAL
from dgrasp.experiment.ablations.kept import write_results
from dgrasp.experiment.ablations.stage import Ablations
from dgrasp.experiment.attempts import PACKED, PLAIN
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.kept_files import keep_files
from dgrasp.experiment.model_card import model_card
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.experiment.store import PUBLISHED, Record, RecordError, published, published_folder, seed_with_weights
from dgrasp.files import SUMS, check_sums, visible_files, write_sums, write_text
from dgrasp.locks import sole_writer
from dgrasp.runs import Run, only_complete

KEPT = ("run.json", "done.json", "volatile.json", "metrics.jsonl", "timing.jsonl", "weights.safetensors",
        "readout.safetensors", "manifest.json", "data_card.md", *PLAIN, *PACKED, JOURNAL,
        "logs/*.jsonl", "images/*.png")  # fmt: skip
OF_ONE_SEED = ("*.safetensors", "*.png")
LARGEST_MIB = 25.0  # our choice: what a clone may cost, all seeds of an experiment together


def identical_scenes(made: Run, published: Run) -> tuple[int, int]:
    """How many scene files of a demonstrations run are those of another byte for byte, and how many it has."""
    files, others = (read_manifest(run.path)["files"] for run in (made, published))
    return sum(others.get(name, {}).get("sha256") == file["sha256"] for name, file in files.items()), len(files)


def publish(experiment: Experiment, folder: Path = PUBLISHED) -> Path:
    """Copy what a finished experiment computed (but its scenes) below `folder`, in place of what was there of it.

    Returns where it is now: `<folder>/<profile>/seed-<n>`. Nothing is computed. Raises RecordError if the experiment is
    published already, has a profile for trying out that has no place among the published ones, has other settings than
    its other seeds, or is with them larger than `LARGEST_MIB`; RunError if a stage is not complete. What was there
    stays until the new is whole.
    """
    if isinstance(experiment.store, Record):
        raise RecordError(f"{experiment.store.folder}: is published already; give the profile and build that made it")
    name = experiment.profile.name
    if folder.resolve() == PUBLISHED and name not in PUBLISHABLE:
        raise RecordError(f"profile {name!r} is for trying things out; published are {', '.join(PUBLISHABLE)}")
    target = published_folder(name, experiment.seed, folder)
    for seed in published(folder).get(name, []):
        other = Record(published_folder(name, seed, folder), experiment.workspace)
        if seed != experiment.seed and other.profile.settings != experiment.profile.settings:
            raise RecordError(
                f"{target}: seed {seed} of {name!r} is published with other settings; seeds of an experiment are "
                "counted together"
            )
    with only_complete():
        runs = {"demonstrations": experiment.demonstrations(), "nerf": experiment.nerf()}
        runs |= _stages("value", experiment.values())
        runs |= {**_stages("tuning", experiment.tuning()), "evaluation": experiment.evaluation()}
        runs |= {"twin-trials": experiment.twin_trials(), "calibration-sweep": experiment.calibration_sweep()}
        ablations = Ablations(experiment).done()
    with _replacing(target) as new:
        all_of_it = seed_with_weights(name, folder) in (None, experiment.seed)
        for run in {run.path: run for run in runs.values()}.values():
            keep_files(run.path, _kept(run.path, all_of_it), new / run.path.name)
        if ablations:
            write_results(ablations, new)
        stated = {"profile": experiment.profile.model_dump(mode="json"), "seed": experiment.seed}
        write_text(new / "profile.json", json.dumps(stated, indent=2) + "\n")  # tasks and policies keep their order
        write_sums(new)
        _write_card(new)
        _check_size(new, target)
    return target


def compact(folder: Path, weights: bool = True) -> None:
    """Keep a record as `publish` keeps one now: tables compressed, digests of what is kept alone, and today's card.

    For seeds that were published by code of before. weights: kept, with the pictures; False for all seeds but the first
    published one. Raises RecordError for another folder, and DamagedFileError where a file is not the published one;
    then nothing is changed.
    """
    if not (folder / SUMS).is_file():
        raise RecordError(f"{folder}: no published experiment there ({SUMS} is missing)")
    check_sums(folder)
    with _replacing(folder) as new:
        for part in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
            if part.is_dir():
                keep_files(part, _of_seed(visible_files(part), weights), new / part.name)
            else:
                shutil.copyfile(part, new / part.name)
        write_sums(new)
        if (new / "model_card.md").is_file():
            _write_card(new)


def _write_card(folder: Path) -> None:
    """The card of a record that is whole but for it: it says what is kept."""
    record = Record(folder, folder)
    write_text(folder / "model_card.md", model_card(Experiment(record.profile, record, record.seed)))
    write_sums(folder)


def _check_size(new: Path, target: Path) -> None:
    """Raise RecordError if a record that is about to take its place is too large, beside the other seeds."""
    others = [path for path in target.parent.glob("seed-*/**/*") if path.is_file() and target not in path.parents]
    size = sum(path.stat().st_size for path in (*new.rglob("*"), *others) if path.is_file()) / 2**20
    if size > LARGEST_MIB:
        with_others = ", other seeds included" if others else ""
        raise RecordError(f"{target}: {size:.1f} MiB to publish{with_others}, at most {LARGEST_MIB:g} are allowed")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when it is whole; whenever this is killed, one of them is there.

    After a kill between the two renamings it is the old one under its other name, which the next call puts back first.
    """
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with sole_writer(folder.parent):
        _settle(folder, new, old)
        new.mkdir()
        try:
            yield new
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            _settle(folder, new, old)


def _settle(folder: Path, new: Path, old: Path) -> None:
    """What is left is put back or removed."""
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def _kept(run: Path, all_of_it: bool) -> list[str]:
    names = (path.relative_to(run).as_posix() for pattern in KEPT for path in sorted(run.glob(pattern)))
    return _of_seed(names, all_of_it)


def _of_seed(names: Iterable[str], all_of_it: bool) -> list[str]:
    """Of the first seed all files, of others those of rows."""
    return [name for name in names if all_of_it or not any(Path(name).match(pattern) for pattern in OF_ONE_SEED)]


def _stages(kind: str, runs: Mapping[str, Run]) -> dict[str, Run]:
    return {f"{kind}-{name}": run for name, run in runs.items()}
