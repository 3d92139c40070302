"""What people's folders of photographs are like: a small good capture, changed in one way each, and the right answer.

An answer is SAME (the grasps of the good capture), NEAR (the same but for lossy images), PLANS (grasps, of something
else), or a pattern of the one line that refuses it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from looking_policy import two_views
from PIL import Image

from dgrasp.data.export import write_transforms

SAME, NEAR, PLANS = "SAME", "NEAR", "PLANS"
FL = 0.964 * 64  # of the 64x48 images
GL = np.diag([1.0, -1.0, -1.0, 1.0])
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])  # the world's z becomes y
ANGLE_X, ANGLE_Y = (2 * float(np.arctan(side / 2 / FL)) for side in (64, 48))
FRAME_0 = r"frame 0 \('images/frame_00000.png'\): "
NUMBER = r"expected a number, got "
TURNED = Image.Transpose
About = dict[str, Any]
Change = Callable[[Path, About], Any]


@dataclass(frozen=True)
class Case:
    name: str
    change: Change  # of the folder and the content of transforms.json; a text it returns is written instead
    answer: str

    def make(self, folder: Path) -> Path:
        """Write the capture into `folder`, changed."""
        path = write_transforms(two_views(), folder)
        about = json.loads(path.read_text())
        text = self.change(folder, about)
        if path.is_file():
            written = text if isinstance(text, str | bytes) else json.dumps(about)
            path.write_bytes(written.encode() if isinstance(written, str) else written)
        return folder


def top(**values: Any) -> Change:
    return lambda folder, about: about.update(values)


def each(**values: Any) -> Change:
    return lambda folder, about: [frame.update(values) for frame in about["frames"]]


def first(**values: Any) -> Change:
    return lambda folder, about: about["frames"][0].update(values)


def without(*keys: str, then: Change | None = None) -> Change:
    def change(folder: Path, about: About) -> Any:
        for frame in about["frames"]:
            for key in keys:
                frame.pop(key)
        return then(folder, about) if then else None

    return change


def removed(key: str) -> Change:
    return lambda folder, about: {"removed": about["frames"][0].pop(key)}


def both(*changes: Change) -> Change:
    return lambda folder, about: [change(folder, about) for change in changes]


def shared(folder: Path, about: About) -> None:
    """Intrinsics once for all frames."""
    for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
        for frame in about["frames"]:
            about[key] = frame.pop(key)


def matrix(transform: Callable[[np.ndarray], Any], frames: slice = slice(None)) -> Change:
    def change(folder: Path, about: About) -> None:
        for frame in about["frames"][frames]:
            made = transform(np.array(frame["transform_matrix"]))
            frame["transform_matrix"] = made.tolist() if isinstance(made, np.ndarray) else made

    return change


def moved(scale: float) -> Change:
    def transform(T: np.ndarray) -> np.ndarray:
        T[:3, 3] *= scale
        return T

    return matrix(transform)


def text(edit: Callable[[str], str | bytes]) -> Change:
    return lambda folder, about: edit(json.dumps(about, indent=1))


def image(name: str, save: Callable[[Image.Image, Path], Any], **values: Any) -> Change:
    """The first photograph, saved anew under another name."""

    def change(folder: Path, about: About) -> None:
        about["frames"][0].update({"file_path": f"images/{name}", **values})
        with Image.open(folder / "images" / "frame_00000.png") as picture:
            save(picture.convert("RGB"), folder / "images" / name)

    return change


def content(data: bytes | Callable[[bytes], bytes], name: str = "frame_00000.png") -> Change:
    """The first photograph's file with other bytes."""

    def change(folder: Path, about: About) -> None:
        path = folder / "images" / name
        path.write_bytes(data if isinstance(data, bytes) else data(path.read_bytes()))

    return change


def exif(orientation: int, operation: Image.Transpose) -> Callable[[Image.Image, Path], None]:
    """Stored so that a viewer, who applies EXIF's orientation, sees the picture as it was."""

    def save(picture: Image.Image, path: Path) -> None:
        tags = Image.Exif()
        tags[0x0112] = orientation
        picture.transpose(operation).save(path, exif=tags)

    return save


