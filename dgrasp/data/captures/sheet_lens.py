"""The lens that took pictures of the printed sheet, where nobody states it; and whether it is such a one as is assumed.

Assumed is a pinhole with square pixels whose axis hits the middle of the picture. It is held against lenses with one
more freedom: radial distortion, another height of the pixels, another middle. What such a lens explains much better,
is refused, or a line of doubt; on two pictures from opposite sides, equally steep, a stretched picture and one that was
cut above or below look like another focal length, and nothing tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from dgrasp.cell.sheet import Seen
from dgrasp.data.captures.document import Entry

DIAGONAL = 43.27  # mm, of 35 mm film, by which cameras state a focal length on it
# Of the image's width (2 of 640 pixels), and pixels at least: a sheet that is off by more is another one, or not flat
OFF, LEAST_OFF = 3e-3, 1.0
ROUGH = 0.5, 7e-4  # pixels, and of the width: flat sheets on 66 renderings were off by up to 0.27 of 640 pixels
UNSURE = 0.03  # standard deviation of an estimated focal length, relative: 3 cm at a metre
SIGMAS = 4.0  # by which a picture's own focal length may differ from that of all; 2 are usual
TILT = 15.0  # degrees of the sheet's plane to the image's in some picture: parallel, it tells no focal length
LOW = 30.0  # degrees of the same that are enough, so that it is not the camera's height that is to blame
SMALL = 0.2  # of the picture's width, or less, that the sheet has: 45 degrees and 0.8 m away it is 0.3
COARSE = 480  # pixels of width, or fewer, in which the corners of a tag are found too roughly
# F of a lens with one more freedom; 4.6 was the most in 66 renderings through pinholes, 30 the least with |k1| = 0.1
BETTER = 12.0
DOUBT, WRONG = 0.01, 0.03  # m that a camera is off if the other lens is the true one: a line, and no answer
FLOOR = 0.05  # pixels that corners are off at least, so that renderings without noise do not seem exact


@dataclass(frozen=True, eq=False)
class Fit:
    """A lens, and where it stood. K: pixels. bend: `k1`. spread: standard deviation of the focal length, pixels.

    tilt: largest of the sheet's plane to the image's, degrees. p_cam_sheet: of the sheet's middle, camera frames, and
    p_sheet_cam of the cameras, metres. squares: sum of the squared residuals of `values` numbers, left of which are
    `spare` once the lens and the poses are fitted.
    """

    K: Float[np.ndarray, "3 3"]
    bend: float
    spread: float
    tilt: float
    p_cam_sheet: Float[np.ndarray, "n 3"]
    p_sheet_cam: Float[np.ndarray, "n 3"]
    squares: float
    values: int
    spare: int

    @property
    def focal(self) -> float:
        """Of the pixels' width, pixels."""
        return float(self.K[0, 0])

    @property
    def off(self) -> float:
        """By how much corners are off, root of the mean square, pixels."""
        return float(np.sqrt(2 * self.squares / self.values))


class Other(NamedTuple):
    """A lens of another kind that would explain the pictures. better: F; error: of cameras if it is true, m."""

    fit: Fit
    better: float
    error: float
    words: str
    remedy: str


