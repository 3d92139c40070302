"""What a run was made from, as its `run.json` states it: the first file of every run's folder."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dgrasp.files import DamagedFileError, read_json, read_sealed, write_sealed
from dgrasp.provenance import provenance

MADE_FROM = ("stage", "config", "inputs", "seed", "code")  # what a fingerprint is of
OF_BEFORE = {*MADE_FROM, "fingerprint", "sealed", "made_by"}


def state_origin(path: Path, about: dict[str, Any]) -> None:
    """Write `run.json`, unless it is there; one that is damaged is written anew, since all of it is known here.

    All but who made the run: what stands there then is who wrote it anew, and that it was.
    """
    try:
        if (path / "run.json").is_file():
            made_from_of(path, about["fingerprint"])
            return
    except DamagedFileError as error:
        print(f"{str(error).partition(';')[0]}; it is written anew", file=sys.stderr, flush=True)
        about["restored"] = True
    try:
        write_sealed(path / "run.json", {**about, "made_by": provenance()})
    except FileNotFoundError:  # half-written, and cleared by who has begun the run meanwhile (`Run.writing`)
        if not (path / "run.json").is_file():
            raise


def made_from_of(path: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """What `run.json` says the run was made from; raises DamagedFileError if that is not its fingerprint, or ours."""
    file = path / "run.json"
    stated: Any = read_json(file) if file.is_file() else None
    try:
        made_from = {key: stated[key] for key in MADE_FROM}
        # runs of before were not sealed, and have no other keys than these
        sound = stated.keys() <= OF_BEFORE or read_sealed(file).keys() <= OF_BEFORE | {"restored"}
        sound &= fingerprint in (None, stated["fingerprint"]) and stated["fingerprint"] == fingerprint_of(made_from)
    except (KeyError, TypeError, AttributeError, DamagedFileError):
        sound = False
    if not sound:
        raise DamagedFileError(f"{file}: is not what was written; restore it, or run the stage again")
    return made_from | {"fingerprint": stated["fingerprint"]}


def fingerprint_of(made_from: Mapping[str, Any]) -> str:
    """SHA-256 of what `MADE_FROM` names."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
