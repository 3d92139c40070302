"""How time and memory of a plan grow with poses, queries, images and width: one figure from `bench_plan.py growth`.

    python benchmarks/bench_plan.py growth > build/growth.csv
    python benchmarks/plot_growth.py [build/growth.csv] [build/growth.png]

One panel per quantity, both axes logarithmic: seconds of one step, and on the right, linear and the same in all panels,
the MiB that the plan adds at its peak and those of the encoded images it reads. The dotted line is what proportional
growth of time from the first point would be.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR, PAPER_COLOUR, use_style

VARIED = {"poses": "candidate poses", "queries": "query points per pose", "images": "images", "width": "width of Phi"}
MEMORY = {"mib": ("s", "plan's memory (right)"), "maps_mib": ("^", "encoded images (right)")}
COLUMNS = ["varied", *VARIED, "seconds", *MEMORY]


def read_growth(path: Path) -> pd.DataFrame:
    """The benchmark's rows; raises ValueError naming what is missing or unknown."""
    table = pd.read_csv(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: columns missing: {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    unknown = sorted(set(table["varied"]) - set(VARIED))
    if unknown:
        raise ValueError(f"{path}: column 'varied' names {', '.join(unknown)}; known: {', '.join(VARIED)}")
    if not (table["seconds"] > 0).all():
        raise ValueError(f"{path}: every row needs positive seconds")
    return table


def plot_growth(table: pd.DataFrame) -> Figure:
    """One panel per varied quantity of a table as `read_growth` returns it."""
    varied = [name for name in VARIED if name in set(table["varied"])]
    figure, axes = plt.subplots(1, len(varied), figsize=(2.8 * len(varied), 2.9), sharey=True, squeeze=False)
    most = table[list(MEMORY)].max().max()
    measured = [name for name in varied if table.loc[table["varied"] == name, list(MEMORY)].notna().any(axis=None)]
    for ax, name in zip(axes[0], varied, strict=True):
        rows = table[table["varied"] == name].sort_values(name)
        _panel(ax, rows, name)
        if name in measured:
            _memory(ax, rows, name, most, labelled=name == measured[-1])
    axes[0, 0].set_ylabel("seconds of one step")
    axes[0, 0].legend(loc="upper left")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    x, seconds = rows[name], rows["seconds"]
    proportional = seconds.iloc[0] * x / x.iloc[0]
    ax.loglog(x, proportional, ls=":", color=PAPER_COLOUR, label="proportional")
    ax.loglog(x, seconds, marker="o", ms=4, color=BASE_COLOUR, label="time")
    others = ", ".join(f"{other} {int(rows[other].iloc[0])}" for other in VARIED if other != name)
    ax.set_title(others, fontsize=7.5, fontweight="normal")
    ax.set(xlabel=VARIED[name], xticks=list(x), xticklabels=[f"{number:g}" for number in x])
    ax.xaxis.set_minor_locator(NullLocator())


def _memory(ax: Axes, rows: pd.DataFrame, name: str, most: float, labelled: bool) -> None:
    """MiB on an axis of its own, which only the last panel labels."""
    memory = ax.twinx()
    for column, (marker, label) in MEMORY.items():
        style = {"marker": marker, "ms": 4, "ls": "--", "color": DGRASP_COLOUR}
        measured = rows.dropna(subset=[column])
        memory.plot(measured[name], measured[column], **style)
        ax.plot([], [], label=label, **style)
    memory.set(ylim=(0, 1.25 * most), ylabel="memory, MiB" if labelled else "")
    memory.tick_params(labelright=labelled)
    memory.spines["right"].set_visible(True)
    memory.yaxis.label.set_color(DGRASP_COLOUR)


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    build = Path(__file__).resolve().parent.parent / "build"
    source, target = (Path(a) for a in (*arguments, build / "growth.csv", build / "growth.png")[:2])
    if len(arguments) == 1:
        target = source.with_suffix(".png")
    if not source.is_file():
        print(f"error: {source}: no such file; make it with `python benchmarks/bench_plan.py growth`", file=sys.stderr)
        return 1
    use_style()
    plot_growth(read_growth(source)).savefig(target)
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
