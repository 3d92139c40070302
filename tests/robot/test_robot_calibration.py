"""Hand-eye calibration finds a truth that is known, and refuses what leaves the answer open."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dgrasp.cameras import Intrinsics
from dgrasp.cell.transforms import inverse, transform
from dgrasp.files import DamagedFileError

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[robot]'")

from dgrasp.robot.calibration.board import INCH, Board, find_board, write_board
from dgrasp.robot.calibration.hand_eye import BadCalibration, Limits, calibrate, load_calibration
from dgrasp.robot.calibration.synthetic import SyntheticCell

SIZE = (640, 480)


def sightings(cell: SyntheticCell, rng: np.random.Generator, n: int = 15, pixels: float = 0.2, tilt: float = 45.0):
    return [cell.see(T, rng, pixels) for T in cell.postures(rng, n, tilt)]


def off(cell: SyntheticCell, calibration) -> tuple[float, float]:
    """Millimetres and degrees between the found hand-eye pose and the truth."""
    E = inverse(cell.T_tool0_cam) @ np.array(calibration.camera.T_mount_cam)
    return 1e3 * float(np.linalg.norm(E[:3, 3])), float(np.degrees(Rotation.from_matrix(E[:3, :3]).magnitude()))


@pytest.mark.parametrize("seed", range(3))
def test_truth_is_found_with_noise_in_the_pixels(seed: int) -> None:
    """0.2 px of noise: seen 0.1 to 0.5 mm and up to 0.12 degrees; the bounds are three times that."""
    rng = np.random.default_rng(seed)
    cell = SyntheticCell.draw(rng)
    seen = sightings(cell, rng)
    found = calibrate(cell.board, seen, SIZE)
    millimetres, degrees = off(cell, found)
    assert millimetres < 1.5 and degrees < 0.36
    assert found.camera.intrinsics.fx == pytest.approx(617, abs=3)
    assert found.camera.intrinsics.cx == pytest.approx(320, abs=3)
    assert found.residuals.pixels == pytest.approx(0.2 * np.sqrt(2), rel=0.15)
    np.testing.assert_allclose(np.array(found.T_world_board)[:3, 3], cell.T_world_board[:3, 3], atol=1e-3)
    known = calibrate(cell.board, seen, SIZE, intrinsics=cell.intrinsics)
    assert off(cell, known)[0] < 0.4 and known.distortion == (0.0,) * 5


def test_without_noise_the_truth_is_exact() -> None:
    rng = np.random.default_rng(5)
    cell = SyntheticCell.draw(rng)
    found = calibrate(cell.board, sightings(cell, rng, pixels=0.0), SIZE, intrinsics=cell.intrinsics)
    assert off(cell, found)[0] < 0.01 and off(cell, found)[1] < 0.001


def test_photographs_of_the_board_go_the_whole_way() -> None:
    """Print, photograph, detect, solve: corners within 0.4 px (their mean 0.15), hand-eye within 2 mm."""
    rng = np.random.default_rng(7)
    cell = SyntheticCell.draw(rng)
    found = [find_board(cell.board, cell.photograph(T), T) for T in cell.postures(rng, 12)]
    seen = [s for s in found if s is not None]
    assert len(seen) == 12
    errors = []
    for s in seen:
        truth = cell.see(s.T_world_tool0, rng, pixels=0.0)
        errors.append(np.linalg.norm(s.uv[:, :] - truth.uv[np.isin(truth.ids, s.ids)], axis=1))
    assert np.mean(np.concatenate(errors)) < 0.25
    millimetres, degrees = off(cell, calibrate(cell.board, seen, SIZE))
    assert millimetres < 2.0 and degrees < 0.3
    assert find_board(cell.board, np.full((480, 640, 3), 128, np.uint8), np.eye(4)) is None


def test_distorted_lens_is_found_and_undone() -> None:
    import cv2

    rng = np.random.default_rng(3)
    cell = SyntheticCell.draw(rng)
    K, d = cell.intrinsics.matrix, np.array([0.2, -0.2, 0.001, 0.0, 0.0])
    seen = []
    for s in sightings(cell, rng, n=20, pixels=0.1):
        rays = np.column_stack([(s.uv - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones(len(s.uv))])
        uv, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), K, d)
        seen.append(replace(s, uv=uv.reshape(-1, 2)))
    seen = [s for s in seen if ((s.uv >= 0) & (s.uv <= (639, 479))).all()]
    found = calibrate(cell.board, seen, SIZE, distorted=True)
    assert off(cell, found)[0] < 2.0
    assert found.distortion[0] == pytest.approx(0.2, abs=0.03)
    with pytest.raises(ValueError, match="pinhole images"):
        found.for_cell()
    with pytest.raises(ValueError, match="distorted: known intrinsics"):
        calibrate(cell.board, seen, SIZE, intrinsics=cell.intrinsics, distorted=True)
    with pytest.raises(BadCalibration, match="pixels"):  # a pinhole cannot explain it
        calibrate(cell.board, seen, SIZE, intrinsics=cell.intrinsics, limits=Limits(pixels=0.3))
    image = np.zeros((480, 640, 3), np.uint8)
    assert found.undistort(image).shape == image.shape
    with pytest.raises(ValueError, match="640x480 pixels as calibrated, got 320x240"):
        found.undistort(image[:240, :320])


def test_saved_calibration_is_the_same_and_edits_are_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cell = SyntheticCell.draw(rng)
    found = calibrate(cell.board, sightings(cell, rng), SIZE, camera="D415 0001")
    in_cell = found.for_cell()
    assert in_cell.of("D415 0001") == found.camera and found.id in in_cell.note
    path = found.save(tmp_path / "calibration.json")
    assert load_calibration(path) == found and load_calibration(path).id == found.id
    other = calibrate(cell.board, sightings(cell, rng), SIZE, camera="D415 0001")
    assert other.id != found.id
    heard: list[str] = []
    found.save(path, say=heard.append)
    assert not heard and [file.name for file in tmp_path.iterdir()] == ["calibration.json"]
    other.save(path, say=heard.append)
    kept = tmp_path / f"calibration-{found.id}.json"
    assert heard == [f"{path}: held another calibration, which is kept as {kept.name}"]
    assert load_calibration(kept) == found and load_calibration(path) == other
    found.save(path)
    assert load_calibration(tmp_path / f"calibration-{other.id}.json") == other, "in Python, too"
    values = json.loads(path.read_text())
    values["camera"]["fx"] += 1
    path.write_text(json.dumps(values))
    with pytest.raises(DamagedFileError, match="edited"):
        load_calibration(path)


def test_a_file_that_is_no_calibration_is_kept_under_its_digest(tmp_path: Path) -> None:
    """Whoever wrote it: another tool's calibration.json, or one of ours that was edited."""
    rng = np.random.default_rng(0)
    cell = SyntheticCell.draw(rng)
    found, path = calibrate(cell.board, sightings(cell, rng), SIZE), tmp_path / "calibration.json"
    edited = found.model_copy(update={"views": 3}).model_dump(mode="json") | {"id": found.id}
    for i, text in enumerate(('{"fx": 600}', "no json", json.dumps(edited), "")):
        path.write_text(text)
        found.save(path)
        kept = [file for file in tmp_path.iterdir() if file != path]
        assert len(kept) == min(i + 1, 3) and load_calibration(path) == found
        assert not text or any(file.read_text() == text for file in kept)
    path.write_text('{"fx": 600}')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    (tmp_path / f"calibration-{digest}.json").write_text("edited afterwards")
    with pytest.raises(
        FileExistsError, match=r"is not what its name says; move it, and calibration.json is kept there"
    ):
        found.save(path)
    assert path.read_text() == '{"fx": 600}'


