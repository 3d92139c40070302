"""What every notebook needs: settings, the source of what it teaches, the index of outputs, versions."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Code, Image, Markdown, display
from matplotlib.figure import Figure

from dgrasp.experiment.chain import Experiment
from dgrasp.provenance import provenance
from dgrasp.report.names import policy_label, task_label
from dgrasp.report.outputs import use_style
from dgrasp.report.registry import OUTPUTS
from dgrasp.report.studio import Studio


def open_experiment(profile: str, build: str | Path, seed: int = 0) -> Experiment:
    """The experiment of a notebook's parameters (`Experiment.open`), with the project's figure style switched on."""
    use_style()
    return Experiment.open(profile, build, seed)


def open_studio(profile: str, build: str | Path, seed: int = 0) -> Studio:
    """The studio of a notebook's parameters: it makes the registered figures and tables of that experiment."""
    return Studio(Experiment.open(profile, build, seed))


def show(figure: Figure, alt_text: str) -> None:
    """A figure that is no registered output, with a text for those who do not see it; it is closed."""
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=110)
    plt.close(figure)
    display(Image(page.getvalue(), alt=alt_text))


def show_source(*things: Any) -> None:
    """Show the source of functions or classes where a notebook teaches them, instead of pasting it."""
    for thing in things:
        display(Code(inspect.getsource(thing), language="python"))


def registry_table() -> None:
    """Every figure and table of the paper, and which notebook makes it."""
    lines = ["| output | in the paper | status | notebook |", "|---|---|---|---|"]
    lines += [
        f"| {o.title} (`{o.id}`) | {o.paper_place or 'not in the paper'} | {o.status} | `{o.notebook}` |"
        for o in OUTPUTS
    ]
    display(Markdown("\n".join(lines)))


def versions() -> None:
    """Commit, versions and machine, at the end of every notebook."""
    made_by = provenance()
    rows = {
        "commit": made_by["commit"],
        "python": made_by["python"],
        **made_by["versions"],
        "threads": made_by["threads"],
    }
    display(Markdown(", ".join(f"{name} {value}" for name, value in rows.items())))


def readable(table: pd.DataFrame, digits: int = 4) -> pd.DataFrame:
    """A table of pairs of policies for people: titles and tasks in front, rounded, empty where nothing is known."""
    named = {name: table[name].map(policy_label) for name in ("first", "second") if name in table}
    named |= {"task": table["task"].map(task_label)} if "task" in table else {}
    shown = table.round(digits).astype(object).where(table.notna(), "")
    return shown.assign(**named).set_index(list(named))


def summary_table(rows: dict[str, Any]) -> pd.DataFrame:
    """A run's summary as a small table."""
    return pd.DataFrame({"": list(rows.values())}, index=list(rows))
