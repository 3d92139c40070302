"""Pictures and tables of the experiment beyond the paper say what their rows say."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes

from dgrasp.evaluation.statistics import with_rates
from dgrasp.files import write_json
from dgrasp.report.figures.beyond import plot_beyond, plot_beyond_objects, plot_factors
from dgrasp.report.site.results import beyond
from dgrasp.report.tables.beyond import GOALS, as_read, beside_goals, pooled

BASE, DGRASP = "base_quat_sync", "dgrasp_quat_sync"


def table(*rows: tuple[str, str, int], along: str = "task", seed: int = 20) -> pd.DataFrame:
    counted = pd.DataFrame(rows, columns=["policy", along, "successes"]).assign(n=20, seed=seed)
    return with_rates(counted, confidence=0.95)


ROWS = table((DGRASP, "simple", 19), (BASE, "simple", 12), (DGRASP, "twin", 10), (BASE, "twin", 4))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def dots(ax: Axes) -> dict[str, list[tuple[float, int]]]:
    """Of each policy rates and lines (from the top), as drawn."""
    bars = zip(*ax.get_legend_handles_labels(), strict=True)
    drawn = {label: bar[0].get_xydata() for bar, label in bars if hasattr(bar, "__getitem__")}
    return {label: [(float(x), round(y)) for x, y in points] for label, points in drawn.items()}


def test_rates_stand_beside_those_of_the_papers_experiment() -> None:
    papers = pd.DataFrame([{"policy": DGRASP, "task": "simple", "rate": 0.7}, {"policy": "other", "task": "simple"}])
    [ax] = plot_beyond(ROWS, papers, "another hand").axes
    assert "another hand" in ax.get_legend_handles_labels()[1]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["simple", "everyday objects in the twin"]
    assert dots(ax) == {
        "Base (quaternion, synchronous)": [(0.6, 0), (0.2, 1)],
        "dGrasp (quaternion, synchronous)": [(0.95, 0), (0.5, 1)],
    }
    diamonds = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "D"]
    assert diamonds == [[], [0.7], []]


def test_seeds_are_pooled_before_they_are_drawn() -> None:
    """Three seeds are one diamond, where all their attempts stand, and never three beside one dot."""
    papers = pd.concat([table((DGRASP, "simple", n), seed=seed) for seed, n in enumerate((10, 12, 20))])
    with pytest.raises(ValueError, match=f"{DGRASP} has several rows of simple; pool the seeds first"):
        plot_beyond(ROWS, papers)
    [ax] = plot_beyond(ROWS, pooled(papers)).axes
    assert [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "D"] == [[], [0.7], []]


def test_the_hardest_object_and_the_worst_factor_are_on_top() -> None:
    objects = table((BASE, "mug", 18), (DGRASP, "mug", 18), (BASE, "drill", 3), (DGRASP, "drill", 9), along="object")
    novel = plot_beyond_objects(objects.assign(task="novel")).axes
    assert [t.get_text() for t in novel[0].get_yticklabels()] == ["drill (n = 20)", "mug (n = 20)"]
    assert len([ax for ax in novel if ax.axison]) == 1
    factors = table((BASE, "none", 15), (BASE, "light", 5), (BASE, "all", 9), along="factor")
    [ax] = plot_factors(factors).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["light", "all together", "none of them"]


def test_a_table_to_read_has_a_line_for_each_task_and_seed() -> None:
    read = as_read(ROWS)
    assert list(read["task"]) == ["simple", "everyday objects in the twin"]
    assert read["dGrasp (quaternion, synchronous)"][0] == "0.95 [0.76, 0.99] (19/20)"
    both = as_read(pd.concat([ROWS, ROWS.assign(seed=21)]))
    assert sorted(both["seed"]) == [20, 20, 21, 21]


def test_goals_stand_beside_what_was_reached() -> None:
    good = pd.concat([ROWS, table((DGRASP, "clutter", 20), (BASE, "clutter", 3))])
    read = beside_goals(pd.concat([good, good.assign(seed=21)]))
    assert read["reached"].to_dict() == {"simple": "no", "everyday objects in the twin": "no", "clutter": "yes"}
    assert read["goal"].tolist() == [GOALS["simple"], GOALS["twin"], GOALS["clutter"]]
    assert read.loc["simple", "dGrasp (quaternion, synchronous)"] == 0.95


def test_seeds_are_pooled_by_their_counts() -> None:
    both = pooled(pd.concat([ROWS, ROWS.assign(seed=21, successes=20)]))
    assert list(both["successes"]) == [39, 32, 30, 24] and set(both["n"]) == {40}
    assert both["rate"][0] == 39 / 40 and both["low"][0] < both["rate"][0]
    factors = pooled(table((BASE, "light", 5), (BASE, "light", 7), along="factor"), "factor")
    assert list(factors["successes"]) == [12] and "task" not in factors


def test_the_sites_table_says_what_was_made(tmp_path: Path) -> None:
    assert beyond(tmp_path) == "Not known yet: no table of this experiment has been made.\n"
    write_json(tmp_path / "beyond.json", ROWS.to_dict("records"))
    write_json(tmp_path / "tab01.json", [{"policy": DGRASP, "task": "simple", "rate": 0.99}])
    page = beyond(tmp_path)
    assert "lift more in 0 and less in 1 of 1 pairs" in page
    assert "no attempts are kept" in page and "| 0.95 [0.76, 0.99] (19/20) |" in page and "Piles" not in page
    write_json(tmp_path / "beyond_piles.json", table((BASE, "clutter", 7)).to_dict("records"))
    assert beyond(tmp_path).count("(7/20)") == 1
