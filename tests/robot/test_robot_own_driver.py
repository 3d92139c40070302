"""An arm that this project has no driver for: refused by name, and driven by the example driver against a stand-in."""

from __future__ import annotations

import ast
import json
import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgrasp.cell.description import read_cell
from dgrasp.cell.interface import (
    Calibration,
    CameraCalibration,
    CellFault,
    ConnectionLost,
    NotArmed,
    SilentGripper,
    UnsafePose,
)
from dgrasp.cell.model import model_of
from dgrasp.cell.transforms import transform
from dgrasp.files import UserFileError
from dgrasp.robot.devices import CONFIRMATION, backend_of
from dgrasp.robot.drivers.example import ExampleArm, ExampleGripper
from dgrasp.robot.drivers.sockets import Peer
from dgrasp.robot.hardware import HardwareConfig, NoDriver, open_cell
from dgrasp.robot.limits import MotionConfig, SafetyLimits, check_motion, check_pose, motion_of
from dgrasp.robot.viewpoints import Viewpoint

pytest.importorskip("pinocchio", reason="no Pinocchio: pip install 'dgrasp[arms]'")
PANDA = read_cell("panda_hand")
TOP_DOWN = transform(np.diag([1.0, -1.0, -1.0]), (0.2, 0.0, 1.0))


class Controller(socketserver.StreamRequestHandler):
    """What stands in for the arm's and the hand's controller: in joint motions after `seconds`, else at once."""

    def handle(self) -> None:
        for line in self.rfile:
            asked = json.loads(line)
            try:
                answer = {"value": getattr(self, asked.pop("do"))(**asked)}
            except ValueError as error:
                answer = {"error": str(error)}
            with suppress(OSError):  # whoever asked has gone
                self.wfile.write(json.dumps(answer).encode() + b"\n")

    @property
    def state(self) -> dict[str, Any]:
        return self.server.state  # type: ignore[attr-defined]

    def joints(self) -> list[float]:
        return self.state["q"].tolist()

    def tcp(self) -> list[list[float]]:
        return model_of(PANDA).arm.tcp_pose(self.state["q"]).tolist()

    def move_joints(self, q: list[float], speed: float, acceleration: float) -> None:
        self.state["moving"].set()
        if self.state["stopped"].wait(self.state["seconds"]):
            raise ValueError("stopped on the way")
        self.state["q"] = np.array(q)
        self.state["did"].append("joints")

    def move_line(self, T: list[list[float]], speed: float, acceleration: float) -> None:
        q = model_of(PANDA).arm.near(np.array(T), self.state["q"])
        if q is None or self.state["stuck"]:
            raise ValueError("the arm is stuck")
        self.state["q"] = q
        self.state["did"].append("line")

    def stop(self) -> None:
        self.state["stopped"].set()
        self.state["did"].append("stop")

    def activate(self) -> None:
        self.state["did"].append("activate")

    def grip(self, width: float, speed: float, force: float) -> float:
        self.state["width"] = max(width, 0.03) if self.state["object"] else width
        self.state["did"].append(f"grip {force:g} N")
        return float(self.state["width"])

    def holds(self) -> bool:
        return bool(self.state["object"]) and self.state["width"] == 0.03


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


@pytest.fixture
def controller() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Controller) as server:
        server.state = {  # type: ignore[attr-defined]
            "q": np.array(PANDA.arm.home), "width": 0.08, "object": False, "stuck": False, "did": [],
            "seconds": 0.0, "moving": threading.Event(), "stopped": threading.Event(),
        }  # fmt: skip
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Camera:
    """A standing camera that sees grey."""

    serial = "none"

    def capture(self) -> np.ndarray:
        return np.full((48, 64, 3), 128, np.uint8)

    def close(self) -> None: ...


def config() -> HardwareConfig:
    lens = PANDA.cameras[0].intrinsics.resized(64, 48)
    calibrated = [
        CameraCalibration(
            camera=view.name, width=64, height=48, fx=lens.fx, fy=lens.fy, cx=lens.cx, cy=lens.cy,
            mount="world", T_mount_cam=tuple(map(tuple, view.T_world_cam.tolist())),
        )
        for view in PANDA.views
    ]  # fmt: skip
    return HardwareConfig.model_validate({
        "cell": "panda_hand", "arm": "127.0.0.1", "board_heights": [0.0125, 0.0127, 0.0122],
        "cameras": {camera.name: f"{i}" for i, camera in enumerate(PANDA.cameras)},
        "viewpoints": [Viewpoint(camera=camera.name) for camera in PANDA.cameras],
        "calibration": Calibration(cameras=tuple(calibrated)),
    })  # fmt: skip


def opened(controller: Server) -> Any:
    settings = config()
    host, port = controller.server_address[:2]
    there = str(host), int(port), settings.limits
    arm, gripper = ExampleArm(*there), ExampleGripper(*there)
    cameras = {camera.name: Camera() for camera in PANDA.cameras}
    return open_cell(settings, arm=arm, gripper=gripper, cameras=cameras)


