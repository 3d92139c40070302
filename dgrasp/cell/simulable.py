"""What the simulator and the tasks ask of a described cell, besides that it is possible."""

from __future__ import annotations

import numpy as np

from dgrasp.cell.description import CellDescription

ROOM = 0.26  # m: sides of the least workspace that the tasks' scenes find room in
LEAST_FORCE = 10.0  # N, of `CellConfig.grip_force`
VIEWS = 2  # Sec. 5: the images of a plan


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


def force_problem(cell: CellDescription) -> str | None:
    """A hand that presses less than the simulator's least (`CellConfig.grip_force`)."""
    low, high = cell.gripper.force
    if (low + high) / 2 >= LEAST_FORCE:
        return None
    return (
        f"gripper: force: {low:g} to {high:g} N; the simulator presses with the middle of them, and with "
        f"{LEAST_FORCE:g} N at least; are these kilonewtons?"
    )


def simulator_problems(cell: CellDescription) -> list[str]:
    """A line for each thing for which the simulator would refuse the cell."""
    return [problem for problem in (views_problem(cell), room_problem(cell), force_problem(cell)) if problem]


def lens_notes(cell: CellDescription, width: int = 640, height: int = 480) -> list[str]:
    """A line for each thing to be known of the cameras' lenses in simulated pictures of this size."""
    notes = []
    for camera in cell.cameras:
        k = camera.intrinsics
        if k.width * height != k.height * width:
            small = k.resized(width, height)
            notes.append(
                f"cameras: {camera.name}: pictures of {k.width}x{k.height} are squeezed to the profiles' 4:3 in the "
                f"simulator (at {width}x{height}: fx {small.fx:.0f}, fy {small.fy:.0f}); state a mode or a cut of "
                "4:3 to keep pixels square"
            )
    if len({camera.intrinsics.resized(width, height) for camera in cell.cameras}) > 1:
        notes.append(
            "cameras: their lenses differ; views of demonstrations, at random places, are each through one of them, "
            "by lot"
        )
    return notes
