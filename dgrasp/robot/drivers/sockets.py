"""What the drivers share: is the device there at all, and is it this very machine?"""

from __future__ import annotations

import importlib
import ipaddress
import socket
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection: its address as a literal, and whether it is this very machine."""

    address: str
    here: bool


def peer_of(connection: socket.socket) -> Peer:
    """The other end of an open TCP connection.

    Both ends have one address where a program of this machine answers, by whatever name or address it was called: an
    alias, 127.x, 0.0.0.0, or an address of the network card.
    """
    there, own = connection.getpeername()[0], connection.getsockname()[0]
    return Peer(there, there == own or is_local_literal(there))


def reach(host: str, port: int, timeout: float = 2.0) -> Peer:
    """Who accepts connections at host:port; raises OSError where nobody does."""
    with socket.create_connection((host, port), timeout) as connection:
        return peer_of(connection)


def answers(host: str, port: int, timeout: float = 2.0) -> str | None:
    """None if something accepts connections at host:port, else why not, in words."""
    try:
        reach(host, port, timeout)
    except OSError as error:
        return f"nothing answers at {host}:{port} ({error})"
    return None


def is_local_literal(address: str) -> bool:
    """Whether a literal address means the machine it is used on; raises ValueError for a name, which is not resolved.

    127.0.0.2 and ::1 do, and so does the unspecified 0.0.0.0, which Linux connects to itself.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return mapped.is_loopback or mapped.is_unspecified
