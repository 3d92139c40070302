"""COLMAP's models, text and binary, as the frames of a capture: cameras with their distortion, and poses.

COLMAP's poses take world to camera, with OpenCV's axes; pixel centres are at .5, as in nerfstudio. Its world has any
origin, turn and scale: such a model is metric and in the cell's frame only if somebody aligned it, or a printed sheet
in the pictures tells.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from scipy.spatial.transform import Rotation

from dgrasp.cameras import CV_TO_GL
from dgrasp.cell.transforms import inverse, transform
from dgrasp.data.captures.document import CaptureError, Entry, reason, shown

FOLDERS = ("", "sparse/0", "sparse", "colmap/sparse/0")  # where COLMAP and nerfstudio put a model
FARTHEST = 1e6  # of a pose's numbers, as for a transforms.json
MAX_BYTES = 256 * 2**20  # images.txt lists every point seen
# By number: name, and its parameters; f is fl_x and fl_y.
MODELS: dict[int, tuple[str, tuple[str, ...]]] = {
    0: ("SIMPLE_PINHOLE", ("f", "cx", "cy")),
    1: ("PINHOLE", ("fl_x", "fl_y", "cx", "cy")),
    2: ("SIMPLE_RADIAL", ("f", "cx", "cy", "k1")),
    3: ("RADIAL", ("f", "cx", "cy", "k1", "k2")),
    4: ("OPENCV", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2")),
    5: ("OPENCV_FISHEYE", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4")),
    6: ("FULL_OPENCV", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    7: ("FOV", ("fl_x", "fl_y", "cx", "cy", "omega")),
    8: ("SIMPLE_RADIAL_FISHEYE", ("f", "cx", "cy", "k1")),
    9: ("RADIAL_FISHEYE", ("f", "cx", "cy", "k1", "k2")),
    10: ("THIN_PRISM_FISHEYE", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1")),
}
BOM = b"\xef\xbb\xbf"
NUMBERS, WHOLE = re.compile(rb"[-+.\deE\s]*"), re.compile(rb"-?\d+")  # of a line of points
Camera = dict[str, Any]
Image = tuple[int, list[float], str]  # camera, quaternion (w first) and translation of world to camera, name


def find_model(folder: Path) -> Path | None:
    """The folder of a COLMAP model in `folder`, None without one."""
    for below in FOLDERS:
        if any((folder / below / f"images.{ending}").is_file() for ending in ("bin", "txt")):
            return folder / below
    return None


def of_model(entry: Entry) -> bool:
    """Whether a frame was read from a COLMAP model."""
    return entry.file.name in ("images.bin", "images.txt")


def colmap_entries(model: Path, folder: Path) -> list[Entry]:
    """The model's photographs in the order of their names, which lie in `folder` or its `images`.

    Raises CaptureError for a model that is not whole, in which a camera or an image stands twice, or with a camera
    model that OpenCV does not have.
    """
    ending = "bin" if (model / "images.bin").is_file() else "txt"
    cameras = dict(_read(model / f"cameras.{ending}", _cameras_bin if ending == "bin" else _cameras_txt))
    file = model / f"images.{ending}"
    images = sorted(_read(file, _images_bin if ending == "bin" else _images_txt), key=lambda image: image[2])
    if not images:
        raise CaptureError(f"{file}: has no images")
    root = folder / "images" if (folder / "images").is_dir() else folder
    return [_entry(file, i, image, cameras, root) for i, image in enumerate(images)]


def _entry(file: Path, index: int, image: Image, cameras: dict[int, Camera], root: Path) -> Entry:
    camera, pose, name = image
    entry = Entry(file, index, {}, {"file_path": name}, root)
    if camera not in cameras:
        known = ", ".join(map(str, sorted(cameras)[:10]))
        raise entry.error("", f"has camera {camera}, which is not in the model; cameras: {known}")
    if not all(abs(number) < FARTHEST for number in pose):
        raise entry.error("", f"the pose's numbers are too large, or none; allowed are less than {FARTHEST:g}")
    q = np.array(pose[:4])
    if not abs(np.linalg.norm(q) - 1) < 1e-3:
        raise entry.error("", f"the pose's quaternion has length {np.linalg.norm(q):.4g}, expected 1")
    T_capture_cam = inverse(transform(Rotation.from_quat(q, scalar_first=True), pose[4:]))
    return Entry(
        file,
        index,
        {},
        {**entry.frame, **cameras[camera], "transform_matrix": (T_capture_cam @ CV_TO_GL).tolist()},
        root,
    )


def _camera(model: str, parameters: tuple[str, ...], width: int, height: int, values: list[float]) -> Camera:
    if len(values) != len(parameters):
        raise ValueError(f"{model} has {len(parameters)} parameters, got {len(values)}")
    named = dict(zip(parameters, values, strict=True))
    if "f" in named:
        named["fl_x"] = named["fl_y"] = named.pop("f")
    return {"camera_model": model, "w": width, "h": height, **named}


def _read(file: Path, parse: Callable[[BinaryIO], Iterator[Any]]) -> list[Any]:
    try:
        if file.exists() and not file.is_file():
            raise CaptureError(f"{file}: a pipe, a device or a folder; expected a file of a COLMAP model")
        if file.stat().st_size > MAX_BYTES:
            raise CaptureError(f"{file}: larger than {MAX_BYTES // 2**20} MiB")
        with open(file, "rb") as handle:
            return list(parse(handle))
    except CaptureError:
        raise
    except FileNotFoundError as error:
        raise CaptureError(f"{file}: no such file; a COLMAP model has cameras and images, text or binary") from error
    except (OSError, ValueError, IndexError, struct.error, OverflowError) as error:
        raise CaptureError(f"{file}: not a file of a COLMAP model ({reason(error)})") from error


def _unpack(handle: BinaryIO, form: str) -> tuple[Any, ...]:
    size = struct.calcsize(f"<{form}")
    if len(data := handle.read(size)) < size:
        raise ValueError("it is cut short")
    return struct.unpack(f"<{form}", data)


def _cameras_bin(handle: BinaryIO) -> Iterator[tuple[int, Camera]]:
    found = set[int | str]()
    for _ in range(_unpack(handle, "Q")[0]):
        number, model, width, height = _unpack(handle, "iiQQ")
        _once(found, "camera", number)
        if model not in MODELS:
            raise ValueError(f"unknown camera model {model}; models: {', '.join(name for name, _ in MODELS.values())}")
        name, parameters = MODELS[model]
        yield number, _camera(name, parameters, width, height, list(_unpack(handle, "d" * len(parameters))))


def _images_bin(handle: BinaryIO) -> Iterator[Image]:
    numbers, names = set[int | str](), set[int | str]()
    for _ in range(_unpack(handle, "Q")[0]):
        number, *pose, camera = _unpack(handle, "I7dI")
        name = bytearray()
        while (character := _unpack(handle, "c")[0]) != b"\0":
            name += character
        points = _unpack(handle, "Q")[0]
        handle.seek(24 * points, 1)  # x, y, and the point's number
        _once(numbers, "image", number)
        _once(names, "image", name.decode())
        yield camera, pose, name.decode()


def _lines(handle: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, without comments, and without the mark that Windows' editors begin a file with."""
    for number, line in enumerate(handle, start=1):
        if not (line := line.removeprefix(BOM) if number == 1 else line).lstrip().startswith(b"#"):
            yield number, line


