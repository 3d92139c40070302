"""Figures of the real-robot chapter draw what their data say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dgrasp.cell.workspace import BOUNDS_HIGH, BOUNDS_LOW
from dgrasp.report.captions import caption
from dgrasp.report.figures.twin import (
    Example,
    choose_examples,
    examples_table,
    how_they_end,
    is_at_edge,
    is_in_corner,
    plot_calibration_sweep,
    plot_examples,
    ycb_appearance,
)
from dgrasp.report.outputs import BASE_COLOUR, DGRASP_COLOUR
from dgrasp.twin.rates import sweep_rates
from dgrasp.twin.sweep import ROTATION, TRANSLATION


@pytest.fixture
def rates() -> pd.DataFrame:
    rows = [
        {"policy": policy, "kind": kind, "error": error, "success": i < good}
        for policy, good in (("base_quat_sync", 2), ("dgrasp_quat_sync", 4))
        for kind, error in ((TRANSLATION, 0.0), (TRANSLATION, 10.0), (ROTATION, 2.0))
        for i in range(5)
    ]
    return sweep_rates(pd.DataFrame(rows))


def test_sweep_is_drawn_point_by_point(rates: pd.DataFrame) -> None:
    figure, axes = plt.subplots(1, 2)
    plot_calibration_sweep(axes, rates)
    lines = {c.get_label(): c[0] for c in axes[0].containers}
    np.testing.assert_array_equal(lines["Base (quaternion, synchronous)"].get_xdata().astype(float), [0, 10])
    np.testing.assert_allclose(lines["dGrasp (quaternion, synchronous)"].get_ydata().astype(float), [0.8, 0.8])
    np.testing.assert_allclose(lines["dGrasp (quaternion, synchronous)"].get_xdata().astype(float), [0.1, 10.1])
    assert (
        lines["Base (quaternion, synchronous)"].get_color() == BASE_COLOUR
        and lines["dGrasp (quaternion, synchronous)"].get_color() == DGRASP_COLOUR
    )
    assert "mm" in axes[0].get_xlabel() and "degrees" in axes[1].get_xlabel()
    assert axes[0].get_xticks().tolist() == [0, 10] and axes[1].get_xticks().tolist() == [0, 2], "measured errors"
    assert all("added hand-eye error" in ax.get_xlabel() for ax in axes), "0 is not free of errors"
    (legend,) = axes[0].figure.legends
    assert legend.get_title().get_text() == "n = 5 per point"
    plt.close(figure)


def test_corners_are_those_that_the_tables_count() -> None:
    low, high = BOUNDS_LOW, BOUNDS_HIGH
    assert is_in_corner(low[0] + 0.004, high[1] - 0.004, low[2])
    assert not is_in_corner(low[0], high[1], 0.5 * (low[2] + high[2])) and not is_in_corner(low[0] + 0.01, *high[1:])


def records() -> pd.DataFrame:
    corner = [*map(float, BOUNDS_LOW), 1.0, 0.0, 0.0, 0.0]
    middle = [0.2, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    rows = [
        ("missed", False, 1.0, middle), ("missed", False, 2.0, corner), ("slipped", False, 0.5, middle),
        ("dropped", False, 0.9, middle), ("success", True, 3.0, corner), ("no grasp", False, None, None),
    ]  # fmt: skip
    columns = ["outcome", "success", "value", "pose"]
    same = {"policy": "base_quat_sync", "object": "o", "presentation": 0, "reason": "r"}
    return pd.DataFrame([dict(zip(columns, r, strict=True)) | same for r in rows])


def test_examples_are_the_highest_valued_of_their_kind() -> None:
    chosen = choose_examples(records())
    corner, slip, success = (chosen[k] for k in ("failure to the corner", "slippage", "success"))
    assert corner is not None and corner["outcome"] == "missed" and corner["value"] == 2.0
    assert slip is not None and slip["outcome"] == "dropped"
    assert success is not None and success["outcome"] == "success"
    two = pd.concat([records(), records().assign(policy="dgrasp_quat_sync", value=lambda t: t["value"] / 10)])
    chosen = choose_examples(two.iloc[[0, 1, 8, 6]].assign(success=False))["failure to the corner"]
    assert chosen is not None and chosen["policy"] == "base_quat_sync", (
        "the first of its own two values, of two policies"
    )
    only_success = choose_examples(records().iloc[[4]])
    assert only_success["slippage"] is None and only_success["failure to the corner"] is None


def test_an_edge_is_called_an_edge_and_what_moved_comes_first() -> None:
    at_edge = [float(BOUNDS_HIGH[0]), 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    trials = records().iloc[[0, 2]].copy()
    trials["pose"] = [at_edge, at_edge]
    trials["outcome"], trials["value"] = ["missed", "refused"], [1.0, 5.0]
    chosen = choose_examples(trials)
    assert "failure to the corner" not in chosen
    edge = chosen["failure to the edge"]
    assert edge is not None and edge["outcome"] == "missed", "a refused pose is shown only where nothing else is"
    assert is_at_edge(*at_edge[:2]) and not is_at_edge(0.2, 0.0)


def test_a_kind_that_did_not_happen_says_so() -> None:
    frames = (("home", np.zeros((4, 4, 3), np.uint8)),)
    examples = [Example("slippage", None), Example("success", records().iloc[4].to_dict(), frames)]
    figure, axes = plt.subplots(2, 2)
    plot_examples(axes, examples, trials=7)
    assert "none among 7 trials" in axes[0][0].texts[0].get_text()
    title = axes[1][0].get_title("left")
    assert title == "success: o\nBase (quaternion, synchronous)" and axes[1][0].texts[0].get_text() == "home"
    assert axes[1][1].texts[0].get_text() == "the end:\nr", "a row that is not full says how it ended"
    table = examples_table(examples)
    assert table["shown"].tolist() == ["slippage", "success"] and table["outcome"].tolist()[1] == "success"
    plt.close(figure)


def test_the_title_of_figure_7_names_what_is_shown() -> None:
    """An edge where no pose went to a corner, and nothing that did not happen."""
    record = records().iloc[4].to_dict()
    said = how_they_end([Example("failure to the edge", record), Example("slippage", None), Example("success", record)])
    assert said["ways"] == "failure to the edge; slippage (none); success"
    facts = {**said, "trials": 9, "starts": 3, "shown": 2, "networks": "none"}
    title = "Outcomes of trials in the twin, by example: failure to the edge, success"
    assert caption("fig07", facts)["title"] == title
    assert how_they_end([Example("slippage", None)])["outcomes"] == "none"


def test_looks_of_ycb_objects_are_read_from_the_attempts():
    attempts = pd.DataFrame({"models": ["crochet_ball: made of convex parts", "056_tennis_ball: textured folder"]})
    assert ycb_appearance(attempts) == "textured folder"
    assert ycb_appearance(attempts.iloc[:1]) == ""
