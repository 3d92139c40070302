"""Stand-ins of the cell's devices, started as programs of their own, and the drivers' cell against them."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgrasp.cameras import Intrinsics
from dgrasp.cell.interface import Calibration, CameraCalibration
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.robot.devices import DeviceCell
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.hardware import HardwareConfig, open_cell
from dgrasp.robot.safety import MotionConfig
from dgrasp.robot.viewpoints import Viewpoint

HERE = Path(__file__).parent
CONTROLLER_PORTS = (29999, 30001, 30002, 30003, 30004)
GRIPPER_PORT = 63352
WIDTH, HEIGHT = 64, 48
BOARD = (-0.0125, -0.0130, -0.0118)  # m, as measured at three places


def need(*modules: str) -> None:
    """Skip, with the reason, where a vendor's library cannot be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            pytest.skip(f"{module} is not installed or lacks a system library ({error}): pip install dgrasp[robot]")


def need_free(*ports: int) -> None:
    """Skip where another process has the port: the controller's ports are fixed."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                pytest.skip(f"port {port} of the stand-in is taken ({error})")


class StandIn:
    """A program that speaks JSON lines on stdin and stdout."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(HERE / script), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with suppress(OSError, AttributeError):  # where we may: a device does not wait for other programs
            os.setpriority(os.PRIO_PROCESS, self.process.pid, -10)
        self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        while True:
            line = self.process.stdout.readline()
            assert line, "the stand-in has ended"
            if line.startswith("{"):  # PyBullet greets on stdout
                return json.loads(line)

    def tell(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class SoftwareCamera:
    """A RealSense device made of software, to which a thread gives noisy frames at 100 Hz."""

    def __init__(self) -> None:
        import pyrealsense2 as rs

        self.rs = rs
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.serial_number, "stand-in")
        self.sensor = self.device.add_sensor("Color")
        stream = rs.video_stream()
        stream.type, stream.fmt, stream.fps, stream.bpp = rs.stream.color, rs.format.rgb8, 30, 3
        stream.width, stream.height, stream.uid, stream.index = WIDTH, HEIGHT, 0, 0
        i = rs.intrinsics()
        i.width, i.height, i.fx, i.fy, i.ppx, i.ppy = WIDTH, HEIGHT, 61.7, 61.7, 32.0, 24.0
        i.model, i.coeffs = rs.distortion.none, [0.0] * 5
        stream.intrinsics = i
        self.profile = self.sensor.add_video_stream(stream)
        self.mode = "live"  # "frozen": the same picture under new numbers; "dead": no frames
        self.last = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def freeze(self) -> None:
        """A new picture, and from now on no other."""
        self.mode = "frozen"
        time.sleep(0.1)  # whatever picture was being made is out
        self.last = 255 - self.last

    def _run(self) -> None:
        rng, number = np.random.default_rng(0), 0
        while not self._ended.wait(0.01):
            if self.mode == "dead":
                continue
            if self.mode == "live":
                self.last = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            frame = self.rs.software_video_frame()
            frame.stride, frame.bpp, frame.pixels = WIDTH * 3, 3, self.last.copy()
            frame.timestamp, frame.domain = time.monotonic() * 1000, self.rs.timestamp_domain.system_time
            frame.frame_number, frame.profile = number, self.profile.as_video_stream_profile()
            number += 1
            with contextlib.suppress(RuntimeError):  # nobody listens yet, or any more
                self.sensor.on_video_frame(frame)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def standing_calibration() -> Calibration:
    """Two standing cameras at the fixed viewpoints; one device serves as both."""
    i = Intrinsics.d415(WIDTH, HEIGHT)
    views = evaluation_viewpoints(2)
    return Calibration(
        cameras=tuple(
            CameraCalibration(
                camera=name,
                width=WIDTH,
                height=HEIGHT,
                fx=i.fx,
                fy=i.fy,
                cx=i.cx,
                cy=i.cy,
                mount="world",
                T_mount_cam=tuple(map(tuple, T.tolist())),
            )
            for name, T in zip(("left", "right"), views, strict=True)
        )
    )


class Loopback:
    """All stand-ins, and the cell that the drivers make of them."""

    def __init__(self, controller: StandIn, gripper: StandIn) -> None:
        self.controller, self.gripper, self.device = controller, gripper, SoftwareCamera()
        self.config = HardwareConfig(
            arm="127.0.0.1",
            cameras={"left": "stand-in", "right": "stand-in too"},
            board_heights=BOARD,
            viewpoints=(Viewpoint(camera="left"), Viewpoint(camera="right")),
            calibration=standing_calibration(),
            motion=MotionConfig(joint_speed=0.8, linear_speed=0.25, acceleration=1.5, hold_seconds=0.1),
        )
        self.cell = self.open()

    def refresh(self) -> None:
        """All stand-ins as if just switched on; the cell is opened anew where a fault broke it."""
        running = self.controller.tell(do="reset")["running"]
        self.device.mode = "live"
        self.cell.dry_run = False
        if not running or self.cell.broken:
            self.cell.close()
            self.cell = self.open()
            self.controller.tell(do="reset")

    def open(self, **options: Any) -> DeviceCell:
        """A cell against the stand-ins; there can be one at a time."""
        self.camera = RealSenseCamera(device=self.device.device, width=WIDTH, height=HEIGHT, timeout=5.0)
        self.camera.warm_up()
        try:
            return open_cell(self.config, cameras={"left": self.camera, "right": self.camera}, **options)
        except BaseException:
            self.camera.close()
            raise

    def state(self) -> dict[str, Any]:
        """Of the controller."""
        return self.controller.tell(do="state")

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *error: object) -> None:
        self.cell.close()
        self.device.close()
        self.controller.close()
