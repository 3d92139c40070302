"""The closed loop as a picture: success against the size of each disturbance, blind and seeing, Base and dGrasp."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dgrasp.evaluation.loop_series import PATHS, RATES, STILL, loop_paths, loop_rates, read_loops
from dgrasp.examples.pouring import LENS, Pours
from dgrasp.experiment.closed_loop import closed_loop, made
from dgrasp.experiment.profiles import PUBLISHABLE
from dgrasp.report.figures.ablations import saying
from dgrasp.report.names import policy_label
from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR, NO_OBJECTS, Drawn
from dgrasp.report.studio import Studio
from dgrasp.report.tables.printing import span
from dgrasp.runs import Run

NOT_RUN = "Nothing has been tried in closed loop yet (dgrasp closed-loop): there are no numbers to show."
STYLES = {"open": "--", "closed": "-"}
COLUMNS = {  # of the printed table of ways
    "length": "length (cm)", "detour": "length over straight", "shown_length": "constructed: length (cm)",
    "shown_smoothness": "constructed: smoothness",
}  # fmt: skip
ASIDE = 0.012  # of an axis: how far lines stand side by side


def plot_closed_loop(rows: pd.DataFrame) -> Figure:
    """A panel for each disturbance, 0 being none: rates with their 95 % intervals, dashed where the loop is open.

    rows: of `dgrasp.evaluation.loop_series.loop_rates`. Without any the figure says so, and shows nothing.
    """
    if not len(rows):
        return saying(NOT_RUN)
    kinds = [kind for kind in dict.fromkeys(rows["disturbance"]) if kind != STILL] or [STILL]
    figure, axes = plt.subplots(1, len(kinds), figsize=(3.2 * len(kinds), 2.9), sharey=True, squeeze=False)
    for ax, kind in zip(axes.flat, kinds, strict=True):
        plot_disturbance(ax, rows[rows["disturbance"].isin((STILL, kind))])
        ax.set_xlabel("undisturbed" if kind == STILL else kind)
    axes.flat[0].set(ylabel="success rate", ylim=(-0.03, 1.03))
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    return figure


def plot_disturbance(axes: Axes, rows: pd.DataFrame) -> None:
    """Lines of every policy in both loops, over the size of one disturbance; each a little beside the other's place."""
    lines = list(rows.sort_values(["policy", "loop", "size"]).groupby(["policy", "loop"]))
    for k, ((policy, loop), of) in enumerate(lines):
        dgrasp = str(policy).startswith("dgrasp")
        colour, marker = (DGRASP_COLOUR, "s") if dgrasp else (BASE_COLOUR, "o")
        error = [of["rate"] - of["low"], of["high"] - of["rate"]]
        x = of["size"] + ASIDE * rows["size"].max() * (k - (len(lines) - 1) / 2)
        label = f"{policy_label(str(policy))}, {loop} loop"
        axes.errorbar(x, of["rate"], yerr=error, fmt=marker, ls=STYLES[loop], ms=3, lw=1, color=colour, label=label)


def plot_pours(axes: Axes, pours: Pours, title: str, shown: int = 40) -> None:
    """Ways of spouts from the side, metres: blue if they end in a pour, else orange; short lines point out of them."""
    for i in range(min(shown, pours.paths.shape[1])):
        path: Tensor = pours.paths[:, i]
        colour = "#0077BB" if pours.poured[i] else "#EE7733"
        x, z = np.asarray(path[:, 0, 3]), np.asarray(path[:, 2, 3])
        out = 0.04 * np.asarray(path[-1, :3, 0])
        axes.plot(x, z, color=colour, lw=0.8, alpha=0.6)
        axes.plot([x[-1], x[-1] + out[0]], [z[-1], z[-1] + out[2]], color=colour, lw=1.8)
    axes.plot(float(pours.cup[0]), float(pours.cup[2]), marker="v", ms=12, color="#d7191c", mec="white", zorder=5)
    axes.set(title=title, xlabel="x (m)", ylabel="height (m)", xlim=(-0.34, 0.34), ylim=(0, 0.5), aspect="equal")