@contextmanager
def _of_line(number: int) -> Iterator[None]:
    """What is wrong with a line, with its number."""
    try:
        yield
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"line {number}: {reason(error)}") from error


def _once(found: set[int | str], what: str, name: int | str) -> None:
    """Raise ValueError for the second of a name or a number."""
    if name in found:
        raise ValueError(f"{what} {shown(name)} stands twice; state it once")
    found.add(name)


def _cameras_txt(handle: BinaryIO) -> Iterator[tuple[int, Camera]]:
    by_name, found = dict(MODELS.values()), set[int | str]()
    for at, line in _lines(handle):
        if not line.strip():
            continue
        with _of_line(at):
            number, camera = _camera_of(line.decode().split(), by_name)
            _once(found, "camera", number)
        yield number, camera


def _camera_of(words: list[str], by_name: dict[str, tuple[str, ...]]) -> tuple[int, Camera]:
    if len(words) < 4:
        raise ValueError(f"expected CAMERA_ID, MODEL, WIDTH, HEIGHT and the model's parameters, got {len(words)} words")
    number, model, width, height, *values = words
    if model not in by_name:
        raise ValueError(f"unknown camera model {model!r}; models: {', '.join(by_name)}")
    return int(number), _camera(model, by_name[model], int(width), int(height), [float(v) for v in values])


def _images_txt(handle: BinaryIO) -> Iterator[Image]:
    """Two lines an image; the second, of its points, may be empty, but it is there."""
    lines, numbers, names = _lines(handle), set[int | str](), set[int | str]()
    for at, line in lines:
        if not line.strip():
            continue
        with _of_line(at):
            number, image = _image_of(line.decode().strip().split(maxsplit=9))
            _once(numbers, "image", number)
            _once(names, "image", image[2])
        after, points = next(lines, (at, b""))
        with _of_line(after):
            if not _are_points(points):
                raise ValueError(
                    f"expected the points of image {shown(image[2])}, X, Y and POINT3D_ID of each; the line may be "
                    "empty, but not left out"
                )
        yield image


def _image_of(words: list[str]) -> tuple[int, Image]:
    if len(words) < 10:
        raise ValueError(f"expected IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME, got {len(words)} words")
    number, *pose, camera, name = words
    return int(number), (int(camera), [float(v) for v in pose], name)


def _are_points(line: bytes) -> bool:
    """Whether a line of images.txt has three numbers a point, the third one whole; or none at all."""
    words = line.split()
    return NUMBERS.fullmatch(line) is not None and len(words) % 3 == 0 and all(map(WHOLE.fullmatch, words[2::3]))
