"""The keys that tell of a lens, and keys that look like them: those are refused, since nobody would read them."""

from __future__ import annotations

import re
from typing import Any

from dgrasp.data.captures.document import Entry, plain, shown

PERSPECTIVES = (
    "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE", "OPENCV", "FULL_OPENCV", "SIMPLE_RADIAL", "RADIAL",
)  # fmt: skip
FISHEYES = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
MODEL_KEYS = ("camera_model", "camera_type")
FISHEYE_FLAGS = ("is_fisheye", "fisheye")  # the first is instant-ngp's
FLAGS = ("latlong", "equirectangular", "orthographic")
PERSPECTIVE_KEYS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")  # in OpenCV's order
FISHEYE_KEYS = ("k1", "k2", "k3", "k4")
PARAMS = ("k1", "k2", "k3", "k4", "p1", "p2")  # the order of nerfstudio's `distortion_params`
# What is read above, and s1 .. s4, tau_x (OpenCV's prisms and tilt), sx1 (COLMAP's), b1, b2 (Metashape's skew),
# ftheta_p0 .., omega (FOV), rolling shutters, and whatever calls itself distortion: they must be 0.
COEFFICIENTS = re.compile(r"k\d*|p\d+|s\d+|s[xy]\d|tau_?[xy]|b[12]|ftheta_p\d+|omega|skew|rolling_shutter|.*distort.*")
ZERO = 1e-9  # a coefficient that moves no corner by a thousandth of a pixel

KNOWN = (*MODEL_KEYS, *FISHEYE_FLAGS, *FLAGS, *PERSPECTIVE_KEYS, "k", "distortion_params")
# Coefficients in other letters and under other tools' names, as `plain` spells them.
NEAR_COEFFICIENTS = re.compile(
    r"k\d*|p\d+|s\d+|s[xy]\d|tau[xy]|b[12]|fthetap\d+|omega|skew|rollingshutter|.*distort.*|d|dist(?!anc|rib).*|"
    r"coef.*|kc\d*|kappa\d*|radial.*|tangential.*|fisheye.+|lens(dist|coef|param|[kp]\d).*"
)
MATRIX = re.compile(r"k|p\d")  # K, and P1 and P2, are names of matrices as well
NEAR_MODELS = re.compile(
    r"cam(era)?(model|type)|(lens|projection)(model|type|kind|name)|(is)?fisheye|latlong|equirectangular|"
    r"orthographic|spherical|panoram.*|omni.*"
)
NAMED = re.compile(r"(lens|projection).*|model|camera|device")  # by words that a lens is called by: see `BENT`
BENT = re.compile(r".*(fish|fov|radial|opencv|equirect|spher|omni|kannala|distort|panoram|360|ultrawide).*")
HARMLESS = {
    plain(name) for name in (*PERSPECTIVES, "rectilinear", "none")
}  # what bends lines of these is stated beside
CROP = "fisheyecropradius"  # of a fisheye: nerfstudio's mask
READ = (
    f"a lens is read from {MODEL_KEYS[0]}, {FISHEYE_FLAGS[0]}, {', '.join(PERSPECTIVE_KEYS)} and distortion_params, of "
    "a frame or of all; leave the key out if lines are straight in the pictures"
)


def check_unread(entry: Entry, fisheye: bool) -> None:
    """Raise CaptureError for a key that tells of another lens than a pinhole's, in words that are not read.

    fisheye: whether the frame is stated to be a fisheye's, in words that are.
    """
    for key, value in (*entry.shared.items(), *entry.frame.items()):
        if key in KNOWN or COEFFICIENTS.fullmatch(key) or (fisheye and _of_a_fisheye(key, value)):
            continue
        if isinstance(value, dict):
            if inside := next((k for k, v in value.items() if _tells_of_a_lens(k, v)), None):
                raise entry.error(key, f"tells {shown(inside)}, which is not read there; {READ}")
        elif _tells_of_a_lens(key, value):
            meant = next((known for known in KNOWN if plain(known) == plain(key)), None)
            raise entry.error(
                key, f"unknown key; did you mean {meant}?" if meant else f"{shown(value)}, which is not read; {READ}"
            )


def _tells_of_a_lens(key: str, value: Any) -> bool:
    """Whether a key is of a lens, by its name in any letters, and says more than that lines are straight."""
    name = plain(key)
    if _says_nothing(value) or (isinstance(value, str) and plain(value) in HARMLESS):
        return False
    if MATRIX.fullmatch(name) and isinstance(value, list) and (len(value) in (9, 12, 16) or isinstance(value[0], list)):
        return False
    if NEAR_COEFFICIENTS.fullmatch(name) or NEAR_MODELS.fullmatch(name):
        return True
    return isinstance(value, str) and NAMED.fullmatch(name) is not None and BENT.fullmatch(plain(value)) is not None


def _of_a_fisheye(key: str, value: Any) -> bool:
    """Whether a key agrees with a lens that is stated to be a fisheye's."""
    return plain(key) == CROP or (isinstance(value, str) and "fisheye" in plain(value))


def _says_nothing(value: Any) -> bool:
    """Whether a JSON value is none, false, zeros, or empty."""
    rows = value if isinstance(value, list) else [value]
    numbers = [number for row in rows for number in (row if isinstance(row, list) else [row])]
    return all(
        number is None or number is False or number == "" or (isinstance(number, int | float) and abs(number) <= ZERO)
        for number in numbers
    )
