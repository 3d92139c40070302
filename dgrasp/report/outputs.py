"""Figures and tables on disk: pictures, data, a caption for machines and a provenance sidecar. All but the sidecar are
byte-identical for equal runs.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL.Image import Dither, Image, fromarray

from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.files import atomic_path, write_json, write_text
from dgrasp.provenance import provenance
from dgrasp.report.captions import caption
from dgrasp.report.registry import Output, output
from dgrasp.report.tables.printing import as_latex, as_markdown
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


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure or table, ready to be saved.

    figure: the picture; None for a table. data: what is plotted, or the table's rows. facts: what fills the caption's
    places. printed: a table as it is read, the best of a column marked "*". frames: pictures of an animation, each
    shown for `milliseconds` (one number, or one for each). runs: what it was made from. about: what else a reader must
    know, for the sidecar. ycb_appearance: of the YCB objects in the data, where they come from published trials;
    default: those drawn here and now.
    """

    figure: Figure | None
    data: pd.DataFrame
    runs: Mapping[str, Run] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    printed: pd.DataFrame | None = None
    frames: Sequence[Image] = ()
    milliseconds: int | Sequence[int] = 120
    about: Mapping[str, object] = field(default_factory=dict)
    ycb_appearance: str | None = None


def save_output(id: str, drawn: Drawn, folder: Path, *, profile: str, seed: int) -> None:
    """Write the files of an output (`Output.suffixes`) into `folder`: pictures, data, caption and sidecar.

    Outputs of other profiles than laptop and paper carry a watermark, and are refused in the published folder
    `figures/`: raises OutputRefused. Raises ValueError where the caption has a place that no fact fills.
    """
    entry, folder = output(id), Path(folder)
    if (
        profile not in PUBLISHABLE
        and folder.resolve().name == PUBLISHED
        and (folder.resolve().parent / "Makefile").exists()
    ):
        raise OutputRefused(f"{id}: outputs of profile {profile!r} are for trying things out and never enter {folder}")
    said = caption(id, drawn.facts)
    mark = None if profile in PUBLISHABLE else f"profile: {profile}"
    if drawn.figure is not None:
        _save_pictures(entry, drawn.figure, folder, mark)
    if entry.kind == "animation":
        _save_animation(folder / f"{id}.gif", drawn)
    if entry.kind == "table":
        _save_table(entry, drawn, folder, mark)
    write_text(folder / f"{id}.csv", drawn.data.to_csv(index=False, lineterminator="\n"))
    write_json(folder / f"{id}.caption.json", said)
    write_json(folder / f"{id}.meta.json", _sidecar(id, profile, seed, drawn))


def _save_pictures(entry: Output, figure: Figure, folder: Path, mark: str | None) -> None:
    if mark:
        watermark(figure, mark)
    for suffix, metadata in (("png", {"Software": "dgrasp"}), ("pdf", {"CreationDate": None})):
        if suffix in entry.suffixes:
            with atomic_path(folder / f"{entry.id}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)


def _save_animation(path: Path, drawn: Drawn) -> None:
    """A GIF of all frames with one palette."""
    if not drawn.frames:
        raise ValueError(f"{path.name}: an animation needs frames")
    rows = np.concatenate([np.asarray(frame.convert("RGB"))[::2, ::2] for frame in drawn.frames])
    palette = fromarray(rows).quantize(128)
    first, *rest = [frame.convert("RGB").quantize(palette=palette, dither=Dither.NONE) for frame in drawn.frames]
    duration = drawn.milliseconds if isinstance(drawn.milliseconds, int) else list(drawn.milliseconds)
    with atomic_path(path) as temporary:
        first.save(temporary, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0, optimize=True)


def _save_table(entry: Output, drawn: Drawn, folder: Path, mark: str | None) -> None:
    if drawn.printed is None:
        raise ValueError(f"{entry.id}: a table needs what is printed of it")
    write_json(folder / f"{entry.id}.json", json.loads(drawn.data.to_json(orient="records")))
    said = caption(entry.id, drawn.facts)
    note = f"**{mark}**\n\n" if mark else ""
    head = f"# {entry.paper_place or 'Not in the paper'}: {said['title']}\n\n"
    write_text(
        folder / f"{entry.id}.md", f"{head}{note}{as_markdown(drawn.printed)}\n{in_lines(str(said['caption']))}\n"
    )
    write_text(folder / f"{entry.id}.tex", (f"% {mark}\n" if mark else "") + as_latex(drawn.printed))


def in_lines(prose: str) -> str:
    """A paragraph in lines below 120 characters; words and links stay whole."""
    return textwrap.fill(prose, 119, break_long_words=False, break_on_hyphens=False)


def watermark(figure: Figure, text: str) -> None:
    """Write the profile across the figure, once, so that a smoke figure cannot pass for a result."""
    outline = [withStroke(linewidth=3, foreground="white", alpha=0.35)]
    mark = figure.text(0.5, 0.5, text, ha="center", va="center", rotation=25, fontsize=34, color="0.25", alpha=0.4)
    mark.set(path_effects=outline, zorder=100, gid="watermark")


def _sidecar(id: str, profile: str, seed: int, drawn: Drawn) -> dict[str, object]:
    entry = output(id)
    return {
        "id": id,
        "title": entry.title,
        "paper_place": entry.paper_place,
        "alt_text": entry.alt_text,
        "profile": profile,
        "seed": seed,
        "ycb_models": drawn.ycb_appearance or ycb_models(),
        "runs": {
            name: {"fingerprint": run.fingerprint, "config": run.recipe.digest(), "seconds": round(run.seconds, 1)}
            for name, run in drawn.runs.items()
        },
        "made_by": provenance(),
        "about": dict(drawn.about),
    }
