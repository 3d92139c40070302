"""The reader of captures: exact numbers for good ones, and nothing but CaptureError for whatever else there is."""

from __future__ import annotations

import copy
import errno
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dgrasp.cameras import Intrinsics, Views, look_at
from dgrasp.cell.transforms import inverse, transform
from dgrasp.cell.workspace import BOARD_CENTRE
from dgrasp.data.captures.document import CaptureError, brief, shown
from dgrasp.data.captures.reader import Capture, read_capture
from dgrasp.data.captures.sight import check_sight
from dgrasp.data.captures.source import COLMAP, SHEET, TRANSFORMS
from dgrasp.data.export import write_transforms

pytestmark = pytest.mark.filterwarnings("error")  # a warning would be another line of the command's
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def views() -> Views:
    centre = torch.tensor(BOARD_CENTRE, dtype=torch.float64)
    offsets = torch.tensor([[0.1, -0.56, 0.57], [0.1, 0.56, 0.57]], dtype=torch.float64)
    images = np.random.default_rng(0).integers(0, 255, (2, 24, 32, 3), dtype=np.uint8)
    K = np.stack([Intrinsics.d415(32, 24).matrix] * 2)
    return Views(images, K, torch.stack([look_at(centre + offset, centre) for offset in offsets]).numpy())


@pytest.fixture
def folder(views: Views, tmp_path: Path) -> Path:
    return write_transforms(views, tmp_path / "capture").parent


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / "transforms.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))
    return folder


def test_what_is_written_is_read(views: Views, folder: Path) -> None:
    for path in (folder, folder / "transforms.json"):
        capture = read_capture(path)
        np.testing.assert_array_equal(capture.views.images, views.images)
        np.testing.assert_allclose(capture.K, views.K, atol=1e-12)
        np.testing.assert_allclose(capture.Ts_world_cam, views.Ts_world_cam, atol=1e-12)
        assert capture.names == ("images/frame_00000.png", "images/frame_00001.png")
    check_sight(capture)


