"""What the chain costs as it grows: the figure, its table, and what their captions say, on rows that are known."""

import pandas as pd
import pytest

from dgrasp.experiment.growth import FREE, WORKERS, grown
from dgrasp.report.captions import caption
from dgrasp.report.figures.growth import MEASURED, SAID, draw_growth, draw_growth_costs, facts, plot_growth

MADE_BY = {"commit": "0" * 40}


def stated(seconds: list[float]) -> dict:
    """A scene takes 30 s; so many workers take `seconds`, and with a free folder half as long each time."""
    rows = [(varied, at, 2.0 * at, 10.0 * at, "measured") for varied in MEASURED for at in (1, 2, 4)]
    rows += [("job", 0, 30.0, 0.1, "measured"), ("job", 1, 33.0, 0.1, "measured")]
    for name, times in ((WORKERS, seconds), (FREE, [80.0, 40.0, 20.0])):
        rows += [(name, at, time, 512.0 * at, "simulated") for at, time in zip((1, 2, 4), times, strict=True)]
    names = ("varied", "at", "seconds", "mib", "how")
    return {"scenes": 1528, "made_by": MADE_BY, "rows": [dict(zip(names, row, strict=True)) for row in rows]}


def test_three_panels_are_measured_and_one_is_simulated():
    figure = plot_growth(pd.DataFrame(stated([80.0, 40.0, 36.0])["rows"]))
    titles = [ax.get_title(side).partition(" ")[2] for ax in figure.axes for side in ("center", "left")]
    assert [title for title in titles if title] == ["measured"] * 3 + ["simulated"]
    assert [ax.get_xlabel() for ax in figure.axes] == [*MEASURED.values(), "workers"]
    seconds, memory = (line.get_ydata().tolist() for line in figure.axes[1].lines)
    assert seconds == [2.0, 4.0, 8.0] and memory == [10.0, 20.0, 40.0]
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[3].lines}
    assert lines["minutes"] == pytest.approx([80 / 60, 40 / 60, 36 / 60])
    assert lines["GiB of all workers"] == [0.5, 1.0, 2.0]
    assert "folder is the limit (4)" in lines


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([80.0, 40.0, 36.0], "From 4 workers on the folder is the limit: less than 80% of the speed"),
        ([80.0, 40.0, 20.0], "With 4 it is not the limit yet."),
    ],
)
def test_captions_say_from_how_many_workers_the_folder_is_the_limit(seconds, said):
    for id in ("growth", "growth_costs"):
        text = str(caption(id, facts(stated(seconds)))["caption"])
        assert said in text and "1,528 scenes" in text and "100 MB a second and 10 ms a file" in text
    assert "2 scenes that were measured (30.0 to 33.0 s)" in str(caption("growth", facts(stated(seconds)))["caption"])


def test_what_is_published_was_measured_and_simulated_up_to_64_workers_and_more():
    kept = pd.DataFrame(grown()["rows"])
    assert set(kept["varied"]) == set(SAID) and (kept["seconds"] > 0).all() and (kept["mib"] > 0).all()
    assert set(kept.loc[kept["how"] == "simulated", "varied"]) == {WORKERS, FREE}
    workers = kept[kept["varied"] == WORKERS]
    assert {1, 2, 4, 8, 16, 32, 64} <= set(workers["at"]) and workers["seconds"].is_monotonic_decreasing
    assert len(grown()["made_by"]["commit"]) == 40


def test_the_table_has_a_row_for_each_number_of_the_figure():
    figure, table = draw_growth(None), draw_growth_costs(None)
    assert len(table.data) == len(figure.data) == len(grown()["rows"])
    jobs = [row for row in grown()["rows"] if row["varied"] == "job"]
    assert len(table.printed) == len(table.data) - len(jobs) + 1
    last = table.printed.iloc[-1]
    assert last["to"] == str(len(jobs)) and last["time"] == f"{sum(j['seconds'] for j in jobs) / len(jobs):.2g} s"
    assert table.figure is None and figure.figure is not None and figure.about == table.about
    assert set(table.printed["how"]) == {"measured", "simulated"}
