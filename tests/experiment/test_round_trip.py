"""Differences between demonstrations and what came back of them: none, or the one that was made."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from dgrasp.cameras import Views
from dgrasp.data.imports.episode import Episode
from dgrasp.experiment.round_trip import VIEWS, differences


def test_the_largest_difference_is_found() -> None:
    views = Views(np.zeros((3, 4, 5, 3), np.uint8), np.stack([np.eye(3)] * 3), np.stack([np.eye(4)] * 3))
    way = np.stack([np.eye(4)] * 6)
    demos = {"train": [SimpleNamespace(views=views, Ts_world_tcp=way)] * 2, "validation": []}
    same = Episode("one", Views(views.images[:VIEWS], views.K[:VIEWS], views.Ts_world_cam[:VIEWS]), way)
    found = differences(demos, "folder", [same, same])  # type: ignore[arg-type]
    assert found.name == "folder" and found["demonstrations"] == 2 and (found.drop("demonstrations") == 0).all()
    moved = way.copy()
    moved[3, 0, 3] += 0.25
    brighter = Views(np.full_like(same.views.images, 255), same.views.K, same.views.Ts_world_cam)
    other = differences(demos, "folder", [same, replace(same, Ts_world_tcp=moved, views=brighter)])  # type: ignore[arg-type]
    assert other["trajectories"] == 0.25 and other["images"] == 255 and other["cameras"] == 0
