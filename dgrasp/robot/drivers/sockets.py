"""What the drivers share: is the device there at all, and is it this very machine?"""

from __future__ import annotations

import importlib
import ipaddress
import socket
from types import ModuleType


def vendor_library(module: str) -> ModuleType:
    """Import a vendor's library; raises ImportError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module}: {error}; install the drivers with `pip install dgrasp[robot]` "
            "(the camera's also needs the system library libusb-1.0, Debian's package libusb-1.0-0)"
        ) from error


def answers(host: str, port: int, timeout: float = 2.0) -> str | None:
    """None if something accepts connections at host:port, else why not, in words."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        return f"nothing answers at {host}:{port} ({error})"
    return None


def is_loopback(host: str) -> bool:
    """Whether an address means this machine. Names are resolved, so that an alias cannot pass for a robot."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)
