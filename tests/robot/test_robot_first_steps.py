"""From a printed board to a cell that looks at the scene: the checklist's steps, with stand-ins for the devices."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from robot_stand_ins import BOARD, HEIGHT, WIDTH, Loopback

from dgrasp.cameras import Intrinsics
from dgrasp.cell.gripper import TOOL0_TCP
from dgrasp.cell.hand import CAMERA_SENSOR, tcp_pose
from dgrasp.cell.transforms import inverse, transform
from dgrasp.cell.viewpoints import evaluation_viewpoints
from dgrasp.robot.devices import CONFIRMATION
from dgrasp.robot.drivers.realsense import RealSenseCamera
from dgrasp.robot.hardware import HardwareConfig, open_cell
from dgrasp.robot.safety import SafetyCheck, SafetyLimits
from dgrasp.robot.viewpoints import Viewpoint, wrist_viewpoints

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[robot]'")

from dgrasp.robot.calibration.hand_eye import calibrate, load_calibration
from dgrasp.robot.calibration.sightings import collect_sightings, measured_flange, touched_height
from dgrasp.robot.calibration.synthetic import SyntheticCell


def lab(intrinsics: Intrinsics, rng: np.random.Generator) -> SyntheticCell:
    """The camera where the simulated hand carries it, so that the arm reaches the two viewpoints."""
    return replace(SyntheticCell.draw(rng, intrinsics=intrinsics), T_tool0_cam=transform(None, CAMERA_SENSOR))


def test_from_the_calibration_to_a_cell_that_observes(loopback: Loopback, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = lab(Intrinsics.d415(WIDTH, HEIGHT), rng)
    sightings = [truth.see(T, rng, pixels=0.02) for T in truth.postures(rng, 15)]
    found = calibrate(truth.board, sightings, (WIDTH, HEIGHT), camera="wrist", intrinsics=truth.intrinsics)
    found = load_calibration(found.save(tmp_path / "calibration.json"))
    with SafetyCheck() as safety:
        viewpoints = wrist_viewpoints(found.camera, evaluation_viewpoints(2), safety)
    config = HardwareConfig(
        arm="127.0.0.1", cameras={"wrist": "stand-in"}, board_heights=BOARD, viewpoints=viewpoints,
        calibration=found.for_cell(), motion=loopback.config.motion,
    )  # fmt: skip
    read = HardwareConfig.read(config.write(tmp_path / "cell.yaml"))
    assert read == config

    loopback.cell.close()
    camera = RealSenseCamera(device=loopback.device.device, width=WIDTH, height=HEIGHT)
    camera.warm_up()
    with open_cell(read, cameras={"wrist": camera}) as cell, cell.armed(CONFIRMATION):
        views = cell.observe()
        assert cell.backend == "loopback" and cell.calibration_id == found.for_cell().id
    off = inverse(truth.T_tool0_cam) @ np.array(found.camera.T_mount_cam)
    assert np.linalg.norm(off[:3, 3]) < 2e-3
    np.testing.assert_allclose(views.Ts_world_cam[:, :3, 3], evaluation_viewpoints(2)[:, :3, 3], atol=2e-3)


def test_the_flange_is_measured_without_keeping_the_arm(loopback: Loopback) -> None:
    q = loopback.cell.arm.joints()
    loopback.cell.close()
    T_world_tool0 = tcp_pose(q) @ transform(None, (0.0, 0.0, -TOOL0_TCP))
    np.testing.assert_allclose(measured_flange("127.0.0.1"), T_world_tool0, atol=1e-6)
    assert not loopback.state()["running"], "the pendant is free again"
    assert touched_height("127.0.0.1") == pytest.approx(tcp_pose(q)[2, 3] - 0.015 - 0.973, abs=1e-3)


class Photographer:
    """A camera whose person guides it from posture to posture, once past the board."""

    def __init__(self, cell: SyntheticCell, postures: np.ndarray) -> None:
        self.cell, self.left, self.asked = cell, list(postures), []

    def ask(self, question: str) -> str:
        self.asked.append(question)
        self.T_world_tool0 = self.left.pop(0)
        return ""

    def capture(self) -> np.ndarray:
        return self.cell.photograph(self.T_world_tool0)

    def flange(self) -> np.ndarray:
        return self.T_world_tool0

    def close(self) -> None: ...


def test_pictures_become_sightings_and_those_without_the_board_do_not_count() -> None:
    rng = np.random.default_rng(7)
    truth = lab(Intrinsics.d415(), rng)
    seen = truth.postures(rng, 12)
    beside = transform(None, (5.0, 0.0, 0.0)) @ seen[0]
    person = Photographer(truth, np.stack([beside, *seen]))
    sightings = collect_sightings(truth.board, person, person.flange, views=12, ask=person.ask)
    np.testing.assert_array_equal([s.T_world_tool0 for s in sightings], seen)
    assert person.asked[1].startswith("No corner of the board was seen") and "Picture 1 of 12" in person.asked[1]
    assert "of 24 corners" in person.asked[2]
    found = calibrate(truth.board, sightings, (640, 480))
    assert np.linalg.norm((inverse(truth.T_tool0_cam) @ np.array(found.camera.T_mount_cam))[:3, 3]) < 2e-3
    with pytest.raises(ValueError, match="views: expected 1 or more, got 0"):
        collect_sightings(truth.board, person, person.flange, views=0, ask=person.ask)


def test_a_cells_file_is_not_written_over(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = lab(Intrinsics.d415(), rng)
    found = calibrate(truth.board, [truth.see(T, rng) for T in truth.postures(rng, 12)], (640, 480), camera="wrist")
    views = (Viewpoint(camera="wrist", posture=(0.0, -1.5, 1.0, 0.0, 0.0, 0.1)),)
    limits = SafetyLimits(minimum_height=0.98)
    config = HardwareConfig(
        arm="192.0.2.7",
        cameras={"wrist": "1"},
        board_heights=BOARD,
        viewpoints=views,
        calibration=found.for_cell(),
        limits=limits,
    )
    file = config.write(tmp_path / "cell.yaml")
    again = HardwareConfig.read(file)
    assert again == config and again.calibration.id == config.calibration.id, "not one digit is lost"
    text = file.read_text()
    assert text.index("arm:") < text.index("viewpoints:") < text.index("calibration:"), "in the order to be read in"
    with pytest.raises(FileExistsError, match=r"cell\.yaml: exists already"):
        config.write(file)


def test_the_steps_shown_in_the_lab_guide_name_what_exists(root: Path) -> None:
    """They are shown and not run: their imports are, and they must be Python."""
    text = (root / "docs" / "lab_guide.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    code = "\n".join(shown)
    for name in (
        "collect_sightings",
        "calibrate",
        "for_cell()",
        "wrist_viewpoints",
        ".write(",
        "open_cell",
        "run_trials",
    ):
        assert name in code, name
    compile(code, "shown", "exec")
    imports = re.findall(r"^(?:from|import) .*$", code, re.M)
    exec("\n".join(imports), {})
