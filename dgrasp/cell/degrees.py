"""Turns that people write in degrees, and numbers among them that were meant in radians."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator

# Parts of a whole turn, and how far off a number is that was rounded: pi/2 to two digits, pi/4 to three, pi/12 to four.
# Nobody writes degrees like these: 1.57, 0.785, 0.5236.
ROUNDED = ((4, 4e-3), (8, 8e-4), (24, 6e-5))


def in_degrees(turn: float) -> float:
    """The same number. Raises ValueError for one that is a part of a turn in radians, and no whole number."""
    for parts, off in ROUNDED:
        of_parts = round(turn / (math.tau / parts))
        if 0 < abs(of_parts) <= parts and abs(turn - of_parts * math.tau / parts) < off:
            raise ValueError(f"looks like radians; expected are degrees, {math.degrees(turn):.0f}?")
    return turn


Degrees = Annotated[float, AfterValidator(in_degrees)]
