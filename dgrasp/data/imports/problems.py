"""What is wrong with episodes together, once each of them is read."""

from __future__ import annotations

from collections.abc import Sequence

from dgrasp.data.imports.cameras import sight_of
from dgrasp.data.imports.episode import Episode, named


def problem_as_a_run(episodes: Sequence[Episode]) -> str | None:
    """Why these episodes together are none to train on; None where they are."""
    if len(shapes := {e.views.images.shape for e in episodes}) > 1:
        return f"episodes differ in views or sizes: {sorted(shapes)}; expected the same for all"
    if all(e.split != "train" for e in episodes):
        return "no episode is to be trained on; expected one or more of split 'train'"
    if blind := [e for e in episodes if sight_of([e]).share == 0]:
        return f"{named(blind)}: no camera sees the grasp; correct the cameras or the trajectory, or take it out"
    return None
