"""Tables 1 and 2: ours beside the paper's, joined by policy and task, never mixed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dgrasp.evaluation.statistics import with_rates
from dgrasp.report.tables.paper import paper_rate, paper_values
from dgrasp.robot.log import TrialLog, read_log

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


TABLE_2_BACKENDS = ("twin", "hardware")  # those that have rows of their own; a replay or loopback is no result


def table_2(logs: Iterable[Path] = (), confidence: float = 0.95) -> pd.DataFrame:
    """Rows (policy, task, backend, planned, unjudged, successes, n, rate, low, high, paper, difference) from logs.

    Rows of backend "hardware" are filled from logs whose header says so, and from nothing else; without one they stay
    empty. `planned` counts the trials of the logs' protocols, `n` those with a verdict: a series cut short shows.
    `unjudged` counts grasps that were begun and never got one, since their trials were repeated. The difference is the
    hardware's, which alone compares with the paper. Raises ValueError for a log of another backend or
    one given twice, LogError for one that was changed or that judges a trial twice.
    """
    ours = _trial_rates(_read_logs(logs), confidence)
    policies = dict.fromkeys(["base_reported", *paper_values()["tab02"]["rates"], *ours["policy"]])
    pairs = [(policy, "real", backend) for backend in TABLE_2_BACKENDS for policy in policies]
    rows = pd.DataFrame(pairs, columns=["policy", "task", "backend"])
    rows = rows.merge(ours, how="left", on=["policy", "backend"])
    rows["paper"] = [paper_rate("tab02", policy, "real") for policy in rows["policy"]]
    rows["paper"] = rows["paper"].astype(float)
    rows["difference"] = (rows["rate"] - rows["paper"]).where(rows["backend"] == "hardware")
    return rows[[*COLUMNS[:2], "backend", "planned", "unjudged", *COLUMNS[2:]]]


def _read_logs(paths: Iterable[Path]) -> list[TrialLog]:
    logs: dict[str, TrialLog] = {}
    for path in paths:
        log = read_log(path)
        if log.backend not in TABLE_2_BACKENDS:
            raise ValueError(f"{path}: a log of backend {log.backend!r} has no place in Table 2; {log.banner}")
        if log.header.get("dry_run"):
            raise ValueError(f"{path}: a rehearsal (dry run) has no place in Table 2, it has no verdicts")
        begun = log.header["chain"]  # of protocol, devices and time of the start
        if begun in logs:
            raise ValueError(f"{path}: the same series as {logs[begun].path}, its trials would count twice")
        logs[begun] = log
    _check_one_experiment(list(logs.values()))
    return list(logs.values())


def _check_one_experiment(logs: list[TrialLog]) -> None:
    """Trials of a policy add up where the same networks acted under the same settings; ValueError says what differs."""
    first: dict[tuple[str, str], TrialLog] = {}
    for log in logs:
        for policy in log.planned:
            other = first.setdefault((log.backend, policy), log)
            for name in ("runs", "settings"):
                if _of(policy, log, name) != _of(policy, other, name):
                    raise ValueError(
                        f"{log.path}: {policy} acted with other {name} than in {other.path}, so that their trials do "
                        "not add up; keep first trials and other experiments in folders of their own"
                    )


def _of(policy: str, log: TrialLog, name: str) -> Any:
    """What a header says under a name, of the optimizers' settings only the policy's."""
    said = log.header.get(name)
    if name == "settings" and said and "optimizers" in said:
        return {**said, "optimizers": said["optimizers"].get(policy)}
    return said


def _trial_rates(logs: list[TrialLog], confidence: float) -> pd.DataFrame:
    """Planned trials, and successes of those with a verdict, per policy and backend; no rate where none has one."""
    keys, counted = ["policy", "backend"], ["planned", "unjudged"]
    planned = pd.DataFrame(
        [(name, log.backend, count, log.unjudged[name]) for log in logs for name, count in log.planned.items()],
        columns=[*keys, *counted],
    )
    planned = planned.astype(dict.fromkeys(counted, float)).groupby(keys, sort=False, as_index=False)[counted].sum()
    rates = ["successes", "n", "rate", "low", "high"]
    judged = [log.judged.assign(backend=log.backend) for log in logs if len(log.judged)]
    if not judged:
        return planned.assign(**dict.fromkeys(rates, float("nan")))
    groups = pd.concat(judged).astype({"success": bool}).groupby(keys)["success"]
    counts = with_rates(groups.agg(successes="sum", n="size").astype(int).reset_index(), confidence)
    return planned.merge(counts[[*keys, *rates]], how="outer", on=keys)


def printable_2(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 2 as it is printed: one line per policy, a column per backend, and the paper's rate.

    Where fewer trials have a verdict than were planned, the number planned stands beside; so does that of grasps begun
    and never judged.
    """
    lines = []
    for policy, group in rows.groupby("policy", sort=False):
        ours = {row["backend"]: _ours_of_planned(row) for _, row in group.iterrows()}
        lines.append({"policy": policy, **ours, "paper": _number(group["paper"].iloc[0])})
    return pd.DataFrame(lines)


def printable(rows: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """One line per policy; per task our rate with interval and n, and the paper's rate (by how much ours is higher)."""
    lines = []
    for policy in dict.fromkeys(rows["policy"]):
        line = {"policy": policy}
        for task in tasks:
            match = rows[(rows["policy"] == policy) & (rows["task"] == task)]
            line[task] = _ours(match.iloc[0]) if len(match) else "-"
            line[f"{task} (paper)"] = _paper(match.iloc[0]) if len(match) else "-"
        lines.append(line)
    return pd.DataFrame(lines)


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 1 in short: one line per policy that was run, our rate and interval, and the paper's in brackets."""
    lines = []
    for policy in dict.fromkeys(rows.loc[rows["n"].notna(), "policy"]):
        line = {"policy": str(policy)}
        for row in rows[rows["policy"] == policy].to_dict("records"):
            line[row["task"]] = f"{row['rate']:.3f} [{row['low']:.2f}, {row['high']:.2f}] ({_number(row['paper'])})"
        lines.append(line)
    return pd.DataFrame(lines)


def _ours(row: pd.Series) -> str:
    if pd.isna(row["n"]):
        return "not run"
    return f"{row['rate']:.3f} [{row['low']:.2f}, {row['high']:.2f}] of {int(row['n'])}"


def _paper(row: pd.Series) -> str:
    difference = "" if pd.isna(row["difference"]) else f" ({row['difference']:+.3f})"
    return _number(row["paper"]) + difference


def _ours_of_planned(row: pd.Series) -> str:
    incomplete = pd.notna(row["planned"]) and row["n"] != row["planned"]
    planned = f", of {int(row['planned'])} planned" if incomplete else ""
    return _ours(row) + planned + (f", {int(row['unjudged'])} not judged" if row["unjudged"] > 0 else "")


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"