def plot_photograph(axes: Axes, picture: Tensor) -> None:
    """What the pouring network's camera sees."""
    axes.imshow(np.asarray(picture), cmap="Reds", vmin=0, vmax=1.5, extent=(0, LENS.width, LENS.height, 0))
    axes.set(title="the camera's picture", xticks=[], yticks=[])


def loops(studio: Studio) -> Run | None:
    """The attempts in both loops; made now by a profile for trying out, else None if there are none."""
    experiment = studio.experiment
    make = made if experiment.profile.name in PUBLISHABLE else closed_loop
    return studio.once("closed loop", lambda: make(experiment))


def rates_of(studio: Studio) -> pd.DataFrame:
    """`loop_rates` of what has been tried; without any, no rows."""
    run = loops(studio)
    return pd.DataFrame(columns=list(RATES)) if run is None else loop_rates(read_loops(run))


def draw_closed_loop_rates(studio: Studio) -> Drawn:
    """A panel for each disturbance."""
    rates = rates_of(studio)
    return _loops_drawn(studio, plot_closed_loop(rates), rates)


def draw_closed_loop(studio: Studio) -> Drawn:
    """One row for each disturbance, size, loop and policy."""
    rates = rates_of(studio)
    return _loops_drawn(studio, None, rates, _lifted(rates) if len(rates) else pd.DataFrame({"": [NOT_RUN]}))


def draw_closed_loop_paths(studio: Studio) -> Drawn:
    """One row for each disturbance, size, loop and policy with a success."""
    run = loops(studio)
    paths = pd.DataFrame(columns=list(PATHS)) if run is None else loop_paths(read_loops(run))
    return _loops_drawn(studio, None, paths, _ways(paths) if len(paths) else pd.DataFrame({"": [NOT_RUN]}))


def _lifted(rates: pd.DataFrame) -> pd.DataFrame:
    """Rates as people read them: one row for each condition and policy, the loops side by side."""
    cells = [f"{r.rate:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in rates.itertuples()]
    named = rates.assign(cell=cells, policy=rates["policy"].map(policy_label), size=rates["size"].map("{:g}".format))
    keys = ["disturbance", "size", "policy"]
    wide = named.pivot_table(index=keys, columns="loop", values="cell", aggfunc="first", sort=False)
    rows = wide.fillna("-").add_suffix(" loop").reset_index().rename_axis(columns=None)
    return named[keys[:2]].drop_duplicates().merge(rows)  # conditions in their order, which the pivot does not keep


def _ways(paths: pd.DataFrame) -> pd.DataFrame:
    """`loop_paths` as people read them: equal digits, lengths in centimetres."""
    table = paths.assign(policy=paths["policy"].map(policy_label), size=paths["size"].map("{:g}".format))
    for name in ("length", "shown_length"):
        table[name] = (100 * paths[name]).map("{:.1f}".format)
    for name in ("detour", "smoothness", "cosine", "shown_smoothness"):
        table[name] = paths[name].map("{:.2f}".format)
    return table.rename(columns=COLUMNS)


def tried_so_far(rates: pd.DataFrame) -> str:
    """How much stands behind the numbers. rates: of `loop_rates`."""
    return f"{len(rates)} combinations of condition, loop and policy were tried, {span(rates['n'])} attempts each."


def _loops_drawn(
    studio: Studio, figure: Figure | None, data: pd.DataFrame, printed: pd.DataFrame | None = None
) -> Drawn:
    run, settings = loops(studio), studio.experiment.profile.closed_loop
    tried = NOT_RUN if run is None else tried_so_far(rates_of(studio))
    runs = {} if run is None else {"closed-loop": run}
    about = {"settings": settings.model_dump(mode="json")}
    return Drawn(figure, data, runs, {"tried": tried}, printed, about=about, ycb_appearance=NO_OBJECTS)
