"""How an attempt ends, whichever cell it is made in."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an attempt ended: by physics or a person's verdict, or before any grasp was executed."""

    SUCCESS = "success"
    UNREACHABLE = "unreachable"
    COLLISION = "collision"
    MISSED = "missed"
    SLIPPED = "slipped"
    DROPPED = "dropped"
    # --- nothing was grasped
    NO_GRASP = "no grasp"  # the policy found none
    REFUSED = "refused"  # by the rehearsal
    DRY_RUN = "dry run"  # the cell checks grasps and executes none
    FAULT = "fault"  # a device failed or somebody interrupted: no verdict
