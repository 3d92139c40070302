"""Intrinsics of a frame, in the spellings of nerfstudio and instant-ngp.

Pixels (`fl_x`, `fl_y`, `cx`, `cy`) with the size they belong to (`w`, `h`), or a field of view: `camera_angle_x`, `_y`
in radians, or `x_fov`, `y_fov` in degrees. What bends the lens' picture is read in `distortion`.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from dgrasp.data.captures.document import Entry, shown

HALF_PIXEL = 0.5  # nerfstudio counts pixel centres at .5, this package at integers

AGREE = 0.02  # relative: two spellings of one focal length that differ by more contradict each other
VIEW = (2.0, 150.0)  # degrees a photograph shows: outside, the focal length is not in pixels of this image
SQUARE = 2.0  # ratio of the focal lengths: pixels are square, unless a picture was pulled; more is a slip
OFF_CENTRE = 0.1  # of the image's size: less may be the lens, equal shares on both axes are another resolution


def stated_size(entry: Entry) -> tuple[int | None, int | None]:
    """`w` and `h` of the image that the intrinsics are for, pixels; None where they are absent."""
    return _whole(entry, "w"), _whole(entry, "h")


def _whole(entry: Entry, key: str) -> int | None:
    number = entry.number(key)
    if number is None:
        return None
    if number < 1 or number != int(number):
        raise entry.error(key, f"expected a number of pixels, got {number:g}")
    return int(number)


def intrinsics(entry: Entry, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """`K` of the frame for its image of `size` (width, height), integer pixel centres. Raises CaptureError."""
    f: list[float | None] = [_focal(entry, axis, pixels) for axis, pixels in zip("xy", size, strict=True)]
    in_pixels = "fl_x" in entry or "fl_y" in entry
    if not in_pixels and f != [None, None]:  # an angle alone: square pixels, centred, whatever the size
        f = [f[0] or f[1], f[1] or f[0]]
    c = [entry.number(key) for key in ("cx", "cy")]
    if not in_pixels and None not in f:
        c = [side / 2 if given is None else given for given, side in zip(c, size, strict=True)]
    _check_complete(entry, {"fl_x": f[0], "fl_y": f[1], "cx": c[0], "cy": c[1]})
    focal, centre = [float(v or 0.0) for v in f], [float(v or 0.0) for v in c]
    for i, axis in enumerate("xy"):
        _check_view(entry, axis, focal[i], size[i])
    _check_square(entry, focal)
    _check_centre(entry, centre, size)
    return np.array([[focal[0], 0.0, centre[0] - HALF_PIXEL], [0.0, focal[1], centre[1] - HALF_PIXEL], [0.0, 0.0, 1.0]])


def _check_complete(entry: Entry, found: dict[str, float | None]) -> None:
    """Pixels need the size of the image they were measured in: it may have been scaled since. An angle does not."""
    missing = [key for key, value in found.items() if value is None]
    if any(key in entry for key in found):
        missing += [key for key in ("w", "h") if key not in entry]
    if not missing:
        return
    nested = [k for k in entry if isinstance(v := {**entry.shared, **entry.frame}[k], dict) and missing[0] in v]
    hint = f"; inside {shown(nested[0])} they are not read" if nested else ""
    raise entry.error(
        "",
        f"lacks {', '.join(missing)}{hint}; needed in each frame, or once for all, are fl_x, fl_y, cx, cy and the "
        "size w, h they are for (pixels), or camera_angle_x (radians)",
    )


def _focal(entry: Entry, axis: str, pixels: int) -> float | None:
    """The focal length in pixels, None if nothing states it. Raises CaptureError if two statements contradict."""
    found: dict[str, float] = {}
    if (focal := entry.number(f"fl_{axis}")) is not None:
        if focal <= 0:
            raise entry.error(f"fl_{axis}", f"focal lengths must be positive (pixels), got {focal:g}")
        found[f"fl_{axis}"] = focal
    for key, unit, half_turn in ((f"camera_angle_{axis}", "radians", math.pi), (f"{axis}_fov", "degrees", 180.0)):
        if (angle := entry.number(key)) is not None:
            if not 0 < angle < half_turn:
                raise entry.error(key, f"expected {unit} between 0 and {half_turn:.4g}, got {angle:g}")
            found[key] = pixels / 2 / math.tan(angle / half_turn * math.pi / 2)
    values = list(found.values())
    for key, other in list(found.items())[1:]:
        if abs(other / values[0] - 1) > AGREE:
            raise entry.error(
                key, f"is a focal length of {other:.4g} pixels, but {next(iter(found))} says {values[0]:.4g}"
            )
    return values[0] if values else None


def _check_view(entry: Entry, axis: str, focal: float, pixels: int) -> None:
    degrees = math.degrees(2 * math.atan(pixels / 2 / focal))
    if not VIEW[0] <= degrees <= VIEW[1]:
        key = next(k for k in (f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov", "") if k in entry or not k)
        raise entry.error(
            key,
            f"a focal length of {focal:.4g} pixels shows {degrees:.3g} degrees in {pixels} pixels, allowed are "
            f"{VIEW[0]:g} to {VIEW[1]:g}; is it in pixels of this image, not in millimetres?",
        )


def _check_square(entry: Entry, focal: list[float]) -> None:
    """Refuse focal lengths of pixels that no camera has."""
    if max(focal) > SQUARE * min(focal):
        key = next((k for k in ("fl_y", "camera_angle_y", "y_fov") if k in entry), "")
        raise entry.error(
            key,
            f"the focal lengths are {focal[0]:.4g} and {focal[1]:.4g} pixels; pixels are square, or nearly: allowed is "
            f"one {SQUARE:g} times the other",
        )


def _check_centre(entry: Entry, centre: list[float], size: tuple[int, int]) -> None:
    """Refuse a principal point that lies outside, or in the middle of an image of another resolution."""
    for key, c, side in zip(("cx", "cy"), centre, size, strict=True):
        if not 0 <= c <= side:
            raise entry.error(
                key, f"{c:g} is outside of the image's {side} pixels; intrinsics and image need one resolution"
            )
    shares = [c / side for c, side in zip(centre, size, strict=True)]
    if abs(shares[0] - shares[1]) < AGREE and abs(shares[0] - 0.5) > OFF_CENTRE:
        of = f"{round(2 * centre[0])}x{round(2 * centre[1])}"
        raise entry.error(
            "cx",
            f"cx, cy are the middle of an image of {of} pixels, this one has {size[0]}x{size[1]}; scale both together",
        )
