import pandas as pd
import pytest

from dgrasp.report.tables.success import COLUMNS_1, averages, headline, over_seeds, printable, table_1, what_is_behind


def rates(seeds=(0,), tasks=("clutter",)):
    """Base lifts 30 of 50 and dGrasp 45, and two more with each further seed."""
    columns = ["policy", "task", "successes", "n", "rate", "low", "high", "seed"]
    rows = []
    for k, seed in enumerate(seeds):
        for task in tasks:
            base = ("base_quat_seq", task, 30, 50, 0.6, 0.46, 0.72, seed)
            rows += [base, ("dgrasp_6d_seq", task, 45 + 2 * k, 50, 0.9 + 0.04 * k, 0.79, 0.96, seed)]
    return pd.DataFrame(rows, columns=columns)


def test_ours_stand_beside_the_papers_and_the_difference_is_theirs():
    rows = table_1(rates(), "simple")
    assert list(rows.columns) == COLUMNS_1
    row = rows.set_index("policy").loc["dgrasp_6d_seq"]
    assert (row["paper"], row["rate"]) == (0.8, 0.9)
    assert row["difference"] == pytest.approx(0.1)


def test_the_reported_baseline_has_no_columns_of_ours():
    row = table_1(rates(), "simple").set_index("policy").loc["base_reported"]
    assert row["paper"] == 0.58
    assert row[["successes", "n", "rate", "difference"]].isna().all()


def test_printable_says_not_run_instead_of_a_number():
    lines = printable(table_1(rates(), "simple"), ["clutter"]).set_index("policy")
    assert lines.loc["base_reported", "clutter"] == "not run"
    assert lines.loc["dgrasp_6d_seq", "clutter"] == "0.900 [0.79, 0.96] of 50 *"
    assert lines.loc["dgrasp_6d_seq", "clutter (paper)"] == "0.800 (+0.100) *"
    assert "average" not in lines.columns or (lines["average"] == "-").all(), "one task is no average of three"


def test_another_training_set_is_not_compared_with_the_papers_numbers():
    rows = table_1(rates(), "printed, 512 scenes")
    assert rows["difference"].isna().all() and set(rows["training"]) == {"printed, 512 scenes"}
    assert printable(rows, ["clutter"]).set_index("policy").loc["dgrasp_6d_seq", "clutter (paper)"] == "0.800 *"
    assert what_is_behind(rows) == "Trained on printed, 512 scenes, one training seed (0)"


def test_several_seeds_have_rows_of_their_own_and_are_printed_with_their_spread():
    rows = table_1(rates((0, 1, 2)), "simple")
    assert rows["seed"].dropna().tolist() == [0, 0, 1, 1, 2, 2]
    pooled = over_seeds(rows).set_index("policy").loc["dgrasp_6d_seq"]
    assert (pooled["successes"], pooled["n"], pooled["seeds"]) == (45 + 47 + 49, 150, 3)
    assert (pooled["mean"], pooled["spread"]) == (pytest.approx(0.94), pytest.approx(0.04))
    line = printable(rows, ["clutter"]).set_index("policy").loc["dgrasp_6d_seq", "clutter"]
    assert line.startswith("0.940 ± 0.040 [0.89, 0.97] of 150")
    assert headline(rows).set_index("policy").loc["base_quat_seq", "clutter"].startswith("0.600 ± 0.000 [")
    assert (
        "Trained on the simple task alone, as in the paper (scenes are ours), 3 training seeds (0, 1, 2;"
        in what_is_behind(rows)
    )


def test_the_average_is_of_the_paper_s_three_tasks_and_the_best_is_marked():
    rows = table_1(rates(tasks=("simple", "clutter", "novel", "unseen")), "simple")
    table = printable(rows, ["simple", "clutter", "novel", "unseen"]).set_index("policy")
    assert table.loc["base_reported", "average (paper)"] == "0.633"  # as the paper prints it
    assert table.loc["dgrasp_6d_seq", "average (paper)"] == "0.688 *"
    assert (table.loc["base_quat_seq", "average"], table.loc["dgrasp_6d_seq", "average"]) == ("0.600", "0.900 *")
    assert table.loc["base_reported", "novel (paper)"] == "0.440 *"
    assert "unseen" in table.columns and "unseen (paper)" not in table.columns
    assert averages(over_seeds(table_1(rates(), "simple"))).dropna().empty
