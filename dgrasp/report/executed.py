"""Executed notebooks at web size, for code hosts and the site: what is kept of them, and when they are stale.

`notebooks/executed/<stem>.ipynb` says in its metadata what it was made from: the digest of its source's cells, and of
the figures and tables that it left. It is stale where the source or the published file is another one now.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode

from dgrasp.files import DamagedFileError, read_json, sha256, write_text
from dgrasp.report.web_pictures import web_png

EXECUTED = Path("notebooks/executed")
WIDEST = 1200  # pixels of a picture
WIDGET = "application/vnd.jupyter.widget-view+json"
OURS = "dgrasp"  # key of the metadata
UNREADABLE = "damaged, or not made by `make figures`"
INJECTED = "injected-parameters"  # papermill's cell, with folders of this machine


def cells_digest(notebook: NotebookNode) -> str:
    """SHA-256 of type, text and tags of the cells: neither line ends nor the header's versions count."""
    cells = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def keep_executed(executed: Iterable[Path], folder: Path) -> list[Path]:
    """Write notebooks that the runner executed into `folder`, at web size; returns the files.

    `folder` lies one deeper than the sources: links to pages above them are changed to match.
    """
    written = []
    for path in executed:
        kept = at_web_size(read_json(path))
        for cell in kept["cells"]:
            if cell["cell_type"] == "markdown":
                text = "".join(cell["source"]).replace("](../", "](../../")
                cell["source"] = text.splitlines(keepends=True)
        write_text(folder / path.name, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        written.append(folder / path.name)
    return written


def at_web_size(executed: Mapping[str, Any]) -> dict[str, Any]:
    """An executed notebook without what only its machine needs, and with small pictures.

    Raises KeyError for one that the runner did not make.
    """
    kept = made_from(executed["metadata"])
    own = [cell for cell in executed["cells"] if INJECTED not in cell["metadata"].get("tags", [])]
    metadata = {name: executed["metadata"][name] for name in ("kernelspec", "language_info")}
    return {
        "cells": [_light_cell(cell) for cell in own],
        "metadata": {**metadata, OURS: kept},
        "nbformat": executed["nbformat"],
        "nbformat_minor": executed["nbformat_minor"],
    }


def made_from(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook was made from: as it is kept, or as the runner left it. Raises KeyError for any other one."""
    made = metadata[OURS]
    if "inputs" not in made:
        return dict(made)
    return {
        "cells": made["inputs"]["cells"],
        "outputs": {name: digest for name, digest in made["outputs"].items() if not name.endswith(".meta.json")},
        "profile": metadata["papermill"]["parameters"]["profile"],
        "commit": made["made_by"]["commit"],
    }


def why_stale(source: Path, executed: Path, figures: Path) -> str | None:
    """Why an executed notebook is not that of its source and of the figures in `figures`; None if it is."""
    if not executed.is_file():
        return "not executed yet"
    try:
        made = made_from(read_json(executed)["metadata"])
        cells, outputs = made["cells"], dict(made["outputs"])
    except (DamagedFileError, KeyError, TypeError, ValueError):
        return UNREADABLE
    if cells != cells_digest(jupytext.read(source, fmt="py:percent")):
        return "its source has changed"
    others = [n for n, digest in outputs.items() if not (figures / n).is_file() or sha256(figures / n) != digest]
    return f"shows another {', '.join(others)} than {figures.name}/" if others else None


def _light_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    light = {**cell, "metadata": {k: v for k, v in cell["metadata"].items() if k == "tags" and v}}
    if "outputs" in cell:
        light["outputs"] = [_light_output(one) for one in cell["outputs"] if not _is_widget(one)]
    return light


def _is_widget(output: Mapping[str, Any]) -> bool:
    """Whether nothing is left of it without a kernel but a line of Python."""
    data = output.get("data", {})
    return WIDGET in data and not any(kind.startswith("image/") for kind in data)


def _light_output(output: Mapping[str, Any]) -> dict[str, Any]:
    if "data" not in output:
        return dict(output)
    data = {kind: value for kind, value in output["data"].items() if kind != WIDGET}
    if "image/png" in data:
        png = web_png(base64.b64decode("".join(data["image/png"])), WIDEST)
        data["image/png"] = base64.b64encode(png).decode()
    return {**output, "data": data}
