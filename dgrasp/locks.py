"""One writer for a folder, whichever process, container or machine it is: a lock whose owner can be told dead.

The lock is filelock's lease, a file `.lock` that names its owner: machine, boot, process and when that began. An owner
on this machine is looked up; one elsewhere must show a sign of life, and a clock that is wrong on either side does not
matter. Who comes second says who is at work, and waits.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

LOCK = ".lock"
SILENCE = 30.0  # s without a sign of life, of which there are three in that time: then an owner elsewhere is dead
AT_ONCE = 1.0  # s in which the lock of a process that has died on this machine is ours
ORPHANS = 1.0  # s that workers of a dead owner have to end (`dgrasp.processes`)
_held: dict[Path, SoftFileLease] = {}


class LockError(RuntimeError):
    """A folder cannot be locked, or the lock was lost; the message says which folder and why."""


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Within this context no other process writes `folder`; waits, saying for whom, while one does.

    Raises LockError where this process is at work on it already, or locks cannot be made there.
    """
    path = Path(folder).resolve() / LOCK
    if path in _held:
        raise LockError(f"{folder}: this process is at work on it already")
    lease = SoftFileLease(path, lease_duration=SILENCE, thread_local=False)
    _acquire(lease, Path(folder))
    _held[path] = lease
    try:
        yield
    finally:
        del _held[path]
        lease.release()


def clear_lock(folder: Path) -> None:
    """Remove the lock that a process left in `folder` when it died; one of a living process stays."""
    path = Path(folder).resolve() / LOCK
    if path in _held or not path.is_file():
        return
    lease = SoftFileLease(path, lease_duration=SILENCE, thread_local=False)
    with suppress(Timeout, LeaseSettingsMismatch, OSError):
        lease.acquire(timeout=AT_ONCE, poll_interval=0.05)
        lease.release()


def check_lock(folder: Path) -> None:
    """Raises LockError if this process had the folder's lock and another has taken it since."""
    lease = _held.get(Path(folder).resolve() / LOCK)
    if lease is not None and lease.compromise is not None:
        raise LockError(
            f"{folder}: another process took it over, since this one gave no sign of life for {SILENCE:g} s"
        )


def _acquire(lease: SoftFileLease, folder: Path) -> None:
    before = lease.owner
    try:
        try:
            lease.acquire(timeout=AT_ONCE, poll_interval=0.05)
        except Timeout:
            print(f"{folder}: {_named(lease)} is at work on it; waiting until it ends", file=sys.stderr, flush=True)
            lease.acquire(poll_interval=0.2)
    except LeaseSettingsMismatch as error:
        raise LockError(f"{folder}: locked by another version of this package ({error})") from error
    except OSError as error:
        raise LockError(f"{folder}: cannot be locked for writing ({error})") from error
    if before is not None:
        time.sleep(ORPHANS)


def _named(lease: SoftFileLease) -> str:
    owner = lease.owner
    return "a process" if owner is None else f"process {owner.pid} on {owner.hostname.partition('?')[0]}"
