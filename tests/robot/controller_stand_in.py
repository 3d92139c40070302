"""A stand-in of the UR10's controller, as a program: RTDE (30004), dashboard (29999), robot states (30002), script
ports (30001, 30003).

It knows what ur_rtde's client needs: the handshake, a 125 Hz report, registers in and out, and the commands that the
driver sends. Its arm moves in straight joint or tool lines at the asked speed, and stops by itself when the watchdog
is not kicked. Lines of JSON on stdin change it, each answered by a line on stdout:

    {"do": "state"}                         nothing but the answer
    {"do": "protective"}                    protective stop, as if it had hit something
    {"do": "emergency"}                     emergency stop
    {"do": "safeguard"}                     safeguard stop: the program waits, and goes on after "unlock"
    {"do": "pause"}                         paused at the pendant, likewise
    {"do": "stall"}                         the motion comes no further, and nothing says why
    {"do": "force", "value": [x, y, z]}     newtons on the tool until the motion ends
    {"do": "drop"}                          close all connections and answer no more
    {"do": "unlock"}                        after a protective stop or a drop: as before
    {"do": "real", "value": true}           says that it moves a real arm (the truth, and the start, is false)
    {"do": "swap"}                          another model of arm: its flange is 5 cm longer
    {"do": "reset"}                         unlocked, at home, nothing planned, nothing received

With "at": "moveL" (or "moveJ") it happens 0.1 s into the next such motion. The answer tells the joint angles, whether
the arm moves, whether the program runs, and what was received so far.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from dgrasp.cell import ur10
from dgrasp.cell.ur10 import HOME

HOST = "127.0.0.1"
PERIOD = 1 / 125  # s, the CB3's
MOVES = {1: "moveJ", 3: "moveL"}
SET_TCP, STOP_L, STOP_J, SET_WATCHDOG, STOP_SCRIPT = 29, 33, 34, 35, 255  # as ur_rtde 1.6.5 sends them
READY, DONE = 1, 2  # of output_int_register_0
SIZES = {"DOUBLE": "d", "INT32": "i", "UINT32": "I", "VECTOR6D": "6d"}
PROTOCOL, VERSION, DATA, OUTPUTS, INPUTS, START, PAUSE = 86, 118, 85, 79, 73, 83, 80  # RTDE packages


def type_of(name: str) -> str:
    if "int_register" in name or name in ("robot_mode", "safety_mode"):
        return "INT32"
    if name in ("runtime_state", "robot_status_bits", "safety_status_bits"):
        return "UINT32"
    return (
        "VECTOR6D" if name in ("actual_q", "actual_TCP_pose", "actual_TCP_force", "external_force_torque") else "DOUBLE"
    )


class Motion:
    """Joint angles over time, at constant speed."""

    def __init__(self, kind: str, q: np.ndarray, target: list[float], speed: float, tool: np.ndarray) -> None:
        self.kind, self.begun = kind, time.monotonic()
        if kind == "moveJ":
            self.path = np.linspace(q, target, 100)
            self.seconds = float(np.abs(np.subtract(target, q)).max()) / speed
            return
        start = ur10.HALF_TURN @ ur10.forward(q) @ tool
        ends = np.stack([start, np.eye(4)])
        ends[1, :3, :3], ends[1, :3, 3] = Rotation.from_rotvec(target[3:]).as_matrix(), target[:3]
        share = np.linspace(0, 1, 100)
        poses = np.repeat(ends[:1], 100, 0)
        poses[:, :3, 3] = start[:3, 3] + share[:, None] * (ends[1, :3, 3] - start[:3, 3])
        poses[:, :3, :3] = Slerp([0, 1], Rotation.from_matrix(ends[:, :3, :3]))(share).as_matrix()
        joints = ur10.inverse(ur10.HALF_TURN @ poses @ np.linalg.inv(tool))
        away = np.abs(np.angle(np.exp(1j * (joints[0] - q)))).max(-1)
        self.path = np.unwrap(np.concatenate([q[None], joints[:, int(np.nanargmin(away))]]), axis=0)[1:]
        self.seconds = float(np.linalg.norm(ends[1, :3, 3] - start[:3, 3])) / speed

    def at(self, now: float) -> tuple[np.ndarray, bool]:
        share = min(1.0, (now - self.begun) / max(self.seconds, 1e-6))
        return self.path[round(share * (len(self.path) - 1))], share >= 1.0


class Controller:
    """The state of the arm and its program; `tick` runs at 125 Hz."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tool = np.eye(4)
        self.registers: dict[str, float] = {}
        self.running = False
        self.state, self.operation = READY, 0
        self.watchdog, self.kicked = 0.0, 0.0
        self.reset()

    def reset(self) -> None:
        self.q, self.longer, self.real = HOME.copy(), 0.0, False
        self.motion: Motion | None = None
        self.protective = self.emergency = self.dropped = False
        self.safeguard = self.paused = self.stalled = False
        self.ticked = time.monotonic()
        self.force = [0.0, 0.0, 0.0]
        self.events: list[str] = []
        self.plans: dict[str, dict] = {}  # by kind of motion: what happens in the next one

    def start_program(self) -> None:
        with self.lock:
            self.running, self.watchdog, self.state = True, 0.0, READY

    def end_program(self, why: str) -> None:
        with self.lock:
            self.events.append(why)
            self.motion, self.running, self.watchdog, self.force = None, False, 0.0, [0.0, 0.0, 0.0]

    def order(self, request: dict) -> None:
        """Do what the test asks, now or in the next motion of a kind."""
        with self.lock:
            if kind := request.pop("at", None):
                self.plans[kind] = request
            elif request["do"] == "protective":
                self.protective = True
                self.end_program("protective stop")
            elif request["do"] == "emergency":
                self.emergency = True
                self.end_program("emergency stop")
            elif request["do"] == "unlock":
                self.protective = self.emergency = self.dropped = False
                self.safeguard = self.paused = self.stalled = False
            elif request["do"] == "safeguard":
                self.safeguard = True
            elif request["do"] == "pause":
                self.paused = True
            elif request["do"] == "stall":
                self.stalled = True
            elif request["do"] == "real":
                self.real = request["value"]
            elif request["do"] == "swap":
                self.longer = 0.05
            elif request["do"] == "reset":
                self.reset()
            elif request["do"] == "force":
                self.force = request["value"]
            elif request["do"] == "drop":
                self.dropped = True

    @property
    def waits(self) -> bool:
        """Whether the program stands still until somebody lets it go on."""
        return self.safeguard or self.paused

    def tick(self) -> None:
        with self.lock:
            now, before = time.monotonic(), self.ticked
            self.ticked = now
            if self.motion and (self.waits or self.stalled):
                self.motion.begun += now - before
            if self.motion:
                self.q, done = self.motion.at(now)
                if now - self.motion.begun > 0.1 and self.motion.kind in self.plans:
                    self.order(self.plans.pop(self.motion.kind))
                elif done:
                    self.motion, self.force = None, [0.0, 0.0, 0.0]
            if self.watchdog and not self.waits and now - self.kicked > 1 / self.watchdog:
                self.end_program("watchdog")

    def receive(self, values: dict[str, float]) -> None:
        """Input registers from the client; register 0 carries the command."""
        with self.lock:
            self.registers |= values
            self.kicked = time.monotonic()
            command = int(self.registers.get("input_int_register_0", 0))
            if command == 0:
                self.state = READY
            elif self.running and self.state == READY and not self.waits:
                self.obey(command, [self.registers.get(f"input_double_register_{i}", 0.0) for i in range(8)])
                self.state = DONE

    def obey(self, command: int, values: list[float]) -> None:
        if command in MOVES:
            self.events.append(MOVES[command])
            self.motion = Motion(MOVES[command], self.q, values[:6], values[6], self.tool)
            self.operation = self.operation % 127 + 1
        elif command == SET_TCP:
            self.tool[:3, 3] = values[:3]
        elif command == SET_WATCHDOG:
            self.watchdog = values[0]
        elif command in (STOP_L, STOP_J):
            self.events.append("stop")
            self.motion = None
        elif command == STOP_SCRIPT:
            self.end_program("stopScript")
        else:
            self.events.append(f"unknown command {command}")

    def tcp_pose(self) -> list[float]:
        T = ur10.HALF_TURN @ ur10.forward(self.q) @ self.tool
        return [*(T[:3, 3] + self.longer * T[:3, 2]), *Rotation.from_matrix(T[:3, :3]).as_rotvec()]

    def report(self, name: str) -> bytes:
        moving = self.motion is not None
        values = {
            "timestamp": time.monotonic(),
            "actual_q": self.q,
            "actual_TCP_pose": self.tcp_pose(),
            "actual_TCP_force": [*self.force, 0.0, 0.0, 0.0],
            "robot_mode": 7,
            "safety_mode": 3 if self.protective else 7 if self.emergency else 5 if self.safeguard else 1,
            "safety_status_bits": 1 << 2 if self.protective else 1 << 7 if self.emergency else 1,
            "robot_status_bits": 1 | int(self.running) << 1,
            "runtime_state": 4 if self.paused else 2 if self.running else 1,
            "output_int_register_0": self.state,
            "output_int_register_2": self.operation << 24 | int(moving) << 15,
        }
        kind = type_of(name)
        value = values.get(name, [0.0] * 6 if kind == "VECTOR6D" else 0)
        return struct.pack(f">{SIZES[kind]}", *np.atleast_1d(value).tolist())


