"""Markdown that pages are made of: tables, links, notes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pandas as pd

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
OUTSIDE = ("http://", "https://", "mailto:")


def table(frame: pd.DataFrame) -> str:
    """A Markdown table of a frame's columns; cells that end in " *" are bold, and what is missing is empty."""
    rows = [list(map(str, frame.columns)), *([_cell(x) for x in row] for row in frame.to_numpy(dtype=object))]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(frame.columns)}", *lines[1:]]) + "\n"


def note(text: str, kind: str = "note") -> str:
    """A box around a paragraph; kinds: note, warning."""
    return f":::{{{kind}}}\n{text}\n:::\n"


def linked(text: str, pages: Mapping[str, str], place: str = "", anchors: bool = True) -> str:
    """A page with its links between files of the repository turned into links between pages of the site.

    pages: file -> page. place: folder that the text lies in. anchors: keep those of other pages. A link to a file that
    is no page becomes its name.
    """

    def of_site(match: re.Match[str]) -> str:
        picture, words, target, anchor = match.groups()
        if picture or target.startswith(OUTSIDE) or not (target or anchor):
            return match.group(0)
        if not target:
            return match.group(0)
        page = pages.get(f"{place}{target}".removeprefix("./"))
        return f"[{words}]({page}{anchor if anchor and anchors else ''})" if page else f"{words} (`{target}`)"

    return LINK.sub(of_site, text)


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).replace("|", "\\|").replace("\n", " ")
    return f"**{text.removesuffix(' *')}**" if text.endswith(" *") else text