def lens_of(
    cv2: Any, seen: Sequence[Seen], size: tuple[int, int], entries: Sequence[Entry]
) -> tuple[Float[np.ndarray, "3 3"], list[str]]:
    """`K` of the lens that took all these pictures, and lines about it; the first says what was found.

    Raises CaptureError where the pictures leave it open, where one of them tells another than all together, and where
    they are not of a lens as it is assumed.
    """
    fit = _fitted(cv2, seen, size, entries[0])
    others = [other for free in FREE if (other := _other(cv2, fit, free, seen, size, entries[0]))]
    best = max(others, key=lambda other: other.better, default=None)
    best = best if best and best.better >= BETTER and best.error >= DOUBT else None
    if len(seen) > 1:
        _check_zoom(cv2, fit, best, seen, size, entries)
    if best and best.error >= WRONG:
        raise entries[0].error("", f"{best.words}: cameras would be about {100 * best.error:.0f} cm off; {best.remedy}")
    if fit.off > most_off(size[0]):
        raise entries[0].error(
            "",
            f"no lens without distortion sees the sheet like this (off by {fit.off:.3g} pixels): is it flat, and "
            "sheet.yaml as measured? A fisheye must be stated in a transforms.json",
        )
    if fit.tilt < TILT or not 0 < fit.spread <= UNSURE * fit.focal:
        raise entries[0].error(
            "",
            f"the pictures leave the focal length open ({fit.focal:.4g} +- {fit.spread:.3g} pixels, the sheet tilted "
            f"by {fit.tilt:.0f} degrees); {_advice(fit, seen, size)}, or state the lens in a transforms.json",
        )
    film = DIAGONAL * fit.focal / float(np.hypot(*size))
    lines = [
        f"the sheet in pictures of {size[0]}x{size[1]} tells a focal length of {fit.focal:.4g} +- {fit.spread:.2g} "
        f"pixels ({film:.0f} mm on 35 mm film); its corners are off by {fit.off:.2f} pixels"
    ]
    if best:
        lines.append(f"{best.words}: cameras may be about {100 * best.error:.0f} cm off; {best.remedy}")
    elif fit.off > max(ROUGH[0], ROUGH[1] * size[0]):
        lines.append("that is more than of a flat sheet and a good lens: is it flat, and sheet.yaml as measured?")
    return fit.K, lines


def most_off(width: int) -> float:
    """Pixels by which the corners of a sheet may be off in a picture of this width."""
    return max(OFF * width, LEAST_OFF)


def _check_zoom(
    cv2: Any, fit: Fit, best: Other | None, seen: Sequence[Seen], size: tuple[int, int], entries: Sequence[Entry]
) -> None:
    """Raise CaptureError for a picture of another focal length, unless another kind of lens explains all better."""
    alone = [_fitted(cv2, [one], size, entry) for one, entry in zip(seen, entries, strict=True)]
    if best and best.fit.squares < sum(its.squares for its in alone):
        return
    for its, entry in zip(alone, entries, strict=True):
        off = abs(its.focal - fit.focal)
        if its.tilt >= TILT and 0 < SIGMAS * its.spread < off and off > UNSURE * fit.focal:
            raise entry.error(
                "",
                f"by itself it has a focal length of {its.focal:.4g} +- {its.spread:.3g} pixels, together with the "
                f"other pictures of its size {fit.focal:.4g}: was there a zoom, another camera, a stretched "
                "picture? Photograph all with one lens, or state each lens in a transforms.json",
            )


def _advice(fit: Fit, seen: Sequence[Seen], size: tuple[int, int]) -> str:
    """What would tell the focal length."""
    wide = max(float(np.ptp(one.uv[:, 0])) for one in seen)
    said = []
    if size[0] <= COARSE:
        said.append(f"give pictures of more pixels than {size[0]}x{size[1]}, as the camera took them")
    if fit.tilt < LOW:
        said.append("photograph from lower, 45 degrees")
    if wide < SMALL * size[0]:
        away = float(np.linalg.norm(fit.p_cam_sheet, axis=1).min())
        said.append(
            f"photograph from nearer (the sheet is {wide:.0f} pixels wide, about {away:.1f} m away), or print it larger"
        )
    return ", and ".join(said) or "photograph from lower, 45 degrees, and nearer"


FREE = ("bend", "stretch", "x", "y")  # what another lens may have: distortion, tall pixels, an axis beside the middle
STEP = 0.03  # of the width, to each side of the middle, between which the best place of the axis is taken from