def test_reading_leaves_the_folder_as_it_was(folder: Path) -> None:
    def state() -> list[tuple[Path, bytes]]:
        return [(path, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]

    before = state()
    read_capture(folder)
    with pytest.raises(CaptureError):
        read_capture(edit(folder, lambda about: about.update(omega=1)))
    edit(folder, lambda about: about.pop("omega"))
    assert [path for path, _ in state()] == [path for path, _ in before]


def test_fields_of_view_are_focal_lengths(views: Views, folder: Path) -> None:
    def angles(about: dict[str, Any]) -> None:
        for frame in about["frames"]:
            for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
                del frame[key]
        about["camera_angle_x"] = math.radians(60)
        about["frames"][1]["y_fov"] = 50

    K, f = read_capture(edit(folder, angles)).K, 16 / math.tan(math.pi / 6)
    np.testing.assert_allclose(K[0], [[f, 0, 15.5], [0, f, 11.5], [0, 0, 1]])
    np.testing.assert_allclose(K[1, 1, 1], 12 / math.tan(math.radians(25)))


def test_images_of_several_sizes_are_a_capture_but_no_views(folder: Path) -> None:
    with Image.open(folder / "images" / "frame_00001.png") as image:
        image.resize((64, 48)).save(folder / "images" / "frame_00001.png")
    scale = {"w": 64, "h": 48, "fl_x": 60.0, "fl_y": 60.0, "cx": 32.0, "cy": 24.0}
    capture = read_capture(edit(folder, lambda about: about["frames"][1].update(scale)))
    assert [image.shape for image in capture.images] == [(24, 32, 3), (48, 64, 3)]
    with pytest.raises(CaptureError, match=r"transforms.json: images have different sizes: 32x24, 64x48"):
        _ = capture.views


def test_a_name_in_other_letters_is_named(folder: Path) -> None:
    """As Windows and macOS find it, and nobody else."""
    (folder / "images" / "frame_00001.png").rename(folder / "images" / "Frame_00001.PNG")
    if (folder / "images" / "frame_00001.png").exists():
        pytest.skip("names are found in any letters here")
    with pytest.raises(CaptureError, match=r"frame_00001.png; there is 'Frame_00001.PNG'$"):
        read_capture(folder)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("ending", ["png", "webp"])
def test_a_turned_photograph_is_read_as_it_is_seen(orientation: int, ending: str, views: Views, folder: Path) -> None:
    """Where the stated size tells; in place, it does not."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # PIL.Image.Transpose that a viewer's turn undoes
    tags = Image.Exif()
    tags[0x0112] = orientation
    stored = Image.fromarray(views.images[0]).transpose(Image.Transpose(undo))
    stored.save(folder / "images" / f"turned.{ending}", exif=tags, lossless=True)
    edit(folder, lambda about: about["frames"][0].update(file_path=f"images/turned.{ending}"))
    if orientation < 5:
        with pytest.raises(CaptureError, match=f"orientation {orientation}, and w, h do not tell"):
            read_capture(folder)
    else:
        np.testing.assert_array_equal(read_capture(folder).images[0], views.images[0])


def test_an_applied_transform_is_undone(views: Views, folder: Path) -> None:
    applied = np.array([[0.0, 1, 0, 0.5], [1, 0, 0, -2], [0, 0, -1, 0.25], [0, 0, 0, 1]])

    def apply(about: dict[str, Any]) -> None:
        for frame in about["frames"]:
            T = applied @ np.array(frame["transform_matrix"])
            T[:3, 3] *= 3
            frame["transform_matrix"] = T.tolist()
        about.update(applied_transform=applied[:3].tolist(), applied_scale=3)

    np.testing.assert_allclose(read_capture(edit(folder, apply)).Ts_world_cam, views.Ts_world_cam, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (lambda T: T @ np.diag([1, -1, -1, 1]), "OpenCV's camera axes"),
        (inverse, "world to camera"),
        (lambda T: inverse(T @ np.diag([1, -1, -1, 1])), "world to camera .*OpenCV"),
        (lambda T: np.diag([1e3, 1e3, 1e3, 1]) @ T @ np.diag([1e-3, 1e-3, 1e-3, 1]), "in millimetres"),
    ],
)
def test_a_common_mistake_is_recognized(change: Callable, answer: str, folder: Path) -> None:
    def mistake(about: dict[str, Any]) -> None:
        for frame in about["frames"]:
            frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()

    capture = read_capture(edit(folder, mistake))
    with pytest.raises(CaptureError, match=f"frame 0 .*look as if they were .*{answer}"):
        check_sight(capture)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (
            SHEET,
            r"sheet.yaml: place: the camera sees nothing .*, if the sheet's middle lies at \(1.5, 0, 0\); expec",
        ),
        (COLMAP, r"the COLMAP model: .*; COLMAP's scale and frame are arbitrary: lay the printed sheet on the table"),
    ],
)
def test_poses_that_nobody_wrote_are_not_blamed_on_a_matrix(source: str, answer: str, folder: Path) -> None:
    capture = read_capture(folder)
    assert capture.source == TRANSFORMS
    beside = transform(None, (1.5, 0.0, 0.0))
    moved = replace(capture, Ts_world_cam=beside @ capture.Ts_world_cam, T_world_capture=beside, source=source)
    with pytest.raises(CaptureError, match=answer) as error:
        check_sight(moved)
    assert "transform_matrix" not in str(error.value) and "OpenGL" not in str(error.value)


def test_too_many_pixels_together_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrasp.data.captures.reader.MAX_TOTAL", 1_000)
    with pytest.raises(CaptureError, match="2 of 2 images have 0 megapixels together"):
        read_capture(folder)


@pytest.mark.parametrize(
    ("opens", "name"),
    [
        ("dgrasp.data.captures.picture.Image.open", "images/frame_00000.png"),
        ("pathlib.Path.stat", "capture"),
        ("builtins.open", "transforms.json"),
    ],
)
def test_what_may_not_be_read_is_named(opens: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch, pytest.raises(CaptureError) as caught:
        patch.setattr(opens, refuse)
        read_capture(folder)
    assert re.search(rf"{name}:? cannot be read \(Permission denied\)$", str(caught.value))


def test_errors_are_one_short_line(folder: Path) -> None:
    strange = "a\nb\x1b\ud800" + "x" * 10_000
    with pytest.raises(CaptureError) as caught:
        read_capture(edit(folder, lambda about: about["frames"][0].update(file_path=strange)))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000
    assert shown({"a": 1}) == "an object" and shown([1, 2]) == "a list of 2" and shown(True) == "true"
    assert brief("abc") == "abc" and len(brief("x" * 1000)) < 310


def read_or_refused(path: Path) -> Capture | None:
    """What the reader makes of a folder: a capture that is sound, or a refusal of one line."""
    try:
        capture = read_capture(path)
    except CaptureError as error:
        assert str(error).isprintable() and "transforms.json" in str(error)
        return None
    assert np.isfinite(capture.K).all() and np.isfinite(capture.Ts_world_cam).all()
    assert all(image.dtype == np.uint8 and image.ndim == 3 for image in capture.images)
    try:
        check_sight(capture)
    except CaptureError as error:
        assert str(error).isprintable()
    return capture


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from([0, 1, -1, 32, 24, 0.5, "images", "images/frame_00000.png", "OPENCV", "..", 1e-320, 1e308]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
KEYS = [
    "fl_x",
    "fl_y",
    "cx",
    "cy",
    "w",
    "h",
    "k1",
    "k6",
    "p1",
    "distortion_params",
    "camera_model",
    "is_fisheye",
    "camera_angle_x",
    "x_fov",
    "applied_scale",
    "applied_transform",
    "transform_matrix",
    "file_path",
    "frames",
]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    return [place for key in keys for place in [(tree, key), *places(tree[key])]]


@MANY
@given(data=st.data())
def test_mutated_trees_are_read_or_refused(data: st.DataObject, folder: Path) -> None:
    """Values replaced, keys added, moved and removed, anywhere."""
    path = folder / "transforms.json"
    good = path.with_suffix(".good")
    if not good.exists():
        good.write_text(path.read_text())
    about = json.loads(good.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(about)
        if not found:
            break
        container, key = data.draw(st.sampled_from(found))
        action = data.draw(st.sampled_from(["replace", "replace", "remove", "copy", "add"]))
        if action == "replace":
            container[key] = data.draw(JSON)
        elif action == "remove":
            del container[key]
        elif action == "copy":
            other, at = data.draw(st.sampled_from(found))
            container[key] = (
                copy.deepcopy(other[at]) if at in other or (isinstance(other, list) and at < len(other)) else 0
            )
        elif isinstance(container, dict):
            container[data.draw(st.sampled_from(KEYS))] = data.draw(JSON)
    path.write_text(json.dumps(about), encoding="utf-8", errors="surrogatepass")
    read_or_refused(folder)


@MANY
@given(data=st.data())
def test_mutated_texts_are_read_or_refused(data: st.DataObject, folder: Path) -> None:
    path = folder / "damaged.json"
    path.write_bytes(mutated(data, (folder / "transforms.json").read_bytes()))
    try:
        read_capture(path)
    except CaptureError as error:
        assert str(error).isprintable() and "damaged.json" in str(error)


@MANY
@given(data=st.data(), ending=st.sampled_from(["png", "jpg", "webp"]))
def test_mutated_images_are_read_or_refused(data: st.DataObject, ending: str, folder: Path, views: Views) -> None:
    good = folder / f"good.{ending}"
    if not good.exists():
        tags = Image.Exif()
        tags[0x0112] = 6
        Image.fromarray(views.images[0]).transpose(Image.Transpose.ROTATE_90).save(good, exif=tags)
    (folder / f"bad.{ending}").write_bytes(mutated(data, good.read_bytes()))
    edit(folder, lambda about: about["frames"][0].update(file_path=f"bad.{ending}"))
    read_or_refused(folder)


def mutated(data: st.DataObject, good: bytes) -> bytes:
    """Bytes overwritten, cut out, doubled, or the rest cut off."""
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(0, len(changed) - 1)))
        end = start + data.draw(st.integers(1, 16))
        action = data.draw(st.sampled_from(["write", "write", "remove", "double", "cut"]))
        if action == "write":
            changed[start:end] = data.draw(st.binary(min_size=1, max_size=16))
        elif action == "remove":
            del changed[start:end]
        elif action == "double":
            changed[start:start] = changed[start:end]
        else:
            del changed[start:]
    return bytes(changed)


@MANY
@example(key="fl_x", value=10**400)
@example(key="file_path", value="\ud800")
@example(key="transform_matrix", value=[[1e308] * 4] * 4)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_value_of_any_key_is_read_or_refused(key: str, value: Any, folder: Path) -> None:
    good = (folder / "transforms.json").read_text()
    read_or_refused(edit(folder, lambda about: about["frames"][0].update({key: value})))
    (folder / "transforms.json").write_text(good)
