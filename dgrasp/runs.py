"""Runs that explain and prove themselves: one folder per stage, named by what went into it.

    build/<profile>/runs/<stage>-<fingerprint>/
        run.json        recipe (under "config"), inputs, commit, versions, threads, device, seed
        metrics.jsonl   one line per logged step (no wall times: equal runs give equal bytes)
        timing.jsonl    wall seconds of work, appended with every logged step and at the end; they add up over resumes;
                        and MiB of memory, whenever more was taken than before (`dgrasp.footprint`)
        *.safetensors   weights and checkpoints
        done.json       summary, and the digests of all outputs; its presence marks a complete run
        volatile.json   digests of outputs that hold times of day, which equal runs do not share

A stage is made from a recipe, everything that it depends on; what a user sets of it is its config. The fingerprint
covers the recipe, the fingerprints of the input runs, the seed, and the syntax (comments and docstrings left out) of
all modules that the stage's code imports. Nothing stale is reused, nothing computed is overwritten: another fingerprint
is another folder. One process at a time writes a run (`Run.writing`), and outputs are compared with their digests
before they are used: a run with a damaged file is made again, and a published one is refused.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from dgrasp.config import Config
from dgrasp.files import (
    DamagedFileError,
    json_or_none,
    known_sha256,
    load_tensors,
    load_tensors_and_metadata,
    read_json,
    read_sealed,
    rows_of,
    save_tensors,
    visible_files,
    write_sealed,
    write_text,
)
from dgrasp.fingerprints import code_of
from dgrasp.footprint import memory_noted
from dgrasp.locks import check_lock, clear_lock, sole_writer
from dgrasp.renamed import as_called_now
from dgrasp.run_origin import fingerprint_of, made_from_of, state_origin
from dgrasp.streams import check_seed

CHECKPOINT = "checkpoint"  # what an interrupted stage goes on from; no output
NOTES = ("run.json", "done.json", "volatile.json", "timing.jsonl", f"{CHECKPOINT}.safetensors")


class RunError(RuntimeError):
    """A run folder cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Outputs:
    """What kinds of files a stage writes, by patterns of their names.

    units: what the stage goes on from, if only other files of a complete run are damaged. listed: files whose digests
    another output holds. volatile: files that hold times of day.
    """

    units: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()


