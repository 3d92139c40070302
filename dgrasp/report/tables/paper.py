"""The paper's printed numbers, read from `paper_values.yaml`; never mixed with ours."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from dgrasp.files import parse_yaml

VALUES = "paper_values.yaml"


@cache
def paper_values() -> dict[str, Any]:
    """Everything in `paper_values.yaml`."""
    values: dict[str, Any] = parse_yaml(files("dgrasp.report.tables").joinpath(VALUES).read_bytes(), VALUES)
    return values


def paper_rate(table: str, policy: str, task: str) -> float | None:
    """Success rate the paper prints for a policy on a task, or None where it has none (our controls)."""
    values = paper_values()[table]
    rates = {"base_reported": values["base_reported"], **values["rates"]}
    return rates.get(policy, {}).get(task)
