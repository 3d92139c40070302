"""The gallery: every registered figure with its caption, data and provenance."""

from __future__ import annotations

import shutil
from pathlib import Path

from dgrasp.files import read_json
from dgrasp.report.registry import OUTPUTS, Output
from dgrasp.report.web_pictures import web_picture

PICTURES = ("gif", "png")  # an animation before its still picture
DATA = {"csv": "Data (CSV)", "json": "Rows (JSON)", "pdf": "PDF", "tex": "LaTeX", "png": "PNG"}
STATUS = {
    "reproduced": "The same panels as the paper's, from our runs.",
    "direction only": "Compare rows with rows, and not numbers with the paper's.",
    "not attempted": "The paper's needs a robot, and none moved: what is shown is the digital twin.",
    "ours": "Not in the paper.",
}


def gallery(figures: Path, site: Path) -> str:
    """The figures as Markdown, the paper's before our own; pictures at web size and data go to `site/figures/`."""
    order = sorted(OUTPUTS, key=lambda entry: entry.paper_place is None)
    shown = [entry for entry in order if entry.kind != "table" and _picture(figures, entry)]
    return "\n".join(_entry(entry, figures, site) for entry in shown)


def figure(id: str, figures: Path, site: Path, words: bool = True) -> str:
    """One figure with its caption as a block of Markdown; empty if it is not there."""
    entry = next((entry for entry in OUTPUTS if entry.id == id), None)
    if entry is None or (picture := _picture(figures, entry)) is None:
        return ""
    small = web_picture(picture, site / "figures" / picture.name)
    said = caption(entry, figures)
    options = [f":alt: {said['alt_text']}", ":loading: lazy"]
    text = f"\n{said['caption']}" if words else ""
    return "\n".join([f":::{{figure}} /figures/{small.name}", *options, text, ":::"]) + "\n"


def caption(entry: Output, figures: Path) -> dict[str, str]:
    """Caption and alternative text: those beside the figure, else the registry's."""
    path = figures / f"{entry.id}.caption.json"
    said = read_json(path) if path.is_file() else {}
    return {name: str(said.get(name) or entry.alt_text) for name in ("caption", "alt_text")}


def _picture(figures: Path, entry: Output) -> Path | None:
    found = (figures / f"{entry.id}.{suffix}" for suffix in PICTURES)
    return next((path for path in found if path.is_file()), None)


def _entry(entry: Output, figures: Path, site: Path) -> str:
    meta = read_json(figures / f"{entry.id}.meta.json")
    links = []
    for suffix, title in DATA.items():
        if (source := figures / f"{entry.id}.{suffix}").is_file():
            shutil.copyfile(source, site / "figures" / source.name)
            links.append(f"[{title}](/figures/{source.name})")
    place = f"{entry.paper_place}: " if entry.paper_place else ""
    known = meta["made_by"]["commit"]
    commit = f"`{known[:10]}`" if known else "not noted"
    made = f"Profile `{meta['profile']}`, seed {meta['seed']}, commit {commit}"
    notebook = f"[notebook {entry.notebook[:2]}](/learn/{entry.notebook})"
    return (
        f"({entry.id})=\n## {place}{entry.title}\n\n{figure(entry.id, figures, site)}\n"
        f"{STATUS[entry.status]} {made}, made by {notebook}. {' · '.join(links)}\n"
    )
