"""A cell has one hand: only the thread that armed it moves it, one motion at a time, and nobody after a fault."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from dgrasp.cell.interface import CellFault, NotArmed, UnsafePose

CONFIRMATION = "I stand at the emergency stop"
ASKED_TO_STOP = 0.1  # s between the words to an arm that moves while its cell is being closed

Hand = tuple[int, threading.Thread]  # a process forked from ours has copies of our threads, and no right to move


class OneHand:
    """What a cell that moves is made on. Subclasses stop the arm in `_stop`, and put what they do in `_turn`.

    broken: why nothing moves any more, in words: a fault of a device, or `end`. Empty while it may. Nobody can arm
    such a cell again: it is to be closed, and opened anew by a person who has looked.
    """

    def __init__(self) -> None:
        self.broken = ""
        self._ended = threading.Event()
        self._lock = threading.RLock()  # over check and execution
        self._armed_by: Hand | None = None
        self._moved = False  # whether anything was moved in the turn under way

    @contextmanager
    def armed(self, confirm: str) -> Iterator[Self]:
        """Allow motions inside the block, to the thread that enters it. `confirm` must be CONFIRMATION, word for word.

        Raises NotArmed for other words, while it is armed already, and after a fault or the end: then this cell is to
        be closed and opened anew.
        """
        self._check_free(confirm)  # at once, and once more when nobody else is at work
        with self._lock:
            self._check_free(confirm)
            self._armed_by = _me()
        try:
            yield self
        finally:
            if self._armed_by == _me():
                self._armed_by = None

    def end(self) -> None:
        """Nothing moves from now on, whichever thread is at it: its motion is stopped. Returns when it has let go."""
        self._ended.set()
        self.broken = self.broken or "it was closed"
        self._armed_by = None
        while not self._lock.acquire(timeout=ASKED_TO_STOP):
            self._stop()
        self._lock.release()

    def _rest(self, seconds: float) -> None:
        """Wait with the arm still, no longer than until the end."""
        self._ended.wait(seconds)

    def _stop(self) -> None:
        """Stop the arm; from any thread, and never raises."""
        raise NotImplementedError

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """What one thread does with the cell, from the first check to the last motion; others wait for it."""
        with self._lock:
            if self._ended.is_set():
                raise NotArmed("the cell was closed; open it anew")
            self._moved = False
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever goes wrong inside: stop the arm, disarm, and let the error through. Errors end the cell's work."""
        try:
            yield
        except (UnsafePose, NotArmed):  # refused, and nothing was moved
            raise
        except BaseException as error:
            self._armed_by = None
            if isinstance(error, Exception):  # not an interrupt: then a person is there, and may arm again
                self.broken = self.broken or str(error) or type(error).__name__
            self._stop()
            raise

    def _check_armed(self, *, moves: bool = True) -> None:
        """Before every motion: raises NotArmed, or CellFault if the right to move ended with the arm on its way.

        moves: whether a motion follows at once.
        """
        if self._armed_by == _me():
            self._moved |= moves
            return
        if self._moved:
            raise CellFault(f"the cell was disarmed in mid-motion: {self.broken or 'its arming ended'}")
        self._check_whole()
        if (other := self._armed_by) is not None:
            raise NotArmed(f"the cell is armed by the thread {other[1].name!r}; no other moves it")
        raise NotArmed(
            f"the cell is disarmed: motions need `with cell.armed({CONFIRMATION!r}):`, and arming ends with a fault"
        )

    def _check_free(self, confirm: str) -> None:
        self._check_whole()
        if confirm != CONFIRMATION:
            raise NotArmed(f"the cell stays disarmed: confirm with the words {CONFIRMATION!r}, if they are true")
        if (other := self._armed_by) is not None:
            raise NotArmed(f"the cell is armed already, by the thread {other[1].name!r}: it has one hand")

    def _check_whole(self) -> None:
        if self.broken:
            raise NotArmed(
                f"the cell stays disarmed after a fault or its end, close it and open it anew ({self.broken})"
            )


def _me() -> Hand:
    return os.getpid(), threading.current_thread()