def test_without_a_driver_the_panda_is_refused_in_a_line_that_says_what_to_bring() -> None:
    with pytest.raises(NoDriver, match=r"no driver for Franka Emika Panda with Franka hand; bring one: .*\.Arm"):
        open_cell(config())
    with pytest.raises(ValueError, match=r"board_heights: .* -12.5 mm from the arm's base, expected is 12.5 mm"):
        HardwareConfig.model_validate(config().model_dump() | {"board_heights": [-0.0125] * 3})
    with pytest.raises(
        ValueError, match=r"board_heights: 12\.6 m from .* expected is 0\.0125 m; are these millimetres"
    ):
        HardwareConfig.model_validate(config().model_dump() | {"board_heights": [12.5, 12.6, 12.4]})


def test_a_description_is_found_beside_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, elsewhere = tmp_path / "lab", tmp_path / "elsewhere"
    values = config().model_dump(mode="json", exclude={"limits", "motion"}) | {"cell": "cells/mine.yaml"}
    for folder, name in ((lab, "mine"), (elsewhere, "another")):
        (folder / "cells").mkdir(parents=True)
        described = PANDA.model_copy(update={"name": name}).model_dump_json(exclude_none=True)
        (folder / "cells" / "mine.yaml").write_text(described)
    (lab / "hardware.yaml").write_text(json.dumps(values))
    monkeypatch.chdir(elsewhere)
    read = HardwareConfig.read(Path("..") / "lab" / "hardware.yaml")
    assert read.cell is not None and read.cell.name == "mine"
    (lab / "cells" / "mine.yaml").unlink()
    read = HardwareConfig.read(lab / "hardware.yaml")
    assert read.cell is not None and read.cell.name == "another"
    (elsewhere / "cells" / "mine.yaml").unlink()
    with pytest.raises(UserFileError, match=r"cells/mine.yaml: no such cell"):
        HardwareConfig.read(lab / "hardware.yaml")


def test_the_example_driver_makes_a_grasp(controller: Server) -> None:
    state = controller.state  # type: ignore[attr-defined]
    with opened(controller) as cell:
        assert cell.backend == "loopback" and cell.settings["limits"]["cell"]["name"] == PANDA.name
        cell.rehearse(TOP_DOWN)
        with pytest.raises(NotArmed):
            cell.execute(TOP_DOWN)
        assert cell.observe().images.shape == (2, 48, 64, 3)
        state["object"] = True
        with cell.armed(CONFIRMATION):
            made = cell.execute(TOP_DOWN)
    assert made.moved and made.holds and made.width == 0.03
    assert state["did"] == ["activate", "grip 40 N", "joints", "line", "grip 40 N", "line", "line", "grip 40 N",
                            "line", "joints"]  # fmt: skip
    np.testing.assert_allclose(state["q"], PANDA.arm.home)


def test_what_the_cell_refuses_never_reaches_the_driver(controller: Server) -> None:
    low, beside = TOP_DOWN.copy(), TOP_DOWN.copy()
    low[2, 3], beside[0, 3] = 0.965, 0.45
    with opened(controller) as cell, cell.armed(CONFIRMATION):
        for T, answer in ((low, "below the minimum height of 0.9715 m"), (beside, "allowed are -0.0300 to 0.3700 m")):
            with pytest.raises(UnsafePose, match=answer):
                cell.execute(T)
    assert controller.state["did"] == []  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"grip_force: 80 N; the Franka hand has 3 to 70 N"):
        SafetyLimits(cell=PANDA, grip_force=80.0)
    with pytest.raises(ValueError, match="narrow it"):
        SafetyLimits(cell=PANDA, low=(-0.127, -0.305, 0.9605))
    assert check_pose(TOP_DOWN, SafetyLimits(cell=PANDA)).shape == (4, 4)


def test_no_joint_is_asked_for_more_than_the_described_arm_can() -> None:
    arm = PANDA.arm.model_copy(update={"speed": (0.1, *PANDA.arm.speed[1:])})
    slow = PANDA.model_copy(update={"arm": arm})
    limits = SafetyLimits(cell=slow)
    assert (limits.joint_speed, motion_of(limits).joint_speed) == (0.1, 0.1)
    assert (limits.reach, SafetyLimits().reach) == (0.86, 1.25)
    read = HardwareConfig.model_validate(config().model_dump(exclude={"limits", "motion"}) | {"cell": slow})
    assert (read.limits.joint_speed, read.motion.joint_speed) == (0.1, 0.1)
    with pytest.raises(UnsafePose, match=r"joint_speed of 0.5 rad/s, the cap is 0.1 rad/s"):
        check_motion(MotionConfig(grip_force=40, open_width=0.08), limits)
    with pytest.raises(ValueError, match=r"joint_speed: 0.8 rad/s; the slowest joint of the Franka .* has 0.1 rad/s"):
        SafetyLimits(cell=slow, joint_speed=0.8)
    with pytest.raises(ValueError, match=r"reach: 1.25 m; the Franka Emika Panda goes 0.86 m from its shoulder"):
        SafetyLimits(cell=PANDA, reach=1.25)


