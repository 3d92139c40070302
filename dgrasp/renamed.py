"""Settings and modules under the names they had when a file was written: read as what they are called now.

Published experiments and a user's own profiles outlive names. Code knows only the present ones.
"""

from __future__ import annotations

from typing import Any

OPTIMIZER = {
    "starts": "n_starts",
    "keep": "pruning",
    "advance": "approach_offset",
    "advance_floor": "approach_floor",
}  # fmt: skip
MODULES = {"dgrasp.sim.crowded:": "dgrasp.sim.tasks.crowded:"}
_MARK = "translation_rate"  # only the optimizer's settings have it ...
_RANGE = (list, tuple)  # ... as a number: the search has a range of it


def as_called_now(value: Any) -> Any:
    """`value` (what JSON or YAML gave) with old names replaced, at any depth; nothing else changes."""
    if isinstance(value, str):
        return next((new + value[len(old) :] for old, new in MODULES.items() if value.startswith(old)), value)
    if isinstance(value, list):
        return [as_called_now(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = OPTIMIZER if _is_optimizer(value) else {}
    return {names.get(key, key): as_called_now(item) for key, item in value.items()}


def backend_as_called_now(profile: Any) -> Any:
    """A profile's `data.backend`, which was the demonstrations' alone, as `runtime.backend`, unless it has one."""
    data, runtime = (profile.get(part, {}) for part in ("data", "runtime")) if isinstance(profile, dict) else ({}, {})
    if not isinstance(data, dict) or not isinstance(runtime, dict) or "backend" not in data:
        return profile
    others = {key: value for key, value in data.items() if key != "backend"}
    return profile | {"data": others, "runtime": {"backend": data["backend"]} | runtime}


def _is_optimizer(value: dict[str, Any]) -> bool:
    """Whole settings of the optimizer, or the part of them that a profile states."""
    return (_MARK in value and not isinstance(value[_MARK], _RANGE)) or bool({"starts", "keep"} & value.keys())