def serve_rtde(connection: socket.socket, controller: Controller) -> None:
    """One client of port 30004: handshake, then reports out and registers in."""
    outputs: list[str] = []
    inputs: list[list[str]] = []
    started, buffer, sent = False, b"", 0.0
    connection.settimeout(0.002)

    def send(kind: int, payload: bytes) -> None:
        connection.sendall(struct.pack(">HB", len(payload) + 3, kind) + payload)

    while not controller.dropped:
        try:
            received = connection.recv(65536)
            if not received:
                return
            buffer += received
        except TimeoutError:
            pass
        while len(buffer) >= 3 and len(buffer) >= struct.unpack_from(">H", buffer)[0]:
            size, kind = struct.unpack_from(">HB", buffer)
            payload, buffer = buffer[3:size], buffer[size:]
            if kind == VERSION:
                send(kind, struct.pack(">4I", 3, 15, 4, 0))
            elif kind == OUTPUTS:
                outputs = payload[8:].decode().split(",")
                send(kind, b"\1" + ",".join(map(type_of, outputs)).encode())
            elif kind == INPUTS:
                inputs.append([name for name in payload.decode().split(",") if name])  # the last name is empty
                send(kind, bytes([len(inputs)]) + ",".join(map(type_of, inputs[-1])).encode())
            elif kind == DATA:
                names = inputs[payload[0] - 1]
                values = struct.unpack_from(">" + "".join(SIZES[type_of(n)] for n in names), payload, 1)
                controller.receive(dict(zip(names, values, strict=True)))
            elif kind in (PROTOCOL, START, PAUSE):
                started = kind == START or (started and kind != PAUSE)
                send(kind, b"\1")
        if started and time.monotonic() - sent > PERIOD:
            sent = time.monotonic()
            with controller.lock:
                send(DATA, b"\1" + b"".join(map(controller.report, outputs)))


