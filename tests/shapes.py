"""Checks jaxtyping's annotations while code runs: shapes and dtypes of tensors and arrays, and nothing else.

    from jaxtyping import install_import_hook
    install_import_hook("dgrasp", "shapes.checked")   # before dgrasp is imported

Other annotations are mypy's business; tests hand in stand-ins that are no subclasses of what they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from beartype import beartype

SHAPED = re.compile(r"\b(Float|Bool|Int|UInt8|Num|Shaped)\[")


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, held to its annotations with shapes."""
    kept = {name: hint for name, hint in getattr(function, "__annotations__", {}).items() if _shaped(hint)}
    if not kept:
        return function
    function.__annotations__ = kept
    return beartype(function)


def _shaped(hint: object) -> bool:
    """Annotations are texts (`from __future__ import annotations`), or types made by jaxtyping."""
    return bool(SHAPED.search(hint if isinstance(hint, str) else repr(hint)))
