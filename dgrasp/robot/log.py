"""The log of real-robot trials: JSON Lines, append-only, on disk before the next trial begins.

The first line is the header: format, backend, devices, protocol, versions. Every line carries `chain`, the SHA-256 of
the line before it and its own content, so that a line that was changed, put in, or taken out before others is found on
reading; with the header at the start of the chain, a log cannot change its backend. Lines taken off the end are not
found: what is left is whole, and tells of itself only that the protocol has more trials (`TrialLog.planned`). (This
guards against accidents and edits of single lines. It is no signature: whoever writes a whole new file can write
anything.) A last line that is whole but for its newline is a line like any other, since a verdict may stand in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from dgrasp.cell.interface import BACKENDS, Backend, banner
from dgrasp.cell.outcome import Outcome
from dgrasp.file_locks import lock_file
from dgrasp.files import json_of_a_user
from dgrasp.robot.drivers.sockets import is_local_literal

FORMAT = "dgrasp-trials 1"
BEGINNING = b'{"kind": "header"'  # of every log
REAL = "real"  # what `devices` says of the robot where its controller says so
MAY_HAVE_MOVED = (Outcome.COLLISION, Outcome.FAULT)  # outcomes without a finished execution
Line = dict[str, Any]
Kinds = tuple[type, ...]
NEEDED: dict[str, dict[str, Kinds]] = {  # of a line, by its kind: keys that reading relies on, and what they are
    "header": {},  # checked by `_check_header`
    "note": {},
    "trial": {
        "number": (int,),
        "policy": (str,),
        "backend": (str,),
        "outcome": (str,),
        "success": (bool, type(None)),
        "execution": (dict, type(None)),
    },
    "executed": {"number": (int,), "policy": (str,), "backend": (str,), "execution": (dict,)},
}


class LogError(RuntimeError):
    """A trial log cannot be trusted or continued; the message says which line and why."""


@dataclass(frozen=True)
class TrialLog:
    """A log that was read and found whole. `cut` says in words what a crash left unfinished at its end, else empty."""

    path: Path
    header: Line
    records: tuple[Line, ...]
    notes: tuple[Line, ...] = ()
    executed: tuple[Line, ...] = ()  # grasps executed, as they were on record before anybody judged them
    last: str = ""  # chain of the last whole line
    cut: str = ""

    @property
    def backend(self) -> Backend:
        return self.header["backend"]

    @property
    def calibration(self) -> str | None:
        """Id of the one that the series relied on last: a cell may be calibrated anew between two sessions."""
        known = [line["calibration"] for line in (self.header, *self.notes) if "calibration" in line]
        return known[-1] if known else None

    @property
    def banner(self) -> str:
        """Which backend moved, or that none grasped."""
        # what a fault interrupted may have moved, so only the absence of both is silence
        moved = any((r.get("execution") or {}).get("moved") or r["outcome"] in MAY_HAVE_MOVED for r in self.records)
        if self.backend == "hardware" and not moved:
            return "HARDWARE: connected, but no grasp was executed in these trials."
        return banner(self.backend)

    @property
    def judged(self) -> pd.DataFrame:
        """Trials with a verdict, one row each; faults and dry runs are left out."""
        return pd.DataFrame([r for r in self.records if r["success"] is not None])

    @property
    def done(self) -> set[int]:
        """Numbers of the trials with a verdict."""
        return {r["number"] for r in self.records if r["success"] is not None}

    @property
    def pending(self) -> dict[int, Line]:
        """Grasps that were executed and wait for their verdict, by number of the trial."""
        return {line["number"]: line for line in self.executed if line["number"] not in self.done}

    @property
    def unjudged(self) -> Counter[str]:
        """By policy: grasps begun that never got a verdict, since a fault or an interrupt had their trials repeated."""
        judged = {(r["number"], str(r.get("time"))) for r in self.records if r["success"] is not None}
        rows = (*self.executed, *self.records)
        begun = {(r["number"], str(r.get("time"))): r["policy"] for r in rows if r.get("begun")}
        return Counter(policy for attempt, policy in begun.items() if attempt not in judged)

    @property
    def planned(self) -> dict[str, int]:
        """Trials that the protocol has for each of its policies. Raises LogError if the header's protocol is none."""
        protocol = self.header["protocol"]
        try:
            each = len(protocol["objects"]) * int(protocol["presentations"])
            return dict.fromkeys(protocol["policies"], each)
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(f"{self.path}: the header's protocol {protocol!r} does not say what was planned") from error


