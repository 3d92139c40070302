"""The data card: what a folder of demonstrations contains, computed from its files and written beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dgrasp.data import layout
from dgrasp.data.statistics import attempts_table, objects_table, poses_table
from dgrasp.files import write_text
from dgrasp.runs import Run


def write_card(run: Run) -> dict[str, Any]:
    """Write `data_card.md` into the run's folder; returns the plain counts for its summary."""
    files = layout.read_manifest(run.path)["files"]
    attempts = attempts_table(run.path)
    summary = {
        "scenes": len(files),
        "demonstrations": sum(entry["demonstrations"] for entry in files.values()),
        "attempts": len(attempts),
        "outcomes": {str(k): int(n) for k, n in attempts["outcome"].value_counts().sort_index().items()},
    }
    write_text(run.path / "data_card.md", _card(run, summary, attempts))
    return summary


def _card(run: Run, summary: dict[str, Any], attempts: pd.DataFrame) -> str:
    config = run.recipe.model_dump(mode="json")
    data, oracle = config["data"], config["data"]["oracle"]
    objects, poses = objects_table(run.path), poses_table(run.path)
    lifted = attempts[attempts["outcome"] == "success"]
    per_split = lifted.groupby("split").agg(scenes=("scene", "nunique"), demonstrations=("scene", "size"))
    kinds = objects.groupby("kind").agg(
        objects=("kind", "size"),
        width=("width", _span),
        length=("length", _span),
        height=("height", _span),
        mass=("mass", _grams),
    )
    named = attempts.assign(reason=[_general(reason, objects["kind"].unique()) for reason in attempts["reason"]])
    reasons = named.groupby(["outcome", "reason"]).size().rename("attempts")
    steps = poses.groupby(["split", "scene", "stage"]).size()
    start, every = poses[poses["step"] == 0], poses
    sections = {
        "Demonstrations": per_split.reset_index(),
        "Objects of the initial scenes (sizes in mm, masses in g)": kinds.reset_index(),
        "Attempts of the oracle": reasons.reset_index(),
        "TCP poses (m, rad)": pd.DataFrame(
            {
                "quantity": ["poses per trajectory", "start height", "start tilt", "start turn to the grasp", "x", "y"],
                "least": [steps.min(), *(start[c].min() for c in _STARTS), every["x"].min(), every["y"].min()],
                "mean": [steps.mean(), *(start[c].mean() for c in _STARTS), every["x"].mean(), every["y"].mean()],
                "most": [steps.max(), *(start[c].max() for c in _STARTS), every["x"].max(), every["y"].max()],
            }
        ).round(3),
    }
    head = (
        f"# Data card\n\nTask `{data['task']}`, seed {run.seed}, layout version {layout.VERSION}. "
        f"{data['views']} views of {data['width']}x{data['height']} pixels, the first {data['policy_views']} for the "
        f"value function ({data['policy_viewpoints']} viewpoints). Poses recorded at {oracle['rate']:g} Hz. "
        f"Only grasps that lifted their object are demonstrations: "
        f"{summary['demonstrations']} of {summary['attempts']} attempts.\n"
    )
    return head + "".join(f"\n## {title}\n\n{markdown_table(frame)}" for title, frame in sections.items())


_STARTS = ("height", "tilt", "turn_to_grasp")


def _span(values: pd.Series) -> str:
    return f"{1000 * values.min():.0f} to {1000 * values.max():.0f}"


_grams = _span  # kilograms to grams, as metres to millimetres


def _general(reason: str, kinds: Iterable[str]) -> str:
    """A reason without names and numbers, so that equal reasons are counted together."""
    for kind in kinds:
        reason = re.sub(rf"(?:\b(?:the|a|an) )?(?:\w+ )?\b{re.escape(kind)} \d+", "an object", reason)
    return re.sub(r"\d+ (N|mm)", r"some \1", reason)


def markdown_table(frame: pd.DataFrame) -> str:
    """A Markdown table."""
    rows = [list(map(str, frame.columns)), ["---"] * len(frame.columns), *frame.astype(str).to_numpy().tolist()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
