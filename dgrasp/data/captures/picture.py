"""One photograph as RGB pixels, as a viewer shows them. Only PNG, JPEG and WebP are opened.

Pillow's other formats stay shut: some start programs (PostScript starts Ghostscript), few are photographs.
"""

from __future__ import annotations

import math
import os
import stat
import warnings
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from dgrasp.data.captures.document import CaptureError, Entry, brief, reason, shown

FORMATS = ("PNG", "JPEG", "WEBP")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
MODES = ("1", "L", "P", "RGB", "LA", "PA", "RGBA")  # Pillow's names of 8 bits a channel and fewer, grey or RGB
MAX_PIXELS = 100_000_000  # not in the paper: more than a camera of a bench has; Pillow itself stops at 179 million
WHITE = (255, 255, 255, 255)
EXIF, FILM = 0x8769, 0xA405  # EXIF's block of tags, and the one of the focal length on 35 mm film
ORIENTATION = 0x0112  # EXIF's tag; 1 upright, 2 to 4 turned or mirrored in place, 5 to 8 with sides exchanged


def find_picture(entry: Entry) -> Path:
    """The file that `file_path` names, inside the capture's folder.

    Backslashes count as slashes, and a missing ending (as in the synthetic NeRF scenes) is added where one file fits.
    Raises CaptureError for anything else.
    """
    name = entry.frame.get("file_path")
    if not isinstance(name, str) or not name or "\0" in name:
        raise entry.error("file_path", f"expected the path of an image, relative to the folder, got {shown(name)}")
    folder = entry.folder.resolve()
    literal = _inside(entry, folder, name)
    if _exists(entry, literal):
        return literal
    path = _inside(entry, folder, name.replace("\\", "/"))
    if _exists(entry, path):
        return path
    for endings in (ENDINGS, tuple(e.upper() for e in ENDINGS)):
        found = [p for e in endings if _exists(entry, p := path.with_name(path.name + e))]
        if len(found) > 1:
            raise entry.error("file_path", f"stands for {' and '.join(p.name for p in found)}; give the ending")
        if found:
            return found[0]
    raise entry.error("file_path", f"no such image at {brief(path)}{_otherwise_spelt(path)}")


def _otherwise_spelt(path: Path) -> str:
    """A file of the same name in other letters, which Windows and macOS would have opened; empty without one."""
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.name.casefold() == path.name.casefold())
    except OSError:
        return ""
    return f"; there is {shown(names[0])}" if names else ""


def _inside(entry: Entry, folder: Path, name: str) -> Path:
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(folder):
        raise entry.error("file_path", f"leads out of {folder}; images must lie in the folder")
    return path


def _exists(entry: Entry, path: Path) -> bool:
    """Whether there is a regular file; raises CaptureError for folders, pipes, loops and what may not be looked at."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise entry.error("file_path", f"{brief(path)} cannot be read ({reason(error)})") from error
    if not stat.S_ISREG(mode):
        raise entry.error("file_path", f"{brief(path)} is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}")
    return True


def read_picture(
    entry: Entry, path: Path, stated: tuple[int | None, int | None], turn: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """The image's pixels, what is transparent in white, as nerfstudio and instant-ngp show it.

    stated: width and height that the intrinsics are for, None where they are absent. turn: there are no intrinsics, so
    that the picture is taken as it is seen.
    Raises CaptureError if it cannot be read, has another size, shows nothing, is animated, too large, or has pixels of
    another kind than 8 bits, grey or RGB.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong is an error here, or nothing
        try:
            with Image.open(path, formats=FORMATS) as image:
                if problem := _header_problem(image):
                    raise entry.error("file_path", problem)
                return np.asarray(
                    _opaque(entry, ImageOps.exif_transpose(image) if turn else _upright(entry, image, stated))
                )
        except CaptureError:
            raise
        except Image.DecompressionBombError as error:
            raise entry.error("file_path", f"the image has over {_limit()}") from error
        except Image.UnidentifiedImageError as error:
            raise entry.error(
                "file_path", f"{brief(path)} is no image in a format that is read (PNG, JPEG, WebP)"
            ) from error
        except Exception as error:  # Pillow raises what its parsers meet, of any class
            raise entry.error("file_path", f"{brief(path)} cannot be read ({reason(error)})") from error


def film_length(path: Path) -> float | None:
    """The focal length on 35 mm film that the camera wrote beside the picture (EXIF), mm; None without one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=FORMATS) as image:
                stated = float(image.getexif().get_ifd(EXIF).get(FILM, 0))
        except Exception:  # what Pillow's parsers meet, of any class: the picture itself was read before
            return None
    return stated if math.isfinite(stated) and stated > 0 else None


def stored_picture(source: Path | IO[bytes]) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a picture that was calibrated as it is stored. Raises ValueError for what `read_picture` refuses.

    A picture that a viewer would turn is refused, too: nobody knows which of both was calibrated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise ValueError("is no regular file")
        try:
            with Image.open(source, formats=FORMATS) as image:
                turned = image.getexif().get(ORIENTATION, 1)
                problem = _header_problem(image)
                if turned in range(2, 9):
                    problem = f"the image has EXIF orientation {turned}; turn the pixels and remove the tag"
                if problem is None:
                    return np.asarray(_on_white(image))
        except Image.DecompressionBombError:
            problem = f"the image has over {_limit()}"
        except Image.UnidentifiedImageError:
            problem = "no image in a format that is read (PNG, JPEG, WebP)"
        except Exception as error:  # Pillow raises what its parsers meet, of any class
            raise ValueError(f"cannot be read ({reason(error)})") from error
    raise ValueError(problem)


def _limit() -> str:
    return f"{MAX_PIXELS // 10**6} megapixels, which is the limit; scale image and intrinsics down together"


def _header_problem(image: Image.Image) -> str | None:
    if image.width * image.height > MAX_PIXELS:
        return f"the image has {image.width}x{image.height} pixels, over {_limit()}"
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's JPEG with a second picture behind
        return "the image is animated; save one picture of it"
    if image.mode not in MODES:
        return f"the image's pixels are {image.mode}; allowed are 8 bits a channel, grey or RGB: save it as such"
    return None


def _upright(entry: Entry, image: Image.Image, stated: tuple[int | None, int | None]) -> Image.Image:
    """The picture in the orientation that the intrinsics are for, by the size they state."""
    turned = image.getexif().get(ORIENTATION, 1)
    if turned in range(2, 9):
        seen = image.size[::-1] if turned >= 5 else image.size
        if seen == image.size or None in stated:
            raise entry.error(
                "file_path",
                f"the image has EXIF orientation {turned}, and w, h do not tell whether the intrinsics are for the "
                "picture as stored or as seen; turn the pixels and remove the tag",
            )
        if stated == seen:
            image = ImageOps.exif_transpose(image)
    if any(s is not None and s != side for s, side in zip(stated, image.size, strict=True)):
        w, h = (side if s is None else s for s, side in zip(stated, image.size, strict=True))
        raise entry.error(
            "",
            f"the image has {image.width}x{image.height} pixels, but its intrinsics are for {w}x{h}; calibrate or "
            "scale both together",
        )
    return image


def _opaque(entry: Entry, image: Image.Image) -> Image.Image:
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[1] == 0:
        raise entry.error("file_path", "the image is transparent everywhere; save it without transparency")
    return _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
