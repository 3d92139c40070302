"""The Robotiq 2F-140 through the URCap's socket on the arm's controller: lines such as `SET POS 120` and `GET OBJ`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import numpy as np

from dgrasp.cell import gripper
from dgrasp.cell.interface import SilentGripper
from dgrasp.robot.drivers.sockets import peer_of
from dgrasp.robot.limits import check_wait, check_width, check_within

PORT = 63352  # the URCap's
OPEN_COUNTS, CLOSED_COUNTS = 3, 228  # typical ends of a 2F-140; `calibrate` measures those of the one at hand
ACTIVE = 3  # STA: activation complete
MOVING, STOPPED_OPENING, STOPPED_CLOSING, ARRIVED = 0, 1, 2, 3  # OBJ
CLEARED_BY_ACTIVATION = frozenset({5, 7, 15})  # faults that only say: activate (again)
FAULTS = {
    5: "action delayed, the activation must be completed first",
    7: "the activation bit must be set first",
    8: "too hot",
    9: "no communication for a second",
    10: "below the minimum voltage",
    11: "automatic release in progress",
    12: "internal fault",
    13: "activation fault, something blocks the fingers",
    14: "overcurrent",
    15: "automatic release done, activate again",
}
POLL = 0.02  # s
REST = 0.5  # s that an activation needs after the one before was taken back; our choice, as others' drivers wait
ACKNOWLEDGED = b"ack"  # to SET: these three bytes, and no end of line


class RobotiqGripper:
    """A `Gripper`. Counts are linear in the cranks' angle between the ends measured by `calibrate` (or typical ones).

    The manual says that counts come from encoders; that these sit on the motor, which turns the cranks, is inferred.
    Widths follow from angles by the linkage's closed form, up to 5 mm from a straight line between the ends.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        *,
        counts: tuple[int, int] = (OPEN_COUNTS, CLOSED_COUNTS),
        timeout: float = 2.0,
        move_seconds: float = 8.0,
    ) -> None:
        """counts: at 140 mm and at 0 mm. timeout: s for one answer. Raises SilentGripper where nobody answers.

        ValueError for counts, and for waits that are not finite.
        """
        check_wait("timeout", timeout)
        self.host, self.port, self.counts = host, port, check_counts(counts)
        self.move_seconds = check_wait("move_seconds", move_seconds)
        self._lines = b""
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise SilentGripper(
                f"gripper: nothing answers at {host}:{port} ({error}); is the URCap installed on the controller?"
            ) from error
        self.peer = peer_of(self._socket)
        self._check_faults(but=CLEARED_BY_ACTIVATION)

    def activate(self) -> None:
        """See `Gripper.activate`."""
        if self._get("STA") == ACTIVE and not self._get("FLT"):
            return
        self._set(ACT=0)  # of an activation that a fault or a release has ended
        self._wait(lambda: self._get("ACT") == self._get("STA") == 0, "take back its activation")
        time.sleep(REST)
        self._set(ACT=1, GTO=1)
        self._wait(lambda: self._get("ACT") == 1 and self._get("STA") == ACTIVE, "activate")
        self._check_faults()

    def calibrate(self) -> tuple[int, int]:
        """Open and close fully on nothing, and take the counts reached as 140 mm and 0 mm; returns them."""
        ends = tuple(
            self._go(counts, speed=gripper.SPEED_RANGE[0], force=gripper.FORCE_RANGE[0]) for counts in (0, 255)
        )
        if not 0 <= ends[0] < ends[1]:
            raise SilentGripper(
                f"gripper: reached counts {ends} opening and closing; is something between the fingers?"
            )
        self.counts = (ends[0], ends[1])
        return self.counts

    def move(self, width: float, *, speed: float, force: float) -> float:
        """See `Gripper.move`. Raises UnsafePose for a width, speed or force that the gripper does not have."""
        check_within("grip speed", speed, gripper.SPEED_RANGE[1], "m/s")
        check_within("grip force", force, gripper.FORCE_RANGE[1], "N")
        return self.width_of(self._go(self.counts_of(check_width(width)), speed=speed, force=force))

    def holds(self) -> bool:
        """Whether the fingers stopped on something while closing, and still do."""
        return self._get("OBJ") == STOPPED_CLOSING

    def width_of(self, counts: int) -> float:
        """Gap between the pads in metres."""
        opened, closed = self.counts
        share = float(np.clip((counts - opened) / (closed - opened), 0.0, 1.0))
        return max(0.0, gripper.gap(share * gripper.Q_CLOSED))

    def counts_of(self, width: float) -> int:
        """Inverse of `width_of`, to the nearest count."""
        opened, closed = self.counts
        return round(opened + gripper.crank_angle(width) / gripper.Q_CLOSED * (closed - opened))

    def close(self) -> None:
        """Close the connection; the fingers stay as they are."""
        self._socket.close()

    def _go(self, counts: int, *, speed: float, force: float) -> int:
        self._check_faults()
        if self._get("STA") != ACTIVE:
            raise SilentGripper("gripper: not activated; call activate() with nobody near the fingers")
        self._set(SPE=_share(speed, gripper.SPEED_RANGE), FOR=_share(force, gripper.FORCE_RANGE), POS=counts, GTO=1)
        self._wait(lambda: self._get("PRE") == counts and self._get("OBJ") != MOVING, f"reach {counts} counts")
        self._check_faults()
        return self._get("POS")

    def _check_faults(self, but: frozenset[int] = frozenset()) -> None:
        fault = self._get("FLT")
        if fault and fault not in but:
            raise SilentGripper(
                f"gripper: fault {fault}, {FAULTS.get(fault, 'unknown')}; see its manual, restart the cell"
            )

    def _wait(self, done, what: str) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + self.move_seconds
        while not done():
            if time.monotonic() > deadline:
                raise SilentGripper(f"gripper: did not {what} within {self.move_seconds:g} s")
            time.sleep(POLL)

    def _get(self, name: str) -> int:
        answer = self._ask(f"GET {name}", lambda lines: lines.index(b"\n") + 1 if b"\n" in lines else 0)
        key, _, value = answer.partition(" ")
        if key != name or not value.isdigit():
            raise SilentGripper(f"gripper: answered {answer!r} to GET {name}")
        return int(value)

    def _set(self, **values: int) -> None:
        words = " ".join(f"{name} {value}" for name, value in values.items())
        answer = self._ask(f"SET {words}", lambda lines: len(ACKNOWLEDGED) if len(lines) >= len(ACKNOWLEDGED) else 0)
        if answer.encode() != ACKNOWLEDGED:
            raise SilentGripper(f"gripper: answered {answer!r} to SET {words}")

    def _ask(self, line: str, end: Callable[[bytes], int]) -> str:
        """The answer to a line; `end` says how many bytes of what has come it is, and 0 while it is not whole."""
        try:
            self._socket.sendall(line.encode() + b"\n")
            while not (length := end(self._lines)):
                received = self._socket.recv(1024)
                if not received:
                    raise ConnectionError("it closed the connection")
                self._lines = (self._lines + received).lstrip()  # an end of line after the answer before
        except OSError as error:  # timeouts are OSErrors, too
            raise SilentGripper(
                f"gripper: no answer from {self.host}:{self.port} ({error or 'timed out'}); "
                "what it holds, it holds on. Check its cable and lamp, restart the cell"
            ) from error
        answer, self._lines = self._lines[:length], self._lines[length:].lstrip()
        return answer.decode(errors="replace").strip()


def check_counts(counts: tuple[int, int]) -> tuple[int, int]:
    """Counts of the open and the closed gripper; raises ValueError."""
    if not 0 <= counts[0] < counts[1] <= 255:
        raise ValueError(f"counts: expected 0 <= open < closed <= 255, got {counts}")
    return counts


def _share(value: float, span: tuple[float, float]) -> int:
    """A speed or force as the gripper's 0 to 255."""
    low, high = span
    return round(255 * float(np.clip((value - low) / (high - low), 0.0, 1.0)))
