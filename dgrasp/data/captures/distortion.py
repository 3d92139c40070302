"""The distortion of a frame's lens, in the spellings of nerfstudio, instant-ngp and COLMAP, in OpenCV's terms.

Two families, as OpenCV has them: a perspective lens (`k1 k2 p1 p2 k3 k4 k5 k6`) and a fisheye (`k1 k2 k3 k4`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dgrasp.data.captures.document import Entry, shown
from dgrasp.data.captures.lens_keys import (
    COEFFICIENTS,
    FISHEYE_FLAGS,
    FISHEYE_KEYS,
    FISHEYES,
    FLAGS,
    MODEL_KEYS,
    PARAMS,
    PERSPECTIVE_KEYS,
    PERSPECTIVES,
    ZERO,
    check_unread,
)


@dataclass(frozen=True)
class Distortion:
    """OpenCV's coefficients of a lens, in its order; all 0 of a perspective lens: a pinhole."""

    kind: Literal["perspective", "fisheye"]
    coefficients: tuple[float, ...]

    @property
    def is_pinhole(self) -> bool:
        """Whether the picture is a pinhole's as it stands."""
        return self.kind == "perspective" and not any(self.coefficients)


def distortion_of(entry: Entry) -> Distortion:
    """What the frame says of its lens. Raises CaptureError for what OpenCV has no model of, or nobody would read."""
    fisheye = _is_fisheye(entry)
    check_unread(entry, fisheye)
    found = _coefficients(entry, FISHEYE_KEYS if fisheye else PERSPECTIVE_KEYS)
    if not fisheye:
        _check_fourth(entry, found)
        return Distortion("perspective", tuple(found.get(key, 0.0) for key in PERSPECTIVE_KEYS))
    if not found:
        raise entry.error(
            "", "is a fisheye's picture without k1, k2, k3, k4; state those of OpenCV's model, 0 if it is equidistant"
        )
    return Distortion("fisheye", tuple(found.get(key, 0.0) for key in FISHEYE_KEYS))


def _is_fisheye(entry: Entry) -> bool:
    fisheye = False
    for key in (k for k in MODEL_KEYS if k in entry):
        model = entry.get(key)
        name = model.upper() if isinstance(model, str) else ""
        if name not in (*PERSPECTIVES, *FISHEYES):
            allowed = ", ".join((*PERSPECTIVES, *FISHEYES))
            raise entry.error(key, f"{shown(model)} is no camera that is read; allowed: {allowed}. Rectify the images")
        fisheye |= name in FISHEYES
    for key in FLAGS:
        if _flag(entry, key):
            raise entry.error(key, "true, so no pinhole camera; rectify the images first")
    for key in FISHEYE_FLAGS:
        fisheye |= _flag(entry, key)
    return fisheye


def _flag(entry: Entry, key: str) -> bool:
    """A truth value, where it is stated; raises CaptureError for 0 and 1, too: whoever reads them may mean another."""
    value = entry.get(key)
    if value is not None and not isinstance(value, bool):
        raise entry.error(key, f"expected true or false, got {shown(value)}")
    return value is True


def _coefficients(entry: Entry, allowed: tuple[str, ...]) -> dict[str, float]:
    """The stated coefficients by their key in `allowed`; those that are elsewhere must be 0."""
    found: dict[str, float] = {}
    for key in filter(COEFFICIENTS.fullmatch, entry):
        stated = _params(entry, allowed) if key == "distortion_params" else _named(entry, key, allowed)
        for name, number in stated.items():
            if abs(found.get(name, number) - number) > ZERO:
                raise entry.error(key, f"says {name} = {number:g}, and another key says {found[name]:g}")
            found[name] = number
    return found


def _named(entry: Entry, key: str, allowed: tuple[str, ...]) -> dict[str, float]:
    name = "k1" if key == "k" else key  # of COLMAP's SIMPLE_RADIAL
    if name in allowed:
        return {name: entry.finite(key, entry.get(key))}
    value = entry.get(key)
    for coefficient in value if isinstance(value, list) else [value]:
        number = entry.finite(key, coefficient)
        if abs(number) > ZERO:
            raise entry.error(
                key, f"{number:g}, which is not understood; distortion is read from {', '.join(allowed)}. Else 0"
            )
    return {}


def _params(entry: Entry, allowed: tuple[str, ...]) -> dict[str, float]:
    """nerfstudio's list, of 6 numbers or the first 4."""
    value: Any = entry.get("distortion_params")
    if not isinstance(value, list) or len(value) not in (4, 6):
        raise entry.error("distortion_params", f"expected the numbers {', '.join(PARAMS)}, got {shown(value)}")
    numbers = [entry.finite("distortion_params", number) for number in value]
    for name, number in zip(PARAMS, numbers, strict=False):
        if name not in allowed and abs(number) > ZERO:
            raise entry.error("distortion_params", f"{name} = {number:g}, which this lens does not have; allowed is 0")
    return {name: number for name, number in zip(PARAMS, numbers, strict=False) if name in allowed}


def _check_fourth(entry: Entry, found: dict[str, float]) -> None:
    """k4 alone means the radius' eighth power to nerfstudio, and the first of a denominator to OpenCV."""
    if found.get("k4", 0.0) and not ("k5" in found or "k6" in found):
        model = entry.get("camera_model")
        if not (isinstance(model, str) and model.upper() == "FULL_OPENCV"):
            raise entry.error(
                "k4", f"{found['k4']:g} without k5, k6 is nerfstudio's or OpenCV's; allowed is 0, or FULL_OPENCV's k4"
            )