def _fitted(
    cv2: Any, seen: Sequence[Seen], size: tuple[int, int], entry: Entry, free: str = "",
    beside: tuple[float, float] = (0.0, 0.0),
) -> Fit:  # fmt: skip
    """The lens that fits best, with "bend" or "stretch", or nothing free but its focal length.

    beside: where its axis hits the picture, from the middle, pixels. Raises CaptureError.
    """
    width, height = size
    K = np.array([[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1.0]])
    K[:2, 2] += beside
    flags = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    flags |= cv2.CALIB_FIX_PRINCIPAL_POINT
    for name, flag in (("bend", cv2.CALIB_FIX_K1), ("stretch", cv2.CALIB_FIX_ASPECT_RATIO)):
        flags |= 0 if name == free else flag
    points, pixels = ([getattr(s, part).astype(np.float32) for s in seen] for part in ("p_sheet", "uv"))
    try:
        off, K, bends, turns, shifts, spreads, *_ = cv2.calibrateCameraExtended(
            points, pixels, size, K, None, flags=flags
        )
    except cv2.error as error:
        raise entry.error("", "no lens sees the sheet like this; is sheet.yaml that of this sheet?") from error
    Rs = np.stack([cv2.Rodrigues(turn)[0] for turn in turns])
    p_cam_sheet = np.stack([shift.ravel() for shift in shifts])
    tilts = np.degrees(np.arccos(np.clip(np.abs(Rs[:, 2, 2]), 0, 1)))
    # The spread is of fy: where pixels are square, fx follows it, and its own is given as 0.
    values = sum(one.uv.size for one in seen)
    spare = values - 6 * len(seen) - 1 - bool(free)
    p_sheet_cam = -(Rs.transpose(0, 2, 1) @ p_cam_sheet[..., None])[..., 0]
    return Fit(
        np.asarray(K, dtype=np.float64), float(np.ravel(bends)[0]), float(np.ravel(spreads)[1]), float(tilts.max()),
        p_cam_sheet, p_sheet_cam, float(off) ** 2 * values / 2, values, spare,
    )  # fmt: skip


def _other(cv2: Any, fit: Fit, free: str, seen: Sequence[Seen], size: tuple[int, int], entry: Entry) -> Other | None:
    """The lens with one more freedom; None where there are too few corners for it, or the axis is not to be told."""
    beside = 0.0
    if free in ("x", "y"):
        found = _beside(cv2, fit, free, seen, size, entry)
        if found is None:
            return None
        beside = found
        other = _fitted(cv2, seen, size, entry, beside=(beside, 0.0) if free == "x" else (0.0, beside))
    else:
        other = _fitted(cv2, seen, size, entry, free)
    if fit.spare < 2:
        return None
    noise = max(other.squares / (fit.spare - 1), FLOOR**2)
    better = (fit.squares - other.squares) / noise
    moved = float(np.linalg.norm(other.p_sheet_cam - fit.p_sheet_cam, axis=1).max())
    remedy = "give the pictures as the camera took them, or state the lens in a transforms.json"
    if free == "bend":
        words = f"the lens bends straight lines (k1 {other.bend:+.2g}), or the sheet is not flat"
        remedy = "state its distortion in a transforms.json (a fisheye must be stated), or use another lens"
    elif free == "stretch":
        words = f"the pictures look stretched: their pixels are {other.focal / other.K[1, 1]:.3g} times as high as wide"
    else:
        words = f"the pictures look cropped: the lens' axis hits them {beside:+.0f} pixels in {free} from their middle"
    return Other(other, better, moved, words, remedy)


def _beside(
    cv2: Any, fit: Fit, along: str, seen: Sequence[Seen], size: tuple[int, int], entry: Entry
) -> float | None:  # fmt: skip
    """Where the axis would be hit best, pixels from the middle in x or y: the lowest place of a parabola.

    OpenCV frees both coordinates or none, and one of them is often not to be told from the focal length. None where
    the parabola has no lowest place, or one beyond a quarter of the width.
    """
    step = STEP * size[0]
    before, after = (
        _fitted(cv2, seen, size, entry, beside=(d, 0.0) if along == "x" else (0.0, d)).squares for d in (-step, step)
    )
    curve = before + after - 2 * fit.squares
    if curve <= 0:
        return None
    beside = step * (before - after) / (2 * curve)
    return beside if abs(beside) < size[0] / 4 else None
