"""Figures at web size: small enough to be read on a phone's connection, large enough for a sharp screen."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image

from dgrasp.files import atomic_path

WIDEST = 1500  # pixels: twice a page's column, for sharp screens
QUALITY = 82  # of WebP; lines stay clean
READ = ("PNG", "JPEG", "WEBP")
COLOURS = 255  # of a PNG picture's palette in an executed notebook


def web_picture(source: Path, target: Path) -> Path:
    """Write a picture as WebP of web size beside `target`'s stem, an animation as it is; returns the file."""
    if source.suffix == ".gif":
        target = target.with_suffix(".gif")
        with atomic_path(target) as path:
            shutil.copyfile(source, path)
        return target
    target = target.with_suffix(".webp")
    with Image.open(source, formats=READ) as picture, atomic_path(target) as path:
        _within(picture.convert("RGB"), WIDEST).save(path, format="webp", quality=QUALITY, method=5)
    return target


def web_png(data: bytes, widest: int = WIDEST) -> bytes:
    """A PNG picture of web size: no wider than `widest` pixels and in 255 colours, if that makes it smaller."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        small, target = _within(picture.convert("RGB"), widest), io.BytesIO()
        small.quantize(COLOURS, dither=Image.Dither.NONE).save(target, format="png", optimize=True)
    return min(data, target.getvalue(), key=len)


def _within(picture: Image.Image, widest: int) -> Image.Image:
    if picture.width <= widest:
        return picture
    return picture.resize((widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS)
