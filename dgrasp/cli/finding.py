"""One line of `dgrasp doctor`'s page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the page. limited: works, not for everything. core: without it notebooks do not run in smoke."""

    name: str
    status: Literal["ok", "limited", "missing"]
    found: str
    purpose: str
    advice: str = ""
    core: bool = False
