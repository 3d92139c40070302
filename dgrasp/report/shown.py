"""A registered output as a notebook shows it: the figure or table, and its caption."""

from __future__ import annotations

import io
from pathlib import Path

from IPython.core.getipython import get_ipython
from IPython.display import Image, Markdown, display

from dgrasp.report.captions import caption
from dgrasp.report.outputs import Drawn
from dgrasp.report.tables.printing import as_markdown


def show_output(id: str, drawn: Drawn, folder: Path) -> None:
    """A registered output, saved in `folder`, with its caption: in a notebook; elsewhere nothing."""
    if get_ipython() is None:
        return
    said = caption(id, drawn.facts)
    if drawn.printed is not None:
        display(Markdown(as_markdown(drawn.printed)))
    elif drawn.frames:
        display(Image((folder / f"{id}.gif").read_bytes(), format="gif", alt=said["alt_text"]))
    elif drawn.figure is not None:
        page = io.BytesIO()
        drawn.figure.savefig(page, format="png", dpi=110)
        display(Image(page.getvalue(), alt=said["alt_text"]))
    display(Markdown(f"**{said['paper_place'] or 'Not in the paper'}: {said['title']}.** {said['caption']}"))
