"""The one rule that decides whether an executed notebook must be run again. It goes by content, not by time.

An executed notebook's metadata say what it was made from (`inputs_of`), the digests of the figures and tables that it
left (`outputs`) and that of its own page. It is stale if any of these is not so any more: after an edit of a cell or of
the package's code, with other settings, versions or published results, or when an output is missing or damaged. It is
not for a `touch`, nor for an edit of the package's comments and docstrings.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dgrasp
from dgrasp.cli.notebooks.source import NotebookError, parameter_defaults, read_source, sources_in
from dgrasp.experiment import profiles
from dgrasp.experiment.profiles import load_profile
from dgrasp.experiment.store import published_folder, published_name
from dgrasp.files import DamagedFileError, read_json, sha256
from dgrasp.fingerprints import code_of
from dgrasp.report.executed import cells_digest
from dgrasp.report.registry import outputs_of
from dgrasp.sim.objects.ycb import ycb_models

PACKAGE = Path(dgrasp.__file__).parent
PROFILES = tuple(f"experiment/profiles/{name}.yaml" for name in profiles.PROFILES)
DATA = (".yaml", ".json", ".mplstyle")  # files of the package, beside its code, that outputs depend on
SITE = ("report/site/", "report/executed.py", "report/web_pictures.py")
NOT_INPUTS = ("__main__.py", "cli/", *SITE, *PROFILES)  # of profiles the settings are an input of their own
WITHOUT_TRACE = ("dev", "browser", "ray", "site")  # extras whose packages leave nothing in a notebook
MEANING = {
    "cells": "its source", "package": "the package", "settings": "the profile's settings", "parameters": "parameters",
    "versions": "installed packages", "published": "the published results", "previous": "outputs of the one before",
    "ycb_models": "the appearance of YCB objects",
}  # fmt: skip


def inputs_of(source: Path, output: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What an executed notebook is made from, as JSON: digests, and what is short as it is.

    parameters: those given, with `profile`. Outputs of the notebook before it count, where that is built beside it.
    """
    profile, notebook = str(parameters["profile"]), read_source(source)
    used, published = {**parameter_defaults(source, notebook), **parameters}, published_name(profile)
    return {
        "cells": cells_digest(notebook),
        "package": _package_digest(),
        "settings": _settings_digest(profile) if published is None else None,
        "parameters": {n: v for n, v in sorted(used.items()) if n not in ("profile", "build")},
        "versions": _versions(),
        "published": None if published is None else _published_digest(published),
        "previous": _left_by_previous(source, output),
        "ycb_models": ycb_models(),
    }


def output_digests(stem: str, figures: Path) -> dict[str, str]:
    """SHA-256 of each registered output of a notebook; raises NotebookError if one is not there."""
    files = [figures / f"{o.id}.{suffix}" for o in outputs_of(stem) for suffix in o.suffixes]
    if missing := [file.name for file in files if not file.is_file()]:
        raise NotebookError(f"{stem}: ran to its end and left no {', '.join(missing)} in {figures}")
    return {file.name: sha256(file) for file in files}


def page_digest(executed: Mapping[str, Any]) -> str:
    """SHA-256 of an executed notebook's cells."""
    return _digest(json.dumps(executed["cells"], sort_keys=True))


def stale_because(output: Path, figures: Path, inputs: Mapping[str, Any]) -> str | None:
    """Why an executed notebook is not what `inputs` would give now; None if it is."""
    if not output.is_file():
        return "not made yet"
    made = _made(output)
    if made is None:
        return "damaged, edited, or not made by this runner"
    if changed := [meaning for name, meaning in MEANING.items() if inputs[name] != made["inputs"].get(name)]:
        return f"changed: {', '.join(changed)}"
    wrong = [n for n, digest in made["outputs"].items() if not _is_file_with(figures / n, digest)]
    return f"missing or damaged: {', '.join(wrong)}" if wrong else None


def _made(output: Path) -> dict[str, Any] | None:
    """What this runner wrote into an executed notebook; None if it did not, or the page is not what it wrote."""
    try:
        executed = read_json(output)
        made: dict[str, Any] = executed["metadata"]["dgrasp"]
        whole = made["page"] == page_digest(executed) and {"inputs", "outputs"} <= made.keys()
    except (DamagedFileError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return None
    return made if whole else None


def _is_file_with(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _left_by_previous(source: Path, output: Path) -> str | None:
    """The outputs of the notebook before this one, without the sidecars: these name commit and seconds."""
    before = [other.stem for other in sources_in(source.parent) if other.name < source.name]
    previous = output.with_name(f"{before[-1]}.ipynb") if before else None
    made = _made(previous) if previous and previous.is_file() else None
    if made is None:
        return None
    return _digest(json.dumps({n: d for n, d in sorted(made["outputs"].items()) if not n.endswith(".meta.json")}))


@cache
def _package_digest() -> str:
    """The syntax of its code, and its data files."""
    files = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*")) if path.suffix}
    kept = {name: path for name, path in files.items() if not name.startswith(NOT_INPUTS)}
    names = [f"dgrasp.{name.removesuffix('.py').replace('/', '.')}" for name in kept if name.endswith(".py")]
    code = code_of(name.removesuffix(".__init__") for name in names)
    data = {name: sha256(path) for name, path in kept.items() if path.suffix in DATA}
    return _digest(json.dumps([code, data]))


@cache
def _settings_digest(profile: str) -> str:
    """All settings but those that no number depends on: how many workers, on which device."""
    return _digest(load_profile(profile).model_dump_json(exclude={"runtime"}))


@cache
def _versions() -> dict[str, str]:
    """Python and the project's direct requirements, as installed."""
    names = {name[0] for text in _requirements() if (name := re.match(r"[\w.-]+", text))}
    found = {name: _version(name) for name in sorted(names)}
    return {"python": platform.python_version(), **{name: version for name, version in found.items() if version}}


def _requirements() -> list[str]:
    """What pyproject.toml asks for, or the installed package where there is no repository; not only for developers."""
    path = PACKAGE.parent / "pyproject.toml"
    if not path.is_file():
        others = re.compile(f'extra == "({"|".join(WITHOUT_TRACE)})"')
        return [text for text in importlib.metadata.requires("dgrasp") or [] if not others.search(text)]
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = [texts for extra, texts in project["optional-dependencies"].items() if extra not in WITHOUT_TRACE]
    return [text for texts in (project["dependencies"], *extras) for text in texts]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _published_digest(name: str) -> str:
    """A published experiment with all its training seeds, which tables count, and the replications kept beside it."""
    from dgrasp.experiment.replication import KEPT

    folders = (published_folder(name, 0).parent, published_folder(name, 0, KEPT).parent)
    files = [(folder, path) for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return _digest("".join(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n" for folder, path in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
