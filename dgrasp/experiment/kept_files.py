"""What records keep of a run: tables of attempts compressed, and the digests of what is kept alone.

A build's `done.json` lists every file of every unit, thousands of them. In a record those that are kept stand there,
and under `unpacked` the digests of the tables as the run wrote them, which their contents still have.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dgrasp.experiment.attempts import PLAIN
from dgrasp.files import atomic_path, read_json, sha256, write_sealed

LISTS = ("done.json", "volatile.json")  # of digests of other files


def keep_files(run: Path, names: Iterable[str], folder: Path) -> None:
    """Copy files of a run's folder to another one. What is kept already is kept as it is: equal files, equal bytes."""
    names = list(names)
    for name in names:
        with atomic_path(folder / (f"{name}.gz" if name in PLAIN else name)) as temporary:
            if name in PLAIN:
                temporary.write_bytes(gzip.compress((run / name).read_bytes(), mtime=0))
            else:
                shutil.copyfile(run / name, temporary)
    for name in LISTS:
        if name in names:
            stated = read_json(run / name)
            if (of_kept := _of_kept(stated, names, folder)) != stated:
                write_sealed(folder / name, {key: value for key, value in of_kept.items() if key != "sha256"})


def _of_kept(stated: dict[str, Any], names: list[str], folder: Path) -> dict[str, Any]:
    """A list of digests without what is not kept; one of before there were digests is what it was."""
    if "outputs" not in stated:
        return stated
    listed: Mapping[str, str] = stated["outputs"]
    packed = [name for name in names if name in PLAIN and name in listed]
    outputs = {name: digest for name, digest in listed.items() if name in names and name not in packed}
    outputs |= {f"{name}.gz": sha256(folder / f"{name}.gz") for name in packed}
    made = {**stated, "outputs": outputs}
    if "volatile" in stated:
        made["volatile"] = [name for name in stated["volatile"] if name in names]
    if packed:
        made["unpacked"] = stated.get("unpacked", {}) | {name: listed[name] for name in packed}
    return made
