"""Cameras that stand: a picture each of the sheet on the board is their calibration, which a cell's file reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from photographed import camera, lens, page_of, photograph
from PIL import Image

from dgrasp.cell.description import CameraDescription
from dgrasp.cell.sheet import Sheet, write_sheet_file
from dgrasp.cli.main import main
from dgrasp.robot.calibration.standing import EXACT, calibrate_standing, described, write_section
from dgrasp.robot.hardware import HardwareConfig

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")
SIZE, FOCAL = (640, 480), 617.0
TRUTH = {"left": camera(-80), "right": camera(80)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    sheet, folder = Sheet(), tmp_path_factory.mktemp("page")
    page, K = page_of(sheet, folder), lens(*SIZE, FOCAL)
    return {name: photograph(page, sheet, K, SIZE, T) for name, T in TRUTH.items()}


@pytest.fixture
def folder(pictures: dict[str, np.ndarray], tmp_path: Path) -> Path:
    for name, image in pictures.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    write_sheet_file(Sheet(), tmp_path / "sheet.yaml")
    return tmp_path


def test_a_picture_of_each_camera_is_the_calibration_of_a_cells_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(folder), "--standing"]) == 0
    out = capsys.readouterr().out
    file = folder / "cell.yaml"
    file.write_text(
        "arm: 192.0.2.7\ncameras: {left: '1', right: '2'}\nboard_heights: [-0.0125, -0.0125, -0.0125]\n"
        "viewpoints: [{camera: left}, {camera: right}]\n" + (folder / "calibration.yaml").read_text(encoding="utf-8")
    )
    calibration = HardwareConfig.read(file).calibration
    assert calibration == calibrate_standing(folder) and f"calibration {calibration.id}" in out and EXACT in out
    for name, T in TRUTH.items():
        found = calibration.of(name)
        assert (found.width, found.height, found.mount) == (*SIZE, "world")
        assert found.fx == pytest.approx(FOCAL, rel=0.01)
        assert np.linalg.norm(np.array(found.T_mount_cam)[:3, 3] - T[:3, 3]) < 0.011
    shown = yaml.safe_load("{" + ", ".join(re.findall(r"((?:position|orientation): \[.*?\])", out)[:2]) + "}")
    pose = CameraDescription(name="left", width=640, height=480, fx=617, fy=617, cx=320, cy=240, **shown)
    np.testing.assert_allclose(pose.T_carrier_cam, calibration.of("left").T_mount_cam, atol=1e-5)


def test_another_calibration_of_before_is_kept(folder: Path, tmp_path: Path) -> None:
    """Under its id; and what has more than the section, as a cell's file, under its digest's name or its id's."""
    found, file, heard = calibrate_standing(folder), folder / "calibration.yaml", []
    other = found.model_copy(update={"note": "another"})
    for calibration in (found, found, other):
        assert write_section(calibration, file, say=heard.append) == file
    kept = folder / f"calibration-{found.id}.yaml"
    assert heard == [f"{file}: held another calibration, which is kept as {kept.name}"]
    assert yaml.safe_load(kept.read_text())["calibration"] == found.model_dump(mode="json")
    for text in ("arm: 192.0.2.7\n" + file.read_text(), "- a list", "{"):
        file.write_text(text)
        write_section(other, file)
        assert any(kept.read_text() == text for kept in folder.glob("calibration-*.yaml"))


def test_a_lens_that_is_known_is_taken(folder: Path) -> None:
    frames = [{"file_path": f"{name}.png"} for name in TRUTH]
    stated = {"fl_x": FOCAL, "fl_y": FOCAL, "cx": 320.0, "cy": 240.0, "w": 640, "h": 480, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(stated))
    found = calibrate_standing(folder).of("right")
    assert found.fx == FOCAL
    assert np.linalg.norm(np.array(found.T_mount_cam)[:3, 3] - TRUTH["right"][:3, 3]) < 0.005
    (folder / "transforms.json").write_text(json.dumps(stated | {"k1": 0.1}))
    with pytest.raises(ValueError, match="the lens has distortion: cells take pinhole images"):
        calibrate_standing(folder)


def test_what_tells_nothing_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*more: str) -> str:
        assert main(["calibrate", str(folder), *more]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert "--views: goes with pictures of the hand-eye" in refused("--standing", "--views", "3")
    assert "--seed: goes with pictures of the hand-eye" in refused("--standing", "--seed", "0")
    for option, value in (("columns", "9"), ("rows", "5"), ("square", "12"), ("marker", "26")):
        assert f"--{option}: goes with pictures of the hand-eye" in refused("--standing", f"--{option}", value)
    assert "--cell: goes with --standing alone" in refused("--cell", "panda_hand")
    Image.open(folder / "left.png").convert("RGB").save(folder / "left.jpg")
    assert "two pictures are called 'left'" in refused("--standing")
    (folder / "left.jpg").unlink()
    Image.new("RGB", SIZE).save(folder / "left.png")
    assert "the sheet (apriltags of 3x2) is not seen" in refused("--standing")
    (folder / "sheet.yaml").unlink()
    assert "has no sheet.yaml; `dgrasp board" in refused("--standing")


def test_the_exactness_that_is_said_is_that_of_the_guide(root: Path) -> None:
    guide = " ".join((root / "OWN_IMAGES.md").read_text(encoding="utf-8").split())
    numbers = re.findall(r"[\d.]+ (?:mm|degrees)", EXACT)
    assert len(numbers) > 1
    for number in numbers:
        assert number in guide, number


def test_a_pose_on_the_flange_is_said_as_a_description_has_it() -> None:
    T = np.array([[0.0, -1, 0, 0.05], [1, 0, 0, -0.02], [0, 0, 1, 0.03], [0, 0, 0, 1]])
    assert described(T.tolist()) == (
        "position: [0.05, -0.02, 0.03]",
        "orientation: [0.0, 0.0, 0.707107, 0.707107]  # x, y, z, w",
    )