def test_faults_of_the_controller_stop_the_arm(controller: Server) -> None:
    state = controller.state  # type: ignore[attr-defined]
    state["stuck"] = True
    with opened(controller) as cell, cell.armed(CONFIRMATION), pytest.raises(ConnectionLost, match="arm is stuck"):
        cell.execute(TOP_DOWN)
    assert state["did"][-1] == "stop"
    gripper = ExampleGripper(*controller.server_address[:2], SafetyLimits(cell=PANDA))  # type: ignore[arg-type]
    gripper.close()
    with pytest.raises(SilentGripper, match="no answer to 'holds'"):
        gripper.holds()


def test_an_arm_elsewhere_says_in_its_driver_whether_it_is_real(controller: Server) -> None:
    there, asked = Peer("192.0.2.7", here=False), r"real arm; set `real = True` \(or False, for a simulator\)"
    with pytest.raises(ValueError, match=asked):
        backend_of({"arm": there, "gripper": there}, None, own=True)
    assert backend_of({"arm": there, "gripper": there}, True, own=True) == "hardware"
    settings = config()
    for real, backend in ((None, ""), (True, "hardware"), (False, "loopback")):
        arm, gripper = (
            make(*controller.server_address[:2], settings.limits)  # type: ignore[arg-type]
            for make in (ExampleArm, ExampleGripper)
        )
        arm.peer, gripper.peer, arm.real = there, there, real
        cameras = {camera.name: Camera() for camera in PANDA.cameras}
        with pytest.raises(ValueError, match=asked) if real is None else nullcontext():
            cell = open_cell(settings, arm=arm, gripper=gripper, cameras=cameras)
            assert cell.backend == backend
            cell.close()


def test_a_moving_arm_is_stopped_from_another_thread(controller: Server) -> None:
    """REAL_CELL.md: `cell.close()` from another thread stops the arm."""
    state, faults = controller.state, []  # type: ignore[attr-defined]
    state["seconds"] = 5.0
    cell = opened(controller)

    def grasp() -> None:
        with cell.armed(CONFIRMATION):
            try:
                cell.execute(TOP_DOWN)
            except CellFault as fault:
                faults.append(str(fault))

    thread = threading.Thread(target=grasp)
    thread.start()
    assert state["moving"].wait(30)
    begun = time.monotonic()
    cell.close()
    assert time.monotonic() - begun < 4.0 and "line" not in state["did"]
    thread.join()
    assert "stopped on the way" in faults[0]
    for lines in (cell.arm._lines, cell.arm._stopping):
        assert lines.socket.fileno() == -1, "both connections are closed"
    cell.close()


def test_two_threads_have_their_own_answers(controller: Server) -> None:
    arm = ExampleArm(*controller.server_address[:2], SafetyLimits(cell=PANDA))  # type: ignore[arg-type]
    read: list[tuple[int, ...]] = []

    def ask() -> None:
        read.extend((len(arm.joints()), *arm.tcp().shape) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arm.close()
    assert read == [(7, 4, 4)] * 80


def test_a_slow_motion_is_waited_for_and_a_silent_controller_is_not(controller: Server) -> None:
    state = controller.state  # type: ignore[attr-defined]
    arm = ExampleArm(*controller.server_address[:2], SafetyLimits(cell=PANDA), patience=0.3)  # type: ignore[arg-type]
    state["seconds"], q = 0.5, np.array(PANDA.arm.home)
    arm.move_joints(q + 0.1, speed=0.4, acceleration=1.0)  # 0.65 s of its own
    np.testing.assert_allclose(arm.joints(), q + 0.1)
    with pytest.raises(ConnectionLost, match="no answer to 'move_joints'"):
        arm.move_joints(q + 0.1, speed=0.01, acceleration=1.0)
    with pytest.raises(UnsafePose, match="acceleration of 9 rad/s"):
        arm.move_joints(q, speed=0.1, acceleration=9.0)
    arm.stop()
    arm.close()
    assert state["did"][-1] == "stop"


def test_the_example_is_as_short_as_the_guide_says(root: Path) -> None:
    file, said = Path("dgrasp/robot/drivers/example.py"), re.compile(r"an example to copy: (\d+) lines")
    page = " ".join((root / "REAL_CELL.md").read_text(encoding="utf-8").split())
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    lines = len([line for line in ast.unparse(tree).splitlines() if line])
    found = said.search(page)
    assert found is not None and lines <= int(found.group(1)), lines
