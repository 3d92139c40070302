"""Names that a package offers and loads when they are first used: importing it loads nothing else.

For readers' sake (`sim.Cell`, `robot.run_trials`). Code of the package itself imports from the module that defines a
name, so that the arrows between modules are the real ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: looks a name up in `homes`, name -> module that defines it."""

    def get(name: str) -> Any:
        if name not in homes:
            known = ", ".join(sorted(homes))
            raise AttributeError(f"module {package!r} has no attribute {name!r}; public names: {known}")
        return getattr(importlib.import_module(homes[name]), name)

    return get
