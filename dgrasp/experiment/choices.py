"""The paper's own choices, one definition: the preset `as_published`, and where a profile does otherwise and why.

The list is `choices.yaml` beside this file. A profile takes all of them with `preset: as_published`, and may set
single keys differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from dgrasp.config import Config
from dgrasp.files import parse_yaml

PRESETS = ("as_published",)
PAPERS_SET = "simple"
NOTHING = "-"  # in place of a setting that a profile does not have


class Departure(Config):
    """Why profile `laptop` does not do as the paper did."""

    why: str
    row: str | None = Field(
        description="question of the ablations that has the paper's value and ours as arms; null: none has"
    )
    near: str | None = Field(
        default=None, description="question that varies it, but not between these two values; null: none does"
    )
    measured: str = Field(default="", description="where else both were compared, and how that came out")


class Choice(Config):
    """One setting as the paper had it."""

    key: str = Field(pattern=r"^\w+(\.\w+)+$", description="of a profile, with dots")
    published: Any
    source: Literal["paper", "code", "predecessor"]
    place: str = Field(default="", description="section, or what else tells where it is from")
    laptop: Departure | None = None


class NotCopied(Config):
    """What the authors' code does by mistake."""

    what: str
    source: Literal["code"]
    option: str | None = Field(default=None, description="setting that brings it back")


class Choices(Config):
    """The whole list."""

    choices: tuple[Choice, ...]
    not_copied: tuple[NotCopied, ...]


@cache
def paper_choices() -> Choices:
    """The list, as it was read and checked."""
    source = files("dgrasp.experiment").joinpath("choices.yaml")
    return Choices.model_validate(parse_yaml(source.read_bytes(), "choices.yaml"))


def as_published() -> dict[str, Any]:
    """The preset: settings of a profile, nested as in its YAML file."""
    preset: dict[str, Any] = {}
    for choice in paper_choices().choices:
        *groups, name = choice.key.split(".")
        place = preset
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = choice.published
    return preset


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """A profile's settings on top of the preset that it names, if any; raises ValueError for an unknown one."""
    own = dict(values)
    name = own.pop("preset", None)
    if name is None:
        return own
    if name not in PRESETS:
        raise ValueError(f"preset: unknown preset {name!r}; presets: {', '.join(PRESETS)}")
    return merged(as_published(), own)


def merged(below: Any, above: Any) -> Any:
    """Mappings key by key; what is of another `kind`, and everything else, as a whole."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    if above.get("kind", below.get("kind")) != below.get("kind"):
        return above
    return below | {key: merged(below[key], value) if key in below else value for key, value in above.items()}


def compare_choices(profile: Config) -> pd.DataFrame:
    """Every choice of the paper beside a profile's.

    Columns: key, published, ours, same, source, place, why, row, near, measured. The last four are those of profile
    `laptop` (see `Departure`), and stand only where ours differs.
    """
    ours = profile.model_dump(mode="json")
    rows = []
    for choice in paper_choices().choices:
        value = _setting(ours, choice.key)
        same = _plain(value) == _plain(choice.published)
        reason = None if same else choice.laptop
        rows.append(
            {
                "key": choice.key,
                "published": choice.published,
                "ours": value,
                "same": same,
                "source": choice.source,
                "place": choice.place,
                "why": reason.why if reason else "",
                "row": reason.row if reason else None,
                "near": reason.near if reason else None,
                "measured": reason.measured if reason else "",
            }
        )
    return pd.DataFrame(rows)


def trained_as_published(profile: Config) -> bool:
    """Whether the networks of a profile saw the paper's training set and nothing else: Sec. 4.1 at any image size."""
    table = compare_choices(profile).set_index("key")
    keys = ("data.task", "data.train_scenes", "data.objects_per_scene", "value.negatives.blocked_share")
    return bool(table.loc[list(keys), "same"].all())


def training_set(profile: Config) -> str:
    """What the networks of a profile learned from, in a word: "simple" is the paper's set, whole, and nothing else."""
    if trained_as_published(profile):
        return PAPERS_SET
    found = profile.model_dump(mode="json")
    name = str(found["data"]["task"]).rpartition(":")[2].lower()
    blocked = found["value"]["negatives"]["blocked_share"] > 0
    return f"{name}, {found['data']['train_scenes']} scenes" + (", with blocked negatives" if blocked else "")


def _setting(values: Mapping[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return NOTHING
        found = found[part]
    return found


def _plain(value: Any) -> Any:
    """Tuples as JSON has them."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
