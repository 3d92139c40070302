"""Which episodes of a recording are trained on, where it says so: none that it holds out for a test."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from dgrasp.data.imports.episode import ImportRefused

TRAIN, VALIDATION = ("train", "training"), ("validation", "valid", "val")  # what splits are called, in any letters
HELD_OUT = ("test", "eval", "hold", "held")  # how names of those begin that nobody trains on or selects by


def role_of(name: str) -> str | None:
    """What a split of this name is for: "train", "validation" or "test"; None for others, as a share of the data."""
    name = name.casefold()
    if name in TRAIN:
        return "train"
    if name in VALIDATION:
        return "validation"
    return "test" if name.startswith(HELD_OUT) else None


def split_of(episode: Any, splits: Mapping[str, Container[Any]], source: str, where: str) -> str:
    """What an episode is for, "train" or "validation".

    splits: their episodes, by their names; of other names, they say nothing. An episode of both is for validation, and
    where no split is to be trained on, those that are in none are. source, where: the episode and the list of splits,
    for messages. Raises ImportRefused for an episode that is held out, or in none of the splits that are there.
    """
    known = {name: role for name in splits if (role := role_of(name)) is not None}
    found = {role: name for name, role in known.items() if episode in splits[name]}
    if "test" in found:
        raise ImportRefused(
            f"{source}: is of split {found['test']!r} ({where}), which is neither trained on nor selected by; take it "
            "out, or state it in train or validation"
        )
    if "validation" in found:
        return "validation"
    if "train" in known.values() and "train" not in found:
        raise ImportRefused(
            f"{source}: is in none of the splits {', '.join(known)} ({where}); state it in train or validation, or "
            "take it out"
        )
    return "train"
