"""The RealSense D415's colour sensor through pyrealsense2."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dgrasp.cameras import Intrinsics
from dgrasp.cell.interface import FrozenCamera
from dgrasp.robot.drivers.sockets import vendor_library
from dgrasp.robot.limits import check_wait

WARM_UP = 15  # frames that automatic exposure gets after start
FLUSH = 4  # frames taken before the one that counts: those on their way when capture was called


class RealSenseCamera:
    """A `Camera`: colour images of one device, RGB, as the sensor delivers them (no undistortion, no alignment)."""

    def __init__(
        self,
        serial: str = "",
        *,
        width: int = 640,
        height: int = 480,
        rate: int = 30,
        timeout: float = 1.0,
        device: Any = None,
    ) -> None:
        """serial: which camera, where several are connected. timeout: s for one frame.

        device: an opened `pyrealsense2` device instead of one on the bus. Raises FrozenCamera if there is none or it
        delivers no frames, ImportError without pyrealsense2, ValueError for a timeout that is not finite.
        """
        self._rs = vendor_library("pyrealsense2")
        self.timeout, self._last = check_wait("timeout", timeout), (-1, b"")
        device = device if device is not None else self._find(serial)
        self.serial = device.get_info(self._rs.camera_info.serial_number)
        self._sensor, profile = self._colour_stream(device, width, height, rate)
        self.intrinsics = _intrinsics(profile)
        self._frames = self._rs.frame_queue(1)
        self._sensor.open(profile)
        self._sensor.start(self._frames)
        self._open = True

    def warm_up(self) -> None:
        """Let automatic exposure settle."""
        for _ in range(WARM_UP):
            self._next()

    def capture(self) -> UInt8[np.ndarray, "height width 3"]:
        """See `Camera.capture`."""
        for _ in range(FLUSH):
            frame = self._next()
        image = np.asanyarray(frame.get_data()).copy()
        number, pixels = frame.get_frame_number(), image.tobytes()
        if number <= self._last[0] or pixels == self._last[1]:  # two exposures never agree in every bit of noise
            raise FrozenCamera(f"camera {self.serial}: the same frame again; plug it in anew, restart the cell")
        self._last = (number, pixels)
        return image

    def close(self) -> None:
        """Stop the stream."""
        if self._open:
            self._open = False
            with contextlib.suppress(RuntimeError):
                self._sensor.stop()
                self._sensor.close()

    def _next(self) -> Any:
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            frame = self._frames.poll_for_frame()
            if frame:
                return frame
            time.sleep(0.002)
        raise FrozenCamera(
            f"camera {self.serial}: no frame within {self.timeout:g} s; check its cable (USB 3), restart the cell"
        )

    def _find(self, serial: str) -> Any:
        devices = list(self._rs.context().query_devices())
        serials = [d.get_info(self._rs.camera_info.serial_number) for d in devices]
        if not devices:
            raise FrozenCamera("camera: no RealSense on the bus; is it plugged in, has the user access to it (udev)?")
        if serial and serial not in serials:
            raise FrozenCamera(f"camera {serial}: not on the bus; connected: {', '.join(serials)}")
        if not serial and len(devices) > 1:
            raise ValueError(f"serial: {len(devices)} cameras are connected, name one of {', '.join(serials)}")
        return devices[serials.index(serial) if serial else 0]

    def _colour_stream(self, device: Any, width: int, height: int, rate: int) -> tuple[Any, Any]:
        offered = []
        for sensor in device.query_sensors():
            for profile in sensor.get_stream_profiles():
                if profile.stream_type() != self._rs.stream.color:
                    continue
                video = profile.as_video_stream_profile()
                mode = (video.width(), video.height(), profile.fps())
                if mode == (width, height, rate) and profile.format() == self._rs.format.rgb8:
                    return sensor, profile
                offered.append(mode)
        modes = ", ".join(f"{w}x{h} at {f} Hz" for w, h, f in sorted(set(offered)))
        raise ValueError(
            f"width, height, rate: no RGB stream of {width}x{height} at {rate} Hz; offered: {modes or 'none'}"
        )


def _intrinsics(profile: Any) -> Intrinsics:
    """The factory's; a calibration of one's own should agree with them within a few pixels."""
    i = profile.as_video_stream_profile().get_intrinsics()
    return Intrinsics(i.width, i.height, i.fx, i.fy, i.ppx, i.ppy)