def with_alpha(least: int) -> Callable[[Image.Image, Path], None]:
    def save(picture: Image.Image, path: Path) -> None:
        alpha = np.full((picture.height, picture.width), 255, np.uint8)
        alpha[:8] = least
        picture.putalpha(Image.fromarray(alpha))
        picture.save(path)

    return save


def nothing_there(picture: Image.Image, path: Path) -> None:
    picture.putalpha(0)
    picture.save(path)


def as_mode(mode: str) -> Callable[[Image.Image, Path], None]:
    return lambda picture, path: picture.convert(mode).save(path)


def grey_16_bit(picture: Image.Image, path: Path) -> None:
    Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 16).save(path)


def animated(picture: Image.Image, path: Path) -> None:
    picture.save(path, save_all=True, append_images=[picture.transpose(Image.Transpose.ROTATE_180)], lossless=True)


def transparent_colour(picture: Image.Image, path: Path) -> None:
    picture.save(path, transparency=picture.getpixel((5, 5)))


def png_of_16_bits(picture: Image.Image, path: Path) -> None:
    """16 bits a channel, RGB: Pillow cannot write it."""
    pixels = (np.asarray(picture).astype(">u2") * 257).tobytes()
    stride = picture.width * 6
    rows = b"".join(b"\0" + pixels[i * stride : (i + 1) * stride] for i in range(picture.height))
    path.write_bytes(png(picture.width, picture.height, 16, 2, zlib.compress(rows)))


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb(side: int) -> bytes:
    """A few kilobytes of file for a black picture of side x side pixels."""
    return png(side, side, 1, 0, zlib.compress(bytes((side // 8 + 2) * side), 9))


def renamed(name: str) -> Change:
    def change(folder: Path, about: About) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "images" / "frame_00000.png").rename(folder / name)
        about["frames"][0]["file_path"] = name

    return change


def outside(folder: Path, about: About) -> None:
    (folder / "images" / "frame_00000.png").rename(folder.parent / f"{folder.name}.png")
    about["frames"][0]["file_path"] = f"../{folder.name}.png"


def resized(scale: float, scale_lens: bool, frames: slice = slice(None), stated: bool = True) -> Change:
    """Images of another resolution; `scale_lens`: with their intrinsics, `stated`: with their w and h."""

    def change(folder: Path, about: About) -> None:
        for frame in about["frames"][frames]:
            path = folder / frame["file_path"]
            with Image.open(path) as picture:
                size = round(picture.width * scale), round(picture.height * scale)
                picture.resize(size, Image.Resampling.NEAREST).save(path)
            if scale_lens:
                frame.update({key: frame[key] * scale for key in ("fl_x", "fl_y", "cx", "cy")})
            if stated:
                frame["w"], frame["h"] = size

    return change


def special(make: Callable[[Path], Any]) -> Change:
    def change(folder: Path, about: About) -> None:
        path = folder / "images" / "special.png"
        make(path)
        about["frames"][0]["file_path"] = "images/special.png"

    return change


def twice(folder: Path, about: About) -> None:
    about["frames"][1] = dict(about["frames"][0])


def one_photograph_two_poses(folder: Path, about: About) -> None:
    about["frames"][1]["file_path"] = about["frames"][0]["file_path"]


def twelve(folder: Path, about: About) -> None:
    about["frames"] = about["frames"] * 6


def scaled_frame(folder: Path, about: About) -> None:
    """As nerfstudio says it: poses times 0.25, in a frame turned and shifted."""
    applied = np.array([[1.0, 0, 0, 0.3], [0, 0, 1.0, 0], [0, -1.0, 0, -0.1], [0, 0, 0, 1.0]])
    for frame in about["frames"]:
        T = applied @ np.array(frame["transform_matrix"])
        T[:3, 3] *= 0.25
        frame["transform_matrix"] = T.tolist()
    about.update(applied_transform=applied[:3].tolist(), applied_scale=0.25)


def shift(x: float, y: float, z: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T


def below(T: np.ndarray) -> np.ndarray:
    """The same camera mirrored at the board's plane: it looks at the workspace from under the table."""
    turned = np.diag([1.0, -1.0, -1.0, 1.0]) @ shift(-0.2, 0, -0.9605) @ T
    return shift(0.2, 0, 0.9605) @ turned