@pytest.fixture
def good() -> tuple[SyntheticCell, list, np.random.Generator]:
    rng = np.random.default_rng(1)
    cell = SyntheticCell.draw(rng)
    return cell, sightings(cell, rng), rng


def test_too_few_views_are_refused(good) -> None:
    cell, seen, _ = good
    with pytest.raises(
        BadCalibration, match="9 of 9 images show 8 corners or more, not all on one line; needed are 10"
    ):
        calibrate(cell.board, seen[:9], SIZE)
    hidden = [replace(s, ids=s.ids[:7], uv=s.uv[:7]) for s in seen]
    with pytest.raises(BadCalibration, match="0 of 15"):
        calibrate(cell.board, hidden, SIZE)


def test_turns_about_one_axis_are_refused(good) -> None:
    """The hand turns about the vertical and moves: the height of the camera on the hand stays open."""
    cell, _, rng = good
    first = cell.postures(rng, 1, tilt=3.0)[0]
    turns = Rotation.from_euler("z", np.linspace(-0.3, 0.3, 14)[:, None]) * Rotation.from_matrix(first[:3, :3])
    places = first[:3, 3] + rng.uniform(-0.03, 0.03, (14, 3))
    about_z = [transform(turn, place) for turn, place in zip(turns, places, strict=True)]
    seen = [cell.see(T, rng) for T in about_z]
    with pytest.raises(BadCalibration, match="fewer than two axes"):
        calibrate(cell.board, seen, SIZE)


