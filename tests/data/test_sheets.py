"""A printed sheet on the table tells where cameras stood: photographs with known truth, and the page itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photographed import camera, lens, page_of, photograph, write_transforms_of
from PIL import Image
from scipy.spatial.transform import Rotation

from dgrasp.cell.sheet import Seen, Sheet, read_sheet, write_sheet_file
from dgrasp.cell.sheet_page import write_sheet
from dgrasp.cell.transforms import inverse
from dgrasp.data.captures.distortion import Distortion
from dgrasp.data.captures.document import CaptureError, Entry
from dgrasp.data.captures.reader import Capture, read_capture
from dgrasp.data.captures.sheet_lens import lens_of
from dgrasp.data.captures.sight import check_sight
from dgrasp.data.captures.source import SHEET, entries_of
from dgrasp.files import UserFileError

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'dgrasp[photos]'")
TAGS = Sheet()
SQUARES = Sheet(kind="checkerboard", columns=9, rows=6, side=0.027, gap=0.0)
SIZE, FOCAL = (640, 480), 617.0


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("pages")
    return {sheet.kind: page_of(sheet, folder) for sheet in (TAGS, SQUARES)}


def errors(capture: Capture, Ts_world_cam: np.ndarray) -> tuple[float, float]:
    """Largest distance (mm) and angle (degrees) between cameras as found and as they were."""
    off = inverse(Ts_world_cam) @ capture.Ts_world_cam
    turns = Rotation.from_matrix(off[:, :3, :3]).magnitude()
    return 1e3 * float(np.linalg.norm(off[:, :3, 3], axis=1).max()), float(np.degrees(turns).max())


def as_phone(picture: Image.Image, path: Path) -> None:
    """A JPEG stored on its side, with EXIF's word for it."""
    tags = Image.Exif()
    tags[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=tags, quality=92)


SAVES: dict[str, Callable[[Image.Image, Path], object]] = {
    "png": lambda picture, path: picture.save(path),
    "webp": lambda picture, path: picture.save(path, quality=90),
    "jpg": as_phone,
}


