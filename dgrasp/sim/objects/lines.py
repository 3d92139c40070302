"""Annotated grasps of a shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GraspLine:
    """TCP positions `centre + s * direction`, |s| <= half_length, object's frame; fingers close along `closing`."""

    centre: tuple[float, float, float]
    direction: tuple[float, float, float]
    half_length: float
    closing: tuple[float, float, float]
    width: float  # metres between the faces that the pads meet
