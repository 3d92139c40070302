"""The closed loop in pictures: every disturbance has a panel, and nothing is shown where nothing was tried."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from dgrasp.evaluation.loop_series import DRIFT, PUSH, RATES, STILL
from dgrasp.examples import pouring
from dgrasp.report.figures.closed_loop import (
    NOT_RUN,
    _lifted,
    plot_closed_loop,
    plot_photograph,
    plot_pours,
    tried_so_far,
)


def rows() -> pd.DataFrame:
    one = {"successes": 5, "n": 10, "rate": 0.5, "low": 0.2, "high": 0.8, "seed": 0}
    who = [{"loop": loop, "policy": p} for loop in ("open", "closed") for p in ("base_quat_sync", "dgrasp_quat_sync")]
    conditions = ((STILL, 0.0), (PUSH, 5.0), (PUSH, 2.0), (DRIFT, 10.0))
    made = [{**one, **each, "disturbance": kind, "size": size} for kind, size in conditions for each in who]
    return pd.DataFrame(made)[list(RATES)]


def texts(figure: plt.Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(lambda x: hasattr(x, "get_text"))}


def test_every_disturbance_has_a_panel_that_begins_undisturbed() -> None:
    figure = plot_closed_loop(rows())
    assert {
        PUSH,
        DRIFT,
        "dGrasp (quaternion, synchronous), closed loop",
        "Base (quaternion, synchronous), open loop",
    } <= texts(figure)
    assert len(figure.axes) == 2
    lines = [container[0] for container in figure.axes[0].containers]
    for line in lines:
        assert list(line.get_xdata()) == pytest.approx([0.0, 2.0, 5.0], abs=0.1), "side by side, each at its size"
    assert len({line.get_xdata()[0] for line in lines}) == 4
    assert sorted(line.get_linestyle() for line in lines) == ["-", "-", "--", "--"]


def test_the_printed_table_has_its_rows_in_the_order_of_the_data() -> None:
    again = rows()[rows()["disturbance"] == PUSH].sort_values("size").assign(disturbance="cameras")
    printed = _lifted(pd.concat([rows(), again]).sort_values("policy", kind="stable"))  # as they are tried
    conditions = printed[["disturbance", "size"]].drop_duplicates().to_numpy().tolist()
    assert conditions == [[STILL, "0"], [PUSH, "5"], [PUSH, "2"], [DRIFT, "10"], ["cameras", "2"], ["cameras", "5"]]
    assert list(printed.columns) == ["disturbance", "size", "policy", "open loop", "closed loop"]
    assert printed["policy"].str[:4].tolist() == ["Base", "dGra"] * 6


def test_what_has_not_been_tried_is_said() -> None:
    assert texts(plot_closed_loop(rows()[:0])) - {""} == {NOT_RUN}


def test_a_caption_says_how_much_was_tried() -> None:
    made = rows()
    assert tried_so_far(made) == "16 combinations of condition, loop and policy were tried, 10 attempts each."
    made.loc[0, "n"] = 7
    assert tried_so_far(made).endswith("7 to 10 attempts each.")


def test_pours_are_blue_where_they_end_over_the_cup() -> None:
    cup = pouring.cups(1, 0, "test")[0]
    poured = pouring.demonstrations(cup[None], 0)[0]
    pours = pouring.Pours(torch.stack([poured, poured[:1].expand_as(poured)], dim=1), cup)
    _, (left, right) = plt.subplots(1, 2)
    plot_pours(left, pours, "title")
    plot_photograph(right, pouring.photograph(cup))
    assert [line.get_color() for line in left.lines[:4]] == ["#0077BB"] * 2 + ["#EE7733"] * 2
    assert right.images[0].get_array().max() == pytest.approx(1.0, abs=0.1)
