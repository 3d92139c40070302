"""The notebooks as pages: executed ones with their code folded; of others text and code, and a word about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
from nbformat import NotebookNode

from dgrasp.files import read_json
from dgrasp.report.executed import UNREADABLE, at_web_size, why_stale
from dgrasp.report.registry import OUTPUTS, outputs_of
from dgrasp.report.site.markdown import linked, note, table

FOLDED = "hide-input"  # myst-nb's tag
NOT_EXECUTED = (
    "This notebook has not been executed for the results on this site yet. Below are its text and its code, without "
    "tables and pictures. `make figures` executes it."
)
STALE = "What is shown below was executed, but is not up to date: {}. `make figures` brings it up to date."
QUESTION = re.compile(r"\*\*Question\.\*\*\s*(.+?)(?:\n\s*\n|\Z)", re.DOTALL)
SAVED = re.compile(r"""(?:save_output|studio\.make)\(\s*["'](\w+)["']""")
CONTROLS = re.compile(r"\b[A-Z]\w*Widget\(")
NEEDS_KERNEL = "*These controls need a running kernel (`make lab`). [Play](/play.md) has a landscape live in the page.*"
PICTURE = ("image/png", "image/gif", "image/jpeg", "image/svg+xml")
LINKED = ("OWN_IMAGES", "OWN_DEMONSTRATIONS")  # all that notebooks link to
PAGES = {f"{up}/{name}.md": f"/{name.lower()}.md" for up in ("..", "../..") for name in LINKED}


@dataclass(frozen=True)
class Lesson:
    """A notebook of the site: its source, and why it is shown without (up-to-date) outputs, if it is."""

    source: Path
    executed: Path
    figures: Path

    @property
    def stem(self) -> str:
        return self.source.stem

    @property
    def lacking(self) -> str | None:
        """Why there are no outputs, or old ones; None if all is well."""
        return why_stale(self.source, self.executed, self.figures)

    @property
    def text(self) -> NotebookNode:
        """The source as a notebook without outputs."""
        return jupytext.read(self.source, fmt="py:percent")

    def page(self) -> NotebookNode:
        """The notebook as the site shows it."""
        said, lacking = None, self.lacking
        if not self.executed.is_file() or lacking == UNREADABLE:
            shown, said = self.text, note(NOT_EXECUTED, "warning")
        else:
            shown = nbformat.reads(json.dumps(at_web_size(read_json(self.executed))), as_version=4)
            said = note(STALE.format(lacking), "warning") if lacking else None
        heading = "the text above"
        for cell in shown.cells:
            if cell.cell_type == "markdown":
                heading = next(iter(re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)[::-1]), heading)
                cell.source = linked(cell.source, PAGES)
            else:
                _fold(cell, heading)
        if said:
            shown.cells[0].source = _after_title(shown.cells[0].source, said)
        shown.cells = [part for cell in shown.cells for part in _with_place_to_play(cell)]
        return shown

    @property
    def title(self) -> str:
        """Its first heading."""
        return re.findall(r"^# (.+)$", self.text.cells[0].source, re.MULTILINE)[0]

    @property
    def question(self) -> str:
        """The question that it asks at its beginning, in one line."""
        found = QUESTION.search(self.text.cells[0].source)
        return " ".join(found.group(1).split()) if found else ""


def lessons_table(lessons: list[Lesson]) -> str:
    """Title, question and outputs of each notebook; and where outputs are missing or old, why."""
    lacking = any(lesson.lacking for lesson in lessons)
    rows = [
        {
            "notebook": f"[{lesson.title}](/learn/{lesson.stem})",
            "question": lesson.question,
            "figures and tables": _makes(lesson.stem),
            **({"outputs": lesson.lacking or "up to date"} if lacking else {}),
        }
        for lesson in lessons
    ]
    return table(pd.DataFrame(rows))


def _makes(stem: str) -> str:
    """The paper's figures and tables that a notebook makes, and how many of our own."""
    made = outputs_of(stem)
    own = sum(o.paper_place is None for o in made)
    return ", ".join([*(o.paper_place for o in made if o.paper_place), *([f"{own} of our own"] if own else [])])


def write_lessons(lessons: list[Lesson], folder: Path) -> None:
    """The pages below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons:
        nbformat.write(lesson.page(), folder / f"{lesson.stem}.ipynb")


def _fold(cell: NotebookNode, heading: str) -> None:
    """Hide a cell's code behind a click, and say what its pictures show."""
    tags = cell.metadata.setdefault("tags", [])
    if FOLDED not in tags:
        tags.append(FOLDED)
    if any(kind in output.get("data", {}) for output in cell.outputs for kind in PICTURE):
        saved = SAVED.search(cell.source)
        known = [o.alt_text for o in OUTPUTS if saved and o.id == saved.group(1)]
        cell.metadata["mystnb"] = {"image": {"alt": known[0] if known else f"Picture of the section: {heading}"}}


def _with_place_to_play(cell: NotebookNode) -> list[NotebookNode]:
    """A cell, and behind controls that are dead without a kernel a link to the page that lives."""
    if cell.cell_type != "code" or cell.outputs or not CONTROLS.search(cell.source):
        return [cell]
    return [cell, nbformat.v4.new_markdown_cell(NEEDS_KERNEL)]


def _after_title(text: str, said: str) -> str:
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{said}\n{rest}"