@pytest.mark.parametrize("sheet", [TAGS, SQUARES], ids=lambda sheet: sheet.kind)
def test_photographs_with_the_sheet_on_the_table_are_all_that_is_needed(
    sheet: Sheet, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """No intrinsics, no poses, three formats, one picture stored on its side: cameras to 5 mm and 0.3 degrees."""
    Ts = np.stack([camera(-80), camera(80), camera(20, 40, 0.7)])
    for T, (ending, save) in zip(Ts, SAVES.items(), strict=True):
        image = photograph(pages[sheet.kind], sheet, lens(*SIZE, FOCAL), SIZE, T)
        save(Image.fromarray(image), tmp_path / f"{len(list(tmp_path.iterdir()))}.{ending}")
    write_sheet_file(sheet, tmp_path / "sheet.yaml")
    write_sheet(sheet, tmp_path / "sheet.png", dpi=20)
    capture = read_capture(tmp_path)
    assert capture.names == ("0.png", "1.webp", "2.jpg")
    millimetres, degrees = errors(capture, Ts)
    assert millimetres < 5 and degrees < 0.3, (millimetres, degrees)
    np.testing.assert_allclose(capture.K[:, 0, 0], FOCAL, rtol=1e-2)
    check_sight(capture)
    assert capture.source == SHEET


def test_two_photographs_from_anywhere_are_as_exact_as_the_guide_says(
    pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Three pairs, from opposite sides within 20 degrees, 0.7 to 0.9 m away, 38 to 52 degrees from the vertical."""
    random, found = np.random.default_rng(0), []
    for i in range(3):
        folder, first = tmp_path / str(i), random.uniform(-180, 180)
        folder.mkdir()
        sides = (first + random.uniform(-20, 20), first + 180 + random.uniform(-20, 20))
        Ts = np.stack([camera(side, random.uniform(38, 52), random.uniform(0.7, 0.9)) for side in sides])
        for view, T in enumerate(Ts):
            image = photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, T)
            Image.fromarray(image).save(folder / f"{view}.png")
        write_sheet_file(TAGS, folder / "sheet.yaml")
        found.append(errors(read_capture(folder), Ts))
    assert np.all(np.median(found, axis=0) < (5, 0.3)) and np.all(np.max(found, axis=0) < (12, 0.7)), found


def test_a_known_lens_makes_one_photograph_enough(pages: dict[str, np.ndarray], tmp_path: Path) -> None:
    T, K = camera(60), lens(*SIZE, FOCAL)
    image = photograph(pages["apriltags"], TAGS, K, SIZE, T)
    wrong = np.eye(4)  # poses of the file do not count where the sheet tells
    write_sheet_file(TAGS, write_transforms_of(tmp_path, image, K, wrong) / "sheet.yaml")
    capture = read_capture(tmp_path)
    millimetres, degrees = errors(capture, T[None])
    assert millimetres < 5 and degrees < 0.3, (millimetres, degrees)
    np.testing.assert_allclose(capture.K[0], K)
    elsewhere = np.eye(4)
    np.testing.assert_allclose(
        read_capture(tmp_path, elsewhere).Ts_world_cam, inverse(TAGS.T_world_sheet) @ capture.Ts_world_cam, atol=1e-9
    )


def test_one_to_eight_photographs_of_several_sizes(pages: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Each size is another lens, and a sheet seen in part is one, too."""
    Ts = np.stack([camera(azimuth) for azimuth in np.linspace(-140, 140, 8)])
    sizes = [(640, 480), (480, 360)]
    for i, T in enumerate(Ts):
        width, height = sizes[i % 2]
        image = photograph(pages["apriltags"], TAGS, lens(width, height, 0.9 * width), (width, height), T, finer=1)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    capture = read_capture(tmp_path)
    assert errors(capture, Ts)[0] < 10 and len(capture.images) == 8  # edges without antialiasing, and half the pixels
    np.testing.assert_allclose(capture.K[:, 0, 0], [576, 432] * 4, rtol=0.01)


def test_what_a_mac_leaves_is_no_photograph(pages: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name, T in (("0.png", camera(-80)), ("1.png", camera(80))):
        Image.fromarray(photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, T, finer=1)).save(
            tmp_path / name
        )
    (tmp_path / "._0.png").write_bytes(b"Mac OS X")
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    assert read_capture(tmp_path).names == ("0.png", "1.png")


def test_a_photograph_without_the_sheet_is_named(pages: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name, page in (("a.png", pages["apriltags"]), ("b.png", None)):
        Image.fromarray(photograph(page, TAGS, lens(*SIZE, FOCAL), SIZE, camera(30), finer=1)).save(tmp_path / name)
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    with pytest.raises(CaptureError, match=r"sheet.yaml: frame 1 \('b.png'\): .*apriltags of 3x2\) is not seen"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"side": 0.09, "columns": 2}, "does not fit (its|the) picture"),
        ({"first_tag": 100}, "is not seen"),
    ],
)
def test_another_sheet_than_the_one_in_the_picture_is_refused(
    said: dict, answer: str, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    image = photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, camera(30), finer=1)
    folder = write_transforms_of(tmp_path, image, lens(*SIZE, FOCAL), np.eye(4))
    write_sheet_file(TAGS.model_copy(update=said), folder / "sheet.yaml")
    with pytest.raises(CaptureError, match=answer):
        read_capture(folder)


def test_the_focal_length_is_not_guessed(pages: dict[str, np.ndarray], tmp_path: Path) -> None:
    """From straight above, a long lens far away and a short one near by see the same."""
    T = camera(30, 1.0)
    Image.fromarray(photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, T)).save(tmp_path / "a.png")
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    with pytest.raises(CaptureError, match=r"leave the focal length open .* photograph from lower"):
        read_capture(tmp_path)