def serve_dashboard(connection: socket.socket, controller: Controller) -> None:
    connection.sendall(b"Connected: Universal Robots Dashboard Server\n")
    while received := connection.recv(1024):
        if received.strip() == b"stop":
            controller.end_program("dashboard stop")
            connection.sendall(b"Stopped\n")
        elif received.strip() == b"get serial number":
            connection.sendall(b"2026300000\n")
        else:
            connection.sendall(b"3.15.4.106291 (Feb 01 2021)\n" if b"ersion" in received else b"ok\n")


def serve_secondary(connection: socket.socket, controller: Controller) -> None:
    """Robot states at 10 Hz, each with a part that says whether there is a real arm; takes no script here."""
    while not controller.dropped:
        timed = struct.pack(">Q7?", time.monotonic_ns() // 1000, controller.real, controller.real, *[True] * 5)
        parts = [(1, bytes(251)), (0, timed + bytes(27))]  # joint data come first here: order is not promised
        body = b"".join(struct.pack(">iB", len(data) + 5, kind) + data for kind, data in parts)
        version = struct.pack(">iB", 20, 20) + bytes(15)  # another kind of message
        connection.sendall(version + struct.pack(">iB", len(body) + 5, 16) + body)
        time.sleep(0.1)


def serve_script(connection: socket.socket, controller: Controller) -> None:
    while received := connection.recv(65536):
        if b"def " in received:
            controller.start_program()


SERVERS = {29999: serve_dashboard, 30001: serve_script, 30002: serve_secondary, 30003: serve_script, 30004: serve_rtde}


def listen(port: int, controller: Controller) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen()

    def attend(connection: socket.socket) -> None:
        try:
            SERVERS[port](connection, controller)
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if controller.dropped:
                connection.close()
            else:
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main() -> None:
    controller = Controller()
    for port in SERVERS:
        listen(port, controller)

    def run() -> None:
        while True:
            controller.tick()
            time.sleep(PERIOD)

    threading.Thread(target=run, daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] != "state":
            controller.order(request)
        with controller.lock:
            state = {"q": controller.q.tolist(), "moving": controller.motion is not None, "running": controller.running}
            print(json.dumps({**state, "events": controller.events}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
