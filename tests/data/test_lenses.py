"""Lenses that bend straight lines, and COLMAP's models: what is read is the pinhole's picture of the same scene."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographed import camera, lens, page_of, photograph, write_colmap, write_transforms_of
from PIL import Image

from dgrasp.cell.sheet import Sheet
from dgrasp.data.captures.distortion import Distortion
from dgrasp.data.captures.document import CaptureError
from dgrasp.data.captures.reader import read_capture
from dgrasp.data.captures.source import COLMAP

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")
SHEET = Sheet(place=(0.2, 0.0, 20.0))
SIZE = (320, 240)
K = lens(*SIZE, 300.0)
T = camera(50)
NERFSTUDIO = [-0.1, 0.02, 0.01, 0.0, 0.0, 0.001]  # k1 k2 k3 k4 p1 p2


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return page_of(SHEET, tmp_path_factory.mktemp("page"))


def perspective(*coefficients: float) -> Distortion:
    return Distortion("perspective", coefficients + (0.0,) * (8 - len(coefficients)))


LENSES: dict[str, tuple[Distortion, dict[str, Any]]] = {
    "barrel": (perspective(-0.2, 0.05), {"camera_model": "OPENCV", "k1": -0.2, "k2": 0.05, "p1": 0, "p2": 0}),
    "pincushion": (perspective(0.15), {"camera_model": "SIMPLE_RADIAL", "k": 0.15}),
    "decentred": (perspective(0.05, 0, 0.004, -0.003), {"k1": 0.05, "p1": 0.004, "p2": -0.003}),
    "nerfstudio's list": (perspective(-0.1, 0.02, 0, 0.001, 0.01), {"distortion_params": NERFSTUDIO}),
    "rational": (
        perspective(0.3, 0.1, 0, 0, 0.02, 0.4, 0.1, 0.01),
        {"camera_model": "FULL_OPENCV", "k1": 0.3, "k2": 0.1, "k3": 0.02, "k4": 0.4, "k5": 0.1, "k6": 0.01},
    ),
    "fisheye": (
        Distortion("fisheye", (0.05, -0.01, 0.002, 0.0)),
        {"camera_model": "OPENCV_FISHEYE", "k1": 0.05, "k2": -0.01, "k3": 0.002, "k4": 0.0},
    ),
    "instant-ngp's fisheye": (Distortion("fisheye", (0.0,) * 4), {"is_fisheye": True, "k1": 0, "k2": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", LENSES)
def test_a_bent_picture_is_read_as_a_pinhole_would_have_taken_it(name: str, page: np.ndarray, tmp_path: Path) -> None:
    distortion, keys = LENSES[name]
    bent = photograph(page, SHEET, K, SIZE, T, distortion)
    capture = read_capture(write_transforms_of(tmp_path, bent, K, T, **keys))
    straight = photograph(page, SHEET, capture.K[0], SIZE, T)
    off = np.abs(capture.images[0].astype(int) - straight)
    assert off.mean() < 2.5, "edges are a little softer, and in place"
    assert capture.K[0, 0, 0] >= K[0, 0] and capture.K[0, 0, 0] == capture.K[0, 1, 1]
    seen = SHEET.find(capture.images[0])
    assert seen is not None and len(seen.uv) == 24
    p_cam = (seen.p_sheet @ SHEET.T_world_sheet[:3, :3].T + SHEET.T_world_sheet[:3, 3] - T[:3, 3]) @ T[:3, :3]
    uv = p_cam @ capture.K[0].T
    assert np.sqrt(((seen.uv - uv[:, :2] / uv[:, 2:]) ** 2).sum(axis=1).mean()) < 0.7


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ({"camera_model": "OPENCV_FISHEYE"}, "frame 0 .*: is a fisheye's picture without k1, k2, k3, k4; state those"),
        ({"is_fisheye": True}, "a fisheye's picture without k1"),
        ({"k1": 5.0, "k2": -40.0}, "the lens' distortion .perspective: 5, -40, .* cannot be undone: "),
        ({"k4": 0.1}, "k4: 0.1 without k5, k6 is nerfstudio's or OpenCV's; allowed is 0, or FULL_OPENCV's k4"),
        ({"k1": 0.1, "distortion_params": [0.2, 0, 0, 0]}, "says k1 = 0.2, and another key says 0.1|k1 = 0.1"),
        ({"distortion_params": [0.1, 0.2]}, "distortion_params: expected the numbers k1, k2, k3, k4, p1, p2"),
        ({"tau_x": 0.1}, "tau_x: 0.1, which is not understood; distortion is read from k1, k2, p1, p2"),
        ({"is_fisheye": True, "k1": 0, "p1": 0.1}, "p1: 0.1, which is not understood; .* from k1, k2, k3, k4"),
        ({"is_fisheye": "yes", "k1": 0}, "is_fisheye: expected true or false, got 'yes'"),
        *(({key: 1, "k1": 0}, f"{key}: expected true or false, got 1") for key in ("is_fisheye", "fisheye", "latlong")),
        ({"is_fisheye": 0}, "is_fisheye: expected true or false, got 0"),
        ({"orthographic": 0.0}, "orthographic: expected true or false, got 0.0"),
    ],
)
def test_lenses_that_cannot_be_told_are_refused(keys: dict[str, Any], answer: str, tmp_path: Path) -> None:
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    with pytest.raises(CaptureError, match=answer):
        read_capture(write_transforms_of(tmp_path, image, K, T, **keys))


UNREAD: dict[str, Any] = {
    "D": [0.1, 0, 0, 0], "dist_coeffs": [0.1], "Distortion": [[0.1, 0]], "kc": [0.1], "radial": [0.1],
    "tangential": [0, 0.1], "lens_k1": 0.1, "coefficients": [0.1], "rollingShutter": [0, 0, 0.1],
    "fisheye_crop_radius": 500, "model": "fisheye", "lens_model": "EUCM", "lens": "ultra-wide", "projection": "fisheye",
    "projectionType": 3, "panorama": True,
}  # fmt: skip
MISSPELT: dict[str, tuple[Any, str]] = {
    "K1": (-0.3, "k1"), "k_2": (0.1, "k2"), "K": (0.1, "k"), "P1": (0.1, "p1"),
    "Camera_Model": ("FISHEYE", "camera_model"),    "cameraType": ("fisheye", "camera_type"),
    "isFisheye": (True, "is_fisheye"), "Is-Fisheye": (1, "is_fisheye"),
    "LatLong": (True, "latlong"), "Distortion-Params": ([0.1, 0, 0, 0], "distortion_params"),
    "Applied_Scale": (0.25, "applied_scale"), "appliedTransform": (np.eye(4).tolist(), "applied_transform"),
}  # fmt: skip


def with_keys(folder: Path, keys: dict[str, Any], of_all: bool) -> Path:
    """A good capture, and keys of the file or of its frame."""
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    file = write_transforms_of(folder, image, K, T) / "transforms.json"
    about = json.loads(file.read_text())
    (about if of_all else about["frames"][0]).update(keys)
    file.write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("of_all", [True, False], ids=["file", "frame"])
def test_lenses_in_words_that_nobody_reads_are_refused(of_all: bool, tmp_path: Path) -> None:
    for key, value in UNREAD.items():
        with pytest.raises(CaptureError, match=f"{key}: .*, which is not read; a lens is read from camera_model, is_"):
            read_capture(with_keys(tmp_path, {key: value}, of_all))
        with pytest.raises(CaptureError, match=f"camera: tells '{key}', which is not read there; a lens is read from"):
            read_capture(with_keys(tmp_path, {"camera": {"a": 1, key: value}}, of_all))
    for key, (value, meant) in MISSPELT.items():
        with pytest.raises(CaptureError, match=rf"{key}: unknown key; did you mean {meant}\?$"):
            read_capture(with_keys(tmp_path, {key: value}, of_all))


def test_keys_that_bend_no_lines_are_left_alone(tmp_path: Path) -> None:
    """As nerfstudio, instant-ngp and others write them; zeros, names of straight lenses, and what only looks alike."""
    harmless = {
        "camera_model": "OPENCV", "k1": 0.0, "aabb_scale": 16, "applied_scale": 1.0, "ply_file_path": "sparse.ply",
        "applied_transform": np.eye(4)[:3].tolist(), "orientation_override": "none", "sharpness": 30.0,
        "is_fisheye": False, "K1": 0, "D": [0, 0, 0, 0], "dist": None,
        "model": "PINHOLE", "Camera_Model": "opencv", "isFisheye": False,
        "K": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "P2": [1.0] * 12, "projection_matrix": [[1.0] * 4] * 4, "lens": 26.0,
        "distance": 0.8, "fisheye_crop_radius": None, "camera": {"fl": 3, "k1": 0}, "timestamp": 3.5, "colmap_im_id": 3,
    }  # fmt: skip
    for of_all in (True, False):
        for keys in (harmless, {"model": "iPhone 13", "lens": "wide"}):
            np.testing.assert_allclose(read_capture(with_keys(tmp_path, keys, of_all)).K[0], K)
    fisheye = {"is_fisheye": True, "k1": 0, "fisheye_crop_radius": 100, "lens": "fisheye"}
    assert len(read_capture(with_keys(tmp_path, fisheye, of_all=True)).images) == 1


def test_without_opencv_pinholes_are_read_and_other_lenses_say_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    assert len(read_capture(write_transforms_of(tmp_path, image, K, T, k1=0)).images) == 1
    with pytest.raises(ImportError, match=r"a lens with distortion needs cv2: pip install 'dgrasp\[photos\]'"):
        read_capture(write_transforms_of(tmp_path, image, K, T, k1=0.1))


CAMERAS = [
    (1, "PINHOLE", [300.0, 301.0, 160.5, 120.5]),
    (0, "SIMPLE_PINHOLE", [310.0, 160.0, 120.0]),
    (2, "SIMPLE_RADIAL", [305.0, 160.0, 120.0, 0.02]),
]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "text"])
@pytest.mark.parametrize("below", ["", "sparse/0"])
def test_colmaps_models_are_read(binary: bool, below: str, tmp_path: Path) -> None:
    Ts, names = np.stack([camera(a) for a in (-80, 20, 80)]), ["a b.png", "b.png", "c.png"]
    (tmp_path / "images").mkdir()
    for i, name in enumerate(names):
        Image.fromarray(np.full((SIZE[1], SIZE[0], 3), 40 * i + 40, np.uint8)).save(tmp_path / "images" / name)
    write_colmap(tmp_path / below, names, CAMERAS, Ts, SIZE, binary)
    capture = read_capture(tmp_path)
    np.testing.assert_allclose(capture.Ts_world_cam, Ts, atol=1e-9)
    np.testing.assert_allclose(capture.K[0], [[300, 0, 160], [0, 301, 120], [0, 0, 1]])
    np.testing.assert_allclose(capture.K[1], [[310, 0, 159.5], [0, 310, 119.5], [0, 0, 1]])
    assert capture.K[2, 0, 0] > 305 and [int(image[0, 0, 0]) for image in capture.images] == [40, 80, 120]
    assert capture.names == tuple(names) and capture.source == COLMAP


def model(*cameras: tuple[int, str, list[float]], name: str = "a.png") -> Callable[[Path], object]:
    return lambda folder: write_colmap(folder, [name], list(cameras), T[None], SIZE, True)


def long_quaternion(folder: Path) -> None:
    for name in ("cameras.bin", "images.bin"):
        (folder / name).unlink()
    write_colmap(folder, ["a.png"], CAMERAS[:1], T[None], SIZE, False)
    (folder / "images.txt").write_text("0 2 0 0 0 0 0 1 1 a.png\n\n")


@pytest.mark.parametrize(
    ("damage", "answer"),
    [
        (lambda f: (f / "images.bin").write_bytes((f / "images.bin").read_bytes()[:40]), "images.bin: .*cut short"),
        (lambda f: (f / "cameras.bin").unlink(), "cameras.bin: no such file; a COLMAP model has cameras and images"),
        (lambda f: (f / "images.bin").write_bytes(bytes(8)), "images.bin: has no images"),
        (model((7, "FOV", [300.0, 300.0, 160.0, 120.0, 0.9])), "camera_model: 'FOV' is no camera that is read"),
        (model((42, "", [1.0])), "cameras.bin: .*unknown camera model 42; models: SIMPLE_PINHOLE"),
        (model(CAMERAS[0], name="b.png"), r"images.bin: frame 0 \('b.png'\): .*no such image"),
        (long_quaternion, r"images.txt: frame 0 \('a.png'\): the pose's quaternion has length 2, expected 1"),
    ],
)
def test_damaged_models_are_refused_by_file(damage: Any, answer: str, tmp_path: Path) -> None:
    Image.fromarray(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)).save(tmp_path / "a.png")
    write_colmap(tmp_path, ["a.png"], CAMERAS[:1], T[None], SIZE, True)
    assert len(read_capture(tmp_path).images) == 1
    damage(tmp_path)
    with pytest.raises(CaptureError, match=answer):
        read_capture(tmp_path)


ROW = "{} 1 0 0 0 0 0 1 {} {}\n"
MODELS: dict[str, tuple[str, str, str]] = {  # cameras, images, and what is said of them
    "no lines of points": ("", ROW.format(1, 1, "a.png") + ROW.format(2, 1, "b.png"), "line 2: expected the points of"),
    "one line missing": (
        "", ROW.format(1, 1, "a.png") + "\n" + ROW.format(2, 1, "b.png") + ROW.format(3, 1, "c.png"),
        "line 4: expected the points of image 'b.png', .* may be empty, but not left out",
    ),
    "half a point": ("", ROW.format(1, 1, "a.png") + "1.5 2.5\n", "line 2: expected the points"),
    "a point's number is none": ("", ROW.format(1, 1, "a.png") + "1.5 2.5 0.5\n", "line 2: expected the points"),
    "an image too short": ("", "# by me\n1 1 0 0 0\n\n", "line 2: expected IMAGE_ID, QW, .* NAME, got 5 words"),
    "no numbers": ("", "1 1 0 0 0 0 0 up 1 a.png\n\n", "line 1: could not convert string to float: 'up'"),
    "an image twice": (
        "", ROW.format(1, 1, "a.png") + "\n" + ROW.format(1, 1, "b.png") + "\n", "line 3: image 1 stands twice",
    ),
    "a name twice": (
        "", ROW.format(1, 1, "a.png") + "\n" + ROW.format(2, 1, "a.png") + "\n", "line 3: image 'a.png' stands twice",
    ),
    "a camera twice": ("1 SIMPLE_PINHOLE 320 240 150 160 120\n", "", "cameras.txt: .*line 2: camera 1 stands twice"),
    "a camera too short": ("2 PINHOLE\n", "", "cameras.txt: .*line 2: expected CAMERA_ID, MODEL, .*, got 2 words"),
    "an unknown model": ("2 FUNNY 320 240 1\n", "", "cameras.txt: .*line 2: unknown camera model 'FUNNY'; models: SIM"),
    "a parameter missing": ("2 PINHOLE 320 240 1\n", "", "cameras.txt: .*line 2: PINHOLE has 4 parameters, got 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_wrong_with_a_text_model_is_said_with_its_line(kind: str, tmp_path: Path) -> None:
    cameras, images, answer = MODELS[kind]
    for name in "abc":
        Image.new("RGB", SIZE).save(tmp_path / f"{name}.png")
    (tmp_path / "cameras.txt").write_text("1 SIMPLE_PINHOLE 320 240 300 160 120\n" + cameras)
    (tmp_path / "images.txt").write_text(images or ROW.format(1, 1, "a.png"))
    with pytest.raises(CaptureError, match=answer):
        read_capture(tmp_path)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_text_models_of_editors_are_read(ending: str, tmp_path: Path) -> None:
    """With a byte-order mark, empty lines between images, points of some, and none behind the last one."""
    for name in ("a.png", "b c.png", "d.png"):
        Image.new("RGB", SIZE).save(tmp_path / name)
    rows = ["# list", *ROW.format(1, 1, "a.png").split("\n"), "", *ROW.format(2, 1, "b c.png").split("\n")[:1],
            "1.5 2.5 -1 3e1 4 18446744073709551615", ROW.format(4, 1, "d.png").strip()]  # fmt: skip
    (tmp_path / "images.txt").write_bytes("\ufeff".encode() + ending.join(rows).encode())
    cameras = f"\ufeff1 SIMPLE_PINHOLE 320 240 300 160 120{ending}"
    (tmp_path / "cameras.txt").write_bytes(cameras.encode())
    assert read_capture(tmp_path).names == ("a.png", "b c.png", "d.png")


def test_a_binary_model_has_each_camera_and_image_once(tmp_path: Path) -> None:
    Image.new("RGB", SIZE).save(tmp_path / "a.png")
    write_colmap(tmp_path, ["a.png", "a.png"], CAMERAS[:1], np.stack([T, T]), SIZE, True)
    with pytest.raises(CaptureError, match=r"images.bin: .*image 'a.png' stands twice"):
        read_capture(tmp_path)
    write_colmap(tmp_path, ["a.png"], CAMERAS[:1] * 2, T[None], SIZE, True)
    data = bytearray((tmp_path / "cameras.bin").read_bytes())
    data[8 + 24 + 32 : 8 + 24 + 36] = data[8:12]  # the second camera's number
    (tmp_path / "cameras.bin").write_bytes(data)
    with pytest.raises(CaptureError, match=r"cameras.bin: .*camera 1 stands twice"):
        read_capture(tmp_path)