@pytest.mark.parametrize(("polar", "distance"), [(20, 1.5), (45, 3.0)])
def test_a_sheet_far_away_tells_no_focal_length(
    polar: float, distance: float, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Tilted enough, but small: 8 and 36 % of the focal length, and cameras 0.1 and 0.6 m beside their places."""
    T = camera(80, polar, distance)
    Image.fromarray(photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, T)).save(tmp_path / "a.png")
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    with pytest.raises(CaptureError, match=r"leave the focal length open \([\d.]+ \+- [\d.]+ pixels"):
        read_capture(tmp_path)


@pytest.mark.parametrize("zoomed", [680.0, 900.0])
def test_pictures_of_one_size_and_two_lenses_are_noticed(
    zoomed: float, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    for name, azimuth, focal in (("a.png", -80, FOCAL), ("b.png", 80, zoomed)):
        image = photograph(pages["apriltags"], TAGS, lens(*SIZE, focal), SIZE, camera(azimuth))
        Image.fromarray(image).save(tmp_path / name)
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    with pytest.raises(CaptureError, match=r"\.png'\): by itself it has a focal length of [\d.]+ .* was there a zoom"):
        read_capture(tmp_path)


def projected(
    Ts_world_cam: np.ndarray, size: tuple[int, int] = SIZE, focal: float = FOCAL, *, k1: float = 0.0,
    tall: float = 1.0, beside: tuple[float, float] = (0.0, 0.0), bulge: float = 0.0, noise: float = 0.17, seed: int = 0,
) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """`lens_of` on corners with the noise that is found on renderings, without a picture.

    tall: pixels' focal length in y by that in x. bulge: of the page's middle, m.
    """
    import cv2

    random, K = np.random.default_rng(seed), lens(*size, focal)
    K[1, 1] *= tall
    K[:2, 2] += beside
    p_sheet = TAGS.corners.copy()
    p_sheet[:, 2] = bulge * (1 - (p_sheet[:, 0] / 0.13) ** 2)
    seen = []
    for T in Ts_world_cam:
        T_cam_sheet = inverse(T) @ TAGS.T_world_sheet
        turn, _ = cv2.Rodrigues(T_cam_sheet[:3, :3])
        uv, _ = cv2.projectPoints(p_sheet, turn, T_cam_sheet[:3, 3], K, np.array([k1, 0.0, 0.0, 0.0]))
        seen.append(Seen(TAGS.corners, uv[:, 0] + random.normal(0, noise, (len(uv), 2))))
    entries = [Entry(Path("sheet.yaml"), i, {}, {"file_path": f"{i}.png"}) for i in range(len(seen))]
    return lens_of(cv2, seen, size, entries)


OPPOSITE = np.stack([camera(-80), camera(80)])
AROUND = np.stack([camera(-80), camera(20, 55, 0.7), camera(110, 30)])


@pytest.mark.parametrize("lens_is", [{}, {"size": (1280, 960), "focal": 1234.0}, {"bulge": 5e-4}])
@pytest.mark.parametrize("Ts", [OPPOSITE, AROUND, OPPOSITE[:1]], ids=["opposite", "around", "one"])
def test_a_pinhole_is_taken_for_one_whatever_the_noise(Ts: np.ndarray, lens_is: dict) -> None:
    """One line, of what was found, and no doubt: 4 draws of noise each."""
    for seed in range(4):
        K, [line] = projected(Ts, **lens_is, seed=seed)
        assert K[0, 0] == pytest.approx(lens_is.get("focal", FOCAL), rel=0.03)
        assert re.search(rf"tells a focal length of {K[0, 0]:.4g} \+- [\d.]+ pixels \(3\d mm on 35 mm film\)", line)


@pytest.mark.parametrize(
    ("lens_is", "Ts", "answer"),
    [
        (
            {"k1": -0.1},
            OPPOSITE,
            r"bends straight lines \(k1 -0.\d+\), or .* not flat: cameras would be about [345] cm",
        ),
        ({"k1": 0.15}, AROUND, r"bends straight lines \(k1 \+0.1\d?\).* \(a fisheye must be stated\)"),
        ({"k1": -0.25}, OPPOSITE[:1], r"bends straight lines \(k1 -0.2\d?\)"),
        ({"bulge": 4e-3}, OPPOSITE, "or the sheet is not flat"),
        ({"beside": (40.0, 0.0)}, OPPOSITE, r"look cropped: the lens' axis hits them \+[34]\d pixels in x"),
        ({"tall": 400 / 480, "size": (640, 400)}, AROUND, "look stretched: .* 1.2 times as high|a stretched picture"),
    ],
)
def test_another_lens_than_a_pinhole_that_looks_at_the_middle_is_refused(
    lens_is: dict, Ts: np.ndarray, answer: str
) -> None:
    with pytest.raises(CaptureError, match=answer):
        projected(Ts, **lens_is)


def test_another_lens_that_costs_a_centimetre_is_a_line() -> None:
    _, [_, bent] = projected(OPPOSITE, k1=-0.04)
    assert re.match(
        r"the lens bends straight lines \(k1 -0.0\d+\), .*: cameras may be about [12] cm off; state its", bent
    )
    _, [_, beside] = projected(AROUND, beside=(22.0, 0.0))
    assert beside.startswith("the pictures look cropped: the lens' axis hits them +19 ")
    _, [_, rough] = projected(OPPOSITE, noise=0.45)
    assert rough.startswith("that is more than of a flat sheet and a good lens")


@pytest.mark.parametrize(
    ("Ts", "lens_is", "answer"),
    [
        (
            np.stack([camera(-80, 45, 1.1), camera(80, 45, 1.1)]),
            {"size": (160, 120), "focal": 154.0},
            r"give pictures of more pixels than 160x120",
        ),
        (np.stack([camera(-80, 45, 2.5), camera(80, 45, 2.5)]), {}, r"nearer \(the sheet is 5\d pixels wide, about"),
        (camera(80, 20, 1.2)[None], {}, r"photograph from lower, 45 degrees"),
    ],
)
def test_what_would_tell_the_focal_length_is_said(Ts: np.ndarray, lens_is: dict, answer: str) -> None:
    with pytest.raises(CaptureError, match=r"leave the focal length open .*" + answer) as caught:
        projected(Ts, **lens_is)
    assert ("from lower" in str(caught.value)) == ("from lower" in answer)


def test_an_unstated_fisheye_is_refused_and_read_once_it_is_stated(
    pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    K, fisheye = lens(*SIZE, 300.0), Distortion("fisheye", (0.0, 0.0, 0.0, 0.0))
    image = photograph(pages["apriltags"], TAGS, K, SIZE, camera(80), fisheye, finer=1)
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.raises(CaptureError, match="a fisheye must be stated"):
        read_capture(tmp_path)
    stated = {"camera_model": "OPENCV_FISHEYE", "k1": 0.0, "k2": 0.0, "k3": 0.0, "k4": 0.0}
    write_transforms_of(tmp_path, image, K, np.eye(4), **stated)
    capture = read_capture(tmp_path)
    assert errors(capture, camera(80)[None])[0] < 20 and not capture.notes


def test_photographs_that_are_one_view_or_were_stretched_are_a_line(
    pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    def answer(pictures: dict[str, Image.Image], film: int | None = None) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        tags = Image.Exif()
        if film:
            tags[0x8769] = {0xA405: film}
        for name, picture in pictures.items():
            picture.save(folder / name, exif=tags)
        write_sheet_file(TAGS, folder / "sheet.yaml")
        capture = read_capture(folder)
        assert len(capture.images) == len(pictures) and "tells a focal length" in capture.notes[0]
        return "; ".join(capture.notes[1:])

    Ts = (camera(-80), camera(80), camera(81))
    a, b, c = (Image.fromarray(photograph(pages["apriltags"], TAGS, lens(*SIZE, FOCAL), SIZE, T)) for T in Ts)
    assert answer({"a.png": a, "b.png": b}) == answer({"a.png": a, "b.png": b}, 33) == ""
    assert "'a.png' and 'c.png' are the same photograph: they tell as much" in answer(
        {"a.png": a, "b.png": b, "c.png": a}
    )
    assert "'b.png' and 'c.png' were taken from one place" in answer({"a.png": a, "b.png": b, "c.png": c})
    low = {"a.png": a.resize((640, 400)), "b.png": b.resize((640, 400))}
    assert "wrote a focal length of 33 mm (on 35 mm film), the sheet tells 4" in answer(low, 33)
    odd = {"a.png": a.resize((640, 446)), "b.png": b.resize((640, 446))}
    assert "'a.png': few cameras take pictures of 640x446: was it cropped or stretched" in answer(odd)


@pytest.mark.parametrize("name", ["b.gif", "b.HEIC", "images/b.jxl", "b.CR2", "b.dng", "b.tif"])
def test_a_photograph_in_a_format_that_is_not_read_is_not_left_out(
    name: str, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """What is no photograph may lie beside them."""
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "a.png")
    for beside in ("notes.txt", "list.json", "sheet.pdf", "plan.svg", ".DS_Store", "clip.mov"):
        (tmp_path / beside).write_bytes(b"x")
    write_sheet_file(TAGS, tmp_path / "sheet.yaml")
    assert [entry.frame["file_path"] for entry in entries_of(tmp_path)] == ["a.png"]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / name, format="GIF")
    with pytest.raises(CaptureError, match=rf"frame 1 \('{name}'\): .* is no image in a format that is read \(PNG"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("kind: charuco\n", "sheet.yaml: 1 setting(?s:.*)kind: Input should be 'apriltags' or 'checkerboard'"),
        ("side: 70\n", "side: .*70 m; allowed are up to 1 m, are these millimetres, not metres"),
        ("place: [-22, 0, -90]\n", "place.0: .*-22 m; allowed are up to 5 m, are these millimetres, not metres"),
        ("place: [0.1, 0, -1.5708]\n", r"place.2: looks like radians; expected are degrees, -90\? \(got -1.5708\)"),
        ("place: [0.1, 0, 1.57]\n", r"place.2: looks like radians; expected are degrees, 90\?"),
        ("place: [0, 0, 1570]\n", "place.2: Input should be less than or equal to 360"),
        ("sides: 0.07\n", "sides: Extra inputs are not permitted; allowed: .*side"),
        ("gap: 0.001\n", "gap: 0.001 m is less than an eighth of a tag"),
        ("{kind: checkerboard, columns: 8, rows: 6}\n", "8x6 squares look the same when turned by half"),
        ("first_tag: 585\n", "3x2 tags from 585 on: the family has 587"),
        ("side: [\n", "sheet.yaml: not valid YAML"),
    ],
)
def test_a_sheets_file_is_checked(text: str, answer: str, tmp_path: Path) -> None:
    (tmp_path / "sheet.yaml").write_text(text)
    with pytest.raises(UserFileError, match=answer):
        read_sheet(tmp_path / "sheet.yaml")
    with pytest.raises(CaptureError, match=answer) as caught:
        read_capture(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("turn", [0, -90, 0.5, 1, -1.5, 2.5, 3, 5.5, 6, 12.25, 180.0, 360])
def test_turns_in_degrees_are_read(turn: float, tmp_path: Path) -> None:
    (tmp_path / "sheet.yaml").write_text(f"place: [0.1, 0, {turn}]\n")
    assert read_sheet(tmp_path / "sheet.yaml").place[2] == turn


@pytest.mark.parametrize("part", [1 / 24, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 3 / 4, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_parts_of_a_turn_in_radians_are_none(part: float, sign: int, tmp_path: Path) -> None:
    for digits in (4, 9):
        (tmp_path / "sheet.yaml").write_text(f"place: [0.1, 0, {sign * round(part * math.tau, digits)}]\n")
        with pytest.raises(UserFileError, match=rf"radians; expected are degrees, {sign * 360 * part:.0f}\?"):
            read_sheet(tmp_path / "sheet.yaml")


def test_what_is_written_of_a_sheet_is_read(tmp_path: Path) -> None:
    sheet = Sheet(columns=2, side=0.05, gap=0.02, place=(0.1, -0.2, 30.0))
    assert read_sheet(write_sheet_file(sheet, tmp_path / "sheet.yaml")) == sheet


@pytest.mark.parametrize("sheet", [TAGS, SQUARES], ids=lambda sheet: sheet.kind)
@pytest.mark.parametrize("turn", range(4))
def test_the_page_is_what_the_corners_say_however_it_is_turned(sheet: Sheet, turn: int, pages: dict) -> None:
    small = Image.fromarray(pages[sheet.kind]).resize((780, 551), Image.Resampling.BOX)
    page = np.repeat(np.asarray(small)[..., None], 3, axis=2)
    seen = sheet.find(np.rot90(page, turn))
    assert seen is not None and len(seen.uv) == len(sheet.corners)
    per_metre, (height, width) = 780 / 0.297, page.shape[:2]
    u, v = width / 2 + seen.p_sheet[:, 0] * per_metre - 0.5, height / 2 - seen.p_sheet[:, 1] * per_metre - 0.5
    for _ in range(turn):
        u, v, width, height = v, width - 1 - u, height, width
    assert np.abs(seen.uv - np.column_stack([u, v])).max() < 0.7  # of 780 over the page: 0.27 mm


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_a_page_has_its_true_size(ending: str, tmp_path: Path) -> None:
    data = write_sheet(TAGS, tmp_path / f"sheet.{ending}", dpi=100).read_bytes()
    if ending == "pdf":
        assert re.search(rb"/MediaBox \[ 0 0 841.88\d* 595.27\d* \]", data)  # A4 in points, 1/72 inch
    elif ending == "svg":
        assert b'width="841.889764pt" height="595.275591pt"' in data
    else:
        with Image.open(tmp_path / "sheet.png") as page:
            assert page.size == (1169, 826)  # cut to whole pixels
            np.testing.assert_allclose(page.info["dpi"], 100, rtol=1e-3)
    assert write_sheet(TAGS, tmp_path / f"again.{ending}", dpi=100).read_bytes() == data
    with pytest.raises(ValueError, match="does not fit on a4 with 12 mm around"):
        write_sheet(Sheet(side=0.09), tmp_path / f"large.{ending}")