@dataclass
class Run:
    """One stage's folder. Create it with `open_run`.

    sums: digests of all its files from outside of it, where it is published: a file besides them does not belong to it.
    """

    path: Path
    stage: str
    fingerprint: str
    recipe: Config
    seed: int
    outputs: Outputs = Outputs()
    sums: Mapping[str, str] | None = None
    share: float = 1.0  # of the time worked, where several runs are made in one pass
    _opened: float = field(default_factory=time.monotonic)

    @property
    def complete(self) -> bool:
        """Whether the run has ended, and its outputs are those that it wrote."""
        return self._done.is_file() and not self.damage()

    @property
    def summary(self) -> dict[str, Any]:
        """What `finish` recorded; raises as `check` does."""
        self.check()
        return as_called_now(read_json(self._done)["summary"])

    def check(self) -> None:
        """Raises RunError if the run is not complete, DamagedFileError if a file is not what it wrote."""
        if not self._done.is_file():
            raise RunError(f"{self.path}: run is not complete; run the notebook of stage {self.stage!r} first")
        for name, what in self.damage().items():
            advice = "restore the published files" if self.sums is not None else "run the stage again: it is made anew"
            raise DamagedFileError(f"{self.path / name}: {what}; {advice}")

    def damage(self) -> dict[str, str]:
        """Files of the run that has ended and are not what it wrote -> what is wrong with them.

        Files are read once in a process, and again when they have changed.
        """
        try:
            expected = dict(self.sums if self.sums is not None else self._digests())
        except DamagedFileError as error:
            name, _, what = str(error).removeprefix(f"{self.path}{os.sep}").partition(": ")
            return {name: what.partition(";")[0]}
        found = {name: _difference(self.path / name, digest) for name, digest in expected.items()}
        if self.sums is not None:
            found |= {n: "is not one of the published files" for n in visible_files(self.path) if n not in expected}
        return {name: what for name, what in found.items() if what}

    def files(self, pattern: str) -> list[Path]:
        """Outputs of a complete run that match the pattern, by the list that it wrote, and not by what lies there."""
        listed = self.sums if self.sums is not None else self._digests()
        names = listed or visible_files(self.path)  # runs of before had no list
        return [self.path / name for name in sorted(names) if Path(name).match(pattern)]

    @property
    def _done(self) -> Path:
        return self.path / "done.json"

    def _digests(self) -> dict[str, str]:
        """Digests of outputs by name; none for runs of before, which wrote none. Raises DamagedFileError."""
        done = self._stated("done.json")
        timed = done.get("volatile", [])
        outputs = done.get("outputs", {}) | (self._stated("volatile.json")["outputs"] if timed else {})
        if not outputs.keys() >= set(timed):
            raise DamagedFileError(f"{self.path / 'volatile.json'}: does not list what done.json names")
        return outputs

    def _stated(self, name: str) -> dict[str, Any]:
        """What `finish` wrote into a file; raises DamagedFileError if this is not it."""
        path, about = self.path / name, self.path / "run.json"
        if not path.is_file():
            raise DamagedFileError(f"{path}: is missing")
        sealed = not about.is_file() or read_json(about).get("sealed")  # those of before were not
        stated = read_sealed(path) if sealed else read_json(path)
        if not isinstance(stated, dict) or stated.get("fingerprint") != self.fingerprint:
            raise DamagedFileError(f"{path}: is that of another run")
        return stated

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within this context no other process makes this run; look again whether it is `complete`.

        Waits, saying for whom, while another one does. What a dead one left half-written is cleared, and of a complete
        run with a damaged file all that the stage cannot go on from. Raises LockError.
        """
        with sole_writer(self.path):
            self._opened = time.monotonic()
            for left in self.path.rglob(".*.tmp"):
                left.unlink(missing_ok=True)
            if self._done.is_file() and (damage := self.damage()):
                self._clear(damage)
            with memory_noted(self.path / "timing.jsonl"):
                yield

    def _clear(self, damage: Mapping[str, str]) -> None:
        name, what = next(iter(damage.items()))
        print(f"{self.path / name}: {what}; the run is made again", file=sys.stderr, flush=True)
        for name in visible_files(self.path):
            kept = name in ("run.json", "timing.jsonl", "done.json") or _matches(name, self.outputs.units)
            if name in damage or not kept:
                (self.path / name).unlink(missing_ok=True)
        self._done.unlink(missing_ok=True)  # last: a process that is killed here is followed by one that clears again

    def log(self, step: int, **values: float) -> None:
        """Append one line of metrics and flush it to disk."""
        check_lock(self.path)
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": step, **values}) + "\n")
            handle.flush()
        self.note_time()

    def metrics(self) -> list[dict[str, float]]:
        """All logged lines; a line cut by a crash is dropped."""
        return rows_of(self.path / "metrics.jsonl", "step")

    def metrics_until(self, step: int) -> str:
        """The text of the lines logged up to `step`."""
        return "".join(json.dumps(row) + "\n" for row in self.metrics() if row["step"] <= step)

    def rewind_metrics(self, step: int) -> None:
        """Forget metrics logged after `step`: a resumed run repeats those steps."""
        write_text(self.path / "metrics.jsonl", self.metrics_until(step))

    def save(self, name: str, tensors: Mapping[str, torch.Tensor], **metadata: Any) -> None:
        """Write `<name>.safetensors` atomically."""
        check_lock(self.path)
        save_tensors(self.path / f"{name}.safetensors", tensors, {k: json.dumps(v) for k, v in metadata.items()})

    def load(self, name: str, device: str = "cpu") -> dict[str, torch.Tensor]:
        """Read `<name>.safetensors`; raises FileNotFoundError, DamagedFileError, or RunError if it is not published."""
        return load_tensors(self._tensors(name), device)

    def load_all(self, name: str, device: str = "cpu") -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """The tensors, and what `save` wrote beside them (None for what is no JSON); raises as `load` does."""
        tensors, metadata = load_tensors_and_metadata(self._tensors(name), device)
        return tensors, {key: json_or_none(value) for key, value in metadata.items()}

    def _tensors(self, name: str) -> Path:
        path = self.path / f"{name}.safetensors"
        if self.sums is not None and path.name not in self.sums:
            raise RunError(
                f"{path}: not published, since of seed {self.seed} only rows are; take seed 0, or train this one: "
                f"dgrasp reproduce --seed {self.seed}"
            )
        return path

    def has(self, name: str) -> bool:
        return (self.path / f"{name}.safetensors").is_file()

    def note_time(self) -> None:
        """Record the wall seconds worked since the last note, or since the run was opened (`log` and `finish` do)."""
        now = time.monotonic()
        with open(self.path / "timing.jsonl", "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"seconds": round(self.share * (now - self._opened), 3)}) + "\n")
        self._opened = now

    @property
    def seconds(self) -> float:
        """Wall seconds of work. Of stages that log no steps, time before an interruption is not in it."""
        return sum(row["seconds"] for row in rows_of(self.path / "timing.jsonl", "seconds"))

    def finish(self, **summary: Any) -> Run:
        """Mark the run complete with its outputs' digests and its summary: plain numbers and strings, no wall times."""
        check_lock(self.path)
        self.note_time()
        names = [n for n in visible_files(self.path) if n not in NOTES and not _matches(n, self.outputs.listed)]
        timed = {n: known_sha256(self.path / n) for n in names if _matches(n, self.outputs.volatile)}
        if timed:
            write_sealed(self.path / "volatile.json", {"fingerprint": self.fingerprint, "outputs": timed})
        outputs = {n: known_sha256(self.path / n) for n in names if n not in timed}
        done = {"fingerprint": self.fingerprint, "outputs": outputs, "volatile": sorted(timed), "summary": summary}
        write_sealed(self._done, done)
        return self


