"""Tables 1 and 2: ours beside the paper's, joined by policy and task, never mixed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dgrasp.evaluation.over_seeds import pool_seeds
from dgrasp.evaluation.statistics import check_confidence, with_rates
from dgrasp.report.names import policy_label, task_label, training_label
from dgrasp.report.tables.paper import paper_rate, paper_values
from dgrasp.robot.log import TrialLog, read_log

COLUMNS = ["policy", "task", "successes", "n", "rate", "low", "high", "paper", "difference"]
COLUMNS_1 = [*COLUMNS, "seed", "training"]
PAPERS_TRAINING = "simple"  # Sec. 4.1; `dgrasp.experiment.choices.training_set` calls the whole set so, and no other
AVERAGED = ("simple", "clutter", "novel")  # the tasks of the paper's column "average"


def table_1(rates: pd.DataFrame, training: str) -> pd.DataFrame:
    """Table 1, one row per policy, task and training seed: columns `COLUMNS_1`, from `rates_by_seed`.

    The predecessor's policy, which only the paper reports, leads with empty columns of ours. training: what networks
    learned from (`dgrasp.experiment.choices.training_set`); only where that is the paper's set is there a `difference`,
    ours minus the paper's. Where the paper has no such task, its columns are empty.
    """
    reported = paper_values()["tab01"]["base_reported"]
    first = pd.DataFrame({"policy": "base_reported", "task": [t for t in reported if t in set(rates["task"])]})
    rows = pd.concat([first, rates], ignore_index=True)
    rows["paper"] = [paper_rate("tab01", p, t) for p, t in zip(rows["policy"], rows["task"], strict=True)]
    rows["paper"] = rows["paper"].astype(float)
    rows["difference"] = (rows["rate"] - rows["paper"]) if training == PAPERS_TRAINING else float("nan")
    rows["seed"] = rows["seed"].astype("Int64")
    return rows.assign(training=training)[COLUMNS_1]


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of Table 1 with all seeds of a policy and task together (`pool_seeds`), and the paper's rate beside.

    Columns: policy, task, successes, n, rate, low, high, seeds, mean, spread, least, most, paper, difference.
    """
    ours = rows[rows["n"].notna()]
    paper = rows.drop_duplicates(["policy", "task"])[["policy", "task", "paper"]]
    table = paper.merge(pool_seeds(ours), how="left", on=["policy", "task"])
    compared = bool(rows["difference"].notna().any())
    return table.assign(difference=table["rate"] - table["paper"] if compared else float("nan"))


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """Per policy the mean of the three tasks of the paper's column "average": ours and the paper's; empty without all.

    table: of `over_seeds`.
    """
    three = table[table["task"].isin(AVERAGED)].groupby("policy", sort=False)
    means = three[["rate", "paper"]].mean()
    return means.where(three[["rate", "paper"]].count() == len(AVERAGED)).reset_index()


Logs = str | os.PathLike[str] | Iterable[Path]  # a single path stands for itself
TABLE_2_BACKENDS = ("twin", "hardware")  # those that have rows of their own; a replay or loopback is no result


def table_2(logs: Logs = (), confidence: float = 0.95, *, other_seeds: Iterable[Logs] = ()) -> pd.DataFrame:
    """Rows (policy, task, backend, planned, unjudged, successes, n, rate, low, high, paper, difference) from logs.

    logs: paths, or the path of one. confidence: level of the intervals, above 0 and below 1.

    Rows of backend "hardware" are filled from logs whose header says so, and from nothing else; without one they stay
    empty. `planned` counts the trials of the logs' protocols, `n` those with a verdict: a series cut short shows.
    `unjudged` counts grasps that were begun and never got one, since their trials were repeated. The difference is the
    hardware's, which alone compares with the paper. other_seeds: logs of the same policies' other training seeds, whose
    trials count with them; networks must be the same within a seed alone. Raises ValueError for another confidence, a
    log of another backend or one given twice, LogError for one that was changed or that judges a trial twice.
    """
    check_confidence(confidence)
    seeds = (logs, other_seeds) if isinstance(other_seeds, str | os.PathLike) else (logs, *other_seeds)
    ours = _trial_rates(_read_logs(*map(_paths, seeds)), confidence)
    policies = dict.fromkeys(["base_reported", *paper_values()["tab02"]["rates"], *ours["policy"]])
    pairs = [(policy, "real", backend) for backend in TABLE_2_BACKENDS for policy in policies]
    rows = pd.DataFrame(pairs, columns=["policy", "task", "backend"])
    rows = rows.merge(ours, how="left", on=["policy", "backend"])
    rows["paper"] = [paper_rate("tab02", policy, "real") for policy in rows["policy"]]
    rows["paper"] = rows["paper"].astype(float)
    rows["difference"] = (rows["rate"] - rows["paper"]).where(rows["backend"] == "hardware")
    return rows[[*COLUMNS[:2], "backend", "planned", "unjudged", *COLUMNS[2:]]]


def _paths(logs: Logs) -> list[Path]:
    return [Path(logs)] if isinstance(logs, str | os.PathLike) else list(logs)


