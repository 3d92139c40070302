"""`dgrasp calibrate`: pictures in a folder become a calibration, or one line says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgrasp.cell.transforms import pose_vector
from dgrasp.cli.main import main
from dgrasp.robot.calibration.hand_eye import load_calibration
from dgrasp.robot.calibration.recorded import KeptCamera, Recording, kept, read_recorded
from dgrasp.robot.calibration.sightings import collect_sightings
from dgrasp.robot.calibration.standing import described
from dgrasp.robot.calibration.synthetic import SyntheticCell

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[robot]'")


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["calibrate", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_practice_finds_the_truth_and_pictures_are_solved_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "practice"
    code, out, _ = said([str(folder), "--practice", "--views", "12", "--seed", "3"], capsys)
    off = float(re.search(r"off the truth by ([\d.]+) mm", out).group(1))
    assert code == 0 and off < 1.5 and "12 pictures show the board, 0 do not" in out
    found = load_calibration(folder / "calibration.json")
    for line in described(found.camera.T_mount_cam):
        assert line in out
    lab = SyntheticCell.draw(np.random.default_rng(3))
    np.testing.assert_allclose(np.array(found.camera.T_mount_cam)[:3, 3], lab.T_tool0_cam[:3, 3], atol=1.5e-3)
    assert found.camera.fx == pytest.approx(617.0, rel=0.01)
    assert said([str(folder)], capsys)[0] == 0
    again = load_calibration(folder / "calibration.json")
    np.testing.assert_allclose(again.camera.T_mount_cam, found.camera.T_mount_cam, atol=1e-6)
    code, _, err = said([str(folder), "--practice"], capsys)
    assert code == 2 and "poses.csv: exists already; choose another folder" in err
    assert "--arm" not in err
    code, _, err = said([str(folder), "--square", "40"], capsys)
    stated = "taken.json says 35 mm of its pictures; leave the option out, or correct the file"
    assert code == 2 and f"--square: 40 mm, but {folder}/{stated}" in err and err.count("\n") == 1
    (folder / "taken.json").write_text('{"square": 0.04}')
    code, _, err = said([str(folder), "--columns", "7", "--square", "40"], capsys)
    assert code == 2 and "calibration refused" in err and err.count("\n") == 1


def test_the_board_is_that_of_the_folders_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed larger, of fewer squares: nobody says so again. Another calibration of before is kept."""
    folder = tmp_path / "practice"
    board = ["--columns", "6", "--rows", "5", "--square", "40", "--marker", "30"]
    assert said([str(folder), "--practice", "--views", "10", "--seed", "1", *board], capsys)[0] == 0
    first = (folder / "calibration.json").read_bytes()
    for options in ([], board):
        code, out, _ = said([str(folder), *options], capsys)
        assert code == 0 and "10 pictures show the board" in out and "kept as" not in out
    assert (folder / "calibration.json").read_bytes() == first
    for option, given, stated in (("columns", "7", "6"), ("rows", "6", "5"), ("marker", "26", "30 mm")):
        code, _, err = said([str(folder), f"--{option}", given], capsys)
        assert code == 2 and re.search(rf"--{option}: {given}( mm)?, but .*taken.json says {stated} of its", err)
    code, out, _ = said([str(folder), "--distorted"], capsys)
    id = json.loads(first)["id"]
    assert code == 0 and f"calibration.json: held another calibration, which is kept as calibration-{id}.json" in out
    assert (folder / f"calibration-{id}.json").read_bytes() == first
    assert load_calibration(folder / "calibration.json").id != id


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"columns": "many"}', "taken.json: 1 setting(s) not allowed; columns: Input should be a valid integer"),
        ('{"square": 35}', "taken.json: 1 setting(s) not allowed; square: "),
        ('{"marker": 0.05}', "taken.json: 1 setting(s) not allowed; marker: 0.05 m must be smaller"),
    ],
)
def test_a_board_that_is_none_is_named_with_its_file(
    text: str, answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "a.png")
    (tmp_path / "taken.json").write_text(text)
    code, _, err = said([str(tmp_path), "--square", "40"], capsys)
    assert code == 2 and "poses.csv: no such file" in err, "nothing was taken yet"
    (tmp_path / "poses.csv").write_text(f"{HEAD}\n{ROW}\n")
    code, _, err = said([str(tmp_path)], capsys)
    assert code == 2 and answer in err and err.count("\n") == 1


