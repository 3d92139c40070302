"""The user's cache of derived models: folders that are whole or absent.

Each entry holds a list of its files with their digests. It is compared once per process, and an entry that is not whole
is made again. Entries can be read by everybody, as far as the umask of who made them says so.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

MANIFEST = "whole.json"
DRAFT = ".draft-"
ABANDONED = 24 * 3600.0  # seconds after which a draft's maker is taken for dead; the slowest entry takes minutes

_known_whole: set[Path] = set()


class CacheError(OSError):
    """The cache cannot be used; the message names the folder, what is wrong, and what to set."""


def cache_folder() -> Path:
    """Where derived models live: $DGRASP_CACHE, or the user's cache directory. Raises CacheError if there is none."""
    chosen = os.environ.get("DGRASP_CACHE")
    if chosen:
        return Path(chosen)
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:  # no HOME, and nobody of that number in the system's list of users
        raise CacheError(f"no home folder to keep derived models in ({error}); set DGRASP_CACHE to a folder") from error
    return home / "dgrasp"


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` in the cache, filled by `build(folder)` under a temporary name: whole or absent.

    Raises CacheError where it is neither there nor can be made.
    """
    final = cache_folder() / name
    if final in _known_whole and final.is_dir():
        return final
    try:
        if not _is_whole(final):
            _make(final, build)
    except OSError as error:
        if isinstance(error, CacheError) or not _is_about(error, final.parent):
            raise
        room = "free some space, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise CacheError(
            f"{final.parent}: derived models cannot be kept there ({error.strerror or error}); "
            f"{room}set DGRASP_CACHE to a folder of yours"
        ) from error
    _known_whole.add(final)
    return final


def _make(final: Path, build: Callable[[Path], None]) -> None:
    from dgrasp.files import write_json  # not above: `dgrasp doctor` asks for the folder where torch is not installed

    final.parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(final.parent)
    draft = final.parent / f"{DRAFT}{uuid.uuid4().hex}"
    draft.mkdir()  # not tempfile's, which nobody else may read
    try:
        build(draft)
        write_json(draft / MANIFEST, _digests(draft))
        _move(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, final: Path) -> None:
    """The draft takes the final name, unless another process was faster; what was there and is not whole goes away."""
    try:
        draft.rename(final)
    except OSError:
        if _is_whole(final):
            return
        if not os.path.lexists(final):
            raise
        broken = draft.with_name(f"{draft.name}-broken")
        final.rename(broken)
        draft.rename(final)
        if broken.is_dir() and not broken.is_symlink():
            shutil.rmtree(broken, ignore_errors=True)
        else:
            broken.unlink()


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds the files of its list, byte by byte, and nothing else."""
    if not folder.is_dir():
        return False
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return listed == _digests(folder)
    except (FileNotFoundError, IsADirectoryError, ValueError, RecursionError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    from dgrasp.files import sha256

    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): sha256(p) for p in files}


def _clear_abandoned(folder: Path) -> None:
    for draft in folder.glob(f"{DRAFT}*"):
        try:
            if time.time() - draft.stat().st_mtime > ABANDONED:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError:  # another process was faster
            continue


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether the error came from the cache (a full disk names no file), not from what an entry is made of."""
    ours = folder.absolute()
    named = [Path(name).absolute() for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    return not named or any(ours in (path, *path.parents) or path in ours.parents for path in named)