def _read_logs(*seeds: Iterable[Path]) -> list[TrialLog]:
    """The logs of each training seed, which must be of one experiment, and no log twice."""
    logs: dict[str, TrialLog] = {}
    for paths in seeds:
        _check_one_experiment([_read_new(path, logs) for path in paths])
    return list(logs.values())


def _read_new(path: Path, logs: dict[str, TrialLog]) -> TrialLog:
    """Add a log to those that have been read, by its beginning."""
    log = read_log(path)
    if log.backend not in TABLE_2_BACKENDS:
        raise ValueError(f"{path}: a log of backend {log.backend!r} has no place in Table 2; {log.banner}")
    if log.header.get("dry_run"):
        raise ValueError(f"{path}: a rehearsal (dry run) has no place in Table 2, it has no verdicts")
    begun = log.header["chain"]  # of protocol, devices and time of the start
    if begun in logs:
        raise ValueError(f"{path}: the same series as {logs[begun].path}, its trials would count twice")
    logs[begun] = log
    return log


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
    """Table 1 as it is printed: one line per policy; per task and on average our rate, and the paper's.

    Ours has its interval and n, and with several training seeds the spread between them; beside the paper's stands by
    how much ours is higher. The best of each column is marked "*"; base_reported competes in the paper's columns.
    """
    table, names = over_seeds(rows), [task for task in tasks if task in set(rows["task"])]
    average = averages(table).set_index("policy")
    best = table.groupby("task")[["rate", "paper"]].max()
    lines = []
    for policy, group in table.groupby("policy", sort=False):
        line, of_task = {"policy": str(policy)}, group.set_index("task")
        for task in names:
            row = of_task.loc[task] if task in of_task.index else None
            line[task] = "-" if row is None else _marked(_ours(row), row["rate"], best.loc[task, "rate"])
            paper = "-" if row is None else _marked(_paper(row), row["paper"], best.loc[task, "paper"])
            line[f"{task} (paper)"] = paper
        if policy in average.index:
            for title, kind in (("average", "rate"), ("average (paper)", "paper")):
                value = average.loc[policy, kind]
                line[title] = _marked(_number(value), value, average[kind].max())
        lines.append(line)
    shown = pd.DataFrame(lines).fillna("-")
    empty = [f"{task} (paper)" for task in names if pd.isna(best.loc[task, "paper"])]
    return shown.drop(columns=empty)


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 1 in short: one line per policy that was run, our rate and interval, and the paper's in brackets."""
    table, lines = over_seeds(rows), []
    for policy, group in table[table["n"].notna()].groupby("policy", sort=False):
        line = {"policy": str(policy)}
        for row in group.to_dict("records"):
            beside = "" if pd.isna(row["paper"]) else f" ({_number(row['paper'])})"
            line[row["task"]] = f"{row['rate']:.3f}{_spread(row)} [{row['low']:.2f}, {row['high']:.2f}]{beside}"
        lines.append(line)
    return pd.DataFrame(lines)


def with_labels(printed: pd.DataFrame) -> pd.DataFrame:
    """A printable table with policies and tasks as people say them."""
    named = printed.rename(columns=lambda name: _with_task_label(str(name)))
    return named.assign(policy=[policy_label(str(policy)) for policy in printed["policy"]])


def _with_task_label(column: str) -> str:
    task, space, rest = column.partition(" ")
    return task_label(task) + space + rest


def what_is_behind(rows: pd.DataFrame, spread: bool = True) -> str:
    """What stands behind Table 1, as the beginning of its caption: training set and training seeds.

    spread: whether rates are printed with the standard deviation between seeds.
    """
    seeds = sorted(set(rows["seed"].dropna().astype(int)))
    one = f"one training seed ({seeds[0]})" if len(seeds) == 1 else ""
    printed = "; rate ± standard deviation between seeds" if spread else ""
    several = f"{len(seeds)} training seeds ({', '.join(map(str, seeds))}{printed})"
    (training,) = set(rows["training"])
    as_paper = ", as in the paper (scenes are ours)" if training == PAPERS_TRAINING else ""
    return f"Trained on {training_label(training)}{as_paper}, {one or several}"


def _ours(row: pd.Series) -> str:
    if pd.isna(row["n"]):
        return "not run"
    return f"{row['rate']:.3f}{_spread(row)} [{row['low']:.2f}, {row['high']:.2f}] of {int(row['n'])}"


def _spread(row: Any) -> str:
    spread = row["spread"] if "spread" in row else float("nan")
    return "" if pd.isna(spread) else f" ± {spread:.3f}"


def _paper(row: pd.Series) -> str:
    difference = "" if pd.isna(row["difference"]) else f" ({row['difference']:+.3f})"
    return _number(row["paper"]) + difference


def _marked(text: str, value: float, best: float) -> str:
    return f"{text} *" if pd.notna(value) and value == best else text


def _ours_of_planned(row: pd.Series) -> str:
    incomplete = pd.notna(row["planned"]) and row["n"] != row["planned"]
    planned = f", of {int(row['planned'])} planned" if incomplete else ""
    return _ours(row) + planned + (f", {int(row['unjudged'])} not judged" if row["unjudged"] > 0 else "")


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"
