"""Files that are whole or absent: atomic writes, checksums, safetensors with errors that teach.

Reading is not running: no file that is read here makes anything be imported, started, or written.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

SUMS = "SHA256SUMS"


class DamagedFileError(RuntimeError):
    """A file exists but is not what it should be; the message names it and says what to do."""


class UserFileError(ValueError):
    """A file that a person wrote cannot be used; the message says which, where in it, and what is allowed."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it takes the final name, on failure it vanishes.

    An OSError that knows no file, as of a full disk, leaves with the name of this one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise OSError if no file could be written there, before anything is computed for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal content is equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON that this package wrote; raises DamagedFileError naming the file if it is none, or a key repeats."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # no UTF-8 and no JSON are ValueErrors, too
        raise DamagedFileError(f"{path}: not valid JSON ({_one_line(error)}); delete it and run again") from error


def read_json_of_a_user(path: Path) -> Any:
    """Read JSON that somebody else wrote, with or without a byte-order mark.

    Raises UserFileError if it is not JSON, a key repeats, or a number is NaN or infinite, which JSON does not have.
    """
    try:
        return json_of_a_user(bytes_of_a_user(path).decode("utf-8-sig"))
    except UserFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserFileError(f"{path}: not valid JSON ({_one_line(error)})") from error


def bytes_of_a_user(path: Path) -> bytes:
    """The bytes of a file that somebody else gave; raises UserFileError for a pipe or a device, which may never end."""
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserFileError(f"{path}: a pipe or a device; expected a file")
    return path.read_bytes()


def rows_of(path: Path, key: str) -> list[dict[str, Any]]:
    """The lines of a log that are whole JSON, and have a number under that key; none where there is no log."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    rows = [row for row in map(json_or_none, lines) if isinstance(row, dict)]
    return [row for row in rows if isinstance(row.get(key), int | float)]


def json_or_none(text: str) -> Any:
    """What JSON says, or None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_of_a_user(text: str) -> Any:
    """JSON as the standard has it, and no key twice; raises ValueError or RecursionError saying where."""
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def read_table_of_a_user(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV that somebody else wrote, by the columns of its first line; no rows, no columns.

    With or without a byte-order mark. Raises UserFileError naming file and line for what is no CSV in UTF-8, columns
    that are separated by something else than commas, a first line of numbers, a column that stands twice, and a row of
    another length: a decimal comma makes one.
    """
    try:
        lines = csv.reader(io.StringIO(bytes_of_a_user(path).decode("utf-8-sig"), newline=""), strict=True)
        rows = [(lines.line_num, row) for row in lines if row]
    except UserFileError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise UserFileError(f"{path}: cannot be read as CSV ({_one_line(error)})") from error
    if not rows:
        return []
    (number, columns), *rows = rows
    if len(columns) == 1 and (sign := next((sign for sign in _OTHER_SEPARATORS if sign in columns[0]), None)):
        raise UserFileError(
            f"{path}: line {number}: columns are separated by {_OTHER_SEPARATORS[sign]}; expected are commas between "
            "them, and points in numbers"
        )
    if all(_is_number(name) for name in columns):
        raise UserFileError(
            f"{path}: line {number}: expected the names of the columns, got numbers ({', '.join(columns[:3])}"
            f"{', ...' if len(columns) > 3 else ''}); write the names above them"
        )
    if twice := [name for i, name in enumerate(columns) if name in columns[:i]]:
        raise UserFileError(f"{path}: column {twice[0]!r} stands twice; state it once")
    for number, row in rows:
        if len(row) != len(columns):
            raise UserFileError(
                f"{path}: line {number}: {len(row)} values, expected {len(columns)}: {', '.join(columns)}"
            )
    return [dict(zip(columns, row, strict=True)) for _, row in rows]


_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}  # what spreadsheets write where commas are decimal


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_yaml(path: Path) -> Any:
    """Read a YAML file; see `parse_yaml`."""
    return parse_yaml(bytes_of_a_user(path), str(path))


def parse_yaml(data: bytes, source: str) -> Any:
    """What YAML says: plain values, never objects. Raises UserFileError naming `source` and the line.

    A key that repeats is refused, since the last would win without a word.
    """
    try:
        return yaml.load(data.decode("utf-8-sig"), _UniqueKeys)
    except _NOT_YAML as error:
        raise UserFileError(f"{source}: not valid YAML ({_one_line(error)})") from error


# What PyYAML's constructors raise besides its own errors: for dates of a 13th month, `!!bool maybe`, deep nesting.
_NOT_YAML = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


class _UniqueKeys(yaml.SafeLoader):
    """YAML without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            merges = key_node.tag == "tag:yaml.org,2002:merge"  # what is taken over by `<<` may be stated anew
            key = "<<" if merges else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"key {twice!r} stands twice")
    return made


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _one_line(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} at {error.start} is not UTF-8; save the text as UTF-8"
    return " ".join(str(error).split()) or type(error).__name__


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


def write_sealed(path: Path, contents: Mapping[str, Any]) -> None:
    """Write JSON with a digest of itself, so that a changed file is told from the one that was written."""
    write_json(path, {**contents, "sha256": _seal(contents)})


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote; raises DamagedFileError for anything else."""
    stated = read_json(path)
    if not isinstance(stated, dict) or stated.pop("sha256", None) != _seal(stated):
        raise DamagedFileError(f"{path}: is not what was written; delete it and run again")
    return stated


def _seal(contents: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


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


def check_sums(folder: Path, *names: str, renewed: tuple[str, ...] = ()) -> None:
    """Raise DamagedFileError for a file that is not what `SHA256SUMS` says; nothing where there is no such list.

    names: the files to check; without any, all that are listed, but those that are written anew (patterns).
    """
    if not (folder / SUMS).is_file():
        return
    sums = read_sums(folder)
    listed = [name for name in sums if not any(PurePosixPath(name).match(pattern) for pattern in renewed)]
    for name in names or listed:
        path = folder / name
        if not path.is_file() or sums.get(name) != known_sha256(path):
            what = "is not the published file" if path.is_file() else "is missing"
            raise DamagedFileError(f"{path}: {what}; restore it")


def visible_files(folder: Path) -> list[str]:
    """Names of all files below `folder`, with slashes, but for hidden ones."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors (never pickle), atomically; raises OSError with the path, as on a full disk."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:  # the system's errors are words in its own
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code) if number else str(error), str(path)) from error
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
    return load_tensors_and_metadata(path, device)[0]


def load_tensors_and_metadata(path: Path, device: str = "cpu") -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Like `load_tensors`, with the metadata written beside the tensors."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt", device=device) as handle:
            names = handle.keys()
            return {name: handle.get_tensor(name) for name in names}, dict(handle.metadata() or {})
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise DamagedFileError(
            f"{path}: damaged or truncated safetensors file ({_one_line(error)}); delete its folder {path.parent} and "
            "run again: only that stage is computed anew"
        ) from error