def test_views_parallel_to_the_board_are_refused_where_the_focal_length_is_asked(good) -> None:
    cell, _, rng = good
    seen = sightings(cell, rng, tilt=3.0)
    with pytest.raises(BadCalibration, match="parallel to the image"):
        calibrate(cell.board, seen, SIZE, limits=Limits(turn=0.1))


def test_a_board_that_moved_is_refused(good) -> None:
    cell, seen, rng = good
    moved = replace(cell, T_world_board=transform(None, (0.02, 0.0, 0.0)) @ cell.T_world_board)
    mixed = seen[:8] + [moved.see(s.T_world_tool0, rng) for s in seen[8:]]
    with pytest.raises(BadCalibration, match="millimetres"):
        calibrate(cell.board, mixed, SIZE)


@pytest.mark.parametrize(("name", "said"), [("view_003.png", r"view_003\.png"), ("", r"sightings\[3\]")])
def test_a_view_with_a_wrong_pose_is_named(name: str, said: str, good) -> None:
    """30 mm beside its place, of 15."""
    cell, seen, _ = good
    off = transform(None, (0.03, 0.0, 0.0)) @ seen[3].T_world_tool0
    with pytest.raises(BadCalibration, match=f"The worst is {said}, by .* Does its pose belong to it"):
        calibrate(cell.board, seen_as(seen, T_world_tool0=off, name=name), SIZE)


def test_quaternions_in_another_order_are_asked_for_and_opencv_is_silent(good, capfd) -> None:
    cell, seen, _ = good
    wxyz = [Rotation.from_matrix(s.T_world_tool0[:3, :3]).as_quat()[[3, 0, 1, 2]] for s in seen]
    poses = [transform(Rotation.from_quat(q), s.T_world_tool0[:3, 3]) for q, s in zip(wxyz, seen, strict=True)]
    with pytest.raises(BadCalibration, match=r"of the flange in the world, and quaternions x, y, z, w\?"):
        wrong = [replace(s, T_world_tool0=T) for s, T in zip(seen, poses, strict=True)]
        calibrate(cell.board, wrong, SIZE)
    assert capfd.readouterr() == ("", "")


def test_poses_of_other_images_are_refused(good) -> None:
    cell, seen, _ = good
    shifted = [replace(s, T_world_tool0=seen[i - 1].T_world_tool0) for i, s in enumerate(seen)]
    with pytest.raises(BadCalibration, match="refused"):
        calibrate(cell.board, shifted, SIZE)


def test_a_board_printed_smaller_is_refused(good) -> None:
    """ "Fit to page" prints at 90 %: the arm's motions do not fit the board's."""
    _, seen, _ = good
    with pytest.raises(BadCalibration, match="squares measured"):
        calibrate(Board(square=0.0315, marker=0.0234), seen, SIZE)


