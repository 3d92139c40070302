"""What this companion does otherwise than the paper: tables of `dgrasp/experiment/choices.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any

import pandas as pd

from dgrasp.experiment.choices import compare_choices, paper_choices
from dgrasp.experiment.profiles import Profile
from dgrasp.report.site.markdown import table

GROUPS = {
    "data": "Demonstrations",
    "nerf": "The radiance field Φ",
    "value": "The value function Ψ",
    "optimizer": "The climb",
    "tuning": "Studies",
    "validation": "Studies",
    "evaluation": "Table 1",
}
SOURCES = {"paper": "the paper", "code": "the authors' code", "predecessor": "the predecessor's paper"}
REASONS_OF = "laptop"  # the list gives the reasons of this profile alone
OURS = "set by profile {}"  # where it gives none


def differences(profile: Profile, tried: Collection[str] = ()) -> dict[str, str]:
    """Pieces of the page: `counts`, `different`, `same`, `not_copied`. tried: questions whose rows are published."""
    every = compare_choices(profile)
    different, same = every[~every["same"]], every[every["same"]]
    counts = (
        f"Of {len(every)} choices that the paper or its authors' code made, the experiment on this site (profile "
        f"`{profile.name}`) shares {len(same)} and does otherwise in {len(different)}.\n"
    )
    return {
        "counts": counts,
        "different": _by_group(different, lambda rows: _different(rows, profile.name, tried)),
        "same": _by_group(same, _same),
        "not_copied": _not_copied(),
    }


def _by_group(rows: pd.DataFrame, show: Callable[[pd.DataFrame], pd.DataFrame]) -> str:
    group = rows["key"].str.partition(".")[0].map(lambda name: GROUPS.get(name, name))
    parts = [f"### {title}\n\n{table(show(some))}" for title, some in rows.groupby(group, sort=False)]
    return "\n".join(parts) or "None.\n"


def _different(rows: pd.DataFrame, profile: str, tried: Collection[str]) -> pd.DataFrame:
    why = [_why(row, profile, tried) for row in rows.to_dict("records")]
    return pd.DataFrame({"setting": _code(rows["key"]), **_theirs(rows), "here": _code(rows["ours"]), "why": why})


def _why(row: dict[Hashable, Any], profile: str, tried: Collection[str]) -> str:
    if not row["why"] or profile != REASONS_OF:
        return OURS.format(profile)
    parts = [str(row["why"])]
    for name, form in ((row["row"], "compared by row `{}`"), (row["near"], "row `{}` varies it, between other values")):
        if isinstance(name, str):
            parts.append(form.format(name) + ("" if name in tried else " (not run yet)"))
    parts += [f"measured: {row['measured']}"] if row["measured"] else []
    return "; ".join(parts if len(parts) > 1 else [*parts, "not measured"])


def _same(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"setting": _code(rows["key"]), **_theirs(rows)})


def _theirs(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The paper's value, and where it stands."""
    return {"paper": _code(rows["published"]), "where it stands": _sources(rows)}


def _sources(rows: pd.DataFrame) -> list[str]:
    return [
        f"{SOURCES[source]}{f' ({place})' if place else ''}"
        for source, place in zip(rows["source"], rows["place"], strict=True)
    ]


def _code(values: pd.Series) -> list[str]:
    return [f"`{'none' if value is None else value}`" for value in values]


def _not_copied() -> str:
    lines = [
        f"- {entry.what}" + (f" (`{entry.option}` brings it back)" if entry.option else "")
        for entry in paper_choices().not_copied
    ]
    return "\n".join(lines) + "\n"
