"""Files that are whole or absent: atomic writes, checksums, safetensors with errors that teach."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file


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
    except json.JSONDecodeError as error:
        raise DamagedFileError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def sha256(path: Path) -> str:
    """Checksum of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors (never pickle), atomically."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata=dict(metadata) if metadata else None)
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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt", device=device) as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise DamagedFileError(
            f"{path}: damaged or truncated safetensors file ({error}); delete its folder {path.parent} and run again: "
            "only that stage is computed anew"
        ) from error
