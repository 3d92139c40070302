"""The user's cache of derived models: folders that are whole or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Where derived models live: $DGRASP_CACHE, or the user's cache directory."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("DGRASP_CACHE") or home / "dgrasp")


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` in the cache, filled by `build(folder)` under a temporary name: whole or absent."""
    final = cache_folder() / name
    if not final.is_dir():
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=final.parent))
        except PermissionError as error:
            raise PermissionError(
                f"{final.parent}: derived models cannot be kept there ({error}); set DGRASP_CACHE to a folder of yours"
            ) from error
        try:
            build(draft)
            draft.rename(final)
        except OSError:
            if not final.is_dir():  # another process may have been faster
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return final
