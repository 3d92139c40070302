"""The data card of the procedural objects: families, sizes, grasps, computed from the library itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from dgrasp.data.card import markdown_table
from dgrasp.sim.objects.antipodal import CONE, WIDEST
from dgrasp.sim.objects.families import FAMILIES, TOO_ALIKE
from dgrasp.sim.objects.made import LIBRARY, SEED, TRAINING, VERSION, load_made
from dgrasp.sim.tasks.procedural import DENSITY, FRICTION, MADE_SHARE, PILED_SHARE, PRINTED_SHARE

HEAD = """\
# Data card of the procedural objects

{library} objects in {families} families that take turns, version {version}, drawn from stream {seed}: numbers
below {training} for training scenes, the others for validation and tests. Convex parts, each with a density; no mesh
of anybody's is used. No YCB model and none of the twin's everyday objects is among them, nothing is modelled after
one, and what has the size of one by chance (each side of the bounding box within {alike:.0f} mm) was drawn again.

Grasps are pairs of opposite surface points ({cone:.0f} degrees, at most {widest:.0f} mm apart) with nothing else on the
fingers' way. In a scene those count that are level, that the board and the object's neighbours leave room for, and
that the hand reaches past the object itself. Demonstrations are those of them that lifted the object in physics.

A scene of the training task has five objects: {made:.0%} of them made, the others prisms; {piled:.0%} of the scenes
are piles; {printed:.0%} of the objects wear a print; densities {density[0]:.0f} to {density[1]:.0f} kg/m^3,
friction {friction[0]:g} to {friction[1]:g}.

![Examples of each family, one row for each](objects.png)

"""


def object_card(numbers: Iterable[int] = range(LIBRARY)) -> str:
    """The card as Markdown; numbers: of the objects that are measured (all of them take a minute)."""
    head = HEAD.format(
        library=LIBRARY, families=len(FAMILIES), version=VERSION, seed=SEED, training=TRAINING, alike=1000 * TOO_ALIKE,
        cone=np.degrees(CONE), widest=1000 * WIDEST, made=MADE_SHARE, piled=PILED_SHARE, printed=PRINTED_SHARE,
        density=DENSITY, friction=FRICTION,
    )  # fmt: skip
    table = families_table(numbers)
    measured = (
        f"Measured on {table['objects'].sum()} of them (sides of the bounding box and widths of grasps in mm):\n\n"
    )
    return head + measured + markdown_table(table)


def families_table(numbers: Iterable[int]) -> pd.DataFrame:
    """One row per family: objects measured, parts, sides of the bounding box (mm), grasps and their widths (mm)."""
    measured = pd.DataFrame(_measured(numbers))
    rows = []
    for family, group in measured.groupby("family", sort=False):
        spans = {name: f"{group[name].min():.0f} to {group[name].max():.0f}" for name in ("shortest", "longest")}
        spans["widths"] = f"{group['narrow'].min():.0f} to {group['wide'].max():.0f}"
        parts = f"{group['parts'].min()} to {group['parts'].max()}"
        grasps = f"{group['grasps'].min()} to {group['grasps'].max()}"
        rows.append({"family": family, "objects": len(group), "parts": parts, **spans, "grasps": grasps})
    return pd.DataFrame(rows)


def _measured(numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
    for number in numbers:
        made = load_made(number)
        sides, widths = 1000 * np.ptp(made.corners, axis=0), [1000 * line.width for line in made.lines] or [np.nan]
        yield {
            "family": made.family, "parts": len(made.solid.normals), "shortest": sides.min(), "longest": sides.max(),
            "grasps": len(made.lines), "narrow": min(widths), "wide": max(widths),
        }  # fmt: skip
