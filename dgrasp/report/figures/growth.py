"""What the chain costs as it grows: one figure, and the table that it is drawn from."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dgrasp.experiment.growth import FREE, GOOD, JOB, WORKERS, Folder, folder_limits_at, grown
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR, PAPER_COLOUR, Drawn
from dgrasp.report.studio import Studio

MEASURED = {"scenes": "scenes demonstrated", "poses": "poses, one step of a plan", "width": "image width, pixels"}
SAID = {**MEASURED, JOB: "one scene, mean of", WORKERS: "workers, shared folder", FREE: FREE}


def draw_growth(studio: Studio) -> Drawn:
    """Measured seconds and memory, three panels; simulated minutes and memory of workers, the fourth."""
    stated = grown()
    table = pd.DataFrame(stated["rows"])
    return Drawn(plot_growth(table), table, facts=facts(stated), about={"measured_by": stated["made_by"]})


def draw_growth_costs(studio: Studio) -> Drawn:
    """All numbers of the figure."""
    stated = grown()
    table = pd.DataFrame(stated["rows"])
    return Drawn(
        None, table, facts=facts(stated), printed=printed_growth(table), about={"measured_by": stated["made_by"]}
    )


def facts(stated: dict) -> dict[str, object]:
    """What the captions say."""
    table, folder = pd.DataFrame(stated["rows"]), Folder()
    job, most = table[table["varied"] == JOB], int(table.loc[table["varied"] == WORKERS, "at"].max())
    limit = folder_limits_at(table)
    is_limit = f"From {limit} workers on the folder is the limit" if limit else f"With {most} it is not the limit yet"
    writes = f"{folder.bytes_per_second / 1e6:.0f} MB a second and {1000 * folder.seconds_per_file:.0f} ms a file"
    return {
        "scenes": f"{stated['scenes']:,}",
        "jobs": len(job),
        "job_seconds": f"{job['seconds'].min():.1f} to {job['seconds'].max():.1f} s",
        "writes": writes,
        "limit": f"{is_limit}: less than {GOOD:.0%} of the speed that a free one would give" if limit else is_limit,
    }


def plot_growth(table: pd.DataFrame) -> Figure:
    """Both axes of all panels are logarithmic."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.9))
    for ax, (varied, label) in zip(axes, MEASURED.items(), strict=False):
        rows = table[table["varied"] == varied]
        ax.loglog(rows["at"], rows["seconds"], marker="o", color=BASE_COLOUR, label="seconds of one thread")
        ax.loglog(rows["at"], rows["mib"], marker="s", ls="--", color=DGRASP_COLOUR, label="MiB added")
        _at(ax, rows["at"])
        ax.set(xlabel=label, title="measured")
    axes[0].set_ylabel("seconds, and MiB")
    axes[0].legend()
    _plot_workers(axes[3], table)
    letter_panels(axes)
    return figure


def _plot_workers(ax: Axes, table: pd.DataFrame) -> None:
    rows, free = (table[table["varied"] == name] for name in (WORKERS, FREE))
    ax.loglog(free["at"], free["seconds"] / 60, ls=":", color=PAPER_COLOUR, label="minutes, free folder")
    ax.loglog(rows["at"], rows["seconds"] / 60, marker="o", color=BASE_COLOUR, label="minutes")
    ax.loglog(rows["at"], rows["mib"] / 1024, marker="s", ls="--", color=DGRASP_COLOUR, label="GiB of all workers")
    if (limit := folder_limits_at(table)) is not None:
        ax.axvline(limit, color="0.6", label=f"folder is the limit ({limit})")
    _at(ax, rows["at"][::2])
    ax.set(xlabel="workers", ylabel="minutes, and GiB", title="simulated", ylim=(None, 2000))
    ax.legend(fontsize=6, loc="upper center")


def _at(ax: Axes, values: pd.Series) -> None:
    """Ticks at the values, but those that would stand too near to the next one."""
    shown = [
        value for value, following in zip(values, [*values[1:], float("inf")], strict=True) if following > 1.5 * value
    ]
    ax.set(xticks=shown, xticklabels=[f"{value:g}" for value in shown])
    ax.xaxis.set_minor_locator(NullLocator())


def printed_growth(table: pd.DataFrame) -> pd.DataFrame:
    """As it is read; of the single scenes their mean."""
    jobs = table["varied"] == JOB
    mean = {"varied": JOB, "at": int(jobs.sum()), "how": "measured", **table.loc[jobs, ["seconds", "mib"]].mean()}
    rows = [*table[~jobs].to_dict("records"), mean]
    return pd.DataFrame(
        {
            "what grows": [SAID[row["varied"]] for row in rows],
            "to": [f"{row['at']:,}" for row in rows],
            "time": [_time(row["seconds"]) for row in rows],
            "memory, MiB": [f"{row['mib']:,.{1 if row['mib'] < 10 else 0}f}" for row in rows],
            "how": [row["how"] for row in rows],
        }
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 60 else f"{seconds / 60:.1f} min"
