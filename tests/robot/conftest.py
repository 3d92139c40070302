"""The loopback cell: unmodified drivers, each device a program of its own on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from robot_stand_ins import CONTROLLER_PORTS, GRIPPER_PORT, Loopback, StandIn, need, need_free


@pytest.fixture(scope="session")
def gripper_program() -> Iterator[StandIn]:
    need_free(GRIPPER_PORT)
    stand_in = StandIn("gripper_stand_in.py", str(GRIPPER_PORT))
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="session")
def loopback_programs(gripper_program: StandIn) -> Iterator[Loopback]:
    need("rtde_control", "rtde_receive", "dashboard_client", "pyrealsense2")
    need_free(*CONTROLLER_PORTS)
    with Loopback(StandIn("controller_stand_in.py"), gripper_program) as stand_ins:
        yield stand_ins


@pytest.fixture
def gripper(gripper_program: StandIn) -> StandIn:
    """A stand-in of the gripper, as if just switched on."""
    gripper_program.tell(reset=True)
    return gripper_program


@pytest.fixture
def loopback(gripper: StandIn, loopback_programs: Loopback) -> Loopback:
    """Stand-ins of all devices as if just switched on, and `loopback.cell`, opened with the unmodified drivers."""
    loopback_programs.refresh()
    return loopback_programs