def test_pictures_that_a_person_takes_are_kept_with_the_arms_poses(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lab = SyntheticCell.draw(rng)
    postures = list(lab.postures(rng, 3))

    class Camera:
        serial, closed = "1", False

        def capture(self) -> np.ndarray:
            return lab.photograph(postures[0])

        def close(self) -> None:
            self.closed = True

    camera = KeptCamera(Camera())
    measure = kept(Recording(tmp_path, {"camera": "1"}), camera, lambda: postures.pop(0))
    seen = collect_sightings(lab.board, camera, measure, views=3, ask=lambda line: "")
    camera.close()
    again, size, unseen = read_recorded(tmp_path, lab.board)
    assert size == (640, 480) and unseen == 0 and camera.camera.closed
    for a, b in zip(again, seen, strict=True):
        np.testing.assert_allclose(a.T_world_tool0, b.T_world_tool0, atol=1e-12)
        np.testing.assert_array_equal(a.uv, b.uv)


def test_pictures_that_were_interrupted_go_on_and_their_camera_keeps_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    lab = SyntheticCell.draw(rng)
    postures, asked = list(lab.postures(rng, 12)), []

    class Camera:
        def __init__(self, serial: str, width: int, height: int) -> None:
            self.serial = serial

        def warm_up(self) -> None:
            pass

        def capture(self) -> np.ndarray:
            return lab.photograph(postures[0])

        def close(self) -> None:
            pass

    def ask(line: str) -> str:
        asked.append(line)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr("dgrasp.robot.drivers.realsense.RealSenseCamera", Camera)
    monkeypatch.setattr("dgrasp.robot.calibration.sightings.measured_flange", lambda arm: postures.pop(0))
    monkeypatch.setitem(collect_sightings.__kwdefaults__, "ask", ask)
    command = [str(tmp_path), "--arm", "192.0.2.7", "--camera", "8253", "--views", "12"]
    assert said(command, capsys)[0] == 130
    code, _, err = said([*command[:4], "9999", *command[5:]], capsys)
    assert code == 2 and "exists already; choose another folder" in err and "(taken with camera 8253, not 9999)" in err
    code, out, _ = said(command, capsys)
    assert code == 0 and "5 pictures are kept, 7 more are taken" in out and "12 pictures show the board" in out
    assert not postures and load_calibration(tmp_path / "calibration.json").camera.camera == "8253"
    assert said([str(tmp_path)], capsys)[0] == 0
    assert load_calibration(tmp_path / "calibration.json").camera.camera == "8253"


ROW = "a.png," + ",".join(map(repr, pose_vector(np.eye(4))))
HEAD = "image,x,y,z,qx,qy,qz,qw"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("image,x\na.png,1\n", "poses.csv: expected one or more rows of the columns image, x, y, z, qx"),
        (f"{HEAD}\na.png,0,0,up,0,0,0,1\n", "poses.csv: line 2: expected numbers"),
        (f"{HEAD}\n{ROW}\nc.png,0,0,0,0,0,0,2\n", "poses.csv: line 3: qx, qy, qz, qw have length 2, expected 1"),
        (f"{HEAD}\na.png,0,nan,0,0,0,0,1\n", "poses.csv: line 2: expected finite numbers, got 0, nan"),
        (
            f"{HEAD}\na.png,300,0,900,0,0,0,1\n",
            "poses.csv: line 2: x, y, z are 948.7 m from the origin; are these mill",
        ),
        (f"{HEAD}\na.png,0,0,0,0,0,0\n", "poses.csv: line 2: 7 values, expected 8"),
        (f"{HEAD},x\n{ROW},3\n", "poses.csv: column 'x' stands twice"),
        (f"{HEAD}\n{ROW}\n{ROW}\n", "poses.csv: the image 'a.png' stands twice"),
        (f"{HEAD}\nturned.jpg,0,0,0,0,0,0,1\n", "turned.jpg: the image has EXIF orientation 6"),
        (f"{HEAD}\ndeep.png,0,0,0,0,0,0,1\n", "deep.png: the image's pixels are I;16"),
        (f"{HEAD}\nprogram.png,0,0,0,0,0,0,1\n", "program.png: no image in a format that is read"),
        (f"{HEAD}\nb.png,0,0,0,0,0,0,1\n", "b.png: cannot be read (No such file or directory)"),
        (f"{HEAD}\nposes.csv,0,0,0,0,0,0,1\n", "poses.csv: no image in a format that is read (PNG, JPEG, WebP)"),
        (f"{HEAD}\n{ROW}\nc.png,0,0,0,0,0,0,1\n", "pictures of several sizes"),
        (f"{HEAD}\n{ROW}\n", "none of 1 pictures shows a corner of a board of 7x5 squares; is that the board's size ("),
    ],
)
def test_folders_that_cannot_be_solved_say_why(
    text: str, answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, size in (("a.png", (64, 48)), ("c.png", (32, 24))):
        Image.new("RGB", size, "grey").save(tmp_path / name)
    (tmp_path / "poses.csv").write_text(text)
    Image.new("I;16", (64, 48)).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "program.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    code, _, err = said([str(tmp_path)], capsys)
    assert code == 2 and answer in err and err.count("\n") == 1


def test_a_robot_needs_its_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--arm", "192.0.2.7"], ["--camera", "1"]):
        assert said([str(tmp_path), *arguments], capsys)[0] == 2
    assert said([str(tmp_path / "none")], capsys)[2].count("poses.csv: no such file; expected pictures") == 1


def test_a_board_in_metres_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said([str(tmp_path), "--square", "0.035", "--marker", "0.026"], capsys)
    assert code == 2 and "--square: 0.035 mm; expected are millimetres, are these metres?" in err
