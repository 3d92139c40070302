"""The text of a `transforms.json`: strict JSON, and entries whose errors name file, frame and key."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 16 * 2**20  # not in the paper: a frame has about 1 kB, so these are thousands of frames
_SHORT = reprlib.Repr()
_SHORT.maxstring = 120


class CaptureError(ValueError):
    """A folder of photographs that cannot be used.

    The message is one line: file, frame and key, what was found, what is allowed.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


def shown(value: Any) -> str:
    """A JSON value as it reads in an error: short, and in JSON's words."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _SHORT.repr(value)


def plain(name: str) -> str:
    """A name in small letters alone: `Is-Fisheye` is `isfisheye`. Tools and people spell one name in many ways."""
    return re.sub(r"[-_.\s]", "", name.casefold())


def brief(text: object, longest: int = 300) -> str:
    """A path as it is, or without its middle if it is very long."""
    whole = str(text)
    return whole if len(whole) <= longest else f"{whole[: longest // 2]}...{whole[-longest // 2 :]}"


def reason(error: Exception) -> str:
    """What an error says, without the path that an OSError repeats."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@dataclass(frozen=True, eq=False)
class Entry:
    """What a file says of one of its frames: the frame's own keys, and those that stand once, for all frames.

    root: the folder that `file_path` is relative to; none: the file's.
    """

    file: Path
    index: int
    shared: dict[str, Any]
    frame: dict[str, Any]
    root: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the photographs lie."""
        return self.file.parent if self.root is None else self.root

    def __contains__(self, key: str) -> bool:
        return key in self.frame or key in self.shared

    def __iter__(self) -> Iterator[str]:
        return iter({**self.shared, **self.frame})

    def get(self, key: str) -> Any:
        """The key's value, None without one. Raises CaptureError where frame and file contradict each other.

        nerfstudio then takes the file's value and instant-ngp the frame's: neither can be believed.
        """
        if key in self.frame and key in self.shared and self.frame[key] != self.shared[key]:
            both = f"{shown(self.shared[key])} for all frames and {shown(self.frame[key])} here"
            raise self.error(key, f"stands twice, {both}; state it once")
        return self.frame.get(key, self.shared.get(key))

    def number(self, key: str) -> float | None:
        """The key's value, None if the key is absent. Raises CaptureError if it is no finite number."""
        return self.finite(key, self.get(key)) if key in self else None

    def check_spelling(self, *known: str) -> None:
        """Raise CaptureError for a key that is one of `known` but for capitals and signs: nobody would read it."""
        for key in self:
            if key not in known and (meant := next((k for k in known if plain(k) == plain(key)), None)):
                raise self.error(key, f"unknown key; did you mean {meant}?")

    def finite(self, key: str, value: Any) -> float:
        """A JSON value of this key as a number; raises CaptureError for anything else, also true, NaN and 1e999."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"expected a number, got {shown(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error(key, f"expected a finite number, got {shown(value)}")
        return number

    def error(self, key: str, message: str) -> CaptureError:
        """An error about a key of this frame, or of the file where it stands there alone; without key, of the frame."""
        about_all = key in self.shared and key not in self.frame
        frame = "" if about_all else f"frame {self.index} ({shown(self.frame.get('file_path'))}): "
        return CaptureError(f"{self.file}: {frame}{key}{': ' if key else ''}{message}")


def read_entries(file: Path) -> list[Entry]:
    """The entries of a `transforms.json`, one or more. Raises CaptureError if it is no such file."""
    about = _parsed(file, _text(file))
    frames = about.get("frames") if isinstance(about, dict) else None
    if not isinstance(frames, list) or not frames:
        found = shown(about) if not isinstance(about, dict) else f"frames is {shown(frames)}"
        raise CaptureError(f"{file}: expected an object with `frames`, a list of one object per photograph; {found}")
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise CaptureError(f"{file}: frame {i}: expected an object, got {shown(frame)}")
    shared = {key: value for key, value in about.items() if key != "frames"}
    return [Entry(file, i, shared, frame) for i, frame in enumerate(frames)]


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise CaptureError(
                f"{file}: no such file; expected a folder of photographs with a transforms.json, a COLMAP model or a "
                "sheet.yaml in it, or that file"
            )
        with open(file, "rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except CaptureError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CaptureError(f"{file}: cannot be read ({reason(error)})") from error
    if len(data) > MAX_BYTES:
        raise CaptureError(f"{file}: larger than {MAX_BYTES // 2**20} MiB, so no transforms.json of photographs")
    encoding = json.detect_encoding(data)
    if encoding not in ("utf-8", "utf-8-sig"):
        raise CaptureError(f"{file}: the text is {encoding.upper()}, expected UTF-8; save it as UTF-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02x} at {error.start}"
        raise CaptureError(f"{file}: the text is not UTF-8 ({found}); save it as UTF-8") from error


def _parsed(file: Path, text: str) -> Any:
    def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise CaptureError(f"{file}: the key {shown(key)} stands twice in one object; state it once")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except CaptureError:
        raise
    except RecursionError as error:
        raise CaptureError(f"{file}: lists or objects are nested too deeply for a transforms.json") from error
    except ValueError as error:  # JSONDecodeError, or an integer of thousands of digits
        raise CaptureError(f"{file}: not valid JSON ({error})") from error
