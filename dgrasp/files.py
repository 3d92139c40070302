"""Files that are whole or absent: atomic writes, checksums, safetensors with errors that teach."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

SUMS = "SHA256SUMS"


class DamagedFileError(RuntimeError):
    """A file exists but is not what it should be; the message names it and says what to do."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it takes the final name, on failure it vanishes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal content is equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises DamagedFileError naming the file if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text
        raise DamagedFileError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def rows_of(path: Path, key: str) -> list[dict[str, Any]]:
    """The lines of a log that are whole JSON, and have a number under that key; none where there is no log."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    rows = [row for row in map(json_or_none, lines) if isinstance(row, dict)]
    return [row for row in rows if isinstance(row.get(key), int | float)]


def json_or_none(text: str) -> Any:
    """What JSON says, or None for what is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def sha256(path: Path) -> str:
    """Checksum of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """The same, read once in a process as long as the file does not change."""
    stat = path.stat()
    return _sha256_as_of(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=65536)
def _sha256_as_of(path: Path, *_stamp: int) -> str:
    return sha256(path)


def write_sums(folder: Path) -> None:
    """Write digests of all files below `folder` into it, so that `sha256sum -c SHA256SUMS` checks them."""
    names = [name for name in visible_files(folder) if name != SUMS]
    write_text(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names))


def read_sums(folder: Path) -> dict[str, str]:
    """Name -> digest, as `write_sums` wrote them; raises DamagedFileError for anything else."""
    path = folder / SUMS
    sums = {}
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not name or name in sums:
            raise DamagedFileError(f"{path}: not a list of SHA-256 digests and names: {line[:80]!r}")
        sums[name] = digest
    return sums


def visible_files(folder: Path) -> list[str]:
    """Names of all files below `folder`, with slashes, but for hidden ones."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors (never pickle), atomically."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:  # which does not say where
            raise OSError(f"{path}: cannot be written ({error})") from error
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Order the metadata by key, in place: safetensors writes it in random order, but equal content is equal bytes."""
    with open(path, "r+b") as handle:
        length = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(length))
        if "__metadata__" not in header:
            return
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        if len(text) != length:
            raise RuntimeError(f"{path}: safetensors header is not compact JSON; cannot order its metadata")
        handle.seek(8)
        handle.write(text)


def load_tensors(path: Path, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Read safetensors; raises FileNotFoundError or DamagedFileError (truncated, or not safetensors)."""
    with _opened(Path(path), device) as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)


def tensor_metadata(path: Path) -> dict[str, str]:
    """What stands beside the tensors of a file; raises as `load_tensors` does."""
    with _opened(Path(path), "cpu") as handle:
        return handle.metadata() or {}


@contextmanager
def _opened(path: Path, device: str) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt", device=device) as handle:
            yield handle
    except SafetensorError as error:
        raise DamagedFileError(
            f"{path}: damaged or truncated safetensors file ({error}); delete its folder {path.parent} and run again: "
            "only that stage is computed anew"
        ) from error
