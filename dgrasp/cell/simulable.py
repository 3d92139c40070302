"""What the simulator and the tasks ask of a described cell, besides that it is possible."""

from __future__ import annotations

import numpy as np

from dgrasp.cell.description import CellDescription

ROOM = 0.26  # m: sides of the least workspace that the tasks' scenes find room in
VIEWS = 2  # Sec. 5: the images of a plan


def lens_problem(cell: CellDescription) -> str | None:
    """Cameras of several lenses."""
    lenses = {camera.name: camera.intrinsics for camera in cell.cameras}
    if len(set(lenses.values())) < 2:
        return None
    stated = "; ".join(
        f"{name}: {k.width}x{k.height}, {k.fx:g}, {k.fy:g}, {k.cx:g}, {k.cy:g}" for name, k in lenses.items()
    )
    return f"cameras: the simulator has one lens for all; theirs differ ({stated})"


def views_problem(cell: CellDescription, asked: int = VIEWS) -> str | None:
    """Fewer fixed views than a plan is made from."""
    known = len(cell.views)
    return f"views: {asked} asked; the cameras of {cell.name} have {known}" if asked > known else None


def room_problem(cell: CellDescription) -> str | None:
    """A workspace too small for the tasks."""
    sides = np.subtract(cell.workspace.high, cell.workspace.low)[:2]
    if sides.min() >= ROOM:
        return None
    return f"{cell.name}: workspace: {sides[0]:g} by {sides[1]:g} m; the tasks' scenes need {ROOM:g} m each way"


def simulator_problems(cell: CellDescription) -> list[str]:
    """A line for each thing for which the simulator would refuse the cell."""
    return [problem for problem in (lens_problem(cell), views_problem(cell), room_problem(cell)) if problem]


def squeezed(cell: CellDescription, width: int = 640, height: int = 480) -> str | None:
    """What simulated pictures of this size make of a lens whose own have other proportions; None where they agree."""
    k = cell.cameras[0].intrinsics
    if k.width * height == k.height * width:
        return None
    small = k.resized(width, height)
    return (
        f"cameras: pictures of {k.width}x{k.height} are squeezed to the profiles' 4:3 (at {width}x{height}: fx "
        f"{small.fx:.0f}, fy {small.fy:.0f}), in the simulator; state a mode or a cut of 4:3 to keep pixels square"
    )
