"""Captions of figures and tables, one for notebook, site and README: `captions.yaml`, filled with what was found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from dgrasp.files import parse_yaml
from dgrasp.report.registry import output

CAPTIONS = "captions.yaml"


@cache
def templates() -> dict[str, str]:
    """By id, each caption with places in braces for numbers that the figure's data give."""
    read: dict[str, str] = parse_yaml(files("dgrasp.report").joinpath(CAPTIONS).read_bytes(), CAPTIONS)
    return read


def caption(id: str, facts: Mapping[str, object]) -> dict[str, object]:
    """What `<id>.caption.json` holds: id, title, caption, alt_text, paper_place, status, notebook.

    Raises ValueError where the caption has a place that no fact fills.
    """
    entry = output(id)
    try:
        text = " ".join(templates()[id].format_map(facts).split())
        title = ", ".join(filter(None, (entry.title, entry.behind.format_map(facts))))
    except KeyError as error:
        raise ValueError(f"{id}: its caption (captions.yaml) asks for {error}; facts: {', '.join(facts)}") from None
    return {
        "id": id,
        "title": title,
        "caption": text,
        "alt_text": entry.alt_text,
        "paper_place": entry.paper_place,
        "status": entry.status,
        "notebook": entry.notebook,
    }