def test_bad_input_says_where(good) -> None:
    cell, seen, _ = good
    T = seen[0].T_world_tool0.copy()
    T[:3, 3] *= 1000
    with pytest.raises(ValueError, match=r"sightings\[0\].*millimetres"):
        calibrate(cell.board, [replace(seen[0], T_world_tool0=T), *seen[1:]], SIZE)
    with pytest.raises(ValueError, match="outside an image of 320x240"):
        calibrate(cell.board, seen, (320, 240))
    with pytest.raises(ValueError, match="intrinsics: are for 320x240"):
        calibrate(cell.board, seen, SIZE, intrinsics=Intrinsics.d415(320, 240))
    with pytest.raises(ValueError, match=r"id from 0 to 5"):
        calibrate(Board(columns=4, rows=3), seen, SIZE)


def seen_as(seen: list, **changes) -> list:
    """The fourth sighting changed."""
    return [*seen[:3], replace(seen[3], **changes), *seen[4:]]


SIGHTINGS = {
    "None": (
        lambda seen: [*seen[:3], None, *seen[4:]],
        r"sightings\[3\]: expected a Sighting, got NoneType; leave out",
    ),
    "OpenCV's pixels": (
        lambda seen: seen_as(seen, uv=seen[3].uv[:, None]),
        r"uv: expected floats of .* got float64 .*, 1, 2\)",
    ),
    "OpenCV's ids": (
        lambda seen: seen_as(seen, ids=seen[3].ids[:, None]),
        r"ids: expected integers of shape \(n,\), got",
    ),
    "no ids": (lambda seen: seen_as(seen, ids=None), r"ids: expected integers .*, got NoneType"),
    "lists": (lambda seen: seen_as(seen, uv=seen[3].uv.tolist()), r"uv: expected floats .*, got list"),
    "NaN": (lambda seen: seen_as(seen, uv=seen[3].uv * np.nan), r"sightings\[3\]\.uv: pixels outside"),
    "an id twice": (lambda seen: seen_as(seen, ids=seen[3].ids * 0), "each id at most once"),
    "an id too few": (lambda seen: seen_as(seen, ids=seen[3].ids[1:]), "one pixel for each id"),
    "a negative id": (lambda seen: seen_as(seen, ids=seen[3].ids - 30), "for each id from 0"),
    "no pose": (
        lambda seen: seen_as(seen, T_world_tool0=None),
        r"\[3\]\.T_world_tool0: expected an array .*, got NoneType",
    ),
    "a pose of text": (
        lambda seen: seen_as(seen, T_world_tool0=np.array([["1"] * 4] * 4)),
        "T_world_tool0: expected an array",
    ),
    "half a pose": (lambda seen: seen_as(seen, T_world_tool0=np.eye(3)), r"T_world_tool0: the pose has shape \(3, 3\)"),
}


@pytest.mark.parametrize("kind", SIGHTINGS)
def test_sightings_that_are_none_are_named(kind: str, good) -> None:
    cell, seen, _ = good
    change, answer = SIGHTINGS[kind]
    with pytest.raises(BadCalibration, match=answer):
        calibrate(cell.board, change(seen), SIZE)


@pytest.mark.parametrize("size", [(640.0, 480.0), (0, 480), (640,), (640, 480, 3)])
def test_a_size_that_is_none_is_named(size: tuple, good) -> None:
    cell, seen, _ = good
    with pytest.raises(BadCalibration, match="size: expected width and height"):
        calibrate(cell.board, seen, size)


@pytest.mark.parametrize("known", [False, True])
def test_views_whose_corners_lie_on_one_line_do_not_count(known: bool, good) -> None:
    """OpenCV has no answer for them; others decide. A diagonal is a line as a row is."""
    cell, _, rng = good
    board = Board(columns=12, rows=12, square=0.016, marker=0.012)
    lab = replace(cell, board=board)
    seen = sightings(lab, rng, n=14)
    row, diagonal = np.arange(11), np.arange(11) * 12
    lines = [
        replace(s, ids=s.ids[at], uv=s.uv[at])
        for s in seen[:4]
        for ids in (row, diagonal)
        if (at := np.isin(s.ids, ids)).any()
    ]
    intrinsics = cell.intrinsics if known else None
    found = calibrate(board, [*lines, *seen], SIZE, intrinsics=intrinsics)
    assert found.views == 14 and off(cell, found)[0] < 2.0
    with pytest.raises(BadCalibration, match=r"9 of 17 images show 8 corners or more, not all on one line"):
        calibrate(board, [*lines, *seen[:9]], SIZE, intrinsics=intrinsics)


