"""Lenses that bend straight lines, and COLMAP's models: what is read is the pinhole's picture of the same scene."""

from __future__ import annotations

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
    ],
)
def test_lenses_that_cannot_be_told_are_refused(keys: dict[str, Any], answer: str, tmp_path: Path) -> None:
    image = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    with pytest.raises(CaptureError, match=answer):
        read_capture(write_transforms_of(tmp_path, image, K, T, **keys))


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
