"""The loopback cell: unmodified drivers, each device a program of its own on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from robot_stand_ins import CONTROLLER_PORTS, GRIPPER_PORT, Loopback, StandIn, need, need_free


@pytest.fixture
def gripper() -> Iterator[StandIn]:
    """A stand-in of the gripper."""
    need_free(GRIPPER_PORT)
    stand_in = StandIn("gripper_stand_in.py", str(GRIPPER_PORT))
    yield stand_in
    stand_in.close()


@pytest.fixture
def loopback(gripper: StandIn) -> Iterator[Loopback]:
    """Stand-ins of all devices; `loopback.cell` is opened against them with the unmodified drivers."""
    need("rtde_control", "rtde_receive", "dashboard_client", "pyrealsense2")
    need_free(*CONTROLLER_PORTS)
    with Loopback(StandIn("controller_stand_in.py"), gripper) as stand_ins:
        yield stand_ins