def read_log(path: Path) -> TrialLog:
    """Read and check a log. A last line without its end (a crash) is left out and reported in `cut`.

    One that lacks nothing but its newline, as editors leave it, is kept. Raises FileNotFoundError, LogError.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise LogError(f"{path}: a pipe, a device or a folder; expected a trial log")
    data = path.read_bytes()
    whole, _, rest = data.rpartition(b"\n")
    texts = whole.split(b"\n") if whole else []
    if _is_whole(rest):
        texts, rest = [*texts, rest], b""
    lines = [_parse(path, i, text) for i, text in enumerate(texts, start=1)]
    if not lines:
        raise LogError(f"{path}: no header line, so this is no trial log")
    chain = ""
    for i, line in enumerate(lines, start=1):
        if line.get("chain") != _chain(chain, line):
            raise LogError(f"{path}, line {i}: changed after it was written, or lines before it are missing")
        chain = line["chain"]
    header, *rows = lines
    _check_header(path, header)
    if second := [i for i, row in enumerate(rows, start=2) if row["kind"] == "header"]:
        raise LogError(f"{path}, line {second[0]}: a second header")
    records = tuple(row for row in rows if row["kind"] == "trial")
    executed = tuple(row for row in rows if row["kind"] == "executed")
    for record in (*records, *executed):
        if record["backend"] != header["backend"]:
            raise LogError(f"{path}: trial {record['number']} is of backend {record['backend']!r}, the header not")
    _check_verdicts(path, records)
    notes = tuple(row for row in rows if row["kind"] == "note")
    cut = f"{path.name}: the last {len(rest)} bytes are a line cut short by a crash; left out" if rest else ""
    return TrialLog(path, header, records, notes, executed, chain, cut)


class LogWriter:
    """Opens a log for appending; one writer at a time. Use as a context manager."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Create the log with this header, or go on with the one that is there.

        A line cut by a crash is taken off, and a note says so, as one does of another calibration. A last line that
        lacks its newline alone is given one. Raises LogError if the log there is of other devices, settings, protocol
        or trained policies, or is being written by another process.
        """
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._last = ""  # chain of the last line
        # unbuffered, so that a line that failed is not written later
        self._handle = open(self.path, "ab", buffering=0)  # noqa: SIM115 (closed by `close`)
        try:
            lock_file(self._handle)
        except BlockingIOError as error:
            self._handle.close()
            raise LogError(f"{self.path}: another process is writing this log") from error
        try:
            self._begin(dict(header))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on disk.

        Raises ValueError for NaN or infinity, which JSON does not have, and OSError where the disk refuses. The file is
        then as before, and the next line is chained to what is there.
        """
        line = {"kind": kind, **content}
        chain = line["chain"] = _chain(self._last, line)
        self._write(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._last = chain

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._handle.close()

    def _write(self, text: bytes) -> None:
        """All of the text, on disk, or none of it; raises OSError."""
        before = os.fstat(self._handle.fileno()).st_size
        try:
            if self._handle.write(text) != len(text):
                raise OSError(f"{self.path}: the disk did not take the whole line; is it full?")
            os.fsync(self._handle.fileno())
        except BaseException:
            os.truncate(self._handle.fileno(), before)  # half a line would swallow the next one
            raise

    def _begin(self, header: Line) -> None:
        content = self.path.read_bytes()
        headed = b"\n" in content or (content.startswith(BEGINNING) and _is_whole(content))
        if not headed:  # new, or its header was cut short
            if not (content.startswith(BEGINNING) or BEGINNING.startswith(content)):
                raise LogError(f"{self.path}: there is a file of this name, and it is no trial log; give another name")
            header = {"format": FORMAT, "banner": banner(header["backend"]), "started": now(), **header}
            _check_header(self.path, header)
            os.truncate(self.path, 0)
            self.append("header", header)
            return
        there = read_log(self.path)
        for name in ("backend", "dry_run", "devices", "settings", "protocol", "runs"):
            begun, asked = (h.get(name, False if name == "dry_run" else None) for h in (there.header, header))
            if begun != asked:
                difference = _difference(name, begun, asked)
                raise LogError(f"{self.path}: begun with {difference}; give this series a log of its own")
        self._last = there.last
        if there.cut:
            os.truncate(self.path, content.rindex(b"\n") + 1)
            self.append("note", {"time": now(), "text": there.cut})
        elif not content.endswith(b"\n"):
            self._write(b"\n")
        before, calibration = there.calibration, header.get("calibration")
        if calibration != before:
            text = f"calibrated anew: from here on {calibration}, before {before}"
            self.append("note", {"time": now(), "text": text, "calibration": calibration})


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _difference(name: str, begun: Any, asked: Any) -> str:
    """The first thing that differs between two that do, in words: inside of mappings, under which keys."""
    while isinstance(begun, Mapping) and isinstance(asked, Mapping):
        keys = dict.fromkeys((*begun, *asked))
        pairs = {key: (begun.get(key, "nothing"), asked.get(key, "nothing")) for key in keys}
        key, (begun, asked) = next((key, pair) for key, pair in pairs.items() if pair[0] != pair[1])
        name = f"{name}.{key}"
    return f"{name} {begun!r}, asked to go on with {asked!r}"


def _chain(before: str, line: Mapping[str, Any]) -> str:
    content = {key: value for key, value in line.items() if key != "chain"}
    return hashlib.sha256((before + json.dumps(content, sort_keys=True)).encode()).hexdigest()


def _is_whole(text: bytes) -> bool:
    """Whether a line ends where it should, with or without a newline behind it: half of an object is no JSON."""
    try:
        json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _parse(path: Path, number: int, text: bytes) -> Line:
    try:
        line = json_of_a_user(text.decode())
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path}, line {number}: not JSON ({error})") from error
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str) or line["kind"] not in NEEDED:
        raise LogError(f"{path}, line {number}: not a line of a trial log")
    for key, kinds in NEEDED[line["kind"]].items():
        if not isinstance(line.get(key, ...), kinds) or (isinstance(line[key], bool) and bool not in kinds):
            words = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise LogError(f"{path}, line {number}: {key} is {line.get(key, 'missing')!r}, expected {words}")
    return line


