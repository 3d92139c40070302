"""An example of a driver of one's own: an arm and a hand behind a program that reads and writes lines of JSON.

Copy it, and put the calls of your vendor's library in the place of `ask`; then `open_cell(config, arm=...,
gripper=...)`. What each method must do says `dgrasp.cell.interface`. The cell checks every motion before it calls one,
and calls `stop` when anything fails; a driver checks again what it passes on, and its controller has limits of its own.

A motion's answer comes when it has ended, and `stop` is called from another thread meanwhile (`cell.close()`): it has
a connection of its own. The controller takes both, and reads the second one while it moves.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float

from dgrasp.cell.interface import CellFault, ConnectionLost, SilentGripper
from dgrasp.robot.drivers.sockets import peer_of
from dgrasp.robot.limits import SafetyLimits, check_posture, check_rigid, check_width, check_within

STOP = 1.0  # s within which the controller answers that it stops


class _Lines:
    """One TCP connection: a request is a line, and so is its answer. A second thread waits until the first has its."""

    def __init__(self, host: str, port: int, fault: type[CellFault], patience: float) -> None:
        self.socket = socket.create_connection((host, port), timeout=patience)
        self.lines, self.peer, self.fault = self.socket.makefile("rw", encoding="utf-8"), peer_of(self.socket), fault
        self.patience, self.lock = patience, threading.Lock()

    def ask(self, what: str, seconds: float = 0.0, **about: Any) -> Any:
        """seconds: that it takes if all is well; the answer is awaited twice as long, and `patience` on top."""
        try:
            with self.lock:
                self.socket.settimeout(self.patience + 2 * seconds)
                self.lines.write(json.dumps({"do": what, **about}) + "\n")
                self.lines.flush()
                answer = json.loads(self.lines.readline())
        except (OSError, ValueError) as error:
            raise self.fault(f"{self.peer.address}: no answer to {what!r} ({error}); look at the controller") from error
        if "error" in answer:
            raise self.fault(f"{self.peer.address}: {what}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        with suppress(OSError):  # what could not be sent, to a controller that is gone
            self.lines.close()
        self.socket.close()


class ExampleArm:
    """See `dgrasp.cell.interface.Arm`. `stop` is called from another thread while a motion blocks.

    limits: of the cell (`HardwareConfig.limits`). patience: s that an answer may take, beyond the time of a motion.
    """

    real: bool | None = None  # set True for a real arm, False for a simulator: None is refused from another machine
    serial = ""  # its number, for the log

    def __init__(self, host: str, port: int, limits: SafetyLimits, patience: float = 10.0) -> None:
        self.limits, self._lines = limits, _Lines(host, port, ConnectionLost, patience)
        self._stopping = _Lines(host, port, ConnectionLost, STOP)
        self.peer = self._lines.peer

    def joints(self) -> Float[np.ndarray, "joints"]:
        return check_posture(np.array(self._lines.ask("joints")), len(self.limits.model.arm.joints))

    def tcp(self) -> Float[np.ndarray, "4 4"]:
        return check_rigid(np.array(self._lines.ask("tcp"), dtype=np.float64))

    def move_joints(self, q: Float[np.ndarray, "joints"], *, speed: float, acceleration: float) -> None:
        check_within("joint speed", speed, self.limits.joint_speed, "rad/s")
        check_within("acceleration", acceleration, self.limits.acceleration, "rad/s^2")
        seconds = float(np.abs(q - self.joints()).max()) / speed + speed / acceleration
        self._lines.ask("move_joints", seconds, q=np.asarray(q).tolist(), speed=speed, acceleration=acceleration)

    def move_line(self, T_world_tcp: Float[np.ndarray, "4 4"], *, speed: float, acceleration: float) -> None:
        check_within("linear speed", speed, self.limits.linear_speed, "m/s")
        check_within("acceleration", acceleration, self.limits.acceleration, "m/s^2")
        T = check_rigid(T_world_tcp)
        seconds = float(np.linalg.norm(T[:3, 3] - self.tcp()[:3, 3])) / speed + speed / acceleration
        self._lines.ask("move_line", seconds, T=T.tolist(), speed=speed, acceleration=acceleration)

    def stop(self) -> None:
        with suppress(CellFault):  # whoever calls this has something worse to say
            self._stopping.ask("stop")

    def close(self) -> None:
        self._lines.close()
        self._stopping.close()


class ExampleGripper:
    """See `dgrasp.cell.interface.Gripper`."""

    def __init__(self, host: str, port: int, limits: SafetyLimits, patience: float = 10.0) -> None:
        self.limits, self._lines = limits, _Lines(host, port, SilentGripper, patience)
        self.peer = self._lines.peer

    def activate(self) -> None:
        self._lines.ask("activate")

    def move(self, width: float, *, speed: float, force: float) -> float:
        hand = self.limits.model.hand
        check_within("grip force", force, self.limits.grip_force, "N")
        return float(self._lines.ask("grip", width=check_width(width, hand), speed=speed, force=force))

    def holds(self) -> bool:
        return bool(self._lines.ask("holds"))

    def close(self) -> None:
        self._lines.close()
