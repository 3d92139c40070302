"""What is odd of photographs with the printed sheet, though they can be used: a line each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from dgrasp.cell.transforms import inverse
from dgrasp.data.captures.document import shown
from dgrasp.data.captures.picture import film_length
from dgrasp.data.captures.sheet_lens import DIAGONAL

NEAR, TURNED = 0.03, 3.0  # m and degrees: two cameras so near to each other see the same
# Sides of pictures as cameras take them, of phones and those of labs (1.195, 1.567); other ones were cut, or stretched
SIDES = 1.0, 1.195, 5 / 4, 4 / 3, 3 / 2, 1.567, 8 / 5, 16 / 9, 17 / 9, 2.0, 19 / 9, 19.5 / 9, 20 / 9, 21 / 9
ROUNDED = 0.01  # relative: sides are cut to whole blocks of pixels
OTHER = 0.1  # relative: cameras round to a millimetre, and some go by the width; a stretch to 4:3 of 16:9 is a third


def of_one_place(
    names: Sequence[str], images: Sequence[UInt8[np.ndarray, "h w 3"]], Ts: Float[np.ndarray, "n 4 4"]
) -> list[str]:
    """Pairs of photographs that are one view: the same pixels, or two from one place. Ts: of cameras, in one frame."""
    lines = []
    for i, j in itertools.combinations(range(len(names)), 2):
        pair = f"{shown(names[i])} and {shown(names[j])}"
        if np.array_equal(images[i], images[j]):
            lines.append(f"{pair} are the same photograph: they tell as much as one; another place tells more")
            continue
        off = inverse(Ts[i]) @ Ts[j]
        turned = np.degrees(Rotation.from_matrix(off[:3, :3]).magnitude())
        if np.linalg.norm(off[:3, 3]) < NEAR and turned < TURNED:
            lines.append(f"{pair} were taken from one place: they tell as much as one; another place tells more")
    return lines


def of_other_lenses(
    files: Sequence[Path], images: Sequence[UInt8[np.ndarray, "h w 3"]], K: Float[np.ndarray, "n 3 3"],
    found: Sequence[bool],
) -> list[str]:  # fmt: skip
    """Photographs whose lens was `found`, and that may be stretched or cropped: the first one by its sides, or by the
    focal length that its camera wrote."""
    lines = []
    for file, image, was_found in zip(files, images, found, strict=True):
        sides = max(image.shape[:2]) / min(image.shape[:2])
        if was_found and min(abs(sides / its - 1) for its in SIDES) > ROUNDED:
            lines.append(
                f"{shown(file.name)}: few cameras take pictures of {image.shape[1]}x{image.shape[0]}: was it cropped "
                "or stretched? Then cameras may be off by centimetres; give pictures as the camera took them"
            )
            break
    for file, image, k, was_found in zip(files, images, K, found, strict=True):
        stated = film_length(file) if was_found else None
        its = DIAGONAL * float(k[0, 0]) / float(np.hypot(*image.shape[:2]))
        if stated and abs(its / stated - 1) > OTHER:
            lines.append(
                f"{shown(file.name)}: its camera wrote a focal length of {stated:.0f} mm (on 35 mm film), the sheet "
                f"tells {its:.0f} mm: was the picture stretched or cropped? Then cameras may be off; give "
                "pictures as the camera took them"
            )
            break
    return lines
