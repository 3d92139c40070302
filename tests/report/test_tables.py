import pandas as pd
import pytest

from dgrasp.report.tables.success import COLUMNS, printable, table_1


def rates():
    columns = ["policy", "task", "successes", "n", "rate", "low", "high"]
    base = ("base_quat_seq", "clutter", 30, 50, 0.6, 0.46, 0.72)
    dgrasp = ("dgrasp_6d_seq", "clutter", 45, 50, 0.9, 0.79, 0.96)
    return pd.DataFrame([base, dgrasp], columns=columns)


def test_ours_stand_beside_the_papers_and_the_difference_is_theirs():
    rows = table_1(rates())
    assert list(rows.columns) == COLUMNS
    row = rows.set_index("policy").loc["dgrasp_6d_seq"]
    assert (row["paper"], row["rate"]) == (0.8, 0.9)
    assert row["difference"] == pytest.approx(0.1)


def test_the_reported_baseline_has_no_columns_of_ours():
    row = table_1(rates()).set_index("policy").loc["base_reported"]
    assert row["paper"] == 0.58
    assert row[["successes", "n", "rate", "difference"]].isna().all()


def test_printable_says_not_run_instead_of_a_number():
    lines = printable(table_1(rates()), ["clutter"]).set_index("policy")
    assert lines.loc["base_reported", "clutter"] == "not run"
    assert lines.loc["dgrasp_6d_seq", "clutter"] == "0.900 [0.79, 0.96] of 50"
    assert lines.loc["dgrasp_6d_seq", "clutter (paper)"] == "0.800 (+0.100)"