_computing: ContextVar[bool] = ContextVar("computing", default=True)


@contextmanager
def only_complete() -> Iterator[None]:
    """Within this context stages are read and never begun: `open_run` raises RunError for one that is not complete."""
    token = _computing.set(False)
    try:
        yield
    finally:
        _computing.reset(token)


def open_run(
    root: Path,
    stage: str,
    recipe: Config,
    *,
    inputs: Mapping[str, Run] | None = None,
    seed: int = 0,
    code: Iterable[str] = (),
    outputs: Outputs = Outputs(),
) -> Run:
    """Open (or create) the folder of a stage below `root`; the caller checks `run.complete` and resumes if not.

    seed: an integer, 0 to 2**63 - 1. code: the stage's entry modules: they and all that they import enter the
    fingerprint (`dgrasp.fingerprints`). Raises ValueError for another seed, before anything is written, and RunError
    when an input is incomplete, the folder cannot be written, or the run is not complete where it must be
    (`only_complete`).
    """
    seed = check_seed(seed)
    inputs = dict(inputs or {})
    for name, run in inputs.items():
        try:
            run.check()
        except (RunError, DamagedFileError) as error:
            raise RunError(f"stage {stage!r} needs the complete run {name!r}; {error}") from error
    made_from = {
        "stage": stage,
        "config": json.loads(recipe.canonical()),
        "inputs": {name: run.fingerprint for name, run in inputs.items()},
        "seed": seed,
        "code": code_of(code),
    }
    fingerprint = fingerprint_of(made_from)
    path = Path(root) / "runs" / f"{stage}-{fingerprint[:12]}"
    run = Run(path, stage, fingerprint, recipe, seed, outputs)
    if not _computing.get():
        if not (path / "done.json").is_file():
            raise RunError(f"{path}: this stage is not complete, as the code, settings and inputs stand now")
        made_from_of(path, fingerprint)
        run.check()
        return run
    try:
        path.mkdir(parents=True, exist_ok=True)
        state_origin(path, {"fingerprint": fingerprint, "sealed": True, **made_from})
    except OSError as error:  # no permission, read-only, no space, a file in the way
        raise RunError(f"{path}: cannot write runs there ({error}); choose another build folder") from error
    if (path / "done.json").is_file():
        clear_lock(path)  # of one that died after its last file: nobody writes here any more
    return run


def read_run(path: Path, recipe: type[Config], sums: Mapping[str, str] | None = None, stage: str | None = None) -> Run:
    """A finished run as it stands in its folder, whatever has become of the code that made it.

    sums: digests of all its files, where they are known from outside of it. stage: which alone will do. Raises RunError
    if it is not there, not complete, or of another stage, DamagedFileError if it is not what its fingerprint and the
    digests say.
    """
    path = Path(path)
    if missing := [name for name in ("run.json", "done.json") if not (path / name).is_file()]:
        raise RunError(f"{path}: no complete run there ({missing[0]} is missing)")
    made_from = made_from_of(path)
    if stage is not None and made_from["stage"] != stage:
        raise RunError(f"{path}: a run of stage {made_from['stage']!r}, not of {stage!r}")
    settings = recipe.model_validate(as_called_now(made_from["config"]))
    run = Run(path, made_from["stage"], made_from["fingerprint"], settings, made_from["seed"], sums=sums)
    run.check()
    return run


def _difference(path: Path, digest: str) -> str:
    """What is wrong with a file; empty if it is what it was."""
    if not path.is_file():
        return "is missing"
    return "" if known_sha256(path) == digest else "is not what the run wrote"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(PurePosixPath(name).match(pattern) for pattern in patterns)
