"""The data card: what a folder of demonstrations contains, computed from its files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from dgrasp.data import layout
from dgrasp.files import write_text


def write_card(folder: Path, config: dict[str, Any], seed: int) -> dict[str, Any]:
    """Write `data_card.md` into the folder; returns its plain counts."""
    manifest = layout.read_manifest(folder)
    records = {
        name: layout.load_scene(folder / "scenes" / name, e["sha256"]) for name, e in sorted(manifest["files"].items())
    }
    summary = summarize(records)
    write_text(folder / "data_card.md", _markdown(summary, records, config, seed))
    return summary


def summarize(records: dict[str, layout.SceneRecord]) -> dict[str, Any]:
    """Counts over all scene files."""
    attempts = [a for r in records.values() for a in r.record["attempts"]]
    outcomes = Counter(a["outcome"] for a in attempts)
    return {
        "scenes": len(records),
        "demonstrations": sum(r.demonstrations for r in records.values()),
        "attempts": len(attempts),
        "outcomes": dict(sorted(outcomes.items())),
    }


def _markdown(
    summary: dict[str, Any], records: dict[str, layout.SceneRecord], config: dict[str, Any], seed: int
) -> str:
    lines = ["# Data card", "", f"Layout version {layout.VERSION}, seed {seed}, task {config['data']['task']!r}.", ""]
    lines += [f"- {key}: {summary[key]}" for key in ("scenes", "demonstrations", "attempts")]
    lines += [f"- outcome {name}: {n}" for name, n in summary["outcomes"].items()]
    steps = [len(t) for r in records.values() for t in r.trajectories]
    if steps:
        lines.append(f"- poses per trajectory: {min(steps)} to {max(steps)}, mean {np.mean(steps):.1f}")
    return "\n".join(lines) + "\n"