def test_what_opencv_cannot_solve_is_refused(good) -> None:
    """Corners that all fall on one pixel fit no camera."""
    cell, seen, _ = good
    points = [replace(s, uv=np.full_like(s.uv, 100.0)) for s in seen]
    for intrinsics in (None, cell.intrinsics):
        with pytest.raises(BadCalibration, match="calibration refused: "):
            calibrate(cell.board, points, SIZE, intrinsics=intrinsics)


IMAGES = {
    "grey": (np.zeros((480, 640), np.uint8), r"got uint8 of shape \(480, 640\)"),
    "grey with a channel": (np.zeros((480, 640, 1), np.uint8), r"got uint8 of shape \(480, 640, 1\)"),
    "transparency": (np.zeros((480, 640, 4), np.uint8), r"got uint8 of shape \(480, 640, 4\)"),
    "floats": (np.zeros((480, 640, 3)), "got float64"),
    "16 bits": (np.zeros((480, 640, 3), np.uint16), "got uint16"),
    "empty": (np.zeros((0, 640, 3), np.uint8), r"got uint8 of shape \(0, 640, 3\)"),
    "None": (None, "got NoneType"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_images_that_are_no_rgb_are_named(kind: str, good) -> None:
    image, answer = IMAGES[kind]
    with pytest.raises(BadCalibration, match=f"image: expected RGB, uint8 of shape .*{answer}"):
        find_board(Board(), image, np.eye(4))
    cell, seen, _ = good
    with pytest.raises(BadCalibration, match="image: expected RGB"):
        calibrate(cell.board, seen, SIZE).undistort(image)


def test_a_dictionary_that_is_too_small_is_named(tmp_path: Path) -> None:
    small = Board(columns=12, rows=12, dictionary="DICT_4X4_50")
    image = np.zeros((48, 64, 3), np.uint8)
    for use in (
        lambda: find_board(small, image, np.eye(4)),
        lambda: small.corners,
        lambda: write_board(small, tmp_path / "b.png"),
    ):
        with pytest.raises(BadCalibration, match="DICT_4X4_50 has 50 markers, a board of 12x12 squares needs 72"):
            use()
    assert len(Board(columns=10, rows=10, dictionary="DICT_4X4_50").corners) == 81


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"id": 1}', '{"id": "x", "views": "many"}', "\xff"])
def test_a_file_that_is_no_calibration_is_named(text: str, tmp_path: Path) -> None:
    """And nobody is told to delete it: it may be the only copy."""
    path = tmp_path / "calibration.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedFileError, match=r"calibration\.json: not a saved calibration \(") as caught:
        load_calibration(path)
    assert "delete" not in str(caught.value) and "\n" not in str(caught.value)


def test_board_prints_at_its_size(tmp_path: Path) -> None:
    from PIL import Image

    board = Board()
    with Image.open(write_board(board, tmp_path / "board.png", dpi=200)) as page:
        inches = np.array(page.size) / page.info["dpi"]
    np.testing.assert_allclose(inches * INCH, np.array(board.size) + 0.03, atol=0.3e-3)
    assert max(inches * INCH) < 0.297 and min(inches * INCH) < 0.210, "fits A4"
    assert write_board(board, tmp_path / "board.pdf").read_bytes()[:4] == b"%PDF"
    with pytest.raises(ValueError, match=r"\.png or \.pdf"):
        write_board(board, tmp_path / "board.svg")
    with pytest.raises(ValueError, match="smaller than the square"):
        Board(square=0.02)
    with pytest.raises(ValueError, match="DICT_5X5_100"):
        _ = Board(dictionary="DICT_9").corners
