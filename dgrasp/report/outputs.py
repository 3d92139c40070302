"""Figures and tables on disk: bitmap, vector, plotted data and a provenance sidecar. All but the sidecar
are byte-identical for equal runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.files import atomic_path, write_json, write_text
from dgrasp.provenance import provenance
from dgrasp.report.registry import output
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models

NO_OBJECTS = "none"  # in place of the appearance of YCB objects, for data without any
PUBLISHED = "figures"  # the committed folder; only full-size runs may write there

# One colour per method everywhere (colour-blind safe).
BASE_COLOUR = "#4477AA"
DGRASP_COLOUR = "#EE6677"
CONTROL_COLOUR = "#228833"
PAPER_COLOUR = "#999999"


class OutputRefused(RuntimeError):
    """An output may not be written where it was asked for."""


def use_style() -> None:
    """Apply the project's matplotlib style."""
    with as_file(files("dgrasp.report").joinpath("style.mplstyle")) as sheet:
        plt.style.use(sheet)


def save_output(
    id: str,
    figure: Figure,
    data: pd.DataFrame,
    folder: Path,
    *,
    profile: str,
    runs: Mapping[str, Run],
    seed: int,
    about: Mapping[str, object] | None = None,
    ycb_appearance: str | None = None,
) -> None:
    """Write `<id>.png`, `.pdf`, `.csv` and `.meta.json` (for tables `.json` rows as well) into `folder`.

    Outputs of other profiles than laptop and paper carry a watermark, and are refused in the published folder
    `figures/`: raises OutputRefused. about: what else a reader must know, for the sidecar.
    ycb_appearance: of the YCB objects in the data, where they come from published trials; default:
    those drawn here and now.
    """
    entry = output(id)
    folder = Path(folder)
    if (
        profile not in PUBLISHABLE
        and folder.resolve().name == PUBLISHED
        and (folder.resolve().parent / "Makefile").exists()
    ):
        raise OutputRefused(f"{id}: outputs of profile {profile!r} are for trying things out and never enter {folder}")
    if profile not in PUBLISHABLE:
        watermark(figure, f"profile: {profile}")
    for suffix, metadata in (("png", {"Software": "dgrasp"}), ("pdf", {"CreationDate": None})):
        with atomic_path(folder / f"{id}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
    write_text(folder / f"{id}.csv", data.to_csv(index=False, lineterminator="\n"))
    if entry.kind == "table":
        rows = json.loads(data.to_json(orient="records"))
        write_json(folder / f"{id}.json", rows)
    write_json(
        folder / f"{id}.meta.json", _sidecar(id, profile, runs, seed, ycb_appearance) | {"about": dict(about or {})}
    )


def watermark(figure: Figure, text: str) -> None:
    """Write the profile across the figure, once, so that a smoke figure cannot pass for a result."""
    outline = [withStroke(linewidth=3, foreground="white", alpha=0.35)]
    mark = figure.text(0.5, 0.5, text, ha="center", va="center", rotation=25, fontsize=34, color="0.25", alpha=0.4)
    mark.set(path_effects=outline, zorder=100, gid="watermark")


def _sidecar(
    id: str, profile: str, runs: Mapping[str, Run], seed: int, ycb_appearance: str | None
) -> dict[str, object]:
    entry = output(id)
    return {
        "id": id,
        "title": entry.title,
        "paper_place": entry.paper_place,
        "alt_text": entry.alt_text,
        "profile": profile,
        "seed": seed,
        "ycb_models": ycb_appearance or ycb_models(),
        "runs": {
            name: {"fingerprint": run.fingerprint, "config": run.recipe.digest(), "seconds": round(run.seconds, 1)}
            for name, run in runs.items()
        },
        "made_by": provenance(),
    }
