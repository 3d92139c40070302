"""A calibration that is found anew replaces no other one without a copy: trial logs name calibrations by their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from dgrasp.files import atomic_path, bytes_of_a_user, write_text

Say = Callable[[str], object]


def write_calibration(path: Path, text: str, id_of: Callable[[Path], str | None], say: Say | None = None) -> Path:
    """Write the text, UTF-8. A file that says something else is kept first, as `<stem>-<id><suffix>` beside it.

    id_of: of the calibration in a file, None for what is none: then a digest of its bytes names it. say: is told where.
    """
    path = Path(path)
    before = bytes_of_a_user(path) if path.exists() else b""
    if before and before.replace(b"\r\n", b"\n") != text.encode():
        kept = _keep(path, before, id_of(path))
        if say is not None:
            say(f"{path}: held another calibration, which is kept as {kept.name}")
    write_text(path, text)
    return path


def _keep(path: Path, data: bytes, id: str | None) -> Path:
    """Where the bytes are kept now. No file is replaced."""
    digest = hashlib.sha256(data).hexdigest()[:12]
    for name in (id or digest, digest):
        kept = path.with_name(f"{path.stem}-{name}{path.suffix}")
        if not kept.exists():
            with atomic_path(kept) as temporary:
                temporary.write_bytes(data)
        if kept.read_bytes() == data:
            return kept
    raise FileExistsError(f"{kept}: is there, and is not what its name says; move it, and {path.name} is kept there")
