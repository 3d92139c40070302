"""Tables 1 and 2: ours beside the paper's, joined by policy and task, never mixed."""

from __future__ import annotations

import pandas as pd

from dgrasp.report.paper import paper_rate, paper_values

COLUMNS = ["policy", "task", "successes", "n", "rate", "low", "high", "paper", "difference"]


def table_1(rates: pd.DataFrame) -> pd.DataFrame:
    """Rows (policy, task, successes, n, rate, low, high, paper, difference) from `evaluation.success_rates`.

    The predecessor's policy, which only the paper reports, leads with empty columns of ours.
    """
    reported = paper_values()["tab01"]["base_reported"]
    first = pd.DataFrame({"policy": "base_reported", "task": [t for t in reported if t in set(rates["task"])]})
    rows = pd.concat([first, rates], ignore_index=True)
    rows["paper"] = [paper_rate("tab01", p, t) for p, t in zip(rows["policy"], rows["task"], strict=True)]
    rows["paper"] = rows["paper"].astype(float)
    rows["difference"] = rows["rate"] - rows["paper"]
    return rows[COLUMNS]


def table_2() -> pd.DataFrame:
    """The paper's real-robot rates; our columns are empty: they can only come from a log of real trials."""
    policies = ["base_reported", *paper_values()["tab02"]["rates"]]
    rows = pd.DataFrame({"policy": policies, "task": "real"})
    rows["paper"] = [paper_rate("tab02", policy, "real") for policy in policies]
    for column in ("successes", "n", "rate", "low", "high", "difference"):
        rows[column] = float("nan")
    return rows[COLUMNS]


def printable(rows: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """One line per policy; per task our rate with interval and n, and the paper's rate."""
    lines = []
    for policy in dict.fromkeys(rows["policy"]):
        line = {"policy": policy}
        for task in tasks:
            match = rows[(rows["policy"] == policy) & (rows["task"] == task)]
            line[task] = _ours(match.iloc[0]) if len(match) else "-"
            line[f"{task} (paper)"] = _number(match.iloc[0]["paper"]) if len(match) else "-"
        lines.append(line)
    return pd.DataFrame(lines)


def _ours(row: pd.Series) -> str:
    if pd.isna(row["n"]):
        return "not run"
    return f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}] of {int(row['n'])}"


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3g}"
