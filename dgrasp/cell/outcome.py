"""How an attempt ends, in simulation, in the twin and on the robot."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a trial ended."""

    SUCCESS = "success"
    UNREACHABLE = "unreachable"
    COLLISION = "collision"
    MISSED = "missed"
    SLIPPED = "slipped"
    DROPPED = "dropped"