def _check_verdicts(path: Path, records: tuple[Line, ...]) -> None:
    judged = Counter(record["number"] for record in records if record["success"] is not None)
    if twice := [number for number, count in judged.items() if count > 1]:
        raise LogError(f"{path}: more than one verdict on trial {', '.join(map(str, twice))}; each trial has one")


def _check_header(path: Path, header: Line) -> None:
    missing = {"format", "backend", "devices", "protocol"} - header.keys()
    if header.get("kind", "header") != "header" or missing or header["format"] != FORMAT:
        raise LogError(f"{path}: the first line is not the header of a {FORMAT!r} log (lacks {sorted(missing)})")
    backend, devices = header["backend"], header["devices"]
    if not isinstance(devices, dict) or not all(isinstance(name, str) for name in devices.values()):
        raise LogError(f"{path}: devices {devices!r}, expected names by part")
    if backend not in BACKENDS:
        raise LogError(f"{path}: unknown backend {backend!r}; backends: {', '.join(BACKENDS)}")
    if backend == "hardware" and not _may_be_a_robot(devices):
        raise LogError(
            f"{path}: says backend 'hardware', but its devices {devices} are no robot: expected addresses of arm and "
            "gripper as they were reached, numbers instead of names, and none of the machine that wrote the log; and "
            f"robot: {REAL!r}, as the controller says of itself"
        )


def _may_be_a_robot(devices: Mapping[str, str]) -> bool:
    """By what is on record alone: names mean something else to each machine that reads a log."""
    addresses = [devices[part] for part in ("arm", "gripper") if part in devices]  # others have serial numbers
    try:
        return "arm" in devices and devices.get("robot") == REAL and not any(map(is_local_literal, addresses))
    except ValueError:
        return False
