"""A stand-in of the Robotiq URCap's socket, as a program. `python gripper_stand_in.py PORT`.

Lines of JSON on stdin change it, each answered with its registers: {"object": counts} puts something between the
fingers (null takes it away), {"fault": code}, {"mute": true} stops answering, {"travel": seconds} a full stroke takes,
{"reset": true} is as if switched on anew.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time

ENDS = (3, 228)  # where the fingers of this one stop
DEACTIVATION = 0.1  # s until it has taken back an activation: one asked for before that is not taken


class Fingers:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.registers = {"ACT": 0, "GTO": 0, "STA": 0, "FLT": 0, "POS": 3, "PRE": 3, "SPE": 0, "FOR": 0, "OBJ": 3}
        self.mute, self.object, self.travel = False, None, 0.2
        self.start, self.begun, self.sets, self.deactivated = 3, 0.0, [], 0.0

    def set(self, words: list[str]) -> None:
        values = {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
        self.sets.append(values)
        rises = values.get("ACT") and not self.registers["ACT"]
        if rises and self.now()["STA"] == 0:  # only a rise of it activates, and clears what that clears
            self.registers["STA"] = 3
            if self.registers["FLT"] in (5, 7, 15):
                self.registers["FLT"] = 0
        elif values.get("ACT") == 0:
            self.deactivated = time.monotonic()
        if "POS" in values:
            self.start, self.begun = self.registers["POS"], time.monotonic()
            self.registers["PRE"] = values.pop("POS")
        self.registers |= values

    def now(self) -> dict[str, int]:
        """Registers after the time that went by: the fingers travel at constant speed until something stops them."""
        r, wanted = self.registers, self.registers["PRE"]
        if not r["ACT"] and time.monotonic() - self.deactivated > DEACTIVATION:
            r["STA"] = 0
        goal = min(max(wanted, ENDS[0]), ENDS[1])
        blocked = self.object is not None and self.start <= self.object < goal
        goal = self.object if blocked else goal
        step = (time.monotonic() - self.begun) / self.travel * (ENDS[1] - ENDS[0])
        there = step >= abs(goal - self.start)
        r["POS"] = goal if there else round(self.start + (step if goal > self.start else -step))
        r["OBJ"] = (2 if blocked else 3) if there else 0
        return r


def serve(connection: socket.socket, fingers: Fingers) -> None:
    for line in connection.makefile():
        words = line.split()
        if fingers.mute:
            continue
        if words[0] == "SET":
            fingers.set(words[1:])
            connection.sendall(b"ack")  # no end of line
        else:
            connection.sendall(f"{words[1]} {fingers.now()[words[1]]}\n".encode())


def main() -> None:
    fingers = Fingers()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, fingers), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "reset" in request:
            fingers.reset()
        for name in ("mute", "object", "travel"):
            if name in request:
                setattr(fingers, name, request[name])
        if "fault" in request:
            fingers.registers["FLT"] = request["fault"]
        print(json.dumps({**fingers.now(), "sets": fingers.sets}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
